// Bitmap against a plain std::set under random changes, at sizes around the 64-way levels.
#include "sched/bitmap.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"

namespace gw::sched {
namespace {

void expect_equal(const Bitmap& bitmap, const std::set<std::uint32_t>& want, std::uint32_t probe) {
  ASSERT_EQ(bitmap.empty(), want.empty());
  const auto next = want.lower_bound(probe);
  ASSERT_EQ(bitmap.next(probe), next == want.end() ? Bitmap::kNone : *next) << "from " << probe;
  const auto after = want.upper_bound(probe);
  ASSERT_EQ(bitmap.previous(probe), after == want.begin() ? Bitmap::kNone : *std::prev(after))
      << "down from " << probe;
  if (probe < bitmap.size()) {
    ASSERT_EQ(bitmap.test(probe), want.contains(probe)) << probe;
  }
}

TEST(Bitmap, AgreesWithASetUnderRandomChanges) {
  for (const std::uint32_t size : {1U, 2U, 63U, 64U, 65U, 127U, 128U, 129U, 4095U, 4096U, 4097U, 262'145U}) {
    SCOPED_TRACE(size);
    Rng rng(size);
    Bitmap bitmap(size);
    std::set<std::uint32_t> want;
    for (int step = 0; step < 1500; ++step) {
      const auto a = static_cast<std::uint32_t>(rng.below(size));
      const auto b = static_cast<std::uint32_t>(rng.between(a, std::min<std::int64_t>(size, a + 300)));
      switch (rng.below(4)) {
        case 0:
          bitmap.set(a);
          want.insert(a);
          break;
        case 1:
          bitmap.clear(a);
          want.erase(a);
          break;
        case 2:
          bitmap.set_range(a, b);
          for (std::uint32_t at = a; at < b; ++at) want.insert(at);
          break;
        default:  // More is cleared than set, so that emptiness comes and goes on every level.
          if (rng.chance(0.1)) {
            bitmap.clear_range(0, size);
            want.clear();
          } else {
            bitmap.clear_range(a, b);
            want.erase(want.lower_bound(a), want.lower_bound(b));
          }
      }
      for (const std::uint32_t probe :
           {0U, a, b, size - 1, size, static_cast<std::uint32_t>(rng.below(size))})
        ASSERT_NO_FATAL_FAILURE(expect_equal(bitmap, want, probe)) << "step " << step;
    }
  }
}

TEST(Bitmap, WithoutMembersFindsNothing) {
  EXPECT_TRUE(Bitmap().empty());
  EXPECT_EQ(Bitmap(0).next(0), Bitmap::kNone);
  EXPECT_EQ(Bitmap(0).previous(7), Bitmap::kNone);
  EXPECT_EQ(Bitmap(100).next(0), Bitmap::kNone);
  EXPECT_EQ(Bitmap(100).previous(99), Bitmap::kNone);
}

}  // namespace
}  // namespace gw::sched
