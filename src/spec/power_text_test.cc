// Units of power at the borders between them.
#include "spec/power_text.h"

#include <gtest/gtest.h>

namespace gw::spec {
namespace {

TEST(PowerText, ScalesAndRounds) {
  EXPECT_EQ(power_text(Milliwatts{0}), "0 W");
  EXPECT_EQ(power_text(Milliwatts{700'000}), "700 W");
  EXPECT_EQ(power_text(Milliwatts{14'300'000}), "14.3 kW");
  EXPECT_EQ(power_text(Milliwatts{12'500'000'000}), "12.5 MW");
  EXPECT_EQ(power_text(Milliwatts{6'666'666'666}), "6.667 MW");
  EXPECT_EQ(power_text(Milliwatts{999'960'000}), "1 MW");  // Not 1000 kW.
  EXPECT_EQ(power_text(Milliwatts{1'000'000'000'000}), "1 GW");
  EXPECT_EQ(power_text(Milliwatts{45'678'900'000'000'000}), "45679 GW");
}

}  // namespace
}  // namespace gw::spec
