// Tests of near misses.
#include "cli/suggest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gw {
namespace {

using ::testing::Optional;

TEST(EditDistance, CountsEachKindOfEdit) {
  EXPECT_EQ(edit_distance("replay", "replay"), 0);
  EXPECT_EQ(edit_distance("reply", "replay"), 1);    // One letter is missing.
  EXPECT_EQ(edit_distance("repllay", "replay"), 1);  // One is too many.
  EXPECT_EQ(edit_distance("reblay", "replay"), 1);   // One is another.
  EXPECT_EQ(edit_distance("repaly", "replay"), 1);   // Two are swapped.
  EXPECT_EQ(edit_distance("", "replay"), 6);
  EXPECT_EQ(edit_distance("fleet", "compare"), edit_distance("compare", "fleet"));
}

TEST(NearestWord, FindsWhatWasMeantAndNothingElse) {
  const std::vector<std::string> commands = {"replay", "simulate", "compare", "validate", "catalog"};
  EXPECT_THAT(nearest_word("repaly", commands), Optional(std::string("replay")));
  EXPECT_THAT(nearest_word("validte", commands), Optional(std::string("validate")));
  EXPECT_THAT(nearest_word("sim", commands), Optional(std::string("simulate")));
  EXPECT_EQ(nearest_word("zebra", commands), std::nullopt);
  EXPECT_EQ(nearest_word("x", commands), std::nullopt);
  EXPECT_EQ(nearest_word("anything", {}), std::nullopt);
}

}  // namespace
}  // namespace gw
