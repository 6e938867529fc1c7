// The index of jobs that could leave: by tenant and by node, as they come, save their work and go.
#include "sched/victim_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/rng.h"

namespace gw::sched {
namespace {

Job running(std::uint32_t id, std::uint32_t tenant, Instant started, Nanoseconds interval,
            std::vector<Piece> pieces) {
  Job job;
  job.id = JobId{id};
  job.request.tenant = TenantId{tenant};
  job.request.checkpoint_interval = interval;
  job.request.preemptible = true;
  job.running = true;
  job.started = started;
  job.placement = {0, 0, std::move(pieces)};
  return job;
}

TEST(VictimIndex, KnowsWhenAJobHasSavedItsWork) {
  VictimIndex index(4);
  const Instant start{seconds(100).count()};
  const std::uint32_t saves = index.add(running(0, 1, start, minutes(10), {{0, 2, 3}}), TenantId{1});
  const std::uint32_t never = index.add(running(1, 1, start, Nanoseconds{0}, {{2, 1, 1}}), TenantId{1});
  for (const auto& [after, saved] : {std::pair{seconds(599), seconds(0)},
                                     {seconds(600), seconds(600)},
                                     {seconds(1199), seconds(600)},
                                     {seconds(7201), seconds(7200)}}) {
    EXPECT_EQ(index.entry(saves).since(start + after), after - saved);
    EXPECT_EQ(index.entry(never).since(start + after), after);
  }
}

TEST(VictimIndex, JobsWithMoreGpusOnSomeNodesAreUneven) {
  VictimIndex index(4);
  const auto uneven = [&](std::vector<Piece> pieces, std::uint32_t milli) {
    Job job = running(7, 1, Instant{}, minutes(10), std::move(pieces));
    job.request.shape.gpu_milli = milli;
    const std::uint32_t slot = index.add(job, TenantId{1});
    const bool is = index.entry(slot).uneven;
    index.remove(job, TenantId{1}, slot);
    return is;
  };
  EXPECT_FALSE(uneven({{0, 2, 3}}, 0));
  EXPECT_FALSE(uneven({{0, 1, 3}, {2, 1, 12}}, 0));
  EXPECT_TRUE(uneven({{0, 1, 3}, {2, 1, 1}}, 0));
  EXPECT_TRUE(uneven({{0, 1, 1}}, 500));
}

TEST(VictimIndex, HasWhatRunsAndNothingElse) {
  constexpr std::uint32_t kNodes = 20;
  Rng rng(5);
  VictimIndex index(kNodes);
  std::map<std::uint32_t, std::pair<Job, std::uint32_t>> there;  // By id; with the slot.
  const auto top_of = [](TenantId tenant) { return TenantId{tenant.value() % 3 + 1}; };
  for (std::uint32_t step = 0; step < 2'000; ++step) {
    if (there.empty() || rng.chance(0.52)) {
      const auto node = static_cast<std::uint32_t>(rng.below(kNodes - 3));
      const auto count = static_cast<std::uint32_t>(rng.between(1, 3));
      const Job job = running(step, static_cast<std::uint32_t>(rng.between(1, 9)), Instant{step}, minutes(10),
                              {{node, count, std::uint64_t{1} << rng.below(8)}});
      there[step] = {job, index.add(job, top_of(job.request.tenant))};
    } else {
      auto at = there.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(rng.below(there.size())));
      index.remove(at->second.first, top_of(at->second.first.request.tenant), at->second.second);
      there.erase(at);
    }
    ASSERT_EQ(index.size(), there.size());
    std::map<TenantId, std::set<std::uint32_t>> of;
    std::vector<std::uint32_t> gpus(kNodes);
    for (const auto& [id, entry] : there) {
      const auto& [job, slot] = entry;
      ASSERT_TRUE(index.holds(job, top_of(job.request.tenant), slot)) << "step " << step;
      of[job.request.tenant].insert(slot);
      const Piece& piece = job.placement.pieces.front();
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) ++gpus[node];
    }
    for (std::uint32_t node = 0; node < kNodes; ++node) ASSERT_EQ(index.gpus_on(node), gpus[node]);
    std::size_t tenants = 0;
    for (const VictimIndex::Branch& branch : index.branches()) {
      ASSERT_EQ(index.branch(branch.top), &branch);
      for (const TenantId tenant : branch.tenants) {
        ++tenants;
        const auto jobs = index.of(tenant);
        ASSERT_EQ(std::set<std::uint32_t>(jobs.begin(), jobs.end()), of[tenant]);
      }
    }
    ASSERT_EQ(tenants, of.size());
  }
}

/// A random index with what must be in it, changed as time goes on.
class Changing {
 public:
  static constexpr std::uint32_t kNodes = 20;
  explicit Changing(std::uint64_t seed) : rng_(seed) {}
  /// So that at most so many intervals differ.
  void step(std::int64_t intervals) {
    now_ = now_ + Nanoseconds{rng_.chance(0.3) ? 0 : rng_.between(0, seconds(60).count())};
    if (rng_.chance(0.3))
      now_ = Instant{now_.count() / kNanosecondsPerSecond * kNanosecondsPerSecond + kNanosecondsPerSecond};
    if (there_.empty() || rng_.chance(0.55)) {
      const auto node = static_cast<std::uint32_t>(rng_.below(kNodes - 3));
      const Nanoseconds interval = seconds(rng_.between(0, intervals) * 37);
      const auto last = static_cast<std::uint64_t>(rng_.between(1, 4));
      std::vector<Piece> pieces = {{node, 2, 3}};
      if (rng_.chance(0.2)) pieces.push_back({node + 2, 1, last});
      Job job = running(next_++, static_cast<std::uint32_t>(rng_.between(1, 9)), now_, interval, pieces);
      // As moved, or restored.
      if (rng_.chance(0.1)) job.started = Instant{rng_.between(0, now_.count())};
      if (rng_.chance(0.1)) job.request.checkpoint_interval = Nanoseconds{rng_.between(1, 500'000'000'000)};
      const std::uint32_t slot = index.add(job, top_of(job));
      there_[slot] = job;
    } else {
      auto at = there_.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(rng_.below(there_.size())));
      index.remove(at->second, top_of(at->second), at->first);
      there_.erase(at);
    }
  }
  static TenantId top_of(const Job& job) { return TenantId{job.request.tenant.value() % 3 + 1}; }
  [[nodiscard]] const std::map<std::uint32_t, Job>& there() const { return there_; }
  [[nodiscard]] Instant now() const { return now_; }
  Rng& rng() { return rng_; }

  VictimIndex index{kNodes};

 private:
  Rng rng_;
  Instant now_{seconds(1'000).count()};
  std::uint32_t next_ = 0;
  std::map<std::uint32_t, Job> there_;  ///< By slot.
};

TEST(VictimIndex, WalksFromTheJobThatHasSavedLast) {
  for (const std::int64_t intervals : {1, 4, 200}) {
    Changing all(static_cast<std::uint64_t>(intervals));
    std::size_t walked = 0;
    std::size_t loose = 0;
    for (int step = 0; step < 1'500; ++step) {
      all.step(intervals);
      // A walk may begin at any time, also within the second in which some have saved.
      const Instant now =
          all.now() + Nanoseconds{all.rng().chance(0.3) ? 0 : all.rng().between(0, 1'500'000'000)};
      std::multiset<std::uint32_t> seen;
      for (const VictimIndex::Branch& branch : all.index.branches()) {
        ASSERT_LE(branch.orders.size(), VictimIndex::kMostOrders);
        for (const VictimIndex::Branch::Order& order : branch.orders) {
          ASSERT_FALSE(order.jobs.empty());
          Nanoseconds before = Nanoseconds{INT64_MIN};
          std::uint32_t node_before = 0;
          for (SaveOrder::Walk walk = order.jobs.walk(now); !walk.over(); walk.next()) {
            const VictimIndex::Entry& entry = all.index.entry(walk.slot());
            seen.insert(walk.slot());
            ASSERT_EQ(Changing::top_of(all.there().at(walk.slot())), branch.top);
            ASSERT_EQ(entry.gpus, order.gpus);
            ASSERT_FALSE(entry.uneven);
            ASSERT_EQ(walk.first_node(), entry.first_node);
            // No more than it is, and less by no more than a second; but for those that save within this one.
            ASSERT_LE(walk.since(), entry.since(now));
            ASSERT_TRUE(walk.since() < Nanoseconds{0} || walk.since() + seconds(1) > entry.since(now));
            if (before.count() != INT64_MIN && walk.since() != before) {
              ASSERT_GE(walk.since() - before, seconds(1));
            }
            ASSERT_TRUE(walk.since() != before || node_before <= walk.first_node());
            before = walk.since();
            node_before = walk.first_node();
            ++walked;
          }
        }
        for (const std::uint32_t slot : branch.loose) {
          ASSERT_EQ(Changing::top_of(all.there().at(slot)), branch.top);
          seen.insert(slot);
        }
        loose += branch.loose.size();
      }
      std::multiset<std::uint32_t> wanted;
      for (const auto& [slot, job] : all.there()) {
        ASSERT_TRUE(all.index.holds(job, Changing::top_of(job), slot));
        wanted.insert(slot);
      }
      ASSERT_EQ(seen, wanted) << "step " << step;
    }
    EXPECT_GT(walked, 1'000U);
    EXPECT_GT(loose, 1'000U);
  }
}

TEST(VictimIndex, KnowsWhoHasStartedOfLate) {
  Changing all(11);
  std::size_t visited = 0;
  for (int step = 0; step < 3'000; ++step) {
    all.step(3);
    if (step % 500 < 200) continue;  // It is not asked for long, too.
    const Nanoseconds back = all.rng().chance(0.05) ? seconds(all.rng().between(0, 90'000)) : minutes(10);
    const Instant when = all.now() - back;
    std::set<std::uint32_t> seen;
    Instant before = when;
    all.index.for_each_started_after(when, [&](std::uint32_t slot) {
      const Instant started = all.index.entry(slot).started;
      EXPECT_GT(started, when);
      EXPECT_GE(started, before);
      before = started;
      seen.insert(slot);
      return true;
    });
    std::set<std::uint32_t> wanted;
    for (const auto& [slot, job] : all.there()) {
      if (job.started > when) wanted.insert(slot);
    }
    ASSERT_EQ(seen, wanted) << "step " << step;
    visited += seen.size();
    if (seen.size() > 1) {
      int visits = 0;
      all.index.for_each_started_after(when, [&](std::uint32_t) { return ++visits < 1; });
      ASSERT_EQ(visits, 1);
    }
  }
  EXPECT_GT(visited, 10'000U);
}

}  // namespace
}  // namespace gw::sched
