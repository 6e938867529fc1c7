// Amounts with units: what is read, what is refused, and that the schema's patterns agree.
#include "spec/unit_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <regex>

#include "spec/near_miss.h"

namespace gw::spec {
namespace {

constexpr Unit kUnits[] = {Unit::kNanoseconds,    Unit::kSeconds,        Unit::kMilliwatts,
                           Unit::kBytes,          Unit::kMebibytes,      Unit::kTflops,
                           Unit::kTbytePerSecond, Unit::kGbytePerSecond, Unit::kGbitPerSecond,
                           Unit::kEuroPerMwh,     Unit::kGramsPerKwh,    Unit::kMessageBytes};

TEST(UnitText, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parse_amount("15 MW", Unit::kMilliwatts), 15e9);
  EXPECT_EQ(parse_amount("14.3kW", Unit::kMilliwatts), 14.3e6);
  EXPECT_EQ(parse_amount("180 GB", Unit::kBytes), 180e9);
  EXPECT_EQ(parse_amount("2 TiB", Unit::kBytes), 2199023255552.0);
  EXPECT_EQ(parse_amount("2 PB", Unit::kDataSetBytes), 2e15);
  EXPECT_EQ(parse_amount("2 PB", Unit::kBytes), std::nullopt);  // No memory is that large.
  EXPECT_EQ(parse_amount("8 B", Unit::kMessageBytes), 8.0);
  EXPECT_EQ(parse_amount("64 KiB", Unit::kMessageBytes), 65536.0);
  EXPECT_EQ(parse_amount("1 kB", Unit::kMessageBytes), 1000.0);
  EXPECT_EQ(parse_amount("20 TB", Unit::kMessageBytes), 20e12);
  EXPECT_EQ(amount_text(65536, Unit::kMessageBytes), "64 KiB");
  EXPECT_EQ(parse_amount("64 KiB", Unit::kMebibytes), std::nullopt);  // Kept in MiB, it would be none.
  EXPECT_EQ(parse_amount("200 GiB", Unit::kMebibytes), 204800.0);
  EXPECT_EQ(parse_amount("30min", Unit::kNanoseconds), 1800e9);
  EXPECT_EQ(parse_amount("1h 30min", Unit::kSeconds), 5400.0);
  EXPECT_EQ(parse_amount("1d12h", Unit::kSeconds), 129600.0);
  EXPECT_EQ(parse_amount("400 Gbit/s", Unit::kGbitPerSecond), 400.0);
  EXPECT_EQ(parse_amount("732 GB/s", Unit::kTbytePerSecond), 0.732);
  EXPECT_EQ(parse_amount("1.5 PFLOP/s", Unit::kTflops), 1500.0);
  EXPECT_EQ(parse_amount("-20 EUR/MWh", Unit::kEuroPerMwh), -20.0);
  EXPECT_EQ(parse_amount("14 ct/kWh", Unit::kEuroPerMwh), 140.0);
  EXPECT_EQ(parse_amount("30 g/kWh", Unit::kGramsPerKwh), 30.0);
}

TEST(UnitText, RefusesTheRest) {
  for (const char* text : {"", "15", "MW", "15 mw", "15 MWh", "-15 MW", "1,5 MW", "15 MW ", " 15 MW", "1e3 W",
                           ".5 W", "1. W", "1 W 2 W", "0x10 W", "15  MWMW", "nan W"})
    EXPECT_EQ(parse_amount(text, Unit::kMilliwatts), std::nullopt) << text;
  for (const char* text : {"1h 30", "1h,30min", "h", "1 h 30 min ", "1m", "1:30", "-1h"})
    EXPECT_EQ(parse_amount(text, Unit::kSeconds), std::nullopt) << text;
  for (const char* text : {"", "1,000", "0x1", "012", "inf", "nan", "1 ", "+1", ".5", "1e999", "one"})
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
  EXPECT_EQ(parse_number("-0.5e3"), -500.0);
}

RC_GTEST_PROP(UnitText, PatternsAcceptExactlyWhatIsRead, ()) {
  const Unit unit = *rc::gen::elementOf(std::vector<Unit>(std::begin(kUnits), std::end(kUnits)));
  std::vector<std::string> pieces = {"1", "0", "2.5", "12", ".", " ", "  ", "-", "x", "", "1.25"};
  for (const UnitSuffix& suffix : suffixes(unit)) {
    pieces.emplace_back(suffix.text);
    pieces.emplace_back("3 " + std::string(suffix.text));
  }
  std::string text;
  for (const std::string& piece : *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(pieces))) {
    if (text.size() < 40) text += piece;
  }
  RC_LOG() << '"' << text << '"';
  RC_ASSERT(parse_amount(text, unit).has_value() == std::regex_match(text, std::regex(unit_pattern(unit))));
}

RC_GTEST_PROP(UnitText, PrintedAmountsReadBackEqual, ()) {
  const Unit unit = *rc::gen::elementOf(std::vector<Unit>(std::begin(kUnits), std::end(kUnits)));
  const double value = static_cast<double>(*rc::gen::inRange<std::int64_t>(0, 1'000'000'000));
  const std::optional<double> back = parse_amount(amount_text(value, unit), unit);
  RC_ASSERT(back.has_value());
  RC_ASSERT(std::abs(*back - value) <= value * 1e-12);
}

TEST(UnitText, PrintsShort) {
  EXPECT_EQ(amount_text(days(7)), "7d");
  EXPECT_EQ(amount_text(minutes(90)), "1.5h");
  EXPECT_EQ(amount_text(hours(1)), "1h");
  EXPECT_EQ(amount_text(Milliwatts{14'300'000}), "14.3 kW");
  EXPECT_EQ(amount_text(Milliwatts{700'000}), "700 W");
  EXPECT_EQ(amount_text(Bytes{std::int64_t{200} << 30}), "200 GiB");
}

TEST(NearMiss, DistanceAndSuggestions) {
  EXPECT_EQ(edit_distance("gpus", "gpus"), 0U);
  EXPECT_EQ(edit_distance("gpuss", "gpus"), 1U);
  EXPECT_EQ(edit_distance("gird", "grid"), 1U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(suggestion("gpuss", std::vector<std::string>{"gpus", "nodes"}), "; did you mean \"gpus\"?");
  EXPECT_EQ(suggestion("b200", std::vector<std::string>{"dgx-a100", "dgx-b200"}),
            "; did you mean \"dgx-b200\"?");
  EXPECT_EQ(suggestion("wheels", std::vector<std::string>{"gpus", "nodes"}), "; one of: gpus, nodes");
}

}  // namespace
}  // namespace gw::spec
