// Up the tree what is asked for, down the tree what is deserved.
#include "sched/deserved.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace gw::sched {
namespace {

__extension__ using Wide = __int128;

/// rest * weight / weights, rounded down; weight <= weights.
std::int64_t part(std::int64_t rest, std::uint32_t weight, std::uint64_t weights) {
  const Wide product = Wide{rest} * weight;
  // Processors divide 64 bits far faster.
  if (product <= INT64_MAX) return static_cast<std::int64_t>(static_cast<std::uint64_t>(product) / weights);
  return static_cast<std::int64_t>(product / static_cast<Wide>(weights));
}

}  // namespace

std::int64_t Division::Node::needs() const {
  return std::max(std::min(terms.guaranteed_milli, asked), terms.kept_milli());
}

void Division::add(TenantId parent, std::uint32_t weight) {
  GW_CHECK(weight > 0 && (nodes_.empty() || parent.value() < nodes_.size()));
  Node& node = nodes_.emplace_back();
  node.parent = parent.value();
  node.weight = weight;
  deserved_.push_back(0);
  built_ = false;
}

void Division::set_weight(TenantId tenant, std::uint32_t weight) {
  GW_CHECK(weight > 0);
  nodes_[tenant.value()].weight = weight;
  built_ = false;
}

void Division::set_terms(TenantId tenant, const QuotaTerms& terms) {
  nodes_[tenant.value()].terms = terms;
  built_ = false;
}

void Division::set_spent(TenantId tenant, bool spent) {
  if (std::exchange(nodes_[tenant.value()].spent, spent) != spent) built_ = false;
}

void Division::touch(std::uint32_t tenant) {
  if (!std::exchange(nodes_[tenant].touched, true)) touched_.push_back(tenant);
}

void Division::use(TenantId tenant, std::int64_t milli) {
  for (std::uint32_t at = tenant.value();; at = nodes_[at].parent) {
    nodes_[at].used += milli;
    touch(at);
    if (at == 0) return;
  }
}

void Division::set_used(TenantId tenant, std::int64_t milli) {
  nodes_[tenant.value()].used = milli;
  touch(tenant.value());
}

void Division::wait(TenantId tenant, std::int64_t milli) {
  nodes_[tenant.value()].waiting += milli;
  touch(tenant.value());
}

/// All anew from what is known of each.
void Division::build() {
  const auto count = static_cast<std::uint32_t>(nodes_.size());
  std::vector<std::uint32_t> next(count + 1);
  for (std::uint32_t tenant = 0; tenant < count; ++tenant) {
    Node& node = nodes_[tenant];
    node.spent_above = node.spent || (tenant > 0 && nodes_[node.parent].spent_above);
    node.asked_below = node.used_below = node.needed_below = 0;
    node.children = 0;
    node.touched = false;
    if (tenant > 0) ++nodes_[node.parent].children;
  }
  parents_.clear();
  for (std::uint32_t tenant = 0, first = 0; tenant < count; ++tenant) {
    Node& node = nodes_[tenant];
    node.first_child = next[tenant] = first;
    first += node.children;
    node.anew = node.children > 0;
    node.mixed = false;
    if (node.anew) parents_.push_back(tenant);
  }
  children_.resize(count - 1);
  for (std::uint32_t tenant = 1; tenant < count; ++tenant) children_[next[nodes_[tenant].parent]++] = tenant;
  for (std::uint32_t tenant = count; tenant-- > 0;) {
    Node& node = nodes_[tenant];
    node.asked = node.asks();
    node.counted = node.used;
    if (tenant == 0) break;
    Node& parent = nodes_[node.parent];
    parent.asked_below += node.asked - node.used;
    parent.used_below += node.used;
    parent.needed_below += node.needs();
  }
  for (const std::uint32_t parent : parents_) {
    const auto begin = children_.begin() + nodes_[parent].first_child;
    std::sort(begin, begin + nodes_[parent].children,
              [this](std::uint32_t a, std::uint32_t b) { return stands_before(a, b); });
  }
  touched_.clear();
  built_ = true;
}

/// Whoever wants least for its weight is served first.
bool Division::stands_before(std::uint32_t a, std::uint32_t b) const {
  const Wide left = Wide{nodes_[a].wants()} * nodes_[b].weight;
  const Wide right = Wide{nodes_[b].wants()} * nodes_[a].weight;
  return left != right ? left < right : a < b;
}

/// Asked for, and the sums of its parent, after something has changed below it or at it.
void Division::count(std::uint32_t tenant) {
  Node& node = nodes_[tenant];
  const std::int64_t used = node.used;
  const std::int64_t asked = node.asks();
  node.anew = node.children > 0;
  if (tenant == 0 || (asked == node.asked && used == node.counted)) return;
  Node& parent = nodes_[node.parent];
  parent.asked_below += (asked - used) - (node.asked - node.counted);
  parent.used_below += used - node.counted;
  const std::int64_t wanted = node.wants();
  parent.needed_below -= node.needs();
  node.asked = asked;
  node.counted = used;
  parent.needed_below += node.needs();
  parent.mixed = parent.mixed || node.wants() != wanted;
  touch(node.parent);
}

void Division::put(std::uint32_t tenant, std::int64_t milli) {
  if (std::exchange(deserved_[tenant], milli) == milli) return;
  changed_.push_back(tenant);
  nodes_[tenant].anew = nodes_[tenant].children > 0;
}

/// Whoever wants less than its part gets what it wants; then the others share the rest.
void Division::divide_below(std::uint32_t parent) {
  Node& node = nodes_[parent];
  node.anew = false;
  const std::span<std::uint32_t> children(&children_[node.first_child], node.children);
  for (std::size_t at = 1; node.mixed && at < children.size(); ++at) {  // Few have changed: mostly in order.
    const std::uint32_t moved = children[at];
    std::size_t to = at;
    for (; to > 0 && stands_before(moved, children[to - 1]); --to) children[to] = children[to - 1];
    children[to] = moved;
  }
  node.mixed = false;
  std::int64_t rest = std::max<std::int64_t>(0, deserved_[parent] - node.needed_below);
  rest -= std::clamp<std::int64_t>(node.own(), 0, rest);
  std::uint64_t weights = 0;
  for (const std::uint32_t child : children) weights += nodes_[child].weight;
  for (const std::uint32_t child : children) {
    const Node& served = nodes_[child];
    std::int64_t given = served.wants();
    if (Wide{given} * static_cast<Wide>(weights) > Wide{rest} * served.weight)
      given = part(rest, served.weight, weights);
    rest -= given;
    weights -= served.weight;
    put(child, served.terms.guaranteed_milli + given);
  }
}

std::span<const std::uint32_t> Division::divide(std::int64_t capacity) {
  changed_.clear();
  const bool all = !built_;
  if (all) build();
  // Those below first: parents have lower ids.
  for (std::make_heap(touched_.begin(), touched_.end()); !touched_.empty();) {
    std::pop_heap(touched_.begin(), touched_.end());
    const std::uint32_t tenant = touched_.back();
    touched_.pop_back();
    nodes_[tenant].touched = false;
    const std::size_t before = touched_.size();
    count(tenant);
    if (touched_.size() > before) std::push_heap(touched_.begin(), touched_.end());
  }
  put(0, capacity);
  for (const std::uint32_t parent : parents_) {
    if (nodes_[parent].anew) divide_below(parent);
  }
  if (all) {
    changed_.resize(nodes_.size());
    std::iota(changed_.begin(), changed_.end(), 0U);
  }
  return changed_;
}

std::vector<std::int64_t> divide(std::span<const Claimant> tenants, std::int64_t capacity) {
  std::vector<std::int64_t> deserved(tenants.size());
  if (tenants.empty()) return deserved;
  Division division;
  for (std::uint32_t tenant = 0; tenant < tenants.size(); ++tenant) {
    const Claimant& each = tenants[tenant];
    if (tenant > 0) division.add(each.parent, each.weight);
    division.set_terms(TenantId{tenant}, each.terms);
    division.set_spent(TenantId{tenant}, each.spent);
    division.set_used(TenantId{tenant}, each.used);
    division.wait(TenantId{tenant}, each.waiting);
  }
  division.divide(capacity);
  for (std::uint32_t tenant = 0; tenant < tenants.size(); ++tenant)
    deserved[tenant] = division.deserved_milli(TenantId{tenant});
  return deserved;
}

}  // namespace gw::sched
