// Fields: what is read, and that nothing half-understood is.
#include "workload/field_text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <ctime>
#include <string>

namespace gw::workload {
namespace {

constexpr std::int64_t kSecond = kNanosecondsPerSecond;

TEST(FieldText, Numbers) {
  EXPECT_EQ(parse_thousandths("2.5"), 2500);
  EXPECT_EQ(parse_thousandths("-2.5"), -2500);
  EXPECT_EQ(parse_thousandths("8."), 8000);
  EXPECT_EQ(parse_thousandths(".25"), 250);
  EXPECT_EQ(parse_thousandths("29.296875"), 29296);
  EXPECT_EQ(parse_whole("8.0"), 8);
  for (const char* bad :
       {"", ".", "-", "1e3", "1,5", "0x10", "8.5.1", "9999999999999999999999", " 1", "1 "}) {
    EXPECT_EQ(parse_thousandths(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_whole("8.5"), std::nullopt);
  EXPECT_TRUE(is_absent("") && is_absent("None") && is_absent("NaN") && is_absent("Unknown"));
  EXPECT_FALSE(is_absent("0"));
}

TEST(FieldText, Dates) {
  EXPECT_EQ(parse_date("1970-01-01 00:00:00")->count(), 0);
  EXPECT_EQ(parse_date("2017-10-09 07:01:55")->count(), 1507532515 * kSecond);
  EXPECT_EQ(parse_date("2017-10-09T07:01:55Z")->count(), 1507532515 * kSecond);
  EXPECT_EQ(parse_date("2017-10-09T15:01:55+08:00")->count(), 1507532515 * kSecond);
  EXPECT_EQ(parse_date("2017-10-09T00:01:55-0700")->count(), 1507532515 * kSecond);
  EXPECT_EQ(parse_date("2017-10-09 07:01:55.25")->count(), 1507532515 * kSecond + kSecond / 4);
  EXPECT_EQ(parse_date("2017-10-09 07:01")->count(), 1507532460 * kSecond);
  for (const char* bad :
       {"", "2017-10-09", "2017-13-09 07:01:55", "2017-02-29 07:01:55", "2017-10-09 24:01:55",
        "2017-10-09 07:01:55+", "2017-10-09 07:01:55+8", "2017-10-09 07:01:55 PDT", "1969-10-09 07:01:55",
        "17-10-09 07:01:55", "2017-10-09 07:01:55.", "2017-1-9 07:01:55", "2017-10-09 7:01:55"}) {
    EXPECT_EQ(parse_date(bad), std::nullopt) << bad;
  }
}

TEST(FieldText, DatesAgreeWithTheSystemsCalendar) {
  rc::check([] {
    const std::time_t seconds_since =
        *rc::gen::inRange<std::time_t>(0, 7'258'118'399);  // To the end of 2199.
    std::tm parts{};
    gmtime_r(&seconds_since, &parts);
    char text[64];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    RC_ASSERT(parse_date(text).has_value());
    RC_ASSERT(parse_date(text)->count() == seconds_since * kSecond);
  });
}

TEST(FieldText, ElapsedTimesAsSlurmPrintsThem) {
  EXPECT_EQ(parse_elapsed("00:10:00"), seconds(600));
  EXPECT_EQ(parse_elapsed("1-02:03:04"), seconds(86400 + 7384));
  EXPECT_EQ(parse_elapsed("02:03.500"), Nanoseconds{123'500'000'000});
  EXPECT_EQ(parse_elapsed("2-12"), seconds(216'000));
  for (const char* bad :
       {"", "10", "1:2:3:4", "1-", "-1:00", "1:-2", "a", "1:00:00x", "999999999-00:00:00"}) {
    EXPECT_EQ(parse_elapsed(bad), std::nullopt) << bad;
  }
}

TEST(FieldText, Memory) {
  EXPECT_EQ(parse_memory_mib("4000M"), 4000);
  EXPECT_EQ(parse_memory_mib("1.5G"), 1536);
  EXPECT_EQ(parse_memory_mib("1K"), 1);
  EXPECT_EQ(parse_memory_mib("2T"), 2 * 1024 * 1024);
  EXPECT_EQ(parse_memory_mib("100"), 100);
  for (const char* bad : {"", "G", "-1M", "1X", "1GG", "99999999999P"})
    EXPECT_EQ(parse_memory_mib(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace gw::workload
