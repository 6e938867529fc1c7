// Prices: rounded once, read from files with every mistake named, and parts of time that add up.
#include "live/prices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "live/archive.h"
#include "live/price_file.h"

namespace gw::live {
namespace {

using ::testing::HasSubstr;

TEST(Prices, AnHourCostsWhatThePlanSays) {
  PricePlan plan;
  plan.per_gpu_hour["h100"] = MicroEuros{2'500'000};
  plan.per_other_gpu_hour = MicroEuros{1'000'000};
  plan.per_core_hour = MicroEuros{20'000};
  constexpr std::int64_t kHour = std::int64_t{3600} * 1'000'000;
  EXPECT_EQ(plan.price("h100", 8 * kHour, 0), MicroEuros{20'000'000});
  EXPECT_EQ(plan.price("b200", kHour, 0), MicroEuros{1'000'000});
  EXPECT_EQ(plan.price("", 0, 10 * kHour), MicroEuros{200'000});
  EXPECT_EQ(plan.price("h100", kHour, kHour), MicroEuros{2'520'000});
  EXPECT_EQ(plan.price("h100", 719, 0), MicroEuros{0});  // Less than half a micro-euro.
  EXPECT_EQ(plan.price("h100", 720, 0), MicroEuros{1});  // Half of one: up.
}

TEST(Prices, FilesAreReadAndTheirMistakesNamed) {
  const spec::Checked<Prices> prices = parse_prices(
      "gigawerk: 1\nprices:\n  - plan: default\n    gpu_hour: {h100: 2.5, b200: 4}\n    core_hour: 0.02\n"
      "  - {plan: research, other_gpu_hour: 0.5}\n",
      "prices.yaml");
  ASSERT_TRUE(prices) << spec::diagnostics_text(prices.error());
  EXPECT_EQ(prices->at("default").per_gpu_hour.at("b200"), MicroEuros{4'000'000});
  EXPECT_EQ(prices->at("research").per_other_gpu_hour, MicroEuros{500'000});
  const auto complaint = [](std::string_view text) {
    const spec::Checked<Prices> read = parse_prices(text, "p.yaml");
    return read ? std::string() : spec::diagnostics_text(read.error());
  };
  EXPECT_THAT(complaint("gigawerk: 1\nprices: [{plan: a, gpu_hours: 1}]\n"),
              HasSubstr("p.yaml:2:20: unknown key \"gpu_hours\"; did you mean \"gpu_hour\"?"));
  EXPECT_THAT(complaint("gigawerk: 1\nprices: [{plan: a}, {plan: a}]\n"), HasSubstr("a second time"));
  EXPECT_THAT(complaint("gigawerk: 1\nprices: [{plan: a, core_hour: -1}]\n"), HasSubstr("core_hour"));
  EXPECT_THAT(complaint("gigawerk: 1\n"), HasSubstr("lacks the key \"prices\""));
}

RC_GTEST_PROP(Usage, PartsOfAdjacentTimesAddUpToTheWhole, ()) {
  TransferRecord transfer;
  transfer.from = Instant{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000)};
  transfer.to = transfer.from + Nanoseconds{*rc::gen::inRange<std::int64_t>(0, 100'000'000'000'000)};
  transfer.micro_gpu_s = *rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 50);
  transfer.micro_core_s = *rc::gen::inRange<std::int64_t>(0, 1000);
  transfer.energy = Joules{*rc::gen::inRange<std::int64_t>(0, 1'000'000)};
  transfer.price = MicroEuros{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000)};
  std::vector<Instant> cuts{Instant{}, Instant::max()};
  for (int cut = 0; cut < 5; ++cut)
    cuts.push_back(transfer.from + Nanoseconds{*rc::gen::inRange<std::int64_t>(-1000, 100'000'001'000'000)});
  std::sort(cuts.begin(), cuts.end());
  UsageRow sum;
  for (std::size_t index = 0; index + 1 < cuts.size(); ++index) {
    const UsageRow part = part_of(transfer, cuts[index], cuts[index + 1]);
    RC_ASSERT(part.micro_gpu_s >= 0 && part.price >= MicroEuros{0});
    sum.micro_gpu_s += part.micro_gpu_s;
    sum.micro_core_s += part.micro_core_s;
    sum.energy += part.energy;
    sum.price += part.price;
  }
  if (transfer.to == transfer.from) return;  // Of no time at all there are no parts.
  RC_ASSERT(sum.micro_gpu_s == transfer.micro_gpu_s && sum.micro_core_s == transfer.micro_core_s);
  RC_ASSERT(sum.energy == transfer.energy && sum.price == transfer.price);
}

}  // namespace
}  // namespace gw::live
