// Pools of observed fractions by tenant, and conditional draws.
#include "twin/run_times.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "base/check.h"

namespace gw::twin {
namespace {

constexpr std::size_t kMostPooled = 4096;  // A pool of many tenants takes the newest of each.

std::span<const double> own(const RunTimeModel& model, std::size_t tenant) {
  if (tenant >= model.by_tenant.size()) return {};
  return model.by_tenant[tenant];
}

/// Where a drawn fraction becomes a time: rounded to whole nanoseconds once; the limit exactly where it is
/// all of it.
Nanoseconds part_of(Nanoseconds limit, double fraction) {
  if (fraction >= 1) return limit;
  return Nanoseconds{std::llround(static_cast<double>(limit.count()) * fraction)};
}

}  // namespace

std::span<const double> prior_fractions() {
  static constexpr double kTheta2022[] = {0.005, 0.015, 0.026, 0.053, 0.111, 0.226, 0.363,
                                          0.526, 0.645, 0.750, 0.839, 0.924, 0.971, 0.984,
                                          0.995, 1,     1,     1,     1,     1};
  return kTheta2022;
}

void RunTimeModel::observe(const JobKind& kind, Nanoseconds run_time) {
  observe(kind.tenant, run_time, kind.limit);
  seen.push_back({kind, by_tenant[kind.tenant.value()].front()});
  if (seen.size() > kMostSeen) seen.pop_front();
}

void RunTimeModel::observe(TenantId tenant, Nanoseconds run_time, Nanoseconds limit) {
  GW_CHECK(tenant.valid() && limit > Nanoseconds{0});
  if (tenant.value() >= by_tenant.size()) by_tenant.resize(tenant.value() + 1);
  const double fraction = static_cast<double>(run_time.count()) / static_cast<double>(limit.count());
  constexpr double kLeast = 1e-6;
  std::vector<double>& observed = by_tenant[tenant.value()];
  observed.insert(observed.begin(), std::clamp(fraction, kLeast, 1.0));
  if (observed.size() > kKept) observed.pop_back();
}

RunTimeSampler::RunTimeSampler(const RunTimeModel& model, std::span<const TenantId> parents,
                               std::vector<JobKind> kinds)
    : pool_of_(parents.size(), kPrior), kinds_(std::move(kinds)), alike_(model.alike) {
  const std::span<const double> prior = prior_fractions();
  pools_.emplace_back(prior.begin(), prior.end());
  struct Below {                  // Of a tenant and all below it:
    std::size_t fractions = 0;    // observations,
    std::size_t tenants = 0;      // the tenants that they are of,
    std::uint32_t pool = kPrior;  // where they stand together, if anyone draws from them.
  };
  std::vector<Below> below(parents.size());
  for (std::size_t tenant = parents.size(); tenant-- > 0;) {
    below[tenant].fractions += own(model, tenant).size();
    below[tenant].tenants += own(model, tenant).empty() ? 0 : 1;
    if (tenant == 0) break;
    GW_CHECK(parents[tenant].value() < tenant);
    below[parents[tenant].value()].fractions += below[tenant].fractions;
    below[parents[tenant].value()].tenants += below[tenant].tenants;
  }
  for (std::size_t tenant = 0; tenant < parents.size(); ++tenant) {
    const std::span<const double> fractions = own(model, tenant);
    if (fractions.size() >= RunTimeModel::kEnough) {
      pool_of_[tenant] = add_pool();
      pools_.back().assign(fractions.begin(), fractions.end());
      continue;
    }
    std::size_t above = tenant;
    while (below[above].fractions < RunTimeModel::kEnough && above != 0) above = parents[above].value();
    if (below[above].fractions < RunTimeModel::kEnough) continue;
    if (below[above].pool == kPrior) below[above].pool = add_pool();
    pool_of_[tenant] = below[above].pool;
  }
  for (std::size_t tenant = 0; tenant < parents.size(); ++tenant) {
    const std::span<const double> fractions = own(model, tenant);
    for (std::size_t at = tenant; !fractions.empty(); at = parents[at].value()) {
      if (below[at].pool != kPrior) {
        const std::size_t share = std::max<std::size_t>(1, kMostPooled / below[at].tenants);
        const std::span<const double> newest = fractions.first(std::min(fractions.size(), share));
        std::vector<double>& pool = pools_[below[at].pool];
        pool.insert(pool.end(), newest.begin(), newest.end());
      }
      if (at == 0) break;
    }
  }
  for (std::vector<double>& pool : pools_) {
    for (double& fraction : pool) fraction = std::clamp(fraction, 0.0, 1.0);
    std::sort(pool.begin(), pool.end());
  }
  add_kinds(model);
}

void RunTimeSampler::add_kinds(const RunTimeModel& model) {
  std::sort(kinds_.begin(), kinds_.end());
  kinds_.erase(std::unique(kinds_.begin(), kinds_.end()), kinds_.end());
  std::map<JobKind, std::vector<double>> same;
  std::map<std::pair<TenantId, int>, std::vector<double>> near;
  const auto limit_class = [](const JobKind& kind) {
    constexpr std::int64_t kQuarterHour = std::int64_t{900} * kNanosecondsPerSecond;
    return std::bit_width(static_cast<std::uint64_t>(kind.limit.count() / kQuarterHour));
  };
  const auto keep = [](auto& pools, const auto& key, double fraction) {
    std::vector<double>& pool = pools[key];
    if (pool.size() < kMostAlike) pool.push_back(fraction);
  };
  const auto kept = [](const auto& pools, const auto& key) -> std::span<const double> {
    const auto at = pools.find(key);
    return at == pools.end() ? std::span<const double>{} : at->second;
  };
  for (auto seen = model.seen.rbegin(); seen != model.seen.rend(); ++seen) {
    keep(same, seen->kind, seen->fraction);
    keep(near, std::pair{seen->kind.tenant, limit_class(seen->kind)}, seen->fraction);
  }
  std::map<std::uint32_t, std::uint32_t> of_pool;  // Steps of kinds that have nothing but a pool.
  for (const JobKind& kind : kinds_) {
    const std::span<const double> of_kind = kept(same, kind);
    const std::span<const double> of_class = kept(near, std::pair{kind.tenant, limit_class(kind)});
    const auto next = static_cast<std::uint32_t>(steps_.size());
    if (of_kind.empty() && of_class.empty()) {
      const auto [known, is_new] = of_pool.try_emplace(pool_of(kind.tenant), next);
      steps_of_.push_back(known->second);
      if (!is_new) continue;
    } else {
      steps_of_.push_back(next);
    }
    steps_.push_back(steps_of(kind, of_kind, of_class));
  }
}

std::vector<RunTimeSampler::Step> RunTimeSampler::steps_of(const JobKind& kind, std::span<const double> same,
                                                           std::span<const double> near) const {
  std::vector<Step> steps;
  double left = 1;
  const auto add = [&](std::span<const double> fractions, double share) {
    for (const double fraction : fractions)
      steps.push_back({fraction, share / static_cast<double>(fractions.size())});
    left -= share;
  };
  for (const std::span<const double> fractions : {same, near}) {
    const auto count = static_cast<double>(fractions.size());
    if (!fractions.empty()) add(fractions, left * count / (count + kDoubt));
  }
  const std::span<const double> pool = fractions(kind.tenant);
  std::vector<double> thinned;  // A wide pool by its quantiles.
  for (std::size_t pick = 0; pool.size() > kMostAlike && pick < kMostAlike; ++pick)
    thinned.push_back(pool[(2 * pick + 1) * pool.size() / (2 * kMostAlike)]);
  add(thinned.empty() ? pool : thinned, left);
  std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
    return a.fraction != b.fraction ? a.fraction < b.fraction : a.weight_to < b.weight_to;
  });
  double sum = 0;
  for (Step& step : steps) step.weight_to = sum += step.weight_to;
  return steps;
}

std::uint32_t RunTimeSampler::add_pool() {
  pools_.emplace_back();
  return static_cast<std::uint32_t>(pools_.size() - 1);
}

std::uint32_t RunTimeSampler::pool_of(TenantId tenant) const {
  return tenant.value() < pool_of_.size() ? pool_of_[tenant.value()] : kPrior;
}

std::span<const double> RunTimeSampler::fractions(TenantId tenant) const { return pools_[pool_of(tenant)]; }

Nanoseconds RunTimeSampler::draw(TenantId tenant, Nanoseconds limit, Nanoseconds elapsed,
                                 double uniform) const {
  if (elapsed >= limit) return elapsed;
  const double used = static_cast<double>(elapsed.count()) / static_cast<double>(limit.count());
  // What its tenant's jobs did, if any of that is still possible; else what others did; else all of the
  // limit.
  for (const std::span<const double> pool : {fractions(tenant), std::span<const double>(pools_[kPrior])}) {
    const auto first = elapsed.count() <= 0 ? pool.begin() : std::upper_bound(pool.begin(), pool.end(), used);
    const auto left = static_cast<std::size_t>(pool.end() - first);
    if (left == 0) continue;
    const auto pick = std::min(left - 1, static_cast<std::size_t>(uniform * static_cast<double>(left)));
    return std::max(part_of(limit, first[static_cast<std::ptrdiff_t>(pick)]), elapsed + Nanoseconds{1});
  }
  return limit;
}

std::uint32_t RunTimeSampler::index_of(const JobKind& kind) const {
  const auto at = std::lower_bound(kinds_.begin(), kinds_.end(), kind);
  return at == kinds_.end() || *at != kind ? kUnnamed : static_cast<std::uint32_t>(at - kinds_.begin());
}

Nanoseconds RunTimeSampler::draw(std::uint32_t index, const JobKind& kind, Nanoseconds elapsed,
                                 double uniform) const {
  if (index == kUnnamed || elapsed >= kind.limit) return draw(kind.tenant, kind.limit, elapsed, uniform);
  const std::vector<Step>& steps = steps_[steps_of_[index]];
  const double used = static_cast<double>(elapsed.count()) / static_cast<double>(kind.limit.count());
  auto first = steps.begin();
  if (elapsed.count() > 0)
    first = std::upper_bound(steps.begin(), steps.end(), used,
                             [](double fraction, const Step& step) { return fraction < step.fraction; });
  if (first == steps.end()) return draw(kind.tenant, kind.limit, elapsed, uniform);
  const double gone = first == steps.begin() ? 0 : (first - 1)->weight_to;
  const double wanted = gone + uniform * (steps.back().weight_to - gone);
  auto pick = std::upper_bound(first, steps.end(), wanted,
                               [](double weight, const Step& step) { return weight < step.weight_to; });
  if (pick == steps.end()) --pick;
  return std::max(part_of(kind.limit, pick->fraction), elapsed + Nanoseconds{1});
}

}  // namespace gw::twin
