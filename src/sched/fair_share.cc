// Charging, keys and the sorted lists of active children.
#include "sched/fair_share.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/math.h"

namespace gw::sched {

FairShare::FairShare(const PolicyConfig& policy)
    : half_life_s_(to_seconds(policy.half_life)),
      commitment_s_(to_seconds(policy.commitment)),
      charge_interval_(policy.charge_interval),
      nodes_(1) {
  GW_CHECK(half_life_s_ > 0 && charge_interval_ > Nanoseconds{0});
}

void FairShare::add_tenant(TenantId parent, std::uint32_t weight) {
  GW_CHECK(parent.value() < nodes_.size() && weight > 0);
  Node node;
  node.parent = parent;
  node.weight = weight;
  nodes_.push_back(std::move(node));
}

void FairShare::set_weight(TenantId tenant, std::uint32_t weight) {
  GW_CHECK(tenant.value() < nodes_.size() && weight > 0);
  if (tenant == TenantId{0}) return;  // It has no siblings.
  Node& node = nodes_[tenant.value()];
  const bool active = is_active(node);
  if (active) erase_active(tenant);
  node.weight = weight;
  node.key = key_of(node);
  if (active) insert_active(tenant);
}

std::uint32_t FairShare::depth(TenantId tenant) const {
  std::uint32_t depth = 0;
  for (; tenant != TenantId{0}; tenant = nodes_[tenant.value()].parent) ++depth;
  return depth;
}

double FairShare::key_of(const Node& node) const {
  const double committed = static_cast<double>(node.running_milli) * 1e-3 * commitment_s_ * inflation_;
  return (node.usage + committed) / node.weight;
}

void FairShare::set_owed(TenantId tenant, bool owed) {
  Node& node = nodes_[tenant.value()];
  if (node.owed == owed) return;
  const bool active = is_active(node);
  if (active) erase_active(tenant);
  node.owed = owed;
  if (active) insert_active(tenant);
}

bool FairShare::before(TenantId a, TenantId b) const {
  if (nodes_[a.value()].owed != nodes_[b.value()].owed) return nodes_[a.value()].owed;
  const double key_a = nodes_[a.value()].key;
  const double key_b = nodes_[b.value()].key;
  return key_a != key_b ? key_a < key_b : a < b;
}

bool FairShare::comes_before(TenantId a, TenantId b) const {
  std::uint32_t depth_a = depth(a);
  std::uint32_t depth_b = depth(b);
  const bool above = depth_a < depth_b;  // A tenant's own jobs come before those of its children.
  for (; depth_a > depth_b; --depth_a) a = parent(a);
  for (; depth_b > depth_a; --depth_b) b = parent(b);
  if (a == b) return above;
  while (parent(a) != parent(b)) {
    a = parent(a);
    b = parent(b);
  }
  return before(a, b);
}

bool FairShare::advance(Instant now) {
  if (now - charged_to_ < charge_interval_) return false;
  const double elapsed_s = to_seconds(now - charged_to_);
  // Usage of this stretch, each second inflated by its own time: the integral of 2^(t / h).
  double steps = elapsed_s / half_life_s_;
  double start = 1.0;  // Of this stretch, in units of its inflation.
  if (steps > 32) {    // Long idle stretches: move the epoch so that nothing overflows.
    const double moved = std::floor(steps / 32) * 32;
    steps -= moved;
    start = moved > 900 ? 0.0 : stable_exp2(-moved);
    for (Node& node : nodes_) node.usage *= start;
  }
  const double growth = stable_exp2(steps);
  const double charge_s = inflation_ * (growth - start) * half_life_s_ * 1.4426950408889634;  // 1 / ln 2
  for (Node& node : nodes_) {
    if (node.running_milli != 0) node.usage += static_cast<double>(node.running_milli) * 1e-3 * charge_s;
  }
  inflation_ *= growth;
  charged_to_ = now;
  if (inflation_ > 0x1p64) {
    inflation_ *= 0x1p-64;
    for (Node& node : nodes_) node.usage *= 0x1p-64;
  }
  for (Node& node : nodes_) node.key = key_of(node);
  for (Node& node : nodes_) {
    if (node.active.size() > 1)
      std::sort(node.active.begin(), node.active.end(),
                [this](TenantId a, TenantId b) { return before(a, b); });
  }
  return true;
}

void FairShare::erase_active(TenantId child) {
  std::vector<TenantId>& active = nodes_[nodes_[child.value()].parent.value()].active;
  const auto at = std::partition_point(active.begin(), active.end(),
                                       [&](TenantId other) { return before(other, child); });
  GW_CHECK(at != active.end() && *at == child);
  active.erase(at);
}

void FairShare::insert_active(TenantId child) {
  std::vector<TenantId>& active = nodes_[nodes_[child.value()].parent.value()].active;
  active.insert(std::partition_point(active.begin(), active.end(),
                                     [&](TenantId other) { return before(other, child); }),
                child);
}

void FairShare::change_running(TenantId tenant, std::int64_t delta_milli, Nanoseconds since_charge) {
  if (delta_milli == 0) return;
  // The next charge takes what runs then to have run all the while since the last: correct for it here.
  const double correction = -static_cast<double>(delta_milli) * 1e-3 * to_seconds(since_charge) * inflation_;
  for (TenantId at = tenant; at != TenantId{0}; at = nodes_[at.value()].parent) {
    Node& node = nodes_[at.value()];
    const bool active = is_active(node);
    if (active) erase_active(at);
    node.running_milli += delta_milli;
    node.usage += correction;
    GW_CHECK(node.running_milli >= 0);
    node.key = key_of(node);
    if (active) insert_active(at);
  }
}

void FairShare::started(TenantId tenant, std::int64_t gpu_milli, Nanoseconds since_charge) {
  change_running(tenant, gpu_milli, since_charge);
}

void FairShare::stopped(TenantId tenant, std::int64_t gpu_milli, Nanoseconds since_charge) {
  change_running(tenant, -gpu_milli, since_charge);
}

void FairShare::set_waiting(TenantId tenant, bool waiting) {
  bool was_active = is_active(nodes_[tenant.value()]);
  GW_CHECK(nodes_[tenant.value()].waiting != waiting);
  // Up the tree as long as a vertex's being active changes.
  nodes_[tenant.value()].waiting = waiting;
  for (TenantId at = tenant; at != TenantId{0}; at = nodes_[at.value()].parent) {
    const bool active = is_active(nodes_[at.value()]);
    if (active == was_active) return;
    const TenantId parent = nodes_[at.value()].parent;
    was_active = is_active(nodes_[parent.value()]);
    if (active) {
      insert_active(at);
    } else {
      erase_active(at);
    }
  }
}

TenantId FairShare::first() const {
  TenantId at{0};
  if (!is_active(nodes_[0])) return TenantId{};
  while (!nodes_[at.value()].waiting) at = nodes_[at.value()].active.front();
  return at;
}

void FairShare::ordered(std::vector<TenantId>& out) const {
  out.clear();
  for_each_waiting(
      [&](TenantId tenant) {
        out.push_back(tenant);
        return true;
      },
      [](TenantId) { return true; });
}

double FairShare::usage_gpu_seconds(TenantId tenant) const {
  return nodes_[tenant.value()].usage / inflation_;
}

FairShare::State FairShare::save() const {
  State state{charged_to_, inflation_, {}, {}};
  for (const Node& node : nodes_) {
    state.usage.push_back(node.usage);
    state.running_milli.push_back(node.running_milli);
  }
  return state;
}

void FairShare::restore(const State& state) {
  GW_CHECK(state.usage.size() == nodes_.size() && state.running_milli.size() == nodes_.size());
  charged_to_ = state.charged_to;
  inflation_ = state.inflation;
  for (std::size_t index = 0; index < nodes_.size(); ++index) {
    nodes_[index].usage = state.usage[index];
    nodes_[index].running_milli = state.running_milli[index];
    nodes_[index].key = key_of(nodes_[index]);
  }
  for (Node& node : nodes_)
    std::sort(node.active.begin(), node.active.end(),
              [this](TenantId a, TenantId b) { return before(a, b); });
}

}  // namespace gw::sched
