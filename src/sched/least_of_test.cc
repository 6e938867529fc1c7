// The smallest of a changing collection, against a tree.
#include "sched/least_of.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"

namespace gw::sched {
namespace {

TEST(LeastOf, AnswersLikeATreeWhateverComesAndGoes) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Rng rng(seed);
    const std::int64_t values = rng.between(1, rng.chance(0.5) ? 10 : 100'000);  // Many equal ones, or few.
    const double growth = rng.uniform();
    LeastOf<std::int64_t> least;
    std::multiset<std::int64_t> tree;
    for (int step = 0; step < 4000; ++step) {
      if (tree.empty() || rng.chance(step < 2000 ? growth : 1 - growth)) {
        const std::int64_t value = rng.between(1, values);
        least.insert(value);
        tree.insert(value);
      } else {
        auto at = tree.lower_bound(rng.between(1, values));
        if (at == tree.end() || rng.chance(0.3)) at = tree.begin();
        least.erase(*at);
        tree.erase(at);
      }
      ASSERT_EQ(least.size(), tree.size()) << "seed " << seed << ", step " << step;
      ASSERT_EQ(least.empty(), tree.empty());
      if (!tree.empty()) {
        ASSERT_EQ(least.least(), *tree.begin()) << "seed " << seed << ", step " << step;
      }
    }
  }
}

}  // namespace
}  // namespace gw::sched
