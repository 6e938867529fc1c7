// Benchmarks of the deciding core on sites of 10,000 to 1,000,000 GPUs: cost per placement and how it grows.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <queue>
#include <vector>

#include "base/rng.h"
#include "sched/core.h"
#include "site.h"

namespace gw::sched {
namespace {

/// The same with power: racks, rows, halls and the site have feeds that carry 95, 92, 88 and 85 % of their
/// nodes at nameplate, so that caps bind on every level.
Fleet capped_site_of(std::uint32_t gpus) {
  Fleet fleet = bench::site_of(gpus);
  GpuType gpu;
  gpu.name = "b200";
  gpu.power_floor_permille = 600;
  gpu.floor_speed_permille = 820;
  fleet.gpu_types.push_back(gpu);
  NodeType& node = fleet.node_types[0];
  node.gpu_type = 0;
  node.power_idle = Milliwatts{2'500'000};
  node.power_max = Milliwatts{14'300'000};
  static constexpr std::int64_t kPermille[] = {950, 920, 880, 850};
  for (std::size_t level = 0; level < fleet.fabric.size(); ++level) {
    FeedLevel feed{fleet.fabric[level], {}, {}};
    for (std::uint32_t vertex = 0; vertex < feed.partition.vertices(); ++vertex)
      feed.capacity.push_back(node.power_max * (feed.partition.end(vertex) - feed.partition.begin(vertex)) *
                              kPermille[level] / 1000);
    fleet.feed.push_back(std::move(feed));
  }
  return fleet;
}

constexpr std::uint32_t kTenants = 300;

JobRequest draw_request(Rng& rng, Instant now) {
  // One in 2, 4, 8, ... jobs: small jobs are the rule, gangs the exception, as in the published studies.
  static constexpr double kShares[] = {0.45, 0.12, 0.12, 0.18, 0.06, 0.04, 0.02, 0.01};
  static constexpr std::uint32_t kGpus[] = {1, 2, 4, 8, 16, 32, 64, 256};
  JobRequest request;
  const std::uint32_t gpus = kGpus[rng.weighted(kShares)];
  request.shape.nodes = gpus <= 8 ? 1 : gpus / 8;
  request.shape.gpus = gpus <= 8 ? gpus : 8;
  request.tenant = TenantId{1 + static_cast<std::uint32_t>(rng.below(kTenants))};
  request.submit = now;
  request.limit = minutes(rng.between(10, 2880));
  return request;
}

/// A full site with `pending` waiting jobs under the default policy; each step ends the job that is due.
class Factory {
 public:
  Factory(std::uint32_t gpus, std::size_t pending) : Factory(bench::site_of(gpus), pending, false) {}
  /// With `classes`, a third of the jobs each draws all, 80 % and 65 % of its power.
  Factory(const Fleet& fleet, std::size_t pending, bool classes)
      : core_(fleet, *policy_by_name("gigawerk")), pending_(pending), classes_(classes) {
    for (std::uint32_t tenant = 0; tenant < kTenants; ++tenant)
      core_.apply(Event::tenant_added(TenantId{0}, 1 + tenant % 4), now_);
    do {
      for (int batch = 0; batch < 256; ++batch) submit();
      decide();
    } while (core_.state().pending.size() < pending_);
  }

  /// Ends the job that is due next and submits as many as have started. Gives the starts.
  std::size_t step() {
    now_ = ends_.top().first;
    for (; !ends_.empty() && ends_.top().first == now_; ends_.pop())
      core_.apply(Event::job_ended(ends_.top().second), now_);
    while (core_.state().pending.size() < pending_) submit();
    return decide();
  }
  std::size_t decide() {
    const Plan& plan = core_.plan(now_);
    for (const Plan::Start& start : plan.starts) {
      // Users ask for up to ten times what they use.
      const Nanoseconds limit = core_.job(start.job)->request.limit;
      ends_.emplace(now_ + Nanoseconds{rng_.between(limit.count() / 10, limit.count())}, start.job);
    }
    return plan.starts.size();
  }
  Core& core() { return core_; }
  Instant& now() { return now_; }

 private:
  void submit() {
    JobRequest request = draw_request(rng_, now_);
    static constexpr std::uint32_t kPower[] = {1000, 800, 650};
    if (classes_) request.power_permille = kPower[next_ % 3];
    core_.apply(Event::job_submitted(JobId{next_++}, request), now_);
  }

  Core core_;
  std::size_t pending_;
  bool classes_ = false;
  Rng rng_{1};
  Instant now_;
  std::uint32_t next_ = 0;
  std::priority_queue<std::pair<Instant, JobId>, std::vector<std::pair<Instant, JobId>>, std::greater<>>
      ends_;
};

/// Steady state: one job ends, the default policy refills. items/s are placements per second.
void BM_SteadyState(benchmark::State& bench) {
  Factory factory(static_cast<std::uint32_t>(bench.range(0)), static_cast<std::size_t>(bench.range(1)));
  std::size_t starts = 0;
  for (auto _ : bench) starts += factory.step();
  bench.SetItemsProcessed(static_cast<std::int64_t>(starts));
  bench.counters["per_placement"] = benchmark::Counter(
      static_cast<double>(starts), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  const std::string problem = factory.core().check();
  if (!problem.empty()) bench.SkipWithError(problem.c_str());
}
BENCHMARK(BM_SteadyState)
    ->ArgsProduct({{10'000, 100'000, 1'000'000}, {10'000}})
    ->ArgNames({"gpus", "pending"})
    ->Iterations(200'000);
BENCHMARK(BM_SteadyState)
    ->ArgsProduct({{100'000}, {1'000, 100'000}})
    ->ArgNames({"gpus", "pending"})
    ->Iterations(50'000);

/// The same under four levels of caps; `worst_us` and `p99_us` are of one decision.
void BM_SteadyStateUnderCaps(benchmark::State& bench) {
  Factory factory(capped_site_of(static_cast<std::uint32_t>(bench.range(0))), 10'000, bench.range(1) != 0);
  std::size_t starts = 0;
  std::vector<double> micros;
  for (auto _ : bench) {
    const auto begin = std::chrono::steady_clock::now();
    starts += factory.step();
    micros.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
  }
  bench.SetItemsProcessed(static_cast<std::int64_t>(starts));
  std::sort(micros.begin(), micros.end());
  bench.counters["p99_us"] = micros[micros.size() * 99 / 100];
  bench.counters["worst_us"] = micros.back();
  const PowerTree& power = factory.core().state().power;
  bench.counters["site_draw"] =
      static_cast<double>(power.draw({3, 0}).count()) / static_cast<double>(power.cap({3, 0}).count());
  bench.counters["free_gpus"] = static_cast<double>(factory.core().state().free_gpus());
  const std::string problem = factory.core().check();
  if (!problem.empty()) bench.SkipWithError(problem.c_str());
}
BENCHMARK(BM_SteadyStateUnderCaps)
    ->ArgsProduct({{100'000}, {0, 1}})
    ->ArgNames({"gpus", "classes"})
    ->Iterations(100'000);

/// The grid asks for a fifth of the power and gives it back: clocks of all running jobs are capped and freed.
void BM_GridEvent(benchmark::State& bench) {
  Factory factory(capped_site_of(static_cast<std::uint32_t>(bench.range(0))), 10'000, true);
  Core& core = factory.core();
  const Milliwatts cap = core.state().power.cap({3, 0});
  for (auto _ : bench) {
    core.apply(Event::feed_cap(3, 0, cap * 4 / 5), factory.now());
    const std::size_t slowed = core.plan(factory.now()).clocks.size();
    core.apply(Event::feed_cap(3, 0, cap), factory.now());
    core.plan(factory.now());
    bench.counters["slowed"] = static_cast<double>(slowed);
  }
}
BENCHMARK(BM_GridEvent)->Arg(100'000)->ArgName("gpus")->Unit(benchmark::kMillisecond)->Iterations(5);

/// A gang of whole nodes onto an idle site and off again.
void BM_GangPlacement(benchmark::State& bench) {
  Core core(bench::site_of(static_cast<std::uint32_t>(bench.range(0))), *policy_by_name("gigawerk"));
  core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  JobRequest request;
  request.shape.nodes = static_cast<std::uint32_t>(bench.range(1));
  request.shape.gpus = 8;
  request.tenant = TenantId{1};
  request.limit = hours(1);
  std::uint32_t next = 0;
  for (auto _ : bench) {
    core.apply(Event::job_submitted(JobId{next}, request), Instant{});
    if (core.plan(Instant{}).starts.size() != 1) bench.SkipWithError("the gang did not start");
    core.apply(Event::job_ended(JobId{next++}), Instant{});
    core.plan(Instant{});
  }
}
BENCHMARK(BM_GangPlacement)
    ->ArgsProduct({{100'000, 1'000'000}, {1, 8, 64, 1'000, 10'000}})
    ->ArgNames({"gpus", "nodes"});

/// Nodes come free behind a blocked gang while jobs of as many shapes as jobs wait: one pass starts what
/// fits.
void BM_ManyShapes(benchmark::State& bench) {
  const auto waiting = static_cast<std::uint32_t>(bench.range(0));
  Fleet fleet = flat_fleet(1024, 8);
  fleet.node_types[0].cpu_milli = 1'000'000;
  for (auto _ : bench) {
    bench.PauseTiming();
    {
      Core core(fleet, *policy_by_name("easy"));
      core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
      JobRequest request;
      request.tenant = TenantId{1};
      std::uint32_t next = 0;
      const auto submit = [&](std::uint32_t nodes, std::int64_t cpu_milli, Nanoseconds limit) {
        request.shape.nodes = nodes;
        request.shape.gpus = 8;
        request.shape.cpu_milli = cpu_milli;
        request.limit = limit;
        core.apply(Event::job_submitted(JobId{next++}, request), Instant{});
      };
      submit(512, 0, hours(1));
      submit(512, 0, hours(2));
      core.plan(Instant{});
      submit(1024, 0, hours(1));  // The gang that waits.
      for (std::uint32_t job = 0; job < waiting; ++job) submit(1, 1 + job, minutes(30));
      core.plan(Instant{});
      core.apply(Event::job_ended(JobId{0}), Instant{});
      bench.ResumeTiming();
      if (core.plan(Instant{}).starts.size() != 512) bench.SkipWithError("not all that fits has started");
      bench.PauseTiming();
    }
    bench.ResumeTiming();
  }
}
BENCHMARK(BM_ManyShapes)->Arg(2'000)->Arg(16'000)->ArgName("shapes")->Unit(benchmark::kMillisecond);

/// Placements on a site of random occupation, without a queue: the search and the index update alone.
void BM_PlaceAndRelease(benchmark::State& bench) {
  const auto gpus = static_cast<std::uint32_t>(bench.range(0));
  Core core(bench::site_of(gpus), *policy_by_name("gigawerk"));
  core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  Rng rng(3);
  std::vector<JobId> running;
  std::uint32_t next = 0;
  const auto add = [&] {
    JobRequest request = draw_request(rng, Instant{});
    request.tenant = TenantId{1};
    core.apply(Event::job_submitted(JobId{next}, request), Instant{});
    if (core.plan(Instant{}).starts.empty()) {
      core.apply(Event::job_cancelled(JobId{next}), Instant{});
    } else {
      running.push_back(JobId{next});
    }
    ++next;
  };
  while (core.state().free_gpus() > gpus / 5) add();
  for (auto _ : bench) {
    const std::size_t victim = rng.below(running.size());
    core.apply(Event::job_ended(running[victim]), Instant{});
    running[victim] = running.back();
    running.pop_back();
    add();
  }
  bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(BM_PlaceAndRelease)->Arg(10'000)->Arg(100'000)->Arg(1'000'000)->ArgName("gpus");

/// Bytes that the core keeps per GPU of an idle site and per job in the system.
void BM_Memory(benchmark::State& bench) {
  for (auto _ : bench) {
    const auto used = [] { return static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd); };
    const auto gpus = static_cast<std::uint32_t>(bench.range(0));
    const double before = used();
    {
      const Fleet fleet = bench::site_of(gpus);
      Core core(fleet, *policy_by_name("gigawerk"));
      bench.counters["bytes_per_gpu"] = (used() - before) / gpus;
    }
    const double idle = used();
    Factory factory(gpus, 100'000);
    const double jobs = static_cast<double>(factory.core().state().jobs.size());
    bench.counters["bytes_per_job"] = (used() - idle - bench.counters["bytes_per_gpu"] * gpus) / jobs;
    bench.counters["jobs"] = jobs;
  }
}
BENCHMARK(BM_Memory)->Arg(100'000)->ArgName("gpus")->Iterations(1);

}  // namespace
}  // namespace gw::sched

BENCHMARK_MAIN();
