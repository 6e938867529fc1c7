// Charging, keys and the sorted lists of active children.
#include "sched/fair_share.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/math.h"

namespace gw::sched {
namespace {

/// What siblings are ordered by.
struct Rank {
  double key;
  TenantId tenant;
  bool owed;
  friend bool operator<(const Rank& a, const Rank& b) {
    if (a.owed != b.owed) return a.owed;
    return a.key != b.key ? a.key < b.key : a.tenant < b.tenant;
  }
};

/// Sorts what was in order by the keys of a moment ago. Few siblings change places between two charges, so
/// each is put where it belongs from behind; if that moves many, this time is otherwise.
void sort_again(std::vector<Rank>& ranks) {
  std::size_t moves = 4 * ranks.size();
  for (std::size_t at = 1; at < ranks.size(); ++at) {
    const Rank rank = ranks[at];
    std::size_t place = at;
    for (; place > 0 && rank < ranks[place - 1]; --place) ranks[place] = ranks[place - 1];
    ranks[place] = rank;
    if (at - place > moves) {
      std::sort(ranks.begin(), ranks.end());
      return;
    }
    moves -= at - place;
  }
}

}  // namespace

FairShare::FairShare(const PolicyConfig& policy)
    : half_life_s_(to_seconds(policy.half_life)),
      commitment_s_(to_seconds(policy.commitment)),
      charge_interval_(policy.charge_interval),
      nodes_(1),
      scale_{1.0},
      usage_(1),
      running_milli_(1) {
  GW_CHECK(half_life_s_ > 0 && charge_interval_ > Nanoseconds{0});
}

void FairShare::set_kinds(const std::vector<std::int64_t>& capacity_milli) {
  GW_CHECK(nodes_.size() == 1 && !capacity_milli.empty());
  std::int64_t all = 0;
  for (const std::int64_t milli : capacity_milli) all += milli;
  scale_.clear();
  for (const std::int64_t milli : capacity_milli) {
    GW_CHECK(milli > 0);
    scale_.push_back(static_cast<double>(all) / static_cast<double>(milli));
  }
  all_milli_ = static_cast<double>(all);
  usage_.assign(kinds(), 0);
  running_milli_.assign(kinds(), 0);
}

void FairShare::add_tenant(TenantId parent, std::uint32_t weight) {
  GW_CHECK(parent.value() < nodes_.size() && weight > 0);
  Node node;
  node.parent = parent;
  node.weight = weight;
  nodes_.push_back(std::move(node));
  usage_.resize(usage_.size() + kinds());
  running_milli_.resize(usage_.size());
}

void FairShare::set_weight(TenantId tenant, std::uint32_t weight) {
  GW_CHECK(tenant.value() < nodes_.size() && weight > 0);
  if (tenant == TenantId{0}) return;  // It has no siblings.
  Node& node = nodes_[tenant.value()];
  const bool active = is_active(node);
  if (active) erase_active(tenant);
  node.weight = weight;
  node.key = key_of(tenant.value());
  if (active) insert_active(tenant);
}

std::uint32_t FairShare::depth(TenantId tenant) const {
  std::uint32_t depth = 0;
  for (; tenant != TenantId{0}; tenant = nodes_[tenant.value()].parent) ++depth;
  return depth;
}

double FairShare::key_of(std::size_t tenant) const {
  double largest = -INFINITY;
  for (std::size_t kind = 0; kind < scale_.size(); ++kind) {
    const std::size_t at = tenant * scale_.size() + kind;
    const double committed = static_cast<double>(running_milli_[at]) * 1e-3 * commitment_s_ * inflation_;
    largest = std::max(largest, (usage_[at] + committed) * scale_[kind]);
  }
  return largest / nodes_[tenant].weight;
}

void FairShare::set_owed(TenantId tenant, bool owed) {
  Node& node = nodes_[tenant.value()];
  if (node.owed == owed) return;
  const bool active = is_active(node);
  if (active) erase_active(tenant);
  node.owed = owed;
  if (active) insert_active(tenant);
  for (TenantId up = tenant;; up = parent(up)) {
    nodes_[up.value()].owed_here += owed ? 1U : ~0U;
    if (up == TenantId{0}) return;
  }
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
    for (double& usage : usage_) usage *= start;
  }
  const double growth = stable_exp2(steps);
  const double charge_s = inflation_ * (growth - start) * half_life_s_ * 1.4426950408889634;  // 1 / ln 2
  for (std::size_t at = 0; at < usage_.size(); ++at) {
    if (running_milli_[at] != 0) usage_[at] += static_cast<double>(running_milli_[at]) * 1e-3 * charge_s;
  }
  inflation_ *= growth;
  charged_to_ = now;
  if (inflation_ > 0x1p64) {
    inflation_ *= 0x1p-64;
    for (double& usage : usage_) usage *= 0x1p-64;
  }
  for (std::size_t tenant = 0; tenant < nodes_.size(); ++tenant) nodes_[tenant].key = key_of(tenant);
  std::vector<Rank> ranks;  // Beside each other, which their nodes are not.
  for (Node& node : nodes_) {
    if (node.active.size() < 2) continue;
    ranks.clear();
    for (const TenantId tenant : node.active)
      ranks.push_back({nodes_[tenant.value()].key, tenant, nodes_[tenant.value()].owed});
    sort_again(ranks);
    std::transform(ranks.begin(), ranks.end(), node.active.begin(),
                   [](const Rank& rank) { return rank.tenant; });
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

void FairShare::change_running(TenantId tenant, std::int64_t delta_milli, Nanoseconds since_charge,
                               std::uint32_t kind) {
  if (delta_milli == 0) return;
  GW_CHECK(kind < kinds());
  // The next charge takes what runs then to have run all the while since the last: correct for it here.
  const double correction = -static_cast<double>(delta_milli) * 1e-3 * to_seconds(since_charge) * inflation_;
  for (TenantId at = tenant; at != TenantId{0}; at = nodes_[at.value()].parent) {
    Node& node = nodes_[at.value()];
    const bool active = is_active(node);
    if (active) erase_active(at);
    const std::size_t of_kind = at.value() * scale_.size() + kind;
    running_milli_[of_kind] += delta_milli;
    usage_[of_kind] += correction;
    GW_CHECK(running_milli_[of_kind] >= 0);
    node.key = key_of(at.value());
    if (active) insert_active(at);
  }
}

void FairShare::started(TenantId tenant, std::int64_t gpu_milli, Nanoseconds since_charge,
                        std::uint32_t kind) {
  change_running(tenant, gpu_milli, since_charge, kind);
}

void FairShare::stopped(TenantId tenant, std::int64_t gpu_milli, Nanoseconds since_charge,
                        std::uint32_t kind) {
  change_running(tenant, -gpu_milli, since_charge, kind);
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
  double sum = 0;
  for (std::size_t kind = 0; kind < scale_.size(); ++kind)
    sum += usage_[tenant.value() * scale_.size() + kind];
  return sum / inflation_;
}

double FairShare::dominant_share(TenantId tenant) const {
  if (all_milli_ == 0) return 0;
  double largest = 0;
  for (std::size_t kind = 0; kind < scale_.size(); ++kind)
    largest = std::max(largest, usage_[tenant.value() * scale_.size() + kind] * scale_[kind]);
  // One GPU for ever has the integral of 2^(-t / h): h / ln 2.
  return largest / inflation_ / (all_milli_ * 1e-3 * half_life_s_ * 1.4426950408889634);
}

FairShare::State FairShare::save() const { return {charged_to_, inflation_, usage_, running_milli_}; }

void FairShare::restore(const State& state) {
  GW_CHECK(state.usage.size() == usage_.size() && state.running_milli.size() == usage_.size());
  charged_to_ = state.charged_to;
  inflation_ = state.inflation;
  usage_ = state.usage;
  running_milli_ = state.running_milli;
  for (std::size_t tenant = 0; tenant < nodes_.size(); ++tenant) nodes_[tenant].key = key_of(tenant);
  for (Node& node : nodes_)
    std::sort(node.active.begin(), node.active.end(),
              [this](TenantId a, TenantId b) { return before(a, b); });
}

}  // namespace gw::sched
