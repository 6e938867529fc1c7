// ExternalSort against std::stable_sort, with memory so small that every path is taken.
#include "workload/external_sort.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

namespace gw::workload {
namespace {

using Record = std::pair<std::string, std::string>;

std::vector<Record> sorted_by(ExternalSort& sort, const std::vector<Record>& records) {
  for (const auto& [key, record] : records) EXPECT_TRUE(sort.add(key, record).has_value());
  EXPECT_TRUE(sort.finish().has_value());
  std::vector<Record> out;
  std::string_view key;
  std::string_view record;
  for (;;) {
    const Result<bool> there = sort.next(key, record);
    EXPECT_TRUE(there.has_value());
    if (!there || !*there) return out;
    out.emplace_back(key, record);
  }
}

std::vector<Record> expected(std::vector<Record> records) {
  std::stable_sort(records.begin(), records.end(),
                   [](const Record& a, const Record& b) { return a.first < b.first; });
  return records;
}

TEST(ExternalSort, EqualsAStableSort) {
  rc::check([](const std::vector<std::pair<std::uint8_t, std::string>>& raw) {
    std::vector<Record> records;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      records.emplace_back(ExternalSort::key_of(std::int64_t{raw[i].first} - 128),
                           raw[i].second + std::to_string(i));
    }
    ExternalSort small(200);
    ExternalSort large;
    RC_ASSERT(sorted_by(small, records) == expected(records));
    RC_ASSERT(sorted_by(large, records) == expected(records));
  });
}

TEST(ExternalSort, MergesInLevels) {
  std::vector<Record> records;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    records.emplace_back(ExternalSort::key_of((i * 2654435761U) % 500), std::to_string(i));
  }
  ExternalSort sort(400);  // A few records a run: thousands of runs, three levels.
  EXPECT_EQ(sorted_by(sort, records), expected(records));
}

TEST(ExternalSort, OrdersNegativeNumbersFirst) {
  EXPECT_LT(ExternalSort::key_of(-5), ExternalSort::key_of(-4));
  EXPECT_LT(ExternalSort::key_of(-1), ExternalSort::key_of(0));
  EXPECT_LT(ExternalSort::key_of(255), ExternalSort::key_of(256));
}

}  // namespace
}  // namespace gw::workload
