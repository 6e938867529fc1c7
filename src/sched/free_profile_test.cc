// The profile of free GPUs against one that looks at every step.
#include "sched/free_profile.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"

namespace gw::sched {
namespace {

/// Free GPUs at each second of a short future; the last second lasts for ever.
struct Plain {
  std::vector<std::int64_t> free;
  [[nodiscard]] std::int64_t at(std::size_t second) const { return free[std::min(second, free.size() - 1)]; }
  [[nodiscard]] bool fits(std::size_t from, std::size_t span, std::int64_t need) const {
    for (std::size_t second = from; second < from + span; ++second) {
      if (at(second) < need) return false;
    }
    return true;
  }
};

Instant at(std::int64_t second) { return Instant{} + seconds(second); }

TEST(FreeProfile, FindsWhatLookingAtEverySecondFinds) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Rng rng(seed);
    const std::int64_t most = 1000 * rng.between(1, 40);
    Plain plain{std::vector<std::int64_t>(3000)};
    FreeProfile profile;
    std::int64_t free = most * rng.between(0, 3) / 3;
    profile.reset(at(0), free);
    std::int64_t now = 0;
    for (std::int64_t second = 0; second < 3000; ++second) {
      if (second > 0 && rng.chance(0.3)) {
        const std::int64_t more = 500 * rng.between(0, 3);
        profile.append(at(second), more);
        free += more;
      }
      plain.free[static_cast<std::size_t>(second)] = free;
    }
    for (int step = 0; step < 400; ++step) {
      if (rng.chance(0.05)) {
        now += rng.between(0, 20);
        profile.advance(at(now));
      }
      const std::int64_t need = rng.between(1, std::max<std::int64_t>(2, free / 2));
      const auto span = static_cast<std::size_t>(rng.between(1, 600));
      std::size_t want = static_cast<std::size_t>(now);
      while (want < 3000 && !plain.fits(want, span, need)) ++want;
      const Instant found = profile.earliest(seconds(static_cast<std::int64_t>(span)), need);
      if (want == 3000) {
        ASSERT_EQ(found, Instant::max());
        continue;
      }
      ASSERT_EQ(found, at(static_cast<std::int64_t>(want))) << "seed " << seed << " step " << step;
      std::size_t window = static_cast<std::size_t>(now);
      while (window < 3000 && plain.at(window) >= need) ++window;
      ASSERT_EQ(profile.window(need),
                window == 3000 ? Nanoseconds::max() : seconds(static_cast<std::int64_t>(window) - now));
      if (want + span >= 3000) continue;
      profile.reserve(found, seconds(static_cast<std::int64_t>(span)), need);
      for (std::size_t second = want; second < want + span; ++second) plain.free[second] -= need;
    }
  }
}

TEST(FreeProfile, SlotsWithoutEndAreKept) {
  FreeProfile profile;
  profile.reset(at(0), 4000);
  profile.reserve(at(10), Nanoseconds::max(), 3000);
  EXPECT_EQ(profile.earliest(seconds(10), 2000), at(0));
  EXPECT_EQ(profile.earliest(seconds(11), 2000), Instant::max());
  EXPECT_EQ(profile.earliest(Nanoseconds::max(), 1000), at(0));
}

}  // namespace
}  // namespace gw::sched
