// Water-filling, and the closing of fair-share windows.
#include "twin/metrics_fairness.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace gw::twin {

std::vector<double> water_fill(double capacity, std::span<const double> demand,
                               std::span<const double> weight) {
  GW_CHECK(demand.size() == weight.size());
  std::vector<std::uint32_t> order(demand.size());
  std::iota(order.begin(), order.end(), 0U);
  // The tenants whose demand is smallest for their weight are satisfied first; ties by index.
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return demand[a] * weight[b] < demand[b] * weight[a];
  });
  std::vector<double> share(demand.size());
  double weight_left = 0;
  for (const std::uint32_t tenant : order) {
    if (demand[tenant] > 0) weight_left += weight[tenant];
  }
  for (const std::uint32_t tenant : order) {
    if (demand[tenant] <= 0) continue;
    // The last weight may come out as a rounding error of the sum: then what is left is for the last tenant.
    const double fair = weight[tenant] < weight_left ? capacity * (weight[tenant] / weight_left) : capacity;
    share[tenant] = std::min(demand[tenant], fair);
    capacity -= share[tenant];
    weight_left -= weight[tenant];
  }
  return share;
}

std::uint32_t FairShareMeter::add_tenant(std::uint32_t weight) {
  Tenant tenant;
  tenant.weight = weight;
  if (started_) tenant.since = window_end_ - window_;
  tenants_.push_back(tenant);
  return static_cast<std::uint32_t>(tenants_.size() - 1);
}

void FairShareMeter::pass_window_end(Instant now) {
  if (!started_) {
    started_ = true;
    window_end_ = now + window_;
    for (Tenant& tenant : tenants_) tenant.since = now;
    return;
  }
  close_window(window_end_);
  while (now >= window_end_) {
    if (active_gpu_milli_ == 0) {  // Nothing to measure in the windows that passed since: skip them.
      const std::int64_t passed = (now - window_end_) / window_;
      window_end_ = window_end_ + window_ * passed;
    } else if (now >= window_end_ + window_) {
      window_end_ = window_end_ + window_;
      close_window(window_end_);
      continue;
    }
    for (Tenant& tenant : tenants_) tenant.since = window_end_;
    window_end_ = window_end_ + window_;
  }
}

void FairShareMeter::close(Instant now) {
  if (!started_) return;
  if (now >= window_end_) pass_window_end(now);
  close_window(now);
  for (Tenant& tenant : tenants_) tenant.since = now;
}

void FairShareMeter::close_window(Instant end) {
  std::vector<double> demand(tenants_.size());
  std::vector<double> weight(tenants_.size());
  double delivered = 0;
  for (std::size_t index = 0; index < tenants_.size(); ++index) {
    Tenant& tenant = tenants_[index];
    settle(tenant, end);
    demand[index] = tenant.window_demand;
    weight[index] = tenant.weight;
    delivered += tenant.window_delivered;
  }
  if (delivered > 0) {
    const std::vector<double> entitled = water_fill(delivered, demand, weight);
    double beyond = 0;
    double difference = 0;
    std::uint32_t active = 0;
    for (std::size_t index = 0; index < tenants_.size(); ++index) {
      Tenant& tenant = tenants_[index];
      if (demand[index] <= 0) continue;
      ++active;
      const double surplus = tenant.window_delivered - entitled[index];
      beyond += std::max(surplus, 0.0);
      difference += std::max(surplus, -surplus);
      tenant.entitled += entitled[index];
      tenant.delivered += tenant.window_delivered;
    }
    ++windows_;
    delivered_ += delivered;
    misallocated_ += beyond;
    absolute_ += difference / active;
  }
  for (Tenant& tenant : tenants_) tenant.window_demand = tenant.window_delivered = 0;
}

}  // namespace gw::twin
