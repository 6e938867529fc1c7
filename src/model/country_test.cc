// Codes that there are, and codes that there are not.
#include "model/country.h"

#include <gtest/gtest.h>

#include <string>

namespace gw {
namespace {

TEST(Country, KnowsTheCodesOfTheStandard) {
  int count = 0;
  for (char first = 'A'; first <= 'Z'; ++first) {
    for (char second = 'A'; second <= 'Z'; ++second) count += is_country(std::string{first, second});
  }
  EXPECT_EQ(count, 249 + 1);
  for (const char* code : {"AD", "DE", "FR", "GB", "GR", "TW", "US", "XK", "ZW"})
    EXPECT_TRUE(is_country(code)) << code;
}

TEST(Country, NothingElseIsOne) {
  for (const char* code : {"", "D", "DEU", "de", "EL", "EU", "UK", "XX", "ZZ", "A\xc3"})
    EXPECT_FALSE(is_country(code)) << code;
}

}  // namespace
}  // namespace gw
