// The core's promises: no starvation, reservations kept, one reason for each wait, the orders, failures.
#include "sched/core.h"

#include <gtest/gtest.h>

#include <map>

#include "sched/random_case.h"

namespace gw::sched {
namespace {

using random_case::Driver;
using random_case::FleetWish;
using random_case::Workload;
using random_case::WorkloadWish;

/// A core with a clock in seconds and jobs by number, for small cases.
class Case {
 public:
  Case(const Fleet& fleet, std::string_view policy) : Case(fleet, *policy_by_name(policy)) {}
  Case(const Fleet& fleet, const PolicyConfig& policy) : core_(fleet, policy) {
    core_.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  }
  Core& core() { return core_; }
  void at(std::int64_t second) { now_ = Instant{} + seconds(second); }
  std::uint32_t submit(std::uint32_t nodes, std::uint32_t gpus, std::int64_t limit_s,
                       std::int32_t priority = 0, TenantId tenant = TenantId{1}) {
    JobRequest request;
    request.shape.nodes = nodes;
    request.shape.gpus = gpus;
    return submit(request, limit_s, priority, tenant);
  }
  std::uint32_t submit(JobRequest request, std::int64_t limit_s, std::int32_t priority = 0,
                       TenantId tenant = TenantId{1}) {
    request.tenant = tenant;
    request.submit = now_;
    request.limit = seconds(limit_s);
    request.priority = priority;
    const JobId id{core_.state().next_job};
    core_.apply(Event::job_submitted(id, request), now_);
    return id.value();
  }
  void end(std::uint32_t job) { core_.apply(Event::job_ended(JobId{job}), now_); }
  void apply(const Event& event) { core_.apply(event, now_); }
  /// The jobs that start now, in order.
  std::vector<std::uint32_t> starts() {
    std::vector<std::uint32_t> jobs;
    for (const Plan::Start& start : core_.plan(now_).starts) jobs.push_back(start.job.value());
    EXPECT_EQ(core_.check(), "");
    return jobs;
  }
  Reason reason(std::uint32_t job) { return core_.binding_reason(JobId{job}); }

 private:
  Core core_;
  Instant now_;
};

using Jobs = std::vector<std::uint32_t>;

/// Racks of four nodes under one site: never the textbook's counts alone.
Fleet racks(std::uint32_t nodes, std::uint32_t gpus) {
  Fleet fleet = flat_fleet(nodes, gpus);
  Partition rack{"rack", {0}};
  while (rack.first.back() < nodes) rack.first.push_back(std::min(nodes, rack.first.back() + 4));
  fleet.fabric.insert(fleet.fabric.begin(), rack);
  return fleet;
}

/// An endless stream of small work that fills the fleet, and one job that needs all of it. `small` makes the
/// shapes of the stream. Gives the hours until the large one starts.
std::int64_t hours_until_started(const Fleet& fleet, std::string_view policy,
                                 const std::vector<Shape>& small) {
  Rng rng(17);
  Case cluster(fleet, policy);
  cluster.apply(Event::tenant_added(TenantId{0}, 1));
  std::multimap<std::int64_t, std::uint32_t> ends;
  std::uint32_t whole_site = ~0U;
  const auto run_pass = [&](std::int64_t now, std::map<std::uint32_t, std::int64_t>& run_times) {
    for (const std::uint32_t job : cluster.starts()) {
      if (job == whole_site) return true;
      ends.emplace(now + run_times[job], job);
    }
    return false;
  };
  std::map<std::uint32_t, std::int64_t> run_times;
  for (std::int64_t now = 0; now < 400 * 3600; now += 60) {
    cluster.at(now);
    while (!ends.empty() && ends.begin()->first <= now) {
      cluster.end(ends.begin()->second);
      ends.erase(ends.begin());
    }
    while (cluster.core().state().pending.size() < 20) {
      JobRequest request;
      request.shape = small[rng.below(small.size())];
      const std::int64_t limit = 60 * rng.between(30, 300);
      const std::uint32_t job = cluster.submit(request, limit);
      run_times[job] = 60 * rng.between(1, limit / 60);
    }
    if (now == 5 * 3600) {
      whole_site = cluster.submit(fleet.nodes(), fleet.node_types[0].gpus, 3600, 0, TenantId{2});
      run_times[whole_site] = 60;
    }
    if (run_pass(now, run_times)) return (now - 5 * 3600) / 3600;
  }
  return -1;
}

Shape gang(std::uint32_t nodes, std::uint32_t gpus) {
  Shape shape;
  shape.nodes = nodes;
  shape.gpus = gpus;
  return shape;
}
Shape share(std::uint32_t milli) {
  Shape shape;
  shape.gpu_milli = milli;
  return shape;
}

TEST(NoStarvation, AFullSiteGangStartsAmongAnEndlessStreamOfSmallJobs) {
  for (const std::string_view policy : {"gigawerk", "easy", "fairshare-easy", "conservative"}) {
    for (const Fleet& fleet : {racks(16, 8), racks(16, 1), flat_fleet(16)}) {
      const std::uint32_t gpus = fleet.node_types[0].gpus;
      const std::int64_t waited =
          hours_until_started(fleet, policy, {gang(1, 1), gang(1, gpus), gang(3, gpus)});
      // Those before it in the order (20, of at most 5 hours) and the longest limit after.
      EXPECT_GE(waited, 0) << policy << ", " << fleet.name;
      EXPECT_LE(waited, 60) << policy << ", " << fleet.name;
    }
  }
}

/// The GPUs of shares come free only when all their users have gone.
TEST(NoStarvation, AFullSiteGangStartsAmongSharesOfGpus) {
  for (const std::string_view policy : {"gigawerk", "easy"}) {
    const std::int64_t waited =
        hours_until_started(racks(8, 4), policy, {share(500), share(250), share(900), gang(1, 2)});
    EXPECT_GE(waited, 0) << policy;
    EXPECT_LE(waited, 60) << policy;
  }
}

/// A tenant far above its share whose gang needs the whole site, behind another tenant who never stops asking
/// for a quarter of it. Gives the hours until the gang starts, or -1 if it does not within 60.
std::int64_t hours_a_poor_gang_waits(Nanoseconds patience) {
  PolicyConfig policy = *policy_by_name("gigawerk");
  policy.patience = patience;
  Case cluster(racks(8, 8), policy);
  cluster.apply(Event::tenant_added(TenantId{0}, 1));
  std::multimap<std::int64_t, std::uint32_t> ends;
  const std::uint32_t spender = cluster.submit(8, 8, 1000 * 3600, 0, TenantId{2});
  EXPECT_EQ(cluster.starts(), Jobs{spender});
  const std::int64_t begin = 1000 * 3600;
  cluster.at(begin);
  cluster.end(spender);
  std::map<std::uint32_t, std::int64_t> run_times;
  std::uint32_t poor = ~0U;
  for (std::int64_t now = begin; now < begin + 60 * 3600; now += 600) {
    cluster.at(now);
    for (; !ends.empty() && ends.begin()->first <= now; ends.erase(ends.begin()))
      cluster.end(ends.begin()->second);
    while (cluster.core().state().pending.size() < 10) {
      const std::uint32_t job = cluster.submit(2, 8, 3600);
      run_times[job] = 2400 + 600 * (job % 3);  // Never all at once.
    }
    for (const std::uint32_t job : cluster.starts()) {
      if (job == poor) return (now - begin) / 3600;
      ends.emplace(now + run_times[job], job);
    }
    if (poor == ~0U) poor = cluster.submit(8, 8, 3600, 0, TenantId{2});
  }
  return -1;
}

TEST(Patience, AGangOfATenantAboveItsShareIsReservedForInTheEnd) {
  EXPECT_EQ(hours_a_poor_gang_waits(Nanoseconds::max()), -1);
  for (const std::int64_t patience : {3, 12, 24}) {
    const std::int64_t waited = hours_a_poor_gang_waits(hours(patience));
    EXPECT_GE(waited, patience);
    EXPECT_LE(waited, patience + 3);  // What runs at that time, and what was promised before it.
  }
}

/// Small jobs of a third tenant wait even longer: then a gang has no claim on the turns of the first.
TEST(Patience, IsForGangsThatAreOvertakenNotWhereAllWait) {
  PolicyConfig policy = *policy_by_name("gigawerk");
  policy.patience = hours(3);
  for (const bool all_wait : {false, true}) {
    Case cluster(racks(8, 8), policy);
    for (int tenant = 2; tenant <= 3; ++tenant) cluster.apply(Event::tenant_added(TenantId{0}, 1));
    Jobs running = {cluster.submit(4, 8, 1000 * 3600, 0, TenantId{2}),
                    cluster.submit(4, 8, 1000 * 3600, 0, TenantId{3})};
    EXPECT_EQ(cluster.starts(), running);
    std::uint32_t gang = ~0U;
    std::int64_t hour = 0;
    for (bool began = false; hour < 20 && !began; ++hour) {
      cluster.at((1000 + hour) * 3600);
      for (const std::uint32_t job : running) cluster.end(job);
      for (int job = 0; job < 12; ++job) cluster.submit(1, 8, 3600);
      running = cluster.starts();
      began = std::ranges::find(running, gang) != running.end();
      if (hour > 0) continue;
      if (all_wait) cluster.submit(1, 8, 3600, 0, TenantId{3});
      cluster.at(1000 * 3600 + 60);
      gang = cluster.submit(8, 8, 3600, 0, TenantId{2});
      const Jobs more = cluster.starts();
      running.insert(running.end(), more.begin(), more.end());
    }
    EXPECT_EQ(hour == 20, all_wait);
  }
}

struct PromiseWish {
  WorkloadWish workload;
  FleetWish fleet;
};

/// Whoever is promised a time starts by then, and every waiting job has a reason, after every pass.
void expect_promises_kept(std::string_view policy, std::uint64_t seed, const PromiseWish& wish) {
  Rng rng(seed);
  const Fleet fleet = random_case::random_fleet(rng, wish.fleet);
  const Workload workload = random_case::random_workload(rng, fleet, wish.workload);
  Core core(fleet, *policy_by_name(policy));
  Driver driver(workload);
  std::map<JobId, Instant> promised;
  while (!driver.done()) {
    for (const Event& event : driver.next()) core.apply(event, driver.now());
    driver.planned(core.plan(driver.now()));
    ASSERT_EQ(core.check(), "");
    for (std::uint32_t job = 0; job < core.state().next_job; ++job) {
      const Reason reason = core.binding_reason(JobId{job});
      ASSERT_EQ(reason == Reason::kNone, !driver.waits(JobId{job})) << "job " << job;
      ASSERT_NE(reason, Reason::kNever) << "job " << job;
    }
    const Pass::Promise promise = core.promise();
    if (promise.job.valid() && driver.waits(promise.job)) {
      const auto [at, first] = promised.emplace(promise.job, promise.when);
      if (!first) {
        ASSERT_LE(promise.when, std::max(at->second, driver.now()))
            << "job " << promise.job.value() << " is put off";
      }
    }
  }
  for (const auto& [job, when] : promised) {
    if (workload.jobs[job.value()].cancelled_after != Nanoseconds::max()) continue;
    EXPECT_LE(driver.first_start(job), when) << "job " << job.value() << " starts later than promised";
  }
  ASSERT_EQ(core.state().running_jobs(), 0U);
}

PromiseWish plain_wish() {
  PromiseWish wish;
  wish.workload.outages = wish.workload.overruns = wish.workload.cancels = false;
  wish.workload.jobs = 60;
  wish.fleet.most_types = 1;
  return wish;
}

TEST(Reservation, IsKeptOnWholeGpus) {
  PromiseWish wish = plain_wish();
  wish.workload.shapes.fractions = wish.workload.shapes.side_resources = false;
  for (const std::string_view policy : {"gigawerk", "easy", "sjf-easy", "priority-easy", "fairshare-easy"}) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed)
      ASSERT_NO_FATAL_FAILURE(expect_promises_kept(policy, seed, wish)) << policy << ", seed " << seed;
  }
}

TEST(Reservation, IsKeptAmongSharesOfGpus) {
  PromiseWish wish = plain_wish();
  wish.workload.shapes.side_resources = false;
  for (const std::string_view policy : {"gigawerk", "easy"}) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed)
      ASSERT_NO_FATAL_FAILURE(expect_promises_kept(policy, seed, wish)) << policy << ", seed " << seed;
  }
}

/// Others' CPU and memory can keep a shape from nodes that have the GPUs for it.
TEST(Reservation, IsKeptAmongJobsShortOfCpuAndMemory) {
  const PromiseWish wish = plain_wish();
  for (const std::string_view policy : {"gigawerk", "easy", "sjf-easy"}) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed)
      ASSERT_NO_FATAL_FAILURE(expect_promises_kept(policy, seed, wish)) << policy << ", seed " << seed;
  }
}

/// Jobs that end exactly at their limits, as in logs without any: nothing but the failure tells that a
/// reservation has broken.
TEST(Reservation, IsMadeAnewWhenItsNodesFail) {
  for (const std::string_view policy : {"gigawerk", "easy"}) {
    Case cluster(racks(16, 8), policy);
    std::multimap<std::int64_t, std::uint32_t> ends;
    std::uint32_t large = ~0U;
    std::int64_t started = -1;
    for (std::int64_t now = 0; now < 100 * 3600 && started < 0; now += 600) {
      cluster.at(now);
      for (; !ends.empty() && ends.begin()->first <= now; ends.erase(ends.begin()))
        cluster.end(ends.begin()->second);
      while (cluster.core().state().pending.size() < 8) cluster.submit(1, 8, 3600);
      if (now == 3600) large = cluster.submit(8, 8, 3600);
      if (now == 3600 + 1800) {  // Two of those held for it.
        const Pool& pool = *cluster.core().state().pools[0];
        int down = 0;
        for (std::uint32_t node = 0; node < 16 && down < 2; ++node) {
          if (!pool.is_held(node) || pool.free_count(node) < 8) continue;
          cluster.apply(Event::node_down(NodeId{node}));
          ++down;
        }
        if (down == 0) {  // None is free yet: those that run there start anew.
          for (std::uint32_t node = 0; node < 16 && down < 2; ++node) {
            if (!pool.is_held(node)) continue;
            std::erase_if(ends, [&](const auto& end) {
              const Job* job = cluster.core().job(JobId{end.second});
              return job->placement.pieces.front().node == node;
            });
            cluster.apply(Event::node_down(NodeId{node}));
            ++down;
          }
        }
        ASSERT_EQ(down, 2);
      }
      for (const std::uint32_t job : cluster.starts()) {
        if (job == large) started = now;
        ends.emplace(now + 3600, job);
      }
    }
    EXPECT_GE(started, 0) << policy;
    EXPECT_LE(started, 6 * 3600) << policy;
  }
}

/// A job that no end of others can help, for nodes are down, leaves the reservation to the next.
TEST(Reservation, IsNotWithheldByOneThatCannotBePromised) {
  for (const std::string_view policy : {"gigawerk", "easy"}) {
    for (const std::uint32_t gpus : {8U, 1U}) {  // On nodes, and on counts alone.
      Case cluster(gpus == 1 ? flat_fleet(16) : racks(16, gpus), policy);
      cluster.apply(Event::node_down(NodeId{3}));
      std::multimap<std::int64_t, std::uint32_t> ends;
      std::uint32_t half = ~0U;
      std::int64_t started = -1;
      for (std::int64_t now = 0; now < 200 * 3600 && started < 0; now += 600) {
        cluster.at(now);
        for (; !ends.empty() && ends.begin()->first <= now; ends.erase(ends.begin()))
          cluster.end(ends.begin()->second);
        if (now == 3600) cluster.submit(16, gpus, 3600, 1);
        if (now == 3600) half = cluster.submit(8, gpus, 3600);
        while (cluster.core().state().pending.size() < 8)
          cluster.submit(1, gpus, 3600 + 600 * (now / 600 % 3));
        for (const std::uint32_t job : cluster.starts()) {
          if (job == half) started = now;
          ends.emplace(now + cluster.core().job(JobId{job})->request.limit.count() / kNanosecondsPerSecond,
                       job);
        }
      }
      EXPECT_GE(started, 0) << policy << " on " << gpus;
      EXPECT_LE(started, 12 * 3600) << policy << " on " << gpus;
    }
  }
}

JobRequest part_of_a_gpu(std::uint32_t milli) {
  JobRequest request;
  request.shape = share(milli);
  return request;
}

/// Four quarters of one processor are one processor that comes free, not four.
TEST(Shares, AreNotCountedAsWholeGpus) {
  Case cluster(flat_fleet(10), "easy");
  for (int job = 0; job < 4; ++job) cluster.submit(part_of_a_gpu(250), 100);
  const std::uint32_t eight = cluster.submit(8, 1, 200);
  EXPECT_EQ(cluster.starts().size(), 5U);
  const std::uint32_t head = cluster.submit(10, 1, 100);
  const std::uint32_t late = cluster.submit(1, 1, 5000);  // Would make the head wait for it.
  EXPECT_EQ(cluster.starts(), Jobs{});
  cluster.at(100);
  for (std::uint32_t job = 0; job < 4; ++job) cluster.end(job);
  EXPECT_EQ(cluster.starts(), Jobs{});
  cluster.at(200);
  cluster.end(eight);
  EXPECT_EQ(cluster.starts(), Jobs{head});
  EXPECT_EQ(cluster.reason(late), Reason::kCapacity);
}

TEST(Shares, JoinAPartlyUsedGpuWhenNoneIsFree) {
  for (const std::string_view policy : {"easy", "conservative", "gigawerk"}) {
    for (const Fleet& fleet : {flat_fleet(1), flat_fleet(1, 8), racks(8, 1)}) {
      Case cluster(fleet, policy);
      const auto gpus = static_cast<std::uint32_t>(fleet.gpus());
      if (gpus > 1) cluster.submit(0, gpus - 1, 1000);
      cluster.submit(part_of_a_gpu(100), 1000);
      EXPECT_EQ(cluster.starts().size(), gpus > 1 ? 2U : 1U) << policy;
      for (int job = 0; job < 10; ++job) cluster.submit(part_of_a_gpu(100), 1000);
      EXPECT_EQ(cluster.starts().size(), 9U) << policy << ", " << gpus << " GPUs";
    }
  }
}

/// A limit that ends within the next second is no overrun.
TEST(Conservative, SlotsBeginAtFractionsOfASecond) {
  PolicyConfig policy = *policy_by_name("conservative");
  Core core(flat_fleet(2), policy);
  const auto ms = [](std::int64_t value) { return Instant{} + Nanoseconds{value * 1'000'000}; };
  const auto submit = [&](std::uint32_t id, std::uint32_t gpus, std::int64_t limit_ms, Instant now) {
    JobRequest request;
    request.shape.nodes = 0;
    request.shape.gpus = gpus;
    request.submit = now;
    request.limit = Nanoseconds{limit_ms * 1'000'000};
    request.tenant = TenantId{0};
    core.apply(Event::job_submitted(JobId{id}, request), now);
  };
  submit(0, 1, 10'500, ms(0));
  submit(1, 1, 20'000, ms(0));
  EXPECT_EQ(core.plan(ms(0)).starts.size(), 2U);
  core.apply(Event::job_ended(JobId{1}), ms(10'000));
  EXPECT_TRUE(core.plan(ms(10'000)).starts.empty());
  submit(2, 2, 10'000, ms(10'200));
  EXPECT_TRUE(core.plan(ms(10'200)).starts.empty());
  core.apply(Event::job_ended(JobId{0}), ms(10'500));
  EXPECT_EQ(core.plan(ms(10'500)).starts.size(), 1U);
}

/// A gang that a failure sends back has waited from then on, not from its first day.
TEST(Patience, BeginsAnewAfterAFailure) {
  Case cluster(racks(8, 8), "gigawerk");
  cluster.apply(Event::tenant_added(TenantId{0}, 1));
  const std::uint32_t gang_job = cluster.submit(8, 8, 1000 * 3600, 0, TenantId{2});
  EXPECT_EQ(cluster.starts(), Jobs{gang_job});
  cluster.at(48 * 3600);
  cluster.apply(Event::node_down(NodeId{0}));
  const std::set<std::pair<Instant, JobId>> waits_anew = {{Instant{} + hours(48), JobId{gang_job}}};
  EXPECT_EQ(cluster.core().state().waiting_gangs, waits_anew);
}

/// With failures, overruns and cancellations promises may break; reasons and invariants may not, and all work
/// gets done.
TEST(Core, EveryWaitHasOneReasonAndAllWorkEnds) {
  for (const PolicyName& policy : policy_names()) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Rng rng(seed);
      const Fleet fleet = random_case::random_fleet(rng);
      const Workload workload = random_case::random_workload(rng, fleet);
      Core core(fleet, *policy_by_name(policy.name));
      Driver driver(workload);
      while (!driver.done()) {
        for (const Event& event : driver.next()) core.apply(event, driver.now());
        driver.planned(core.plan(driver.now()));
        ASSERT_EQ(core.check(), "") << policy.name << ", seed " << seed;
        for (std::uint32_t job = 0; job < core.state().next_job; ++job) {
          const Reason reason = core.binding_reason(JobId{job});
          ASSERT_EQ(reason == Reason::kNone, !driver.waits(JobId{job})) << policy.name << ", seed " << seed;
          const Job* waiting = core.job(JobId{job});
          if (waiting == nullptr || waiting->running) continue;
          ASSERT_NE(waiting->reason, Reason::kNone) << policy.name << ", seed " << seed;
        }
      }
      EXPECT_EQ(core.state().jobs.size(), 0U) << policy.name << ", seed " << seed << ": jobs wait for ever";
    }
  }
}

/// One GPU a node but two fabric levels: EASY by the node pass, on named nodes.
TEST(Core, EasyOnOneGpuNodesWithAFabricFollowsTheTextbookWithoutFragmentation) {
  Case cluster(racks(4, 1), "easy");
  EXPECT_FALSE(cluster.core().state().uniform);
  cluster.at(0);
  const std::uint32_t long_one = cluster.submit(3, 1, 100);
  const std::uint32_t head = cluster.submit(4, 1, 50);
  const std::uint32_t in_time = cluster.submit(1, 1, 100);
  const std::uint32_t too_long = cluster.submit(1, 1, 101);
  EXPECT_EQ(cluster.starts(), (Jobs{long_one, in_time}));
  EXPECT_EQ(cluster.core().promise().job, JobId{head});
  EXPECT_EQ(cluster.core().promise().when, Instant{} + seconds(100));
  EXPECT_EQ(cluster.reason(head), Reason::kCapacity);
  cluster.at(10);
  cluster.end(in_time);
  EXPECT_EQ(cluster.starts(), Jobs{});
  EXPECT_EQ(cluster.reason(too_long), Reason::kReservation);
  cluster.at(100);
  cluster.end(long_one);
  EXPECT_EQ(cluster.starts(), Jobs{head});
  EXPECT_EQ(cluster.reason(too_long), Reason::kCapacity);
}

TEST(Orders, FifoLetsNothingOvertake) {
  Case cluster(flat_fleet(2), "fifo");
  cluster.submit(1, 1, 10);
  const std::uint32_t wide = cluster.submit(2, 1, 10);
  const std::uint32_t small = cluster.submit(1, 1, 10);
  EXPECT_EQ(cluster.starts(), Jobs{0});
  EXPECT_EQ(cluster.reason(wide), Reason::kCapacity);
  EXPECT_EQ(cluster.reason(small), Reason::kOrder);
}

TEST(Orders, ShortestFirstGoesByLimit) {
  for (const Fleet& fleet : {flat_fleet(1), racks(1, 8)}) {
    const std::uint32_t gpus = fleet.node_types[0].gpus;
    Case cluster(fleet, "sjf");
    const Jobs jobs{cluster.submit(1, gpus, 300), cluster.submit(1, gpus, 100), cluster.submit(1, gpus, 200),
                    cluster.submit(1, gpus, 100)};
    Jobs order;
    for (int second = 0; second < 4; ++second) {
      cluster.at(second);
      const Jobs started = cluster.starts();
      ASSERT_EQ(started.size(), 1U);
      order.push_back(started[0]);
      cluster.end(started[0]);
    }
    EXPECT_EQ(order, (Jobs{jobs[1], jobs[3], jobs[2], jobs[0]}));
  }
}

TEST(Orders, PriorityIsWorthHoursOfWaiting) {
  Case cluster(flat_fleet(1), "priority");
  const std::uint32_t running = cluster.submit(1, 1, 10);
  EXPECT_EQ(cluster.starts(), Jobs{running});
  const std::uint32_t old = cluster.submit(1, 1, 10, 0);
  cluster.at(2 * 3600 - 1);
  const std::uint32_t urgent = cluster.submit(1, 1, 10, 2);  // As if it had come a second before `old`.
  cluster.at(2 * 3600 + 1);
  const std::uint32_t late = cluster.submit(1, 1, 10, 2);  // A second after.
  const std::uint32_t lazy = cluster.submit(1, 1, 10, -1);
  Jobs order;
  for (std::uint32_t last = running; order.size() < 4;) {
    cluster.end(last);
    const Jobs started = cluster.starts();
    ASSERT_EQ(started.size(), 1U);
    order.push_back(last = started[0]);
  }
  EXPECT_EQ(order, (Jobs{urgent, old, late, lazy}));
}

TEST(Orders, PriorityTimesAgeNeverOverflows) {
  PolicyConfig policy = *policy_by_name("priority");
  JobRequest request;
  request.submit = kLastInstant;
  request.priority = INT32_MIN;
  const std::int64_t last = order_key(policy, request);
  request.priority = INT32_MAX;
  const std::int64_t first = order_key(policy, request);
  EXPECT_LT(first, order_key(policy, JobRequest{}));
  EXPECT_GT(last, order_key(policy, JobRequest{}));
}

TEST(Orders, PriorityClassesComeBeforeShares) {
  Case cluster(flat_fleet(1), "gigawerk");
  cluster.apply(Event::tenant_added(TenantId{0}, 1));
  const std::uint32_t heavy = cluster.submit(1, 1, 3600);
  EXPECT_EQ(cluster.starts(), Jobs{heavy});
  cluster.at(3600);
  const std::uint32_t other = cluster.submit(1, 1, 60, 0, TenantId{2});  // Has used nothing so far.
  const std::uint32_t urgent = cluster.submit(1, 1, 60, 1, TenantId{1});
  cluster.end(heavy);
  EXPECT_EQ(cluster.starts(), Jobs{urgent});
  cluster.at(3660);
  cluster.end(urgent);
  EXPECT_EQ(cluster.starts(), Jobs{other});
}

/// What a tenant is charged is what its jobs held, however short they are and wherever between two charges.
TEST(Orders, UsageIsTheTimeHeld) {
  Case cluster(racks(16, 1), "gigawerk");
  Rng rng(11);
  std::multimap<std::int64_t, std::uint32_t> ends;
  std::map<std::uint32_t, std::int64_t> run_times;
  double held = 0;
  for (std::int64_t now = 0; now <= 12 * 3600; now += 60) {
    cluster.at(now);
    for (; !ends.empty() && ends.begin()->first <= now; ends.erase(ends.begin()))
      cluster.end(ends.begin()->second);
    if (now < 4 * 3600) {
      const std::uint32_t job = cluster.submit(static_cast<std::uint32_t>(rng.between(1, 4)), 1, 7200);
      run_times[job] = 60 * rng.between(1, 20);
    }
    for (const std::uint32_t job : cluster.starts()) {
      ends.emplace(now + run_times[job], job);
      held += static_cast<double>(run_times[job] *
                                  cluster.core().job(JobId{job})->request.shape.total_gpu_milli()) /
              1000;
    }
  }
  ASSERT_TRUE(ends.empty());
  // What decays within twelve hours of a half-life of a week is little.
  const double usage = cluster.core().state().pending.fair_share().usage_gpu_seconds(TenantId{1});
  EXPECT_GT(usage, 0.95 * held);
  EXPECT_LT(usage, 1.001 * held);
}

/// Backfill behind a blocked job shares out what is free, too: each start moves its tenant back.
TEST(Orders, BackfillGoesByTheSharesAsTheyChange) {
  Case cluster(racks(64, 1), "gigawerk");
  cluster.apply(Event::tenant_added(TenantId{0}, 1));
  cluster.apply(Event::tenant_added(TenantId{0}, 1));
  const std::uint32_t running = cluster.submit(32, 1, 100'000, 0, TenantId{3});
  EXPECT_EQ(cluster.starts(), Jobs{running});
  const std::uint32_t blocked = cluster.submit(48, 1, 1000, 1, TenantId{3});
  std::map<std::uint32_t, int> tenant_of;
  for (int job = 0; job < 32; ++job) {
    for (std::uint32_t tenant = 1; tenant <= 2; ++tenant)
      tenant_of[cluster.submit(1, 1, 1000, 0, TenantId{tenant})] = static_cast<int>(tenant);
  }
  std::map<int, int> started;
  for (const std::uint32_t job : cluster.starts()) ++started[tenant_of[job]];
  EXPECT_EQ(started[1], 16);
  EXPECT_EQ(started[2], 16);
  EXPECT_NE(cluster.reason(blocked), Reason::kNone);
}

TEST(Orders, TheTenantWithLessUseComesFirst) {
  Case cluster(racks(1, 8), "gigawerk");
  cluster.apply(Event::tenant_added(TenantId{0}, 1));
  const std::uint32_t first = cluster.submit(1, 8, 3600);
  EXPECT_EQ(cluster.starts(), Jobs{first});
  cluster.at(10);
  const std::uint32_t again = cluster.submit(1, 8, 3600);
  EXPECT_EQ(cluster.starts(), Jobs{});
  cluster.at(20);
  const std::uint32_t other = cluster.submit(1, 1, 3600, 0, TenantId{2});
  cluster.end(first);
  // `again` holds the reservation of the blocked first job; it keeps it.
  EXPECT_EQ(cluster.starts(), Jobs{again});
  EXPECT_EQ(cluster.reason(other), Reason::kCapacity);
}

TEST(Core, GangsTakeWholeNodesOfOneRack) {
  Case cluster(racks(8, 8), "gigawerk");
  JobRequest request;
  request.shape = gang(4, 8);
  request.shape.level = 0;
  request.shape.level_required = true;
  const std::uint32_t one = cluster.submit(1, 1, 100);
  const std::uint32_t first = cluster.submit(request, 100);
  const std::uint32_t second = cluster.submit(request, 100);
  EXPECT_EQ(cluster.starts(), (Jobs{one, first}));
  EXPECT_EQ(cluster.core().job(JobId{first})->placement.pieces, (std::vector<Piece>{{4, 4, 0xff}}));
  EXPECT_EQ(cluster.core().job(JobId{first})->placement.span, 1);
  EXPECT_EQ(cluster.reason(second), Reason::kCapacity);
  request.shape.nodes = 5;
  const std::uint32_t never = cluster.submit(request, 100);
  cluster.at(1);
  const Plan& plan = cluster.core().plan(Instant{} + seconds(1));
  ASSERT_EQ(plan.rejections.size(), 1U);
  EXPECT_EQ(plan.rejections[0].job, JobId{never});
  EXPECT_EQ(plan.rejections[0].reason, Reason::kNever);
}

TEST(Core, WhatNoPartOfTheFleetCouldHoldIsRejected) {
  Case cluster(racks(4, 8), "gigawerk");
  JobRequest request;
  request.shape = gang(5, 8);
  cluster.submit(request, 1);
  request.shape = gang(1, 9);
  cluster.submit(request, 1);
  request.shape = gang(0, 33);
  cluster.submit(request, 1);
  request.shape = gang(1, 1);
  request.shape.gpu_types = 1;  // The nodes' processors are of no type.
  cluster.submit(request, 1);
  EXPECT_EQ(cluster.core().plan(Instant{}).rejections.size(), 4U);
  EXPECT_EQ(cluster.core().state().jobs.size(), 0U);
}

TEST(Core, AFailedNodesJobsWaitAgainInTheirOldPlace) {
  for (const std::string_view policy : {"easy", "fifo", "conservative", "gigawerk"}) {
    Case cluster(racks(2, 8), policy);
    const std::uint32_t first = cluster.submit(1, 8, 1000);
    const std::uint32_t second = cluster.submit(1, 8, 1000);
    EXPECT_EQ(cluster.starts(), (Jobs{first, second})) << policy;
    cluster.at(10);
    const std::uint32_t third = cluster.submit(1, 8, 1000);
    cluster.apply(Event::node_down(NodeId{0}));
    const Plan& plan = cluster.core().plan(Instant{} + seconds(10));
    EXPECT_EQ(plan.interrupted, std::vector<JobId>{JobId{first}}) << policy;
    EXPECT_TRUE(plan.starts.empty()) << policy;
    EXPECT_EQ(cluster.core().state().down_gpus(), 8) << policy;
    cluster.at(20);
    cluster.end(second);
    EXPECT_EQ(cluster.starts(), Jobs{first}) << policy;
    cluster.at(30);
    cluster.apply(Event::node_up(NodeId{0}));
    EXPECT_EQ(cluster.starts(), Jobs{third}) << policy;
  }
}

TEST(Core, AJobThatNeedsNoGpuWaitsForNodesOnAUniformFleet) {
  for (const std::string_view policy : {"easy", "fifo", "gigawerk", "conservative"}) {
    Case cluster(flat_fleet(2), policy);
    EXPECT_TRUE(cluster.core().state().uniform);
    cluster.apply(Event::node_down(NodeId{0}));
    const std::uint32_t job = cluster.submit(2, 0, 100);
    EXPECT_EQ(cluster.starts(), Jobs{}) << policy;
    EXPECT_NE(cluster.reason(job), Reason::kNone) << policy;
    cluster.at(1);
    cluster.apply(Event::node_up(NodeId{0}));
    EXPECT_EQ(cluster.starts(), Jobs{job}) << policy;
  }
}

/// Limits that add up past the end of time neither wrap nor stop the queue.
TEST(Core, EndlessLimitsAreSurvived) {
  for (const std::string_view policy : {"conservative", "easy", "gigawerk"}) {
    Case cluster(flat_fleet(1), policy);
    for (int job = 0; job < 5; ++job) cluster.submit(1, 1, INT64_MAX / kNanosecondsPerSecond);
    EXPECT_EQ(cluster.starts(), Jobs{0}) << policy;
    for (std::uint32_t job = 0; job < 4; ++job) {
      cluster.at(job + 1);
      cluster.end(job);
      EXPECT_EQ(cluster.starts(), Jobs{job + 1}) << policy;
    }
  }
}

}  // namespace
}  // namespace gw::sched
