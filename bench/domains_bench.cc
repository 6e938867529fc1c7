// How much of the free capacity lies in whole NVLink domains after a long random run, by placement and load.
//
//   gw_domains_bench [GPUS] [DAYS]
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <queue>
#include <vector>

#include "base/rng.h"
#include "sched/core.h"
#include "site.h"

namespace gw::sched {
namespace {

struct Measured {
  double free = 0;          ///< Mean share of GPUs that are free.
  double in_domains = 0;    ///< Of them, the mean share in wholly free domains.
  double most = 0;          ///< The same if all free GPUs were packed together: the most there can be.
  double gangs_in_one = 0;  ///< Gangs of up to a domain's nodes that lie in one domain.
};

/// Poisson arrivals at `load`, run times log-normal around an hour; measured every simulated hour.
Measured run(std::uint32_t gpus, std::int64_t days_long, double load, PlacementKind placement) {
  static constexpr double kShares[] = {0.45, 0.12, 0.12, 0.18, 0.06, 0.04, 0.02, 0.01};
  static constexpr std::uint32_t kGpus[] = {1, 2, 4, 8, 16, 32, 64, 256};
  const Fleet fleet = bench::site_of(gpus, "nvlink");
  PolicyConfig policy = *policy_by_name("gigawerk");
  policy.placement = placement;
  Core core(fleet, policy);
  core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  Rng rng(1);
  double mean_gpus = 0;
  for (std::size_t size = 0; size < std::size(kGpus); ++size) mean_gpus += kShares[size] * kGpus[size];
  constexpr double kMeanSeconds = 3600;
  const double gap_s = mean_gpus * kMeanSeconds / (load * gpus);
  std::priority_queue<std::pair<Instant, JobId>, std::vector<std::pair<Instant, JobId>>, std::greater<>> ends;
  std::vector<Nanoseconds> run_time;
  Instant next_arrival;
  Instant next_look = Instant{} + days(days_long) / 4;  // Once the run has settled.
  const Instant end = Instant{} + days(days_long);
  Measured sum;
  double looks = 0;
  double gangs = 0;
  double in_one = 0;
  while (true) {
    const Instant now = std::min({next_arrival, next_look, ends.empty() ? Instant::max() : ends.top().first});
    if (now >= end) break;
    if (now == next_look) {
      next_look = next_look + hours(1);
      const Pool& pool = *core.state().pools[0];
      std::int64_t whole = 0;
      const PoolFabric::Level& domains = pool.fabric().levels[0];
      for (std::uint32_t domain = 0; domain < domains.vertices(); ++domain) {
        std::uint32_t free = 0;
        for (std::uint32_t node = domains.first[domain]; node < domains.first[domain + 1]; ++node)
          free += pool.free_count(node);
        if (free == (domains.first[domain + 1] - domains.first[domain]) * 8) whole += free;
      }
      const auto free = static_cast<double>(core.state().free_gpus());
      if (free == 0) continue;
      ++looks;
      sum.free += free / gpus;
      sum.in_domains += static_cast<double>(whole) / free;
      sum.most += std::floor(free / 32) * 32 / free;
      continue;
    }
    for (; !ends.empty() && ends.top().first == now; ends.pop())
      core.apply(Event::job_ended(ends.top().second), now);
    if (now == next_arrival) {
      JobRequest request;
      const std::uint32_t wanted = kGpus[rng.weighted(kShares)];
      request.shape.nodes = wanted <= 8 ? 1 : wanted / 8;
      request.shape.gpus = std::min(wanted, 8U);
      request.tenant = TenantId{1};
      request.submit = now;
      // Log-normal with a spread of e^1.5: minutes to days, the mean as above.
      const double draw = rng.uniform() + rng.uniform() + rng.uniform() + rng.uniform() + rng.uniform() +
                          rng.uniform() + rng.uniform() + rng.uniform() + rng.uniform() + rng.uniform() +
                          rng.uniform() + rng.uniform() - 6;
      const double seconds_long = kMeanSeconds * std::exp(1.5 * draw - 1.5 * 1.5 / 2);
      run_time.push_back(Nanoseconds{static_cast<std::int64_t>((seconds_long + 10) * 1e9)});
      request.limit = run_time.back() * 2;
      core.apply(Event::job_submitted(JobId{core.state().next_job}, request), now);
      next_arrival =
          now + Nanoseconds{static_cast<std::int64_t>(-std::log(1 - rng.uniform()) * gap_s * 1e9) + 1};
    }
    for (const Plan::Start& start : core.plan(now).starts) {
      ends.emplace(now + run_time[start.job.value()], start.job);
      const Shape& shape = core.job(start.job)->request.shape;
      if (shape.nodes < 2 || shape.nodes > 4) continue;
      ++gangs;
      in_one += start.placement.span <= 1;
    }
  }
  return {sum.free / looks, sum.in_domains / looks, sum.most / looks, in_one / gangs};
}

}  // namespace
}  // namespace gw::sched

int main(int argc, char** argv) {
  const auto gpus = static_cast<std::uint32_t>(argc > 1 ? std::atoi(argv[1]) : 10'000);
  const std::int64_t days = argc > 2 ? std::atoi(argv[2]) : 14;
  fmt::print("{} GPUs, {} days\n{:>5} {:>14} {:>6} {:>17} {:>13} {:>13}\n", gpus, days, "load", "placement",
             "free", "in whole domains", "packed would", "gangs in one");
  for (const double load : {0.5, 0.7, 0.85}) {
    for (const auto& [name, kind] : {std::pair{"smallest span", gw::PlacementKind::kSmallestSpan},
                                     std::pair{"first fit", gw::PlacementKind::kFirstFit}}) {
      const gw::sched::Measured measured = gw::sched::run(gpus, days, load, kind);
      fmt::print("{:>5.2f} {:>14} {:>5.1f}% {:>16.1f}% {:>12.1f}% {:>12.1f}%\n", load, name,
                 100 * measured.free, 100 * measured.in_domains, 100 * measured.most,
                 100 * measured.gangs_in_one);
    }
  }
  return 0;
}
