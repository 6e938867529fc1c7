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
    index.save(saves, start + after);
    index.save(never, start + after);
    EXPECT_EQ(index.entry(saves).saved, start + saved);
    EXPECT_EQ(index.entry(never).saved, start);
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
    for (const TenantId top : index.tops()) {
      for (const TenantId tenant : index.tenants(top)) {
        ++tenants;
        const auto jobs = index.of(tenant);
        ASSERT_EQ(std::set<std::uint32_t>(jobs.begin(), jobs.end()), of[tenant]);
      }
    }
    ASSERT_EQ(tenants, of.size());
  }
}

}  // namespace
}  // namespace gw::sched
