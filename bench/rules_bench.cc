// Benchmarks of the deciding core with its sharing rules on: quotas, preemption, 2,000 tenants.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <queue>
#include <vector>

#include "base/rng.h"
#include "sched/core.h"
#include "site.h"

namespace gw::sched {
namespace {

/// Nodes of 8 GPUs; racks of 4 nodes, leaves of 8 racks, spines of 16 leaves, the site: four fabric levels,
/// and as many of feeds, which carry all at nameplate but for `short_percent`, by which the site's falls
/// short.
Fleet site_of(std::uint32_t gpus, std::int64_t short_percent = 0) {
  Fleet fleet = bench::site_of(gpus);
  const std::uint32_t nodes = fleet.nodes();
  constexpr std::int64_t kNodeMw = 10'200'000;
  fleet.node_types[0].power_max = Milliwatts{kNodeMw};
  fleet.node_types[0].power_idle = Milliwatts{kNodeMw / 5};
  for (const auto& [name, size] : {std::pair{"rack", 4U}, {"row", 32U}, {"hall", 512U}, {"site", nodes}}) {
    FeedLevel feed;
    feed.partition = bench::even_level(name, size, nodes);
    for (std::uint32_t vertex = 0; vertex < feed.partition.vertices(); ++vertex) {
      const std::int64_t below = feed.partition.end(vertex) - feed.partition.begin(vertex);
      const std::int64_t percent = size == nodes ? 100 - short_percent : 100;
      feed.capacity.emplace_back(kNodeMw * below * percent / 100);
    }
    fleet.feed.push_back(feed);
  }
  return fleet;
}

constexpr std::uint32_t kOrganisations = 200;
constexpr std::uint32_t kProjects = 9;  ///< In each.

/// A full site of 2,000 tenants in two levels, each organisation with a guarantee, half of the projects with
/// a limit, some of the jobs preemptible.
class SharedFactory {
 public:
  SharedFactory(std::uint32_t gpus, std::size_t pending, std::int64_t preemptible_percent,
                std::int64_t short_percent, ReclaimTarget reclaim_to)
      : core_(site_of(gpus, short_percent), policy(reclaim_to)),
        pending_(pending),
        preemptible_(static_cast<double>(preemptible_percent) / 100) {
    for (std::uint32_t organisation = 0; organisation < kOrganisations; ++organisation) {
      const TenantId parent{next_tenant_++};
      core_.apply(Event::tenant_added(TenantId{0}, 1 + organisation % 4), now_);
      QuotaTerms terms;
      terms.guaranteed_milli = std::int64_t{1000} * (gpus / kOrganisations);
      if (organisation % 2 == 0) terms.lend_milli = terms.guaranteed_milli / 2;
      core_.apply(Event::tenant_quota(parent, kAllGpus, terms), now_);
      for (std::uint32_t project = 0; project < kProjects; ++project) {
        const TenantId child{next_tenant_++};
        core_.apply(Event::tenant_added(parent, 1), now_);
        leaves_.push_back(child);
        if (project % 2 != 0) continue;
        QuotaTerms limit;
        limit.limit_milli = terms.guaranteed_milli / 2;
        core_.apply(Event::tenant_quota(child, kAllGpus, limit), now_);
      }
    }
    for (int round = 0; round < 400 && core_.state().pending.size() < pending_; ++round) {
      for (int batch = 0; batch < 256; ++batch) submit();
      decide();
    }
  }

  std::size_t step() {
    now_ = std::min(ends_.top().when, std::max(now_, core_.next_due()));
    for (; !ends_.empty() && ends_.top().when <= now_; ends_.pop()) {
      const End& end = ends_.top();
      const Job* job = core_.job(end.job);
      if (job == nullptr || !job->running || job->started != end.started) continue;
      core_.apply(end.leaves ? Event::job_requeued(end.job) : Event::job_ended(end.job), now_);
    }
    while (core_.state().pending.size() < pending_) submit();
    return decide();
  }
  Core& core() { return core_; }
  std::uint64_t preemptions = 0;
  std::uint64_t plans = 14695981039346656037U;  ///< A hash of all that has been decided.

 private:
  struct End {
    Instant when;
    JobId job;
    Instant started;
    bool leaves;
    bool operator>(const End& other) const {
      return when != other.when ? when > other.when : job > other.job;
    }
  };
  static PolicyConfig policy(ReclaimTarget reclaim_to) {
    PolicyConfig policy = *policy_by_name("gigawerk");
    policy.reclaim_to = reclaim_to;
    return policy;
  }
  void note(std::uint64_t what) { plans = (plans ^ what) * 1099511628211U; }
  std::size_t decide() {
    const Plan& plan = core_.plan(now_);
    for (const Plan::Start& start : plan.starts) {
      note(start.job.value());
      for (const Piece& piece : start.placement.pieces)
        note(piece.gpu_mask + piece.node * 4099ULL + piece.count);
      const Nanoseconds limit = core_.job(start.job)->request.limit;
      ends_.push(
          {now_ + Nanoseconds{rng_.between(limit.count() / 10, limit.count())}, start.job, now_, false});
    }
    preemptions += plan.preemptions.size();
    for (const Plan::Preemption& preemption : plan.preemptions) note(preemption.job.value() * 31ULL);
    for (const Plan::Preemption& preemption : plan.preemptions)
      ends_.push({now_ + seconds(30), preemption.job, core_.job(preemption.job)->started, true});
    return plan.starts.size();
  }
  void submit() {
    static constexpr double kShares[] = {0.45, 0.12, 0.12, 0.18, 0.06, 0.04, 0.02, 0.01};
    static constexpr std::uint32_t kGpus[] = {1, 2, 4, 8, 16, 32, 64, 256};
    JobRequest request;
    const std::uint32_t gpus = kGpus[rng_.weighted(kShares)];
    request.shape.nodes = gpus <= 8 ? 1 : gpus / 8;
    request.shape.gpus = gpus <= 8 ? gpus : 8;
    request.tenant = leaves_[rng_.below(leaves_.size())];
    request.submit = now_;
    request.limit = minutes(rng_.between(10, 2880));
    request.preemptible = rng_.chance(preemptible_);
    request.checkpoint_interval = minutes(30);
    core_.apply(Event::job_submitted(JobId{core_.state().next_job}, request), now_);
  }

  Core core_;
  std::size_t pending_;
  double preemptible_;
  Rng rng_{1};
  Instant now_;
  std::uint32_t next_tenant_ = 1;
  std::vector<TenantId> leaves_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
};

/// Steady state with all sharing rules. items/s are placements per second; p99_us is of one decision without
/// and with preemptions.
void BM_SharedSteadyState(benchmark::State& bench) {
  SharedFactory factory(static_cast<std::uint32_t>(bench.range(0)), static_cast<std::size_t>(bench.range(1)),
                        bench.range(2), bench.range(3),
                        bench.range(4) != 0 ? ReclaimTarget::kFairShare : ReclaimTarget::kGuarantee);
  std::size_t starts = 0;
  std::vector<double> plain;
  std::vector<double> preempting;
  for (auto _ : bench) {
    const std::uint64_t before = factory.preemptions;
    const auto from = std::chrono::steady_clock::now();
    starts += factory.step();
    const double us =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count();
    (factory.preemptions == before ? plain : preempting).push_back(us);
  }
  const auto p99 = [](std::vector<double>& times) {
    if (times.empty()) return 0.0;
    const auto at = times.begin() + static_cast<std::ptrdiff_t>(times.size() * 99 / 100);
    std::nth_element(times.begin(), at, times.end());
    return *at;
  };
  bench.SetItemsProcessed(static_cast<std::int64_t>(starts));
  bench.counters["p99_us"] = p99(plain);
  bench.counters["p99_preempting_us"] = p99(preempting);
  bench.counters["plans_hash"] = static_cast<double>(factory.plans >> 40);  // Equal plans, equal numbers.
  bench.counters["preemptions"] = static_cast<double>(factory.preemptions);
  const std::string problem = factory.core().check();
  if (!problem.empty()) bench.SkipWithError(problem.c_str());
}
BENCHMARK(BM_SharedSteadyState)
    ->ArgsProduct({{10'000, 100'000}, {10'000}, {0, 5, 50}, {0, 2}, {0, 1}})
    ->ArgNames({"gpus", "pending", "preemptible_percent", "power_short_percent", "reclaim_to_fair_share"})
    ->Iterations(20'000);

/// 100,000 GPUs, all in use by a tenant that borrows; another wants the 40,000 that are guaranteed to it, as
/// one gang. `preemptible` 0: nobody can be asked to leave, which must be found out as fast.
void BM_Reclaim(benchmark::State& bench) {
  const bool preemptible = bench.range(0) != 0;
  const auto job_nodes = static_cast<std::uint32_t>(bench.range(1));
  Core core(site_of(100'000), *policy_by_name("gigawerk"));
  Instant now;
  for (int tenant = 0; tenant < 2; ++tenant) core.apply(Event::tenant_added(TenantId{0}, 1), now);
  JobRequest request;
  request.shape.nodes = job_nodes;
  request.shape.gpus = 8;
  request.tenant = TenantId{1};
  request.limit = days(5);
  request.preemptible = true;
  std::uint32_t next = 0;
  for (std::uint32_t node = 0; node + job_nodes <= 12'500; node += job_nodes) {
    // One that cannot leave takes every third place, where none may: so the search is not over at once.
    request.preemptible = preemptible || next % 3 != 0;
    request.checkpoint_interval = minutes(10 + next % 50);
    core.apply(Event::job_submitted(JobId{next++}, request), now);
    if (next % 64 == 0) now = now + seconds(7);
    core.plan(now);
  }
  now = now + hours(1);
  QuotaTerms terms;
  terms.guaranteed_milli = 40'000'000;
  core.apply(Event::tenant_quota(TenantId{2}, kAllGpus, terms), now);
  core.plan(now);
  const std::string snapshot = core.snapshot();
  request.tenant = TenantId{2};
  request.shape.nodes = 5'000;
  request.submit = now;
  if (!preemptible) {  // No spine has as many nodes that could come free.
    request.shape.nodes = 400;
    request.shape.level = 2;
    request.shape.level_required = true;
  }
  std::size_t victims = 0;
  for (auto _ : bench) {
    bench.PauseTiming();
    auto fresh = std::make_unique<Core>(site_of(100'000), *policy_by_name("gigawerk"));
    if (!fresh->restore(snapshot)) bench.SkipWithError("the snapshot was refused");
    fresh->apply(Event::job_submitted(JobId{next}, request), now);
    bench.ResumeTiming();
    victims = fresh->plan(now).preemptions.size();
    bench.PauseTiming();
    if ((victims > 0) != preemptible) bench.SkipWithError("not what was expected");
    fresh.reset();
    bench.ResumeTiming();
  }
  bench.counters["victims"] = static_cast<double>(victims);
}
BENCHMARK(BM_Reclaim)
    ->ArgsProduct({{0, 1}, {1, 8, 64}})
    ->ArgNames({"preemptible", "job_nodes"})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(5);

}  // namespace
}  // namespace gw::sched

BENCHMARK_MAIN();
