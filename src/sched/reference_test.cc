// The core gives the textbook's start times on thousands of random workloads.
#include "sched/reference.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace gw::sched::reference {
namespace {

struct Workload {
  std::vector<SimpleJob> jobs;
  std::int64_t processors = 1;
};

/// Small numbers on purpose: equal times, exact fits and ties are where schedulers differ.
Workload random_workload(std::uint64_t seed, bool overruns) {
  Rng rng = Rng(seed).split("workload");
  Workload workload;
  workload.processors = rng.between(1, rng.chance(0.3) ? 200 : 12);
  const std::int64_t count = rng.between(1, 60);
  const std::int64_t longest = rng.between(1, 40);
  const std::int64_t gap = rng.between(0, 20);
  std::int64_t now = 0;
  for (std::int64_t index = 0; index < count; ++index) {
    SimpleJob job;
    now += rng.between(0, gap);
    job.submit = now;
    job.run = rng.between(0, longest);
    job.limit = std::max<std::int64_t>(1, rng.chance(0.4) ? job.run : job.run + rng.between(0, longest));
    if (overruns && rng.chance(0.1)) job.run = job.limit + rng.between(1, 10);
    job.processors = rng.chance(0.5) ? rng.between(1, workload.processors)
                                     : rng.between(1, std::min<std::int64_t>(3, workload.processors));
    workload.jobs.push_back(job);
  }
  return workload;
}

void compare(Rule rule, const char* policy, std::uint64_t seeds, bool overruns) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Workload workload = random_workload(seed, overruns);
    const std::vector<std::int64_t> want = simulate(workload.jobs, workload.processors, rule);
    const std::vector<std::int64_t> got =
        simulate_core(workload.jobs, flat_fleet(static_cast<std::uint32_t>(workload.processors)),
                      *policy_by_name(policy), 7);
    ASSERT_EQ(got, want) << policy << ", seed " << seed;
  }
}

TEST(Textbook, Fifo) { compare(Rule::kFifo, "fifo", 3000, true); }
TEST(Textbook, Easy) { compare(Rule::kEasy, "easy", 5000, true); }
TEST(Textbook, Conservative) { compare(Rule::kConservative, "conservative", 5000, true); }

}  // namespace
}  // namespace gw::sched::reference
