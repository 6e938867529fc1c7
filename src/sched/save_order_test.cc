// The order in which jobs have saved their work, against a plain list of them.
#include "sched/save_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/rng.h"

namespace gw::sched {
namespace {

/// How long ago each has saved, by slot; and that the walk goes by it, to a second.
std::map<std::uint32_t, Nanoseconds> walked(const SaveOrder& order, Instant now) {
  std::map<std::uint32_t, Nanoseconds> since;
  Nanoseconds before{INT64_MIN};
  std::uint32_t node_before = 0;
  for (SaveOrder::Walk walk = order.walk(now); !walk.over(); walk.next()) {
    EXPECT_TRUE(since.emplace(walk.slot(), walk.since()).second) << walk.slot() << " comes twice";
    if (walk.since() == before) {
      EXPECT_LE(node_before, walk.first_node());
    } else if (since.size() > 1) {
      EXPECT_GE(walk.since() - before, seconds(1));
    }
    before = walk.since();
    node_before = walk.first_node();
  }
  return since;
}

TEST(SaveOrder, GoesOnWithTheIntervalBefore) {
  SaveOrder order(minutes(10));
  const auto at = [](std::int64_t second) { return Instant{seconds(second).count()}; };
  order.insert({at(0), 5, 0});
  order.insert({at(100), 3, 1});
  order.insert({at(1'300), 1, 2});  // As the one before: its first node is less.
  order.insert({at(599), 9, 3});
  std::vector<std::uint32_t> slots;
  for (SaveOrder::Walk walk = order.walk(at(6'100)); !walk.over(); walk.next()) slots.push_back(walk.slot());
  EXPECT_EQ(slots, (std::vector<std::uint32_t>{2, 1, 0, 3}));
  EXPECT_EQ(walked(order, at(6'100)),
            (std::map<std::uint32_t, Nanoseconds>{
                {0, seconds(100)}, {1, seconds(0)}, {2, seconds(0)}, {3, seconds(101)}}));
  // A job that saves within the second that has begun may have saved already.
  EXPECT_EQ(walked(order, at(6'099) + Nanoseconds{1}).at(1), Nanoseconds{1} - seconds(1));
}

TEST(SaveOrder, TakesOnlyWholeSeconds) {
  EXPECT_TRUE(SaveOrder::may_be_of(Nanoseconds{0}));
  EXPECT_TRUE(SaveOrder::may_be_of(seconds(1)));
  EXPECT_FALSE(SaveOrder::may_be_of(seconds(1) + Nanoseconds{1}));
  EXPECT_FALSE(SaveOrder::may_be_of(Nanoseconds{1}));
}

TEST(SaveOrder, HasWhatIsInItInBlocks) {
  for (const Nanoseconds interval : {Nanoseconds{0}, seconds(1), seconds(7), minutes(30), days(30)}) {
    Rng rng(static_cast<std::uint64_t>(interval.count()) + 3);
    SaveOrder order(interval);
    std::vector<SaveOrder::Key> there;
    std::uint32_t next = 0;
    Instant now{seconds(50'000).count()};
    std::size_t most = 0;
    for (int step = 0; step < 6'000; ++step) {
      const bool grows = step / 1'500 % 2 == 0;  // To some hundreds, to few, and so again.
      if (there.empty() || rng.chance(grows ? 0.75 : 0.25)) {
        Instant started{rng.between(0, now.count())};
        if (rng.chance(0.5)) started = Instant{seconds(rng.between(0, 50'000)).count()};
        there.push_back({started, static_cast<std::uint32_t>(rng.below(50)), next++});
        order.insert(there.back());
      } else {
        const std::size_t at = rng.below(there.size());
        ASSERT_TRUE(order.has(there[at]));
        order.erase(there[at]);
        ASSERT_FALSE(order.has(there[at]));
        there[at] = there.back();
        there.pop_back();
      }
      most = std::max(most, there.size());
      ASSERT_EQ(order.empty(), there.empty());
      if (step % 20 != 0) continue;
      now = now + Nanoseconds{rng.between(0, seconds(2).count())};
      const std::map<std::uint32_t, Nanoseconds> since = walked(order, now);
      ASSERT_EQ(since.size(), there.size());
      for (const SaveOrder::Key& key : there) {
        const Nanoseconds ran = now - key.started;
        const Nanoseconds is = interval > Nanoseconds{0} ? ran - interval * (ran / interval) : ran;
        ASSERT_LE(since.at(key.slot), is);
        ASSERT_TRUE(since.at(key.slot) < Nanoseconds{0} || since.at(key.slot) + seconds(1) > is);
        ASSERT_GT(since.at(key.slot), -seconds(1));
      }
    }
    EXPECT_GT(most, 400U);
  }
}

}  // namespace
}  // namespace gw::sched
