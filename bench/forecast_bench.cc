// Benchmarks of "when does my job start?": what an answer costs by the number of jobs that wait.
#include <benchmark/benchmark.h>

#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "sched/core.h"
#include "site.h"
#include "twin/counterfactual.h"
#include "twin/forecast.h"

namespace gw::twin {
namespace {

constexpr std::uint32_t kTenants = 300;

/// A factory that has been full for a while, with `waiting` jobs in its queue: gangs of up to 256 GPUs, or of
/// a whole small site.
class Busy {
 public:
  Busy(std::uint32_t gpus, std::size_t waiting, const char* policy_name)
      : fleet(bench::site_of(gpus)), policy(*policy_by_name(policy_name)), core_(fleet, policy) {
    for (std::uint32_t tenant = 0; tenant < kTenants; ++tenant)
      core_.apply(sched::Event::tenant_added(TenantId{0}, 1 + tenant % 4), now);
    do {
      for (int job = 0; job < 64; ++job) submit();
      decide();
    } while (core_.state().pending.size() < waiting);
    for (std::uint32_t step = 0; step < gpus / 16; ++step) {
      now = ends_.top().first;
      for (; !ends_.empty() && ends_.top().first == now; ends_.pop())
        core_.apply(sched::Event::job_ended(ends_.top().second), now);
      while (core_.state().pending.size() < waiting) submit();
      decide();
    }
    snapshot = core_.snapshot();
    core_.state().jobs.for_each([&](const sched::Job& job) {
      if (job.running) return;
      if (!last.valid() || job.id > last) last = job.id;
      if (job.request.shape.nodes > 1 && (!last_gang.valid() || job.id > last_gang)) last_gang = job.id;
    });
  }

  Fleet fleet;
  PolicyConfig policy;
  Instant now;
  std::string snapshot;
  JobId last;       ///< The job that came last.
  JobId last_gang;  ///< The last of more than one node.

 private:
  void submit() {
    static constexpr double kShares[] = {0.45, 0.12, 0.12, 0.18, 0.06, 0.04, 0.02, 0.01};
    static constexpr std::uint32_t kGpus[] = {1, 2, 4, 8, 16, 32, 64, 256};
    JobRequest request;
    const std::uint32_t gpus = std::min(kGpus[rng_.weighted(kShares)], fleet.nodes() * 8);
    request.shape.nodes = gpus <= 8 ? 1 : gpus / 8;
    request.shape.gpus = gpus <= 8 ? gpus : 8;
    request.tenant = TenantId{1 + static_cast<std::uint32_t>(rng_.below(kTenants))};
    request.submit = now;
    request.limit = minutes(rng_.between(10, 2880));
    core_.apply(sched::Event::job_submitted(JobId{core_.state().next_job}, request), now);
  }
  void decide() {
    for (const sched::Plan::Start& start : core_.plan(now).starts) {
      const Nanoseconds limit = core_.job(start.job)->request.limit;
      ends_.emplace(now + Nanoseconds{rng_.between(limit.count() / 10, limit.count())}, start.job);
    }
  }

  sched::Core core_;
  Rng rng_{1};
  std::priority_queue<std::pair<Instant, JobId>, std::vector<std::pair<Instant, JobId>>, std::greater<>>
      ends_;
};

void answer(benchmark::State& bench, const Busy& factory, bool all) {
  const RunTimeModel model;
  ForecastOptions options;
  if (!all) options.jobs = {factory.last};
  options.threads = 2;
  std::uint64_t events = 0;
  std::uint32_t members = 0;
  std::uint32_t reached = 0;
  for (auto _ : bench) {
    const Result<Forecast> forecast =
        forecast_starts({factory.fleet, factory.policy, factory.snapshot, factory.now, model}, options);
    if (!forecast) bench.SkipWithError(forecast.error().message.c_str());
    events = forecast->events();
    members = forecast->members();
    reached = forecast->find(factory.last)->reached;
  }
  bench.counters["events"] = static_cast<double>(events);
  bench.counters["members"] = members;
  bench.counters["reached"] = reached;
}

void BM_ForecastAll(benchmark::State& bench, const char* policy) {
  answer(bench,
         Busy(static_cast<std::uint32_t>(bench.range(0)), static_cast<std::size_t>(bench.range(1)), policy),
         true);
}

/// The job that came last.
void BM_ForecastLast(benchmark::State& bench, const char* policy) {
  answer(bench,
         Busy(static_cast<std::uint32_t>(bench.range(0)), static_cast<std::size_t>(bench.range(1)), policy),
         false);
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Args({8, 100})->Args({10'000, 10'000})->Args({100'000, 100'000});
  benchmark->ArgNames({"gpus", "waiting"})->Unit(benchmark::kMillisecond)->Iterations(3);
  benchmark->UseRealTime()->MeasureProcessCPUTime();
}
BENCHMARK_CAPTURE(BM_ForecastAll, gigawerk, "gigawerk")->Apply(sizes);
BENCHMARK_CAPTURE(BM_ForecastLast, gigawerk, "gigawerk")->Apply(sizes);
BENCHMARK_CAPTURE(BM_ForecastLast, easy, "easy")->Apply(sizes);

/// What would start the gang that came last sooner: what `gw explain` tries.
void BM_Changes(benchmark::State& bench) {
  const Busy factory(static_cast<std::uint32_t>(bench.range(0)), static_cast<std::size_t>(bench.range(1)),
                     "gigawerk");
  const RunTimeModel model;
  CounterfactualOptions options;
  options.threads = 2;
  Counterfactuals found;
  for (auto _ : bench) {
    Result<Counterfactuals> changes = nearest_changes(
        {factory.fleet, factory.policy, factory.snapshot, factory.now, model}, factory.last_gang, options);
    if (!changes) return bench.SkipWithError(changes.error().message.c_str());
    found = std::move(*changes);
  }
  bench.counters["events"] = static_cast<double>(found.events);
  bench.counters["members"] = found.present.members;
  bench.counters["tried"] = found.tried;
  bench.counters["changes"] = static_cast<double>(found.changes.size());
}
BENCHMARK(BM_Changes)
    ->Args({10'000, 10'000})
    ->Args({100'000, 100'000})
    ->ArgNames({"gpus", "waiting"})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

/// What a forecast begins with.
void BM_Restore(benchmark::State& bench) {
  const Busy factory(100'000, 100'000, "gigawerk");
  for (auto _ : bench) {
    sched::Core core(factory.fleet, factory.policy);
    if (!core.restore(factory.snapshot)) bench.SkipWithError("the snapshot was refused");
  }
}
BENCHMARK(BM_Restore)->Unit(benchmark::kMillisecond);

/// What each member of the ensemble begins with.
void BM_Copy(benchmark::State& bench) {
  const Busy factory(100'000, 100'000, "gigawerk");
  sched::Core present(factory.fleet, factory.policy);
  if (!present.restore(factory.snapshot)) return bench.SkipWithError("the snapshot was refused");
  sched::Core future(present);
  for (auto _ : bench) {
    future = present;
    benchmark::DoNotOptimize(future);
  }
}
BENCHMARK(BM_Copy)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gw::twin

BENCHMARK_MAIN();
