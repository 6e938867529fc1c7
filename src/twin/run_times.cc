// Pools of observed fractions by tenant, and conditional draws.
#include "twin/run_times.h"

#include <algorithm>
#include <cmath>

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

void RunTimeModel::observe(TenantId tenant, Nanoseconds run_time, Nanoseconds limit) {
  GW_CHECK(tenant.valid() && limit > Nanoseconds{0});
  if (tenant.value() >= by_tenant.size()) by_tenant.resize(tenant.value() + 1);
  const double fraction = static_cast<double>(run_time.count()) / static_cast<double>(limit.count());
  constexpr double kLeast = 1e-6;
  std::vector<double>& observed = by_tenant[tenant.value()];
  observed.insert(observed.begin(), std::clamp(fraction, kLeast, 1.0));
  if (observed.size() > kKept) observed.pop_back();
}

RunTimeSampler::RunTimeSampler(const RunTimeModel& model, std::span<const TenantId> parents)
    : pool_of_(parents.size(), kPrior) {
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
}

std::uint32_t RunTimeSampler::add_pool() {
  pools_.emplace_back();
  return static_cast<std::uint32_t>(pools_.size() - 1);
}

std::span<const double> RunTimeSampler::fractions(TenantId tenant) const {
  return pools_[tenant.value() < pool_of_.size() ? pool_of_[tenant.value()] : kPrior];
}

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

}  // namespace gw::twin
