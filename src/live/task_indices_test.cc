// Indices of arrays: positions there and back, and their text.
#include "live/task_indices.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace gw::live {
namespace {

TEST(TaskIndices, TextSaysRunsAndSteps) {
  const TaskIndices plain({0, 1, 2, 3, 4});
  EXPECT_EQ(plain.text(0, 5), "0-4");
  EXPECT_EQ(plain.text(2, 3), "2-4");
  EXPECT_EQ(plain.text(4, 1), "4");
  EXPECT_EQ(TaskIndices({0, 2, 4, 6, 101}).text(0, 5), "0-6:2,101");
  EXPECT_EQ(TaskIndices({1, 3, 7, 8, 9}).text(0, 5), "1,3,7-9");
  EXPECT_EQ(TaskIndices({1, 10, 11, 12}).text(0, 4), "1,10-12");
  std::vector<std::uint32_t> wild;
  for (std::uint32_t at = 0; at < 40; ++at) wild.push_back(at * at * at);
  EXPECT_TRUE(TaskIndices(wild).text(0, 40).ends_with(",...,59319"));
  std::vector<std::uint32_t> many(100'000);
  for (std::uint32_t at = 0; at < many.size(); ++at) many[at] = at;
  EXPECT_EQ(TaskIndices(many).text(64, 100'000 - 64), "64-99999");
}

RC_GTEST_PROP(TaskIndices, AgreesWithTheList, (std::vector<std::uint32_t> list)) {
  for (std::uint32_t& each : list) each %= 200;
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  const TaskIndices indices(list);
  RC_ASSERT(indices.size() == list.size());
  for (std::uint32_t position = 0; position < list.size(); ++position)
    RC_ASSERT(indices.at(position) == list[position]);
  for (std::uint32_t index = 0; index < 210; ++index) {
    const auto at = std::lower_bound(list.begin(), list.end(), index);
    const std::optional<std::uint32_t> position = indices.position_of(index);
    RC_ASSERT(position.has_value() == (at != list.end() && *at == index));
    if (position) RC_ASSERT(list[*position] == index);
  }
}

}  // namespace
}  // namespace gw::live
