// Times by a date, and from now on.
#include "live/moment.h"

#include <gtest/gtest.h>

namespace gw::live {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNow = 1'700'000'000 * kSecond + 5;

TEST(Moment, FromNowOn) {
  EXPECT_EQ(parse_moment("now", kNow), kNow);
  EXPECT_EQ(parse_moment("now+90min", kNow), kNow + 5400 * kSecond);
  EXPECT_EQ(parse_moment("now+2d", kNow), kNow + 172'800 * kSecond);
  EXPECT_EQ(parse_moment("now+1hour", kNow), kNow - 5 + 3600 * kSecond);
  EXPECT_EQ(parse_moment("now+60", kNow), kNow - 5 + 60 * kSecond);
}

TEST(Moment, Dates) {
  EXPECT_EQ(parse_moment("2023-11-14T22:13:20Z", kNow), kNow - 5);
  EXPECT_EQ(parse_moment("2023-11-14", kNow), 1'699'920'000 * kSecond);
}

TEST(Moment, WhatIsNone) {
  for (const char* text :
       {"", "soon", "nowhere", "now+", "now-1h", "now+1 fortnight", "now+900000d", "tomorrow"})
    EXPECT_EQ(parse_moment(text, kNow), std::nullopt) << text;
}

}  // namespace
}  // namespace gw::live
