// The sums along the way from a tenant to the root, and the questions asked of them.
#include "sched/quota.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace gw::sched {

void QuotaTree::begin_use() {
  if (in_use_) return;
  in_use_ = true;
  rows_.resize(parents_.size() * resources_);
  capacity_.resize(resources_);
  promises_.resize(resources_);
}

void QuotaTree::count_terms(QuotaResource resource, const QuotaTerms& terms, int sign) {
  if (terms.guaranteed_milli == 0) return;
  promises_[resource].guaranteed += static_cast<std::uint32_t>(sign);
  if (terms.lend_milli != QuotaTerms::kUnlimited && terms.lend_milli < terms.guaranteed_milli)
    promises_[resource].kept += static_cast<std::uint32_t>(sign);
}

void QuotaTree::set_capacity(QuotaResource resource, std::int64_t milli) {
  GW_CHECK(resource < resources_);
  capacity_.resize(resources_);
  if (capacity_[resource] != milli) ++version_;
  capacity_[resource] = milli;
}

void QuotaTree::set_terms(TenantId tenant, QuotaResource resource, const QuotaTerms& terms) {
  GW_CHECK(tenant.value() < parents_.size() && resource < resources_ && is_sensible(terms));
  begin_use();
  ++version_;
  const std::size_t index = at(tenant, resource);
  const std::int64_t shut_before = shut(rows_[index], rows_[index].used, rows_[index].shut_children);
  const std::int64_t fixed_before =
      shut_fixed(rows_[index], rows_[index].fixed, rows_[index].shut_children_fixed);
  count_terms(resource, rows_[index].terms, -1);
  count_terms(resource, terms, +1);
  rows_[index].terms = terms;
  if (division_ && resource == kAllGpus) division_->set_terms(tenant, terms);
  std::int64_t more = shut(rows_[index], rows_[index].used, rows_[index].shut_children) - shut_before;
  std::int64_t more_fixed =
      shut_fixed(rows_[index], rows_[index].fixed, rows_[index].shut_children_fixed) - fixed_before;
  while (tenant != TenantId{0} && (more != 0 || more_fixed != 0)) {
    tenant = parents_[tenant.value()];
    Row& row = rows_[at(tenant, resource)];
    const std::int64_t before = shut(row, row.used, row.shut_children);
    const std::int64_t before_fixed = shut_fixed(row, row.fixed, row.shut_children_fixed);
    row.shut_children += more;
    row.shut_children_fixed += more_fixed;
    more = shut(row, row.used, row.shut_children) - before;
    more_fixed = shut_fixed(row, row.fixed, row.shut_children_fixed) - before_fixed;
  }
}

void QuotaTree::set_budget(TenantId tenant, BudgetState state) {
  GW_CHECK(tenant.value() < parents_.size());
  begin_use();
  ++version_;
  budgets_.resize(std::max<std::size_t>(budgets_.size(), tenant.value() + 1));
  budgets_[tenant.value()] = state;
  if (division_) division_->set_spent(tenant, state != BudgetState::kOpen);
}

void QuotaTree::use_shares() {
  GW_CHECK(tenants() == 1);
  begin_use();
  division_.emplace();
}

void QuotaTree::change_row(TenantId tenant, QuotaResource resource, std::int64_t delta, bool fixed) {
  std::int64_t more = 0;
  std::int64_t more_fixed = 0;
  for (;;) {
    Row& row = rows_[at(tenant, resource)];
    const std::int64_t before = shut(row, row.used, row.shut_children);
    const std::int64_t before_fixed = shut_fixed(row, row.fixed, row.shut_children_fixed);
    row.used += delta;
    if (delta < 0) row.freed -= delta;
    if (fixed) row.fixed += delta;
    GW_CHECK(row.fixed >= 0 && row.used >= row.fixed);
    row.shut_children += more;
    row.shut_children_fixed += more_fixed;
    if (tenant == TenantId{0}) return;
    more = shut(row, row.used, row.shut_children) - before;
    more_fixed = shut_fixed(row, row.fixed, row.shut_children_fixed) - before_fixed;
    tenant = parents_[tenant.value()];
  }
}

void QuotaTree::change(TenantId tenant, const Amount& amount, int sign) {
  if (!in_use_ || amount.all_milli == 0) return;
  change_row(tenant, kAllGpus, sign * amount.all_milli, !amount.preemptible);
  if (division_) division_->use(tenant, sign * amount.all_milli);
  if (amount.type != kAllGpus) change_row(tenant, amount.type, sign * amount.type_milli, !amount.preemptible);
}

void QuotaTree::hold(TenantId tenant, const Amount& amount, int sign) {
  if (!in_use_ || amount.all_milli == 0) return;
  for (;; tenant = parents_[tenant.value()]) {
    const auto change = [&](QuotaResource resource, std::int64_t milli) {
      Row& row = rows_[at(tenant, resource)];
      row.held += sign * milli;
      if (sign < 0) row.freed += milli;
    };
    change(kAllGpus, amount.all_milli);
    if (amount.type != kAllGpus) change(amount.type, amount.type_milli);
    if (tenant == TenantId{0}) return;
  }
}

QuotaTree::Answer QuotaTree::permits_row(TenantId tenant, QuotaResource resource, std::int64_t milli,
                                         bool preemptible) const {
  std::int64_t more = 0;  // What the branch shuts off more, or less, with the job in it.
  std::int64_t more_fixed = 0;
  bool guaranteed = false;  // The branch stays within its guarantee: lending cannot keep it from that.
  bool guaranteed_fixed = false;
  std::int64_t beyond = INT64_MAX;  // By so much the branch is beyond its guarantee, where it has one.
  std::int64_t beyond_fixed = INT64_MAX;
  for (;;) {
    const Row& row = rows_[at(tenant, resource)];
    const std::int64_t used = row.used + milli;
    const std::int64_t children = row.shut_children + more;
    const std::int64_t most = row.terms.most_milli();
    if (most != INT64_MAX && used > most - row.held)
      return {Bar::kLimit, tenant, resource, used - most + row.held};
    const std::int64_t room = tenant == TenantId{0} ? std::min(most, capacity_[resource]) : most;
    if (!guaranteed && promises_[resource].kept > 0 && used > room - children)
      return {Bar::kLent, tenant, resource, std::min(beyond, used + children - room)};
    const std::int64_t fixed = row.fixed + (preemptible ? 0 : milli);
    const std::int64_t children_fixed = row.shut_children_fixed + more_fixed;
    if (!preemptible && !guaranteed_fixed && promises_[resource].guaranteed > 0 &&
        fixed > room - children_fixed)
      return {Bar::kLent, tenant, resource, std::min(beyond_fixed, fixed + children_fixed - room)};
    if (tenant == TenantId{0}) return {};
    guaranteed = used + children <= row.terms.guaranteed_milli;
    guaranteed_fixed = fixed + children_fixed <= row.terms.guaranteed_milli;
    beyond = used + children - row.terms.guaranteed_milli;
    beyond_fixed = fixed + children_fixed - row.terms.guaranteed_milli;
    more = shut(row, used, children) - shut(row, row.used, row.shut_children);
    more_fixed = shut_fixed(row, fixed, children_fixed) - shut_fixed(row, row.fixed, row.shut_children_fixed);
    tenant = parents_[tenant.value()];
  }
}

QuotaTree::Answer QuotaTree::permits(TenantId tenant, const Amount& amount, JobId job,
                                     bool heed_stops) const {
  if (!in_use_) return {};
  for (TenantId up = tenant;; up = parents_[up.value()]) {
    if (budget(up) != BudgetState::kOpen) return {Bar::kBudget, up, kAllGpus};
    for (const auto& [stopped, except] : stops_) {
      if (heed_stops && stopped == up && except != job) return {Bar::kBehind, up, kAllGpus};
    }
    if (up == TenantId{0}) break;
  }
  if (amount.all_milli == 0) return {};
  if (amount.type != kAllGpus) {
    const Answer answer = permits_row(tenant, amount.type, amount.type_milli, amount.preemptible);
    if (!answer.ok()) return answer;
  }
  return permits_row(tenant, kAllGpus, amount.all_milli, amount.preemptible);
}

/// Going up from the job, each row takes off what it adds as far as it was kept for the branch already, and
/// passes on the rest: max(0, rest - (own - used - children)+). A row's `shut` is the sum of what all rows of
/// its branch can take off so.
std::int64_t QuotaTree::most_milli_below(TenantId top, bool preemptible) const {
  if (!in_use_ || top == TenantId{0}) return INT64_MAX;
  const Row& root = rows_[0];
  const Row& row = rows_[at(top, kAllGpus)];
  const std::int64_t room = std::min(root.terms.most_milli(), capacity_[kAllGpus]);
  std::int64_t most = INT64_MAX;
  if (promises_[kAllGpus].kept > 0) {
    const std::int64_t left = std::max<std::int64_t>(0, room - root.used - root.shut_children);
    // Or it stays within its guarantee: then it is not asked what others keep.
    most = std::max(left + shut(row, row.used, row.shut_children), row.terms.guaranteed_milli - row.used);
  }
  if (!preemptible && promises_[kAllGpus].guaranteed > 0) {
    const std::int64_t left = std::max<std::int64_t>(0, room - root.fixed - root.shut_children_fixed);
    most = std::min(most, left + shut_fixed(row, row.fixed, row.shut_children_fixed));
  }
  return most;
}

std::int64_t QuotaTree::room_gpus(TenantId tenant) const {
  if (!in_use_) return INT64_MAX;
  for (TenantId up = tenant; !budgets_.empty(); up = parents_[up.value()]) {
    if (budget(up) != BudgetState::kOpen) return -1;
    if (up == TenantId{0}) break;
  }
  const bool counted = tenant.value() * resources_ < rows_.size();
  const auto room = [&](std::size_t resource) {
    std::int64_t least = INT64_MAX;
    for (TenantId up = tenant; counted; up = parents_[up.value()]) {
      const Row& row = rows_[at(up, static_cast<QuotaResource>(resource))];
      const std::int64_t most = row.terms.most_milli();
      if (most != INT64_MAX) least = std::min(least, most - row.used - row.held);
      if (up == TenantId{0}) break;
    }
    return least;
  };
  std::int64_t most = untyped_ || resources_ == 1 ? INT64_MAX : 0;
  for (std::size_t type = 1; type < resources_ && most != INT64_MAX; ++type)
    most = std::max(most, room(type));
  if (const std::int64_t all = room(kAllGpus); all != INT64_MAX && least_equivalent_milli_ > 0)
    most = std::min(most, all * 1000 / least_equivalent_milli_);
  // A share of a GPU stands in the queue as a whole one.
  return most < 0 ? 0 : most == INT64_MAX ? most : most / 1000 + (most % 1000 != 0);
}

bool QuotaTree::within_guarantee(TenantId tenant, const Amount& amount) const {
  bool any = false;
  const auto within = [&](QuotaResource resource, std::int64_t milli) {
    const Row& row = rows_[at(tenant, resource)];
    if (row.terms.guaranteed_milli == 0) return true;
    any = true;
    return row.used + milli <= row.terms.guaranteed_milli;
  };
  const bool all = within(kAllGpus, amount.all_milli);
  return (amount.type == kAllGpus || within(amount.type, amount.type_milli)) && all && any;
}

bool QuotaTree::within_share(TenantId tenant, TenantId last, const Amount& amount) const {
  if (!division_) return false;
  for (;; tenant = parents_[tenant.value()]) {
    if (amount.all_milli > share_left_milli(tenant)) return false;
    if (tenant == last) return true;
  }
}

bool QuotaTree::is_entitled(TenantId tenant, const Amount& amount) const {
  if (!in_use_ || amount.all_milli == 0) return false;
  if (tenant != TenantId{0} && within_share(tenant, tenant, amount)) return true;
  for (; tenant != TenantId{0}; tenant = parents_[tenant.value()]) {
    if (within_guarantee(tenant, amount)) return true;
  }
  return false;
}

bool QuotaTree::is_owed(TenantId tenant) const {
  if (!in_use_) return false;
  if (share_left_milli(tenant) > 0) return true;
  for (std::size_t resource = 0; resource < resources_; ++resource) {
    const Row& row = rows_[at(tenant, static_cast<QuotaResource>(resource))];
    if (row.used < row.terms.guaranteed_milli) return true;
  }
  return false;
}

bool QuotaTree::borrows(TenantId tenant, QuotaResource type) const {
  for (const QuotaResource resource : {kAllGpus, type}) {
    const Row& row = rows_[at(tenant, resource)];
    if (row.terms.guaranteed_milli > 0 && row.used <= row.terms.guaranteed_milli) return false;
  }
  return true;
}

bool QuotaTree::all_borrow(TenantId from, TenantId to, QuotaResource type) const {
  for (;; from = parents_[from.value()]) {
    if (!borrows(from, type)) return false;
    if (from == to) return true;
  }
}

std::uint32_t QuotaTree::depth(TenantId tenant) const {
  std::uint32_t depth = 0;
  for (; tenant != TenantId{0}; tenant = parents_[tenant.value()]) ++depth;
  return depth;
}

std::pair<TenantId, TenantId> QuotaTree::parting(TenantId a, TenantId b) const {
  std::uint32_t depth_a = depth(a);
  std::uint32_t depth_b = depth(b);
  TenantId below_a;
  TenantId below_b;
  while (a != b) {
    const bool up_a = depth_a >= depth_b;
    const bool up_b = depth_b >= depth_a;
    if (up_a) {
      below_a = a;
      a = parents_[a.value()];
      --depth_a;
    }
    if (up_b) {
      below_b = b;
      b = parents_[b.value()];
      --depth_b;
    }
  }
  return {below_a, below_b};
}

std::int64_t QuotaTree::reclaimable_milli(TenantId taker, TenantId holder, const Amount& takes,
                                          QuotaResource held_type) const {
  if (!in_use_) return 0;
  const auto [below_taker, below_holder] = parting(taker, holder);
  if (!below_taker.valid()) return 0;
  const bool borrowed = !below_holder.valid() || all_borrow(holder, below_holder, held_type);
  if (borrowed && within_guarantee(below_taker, takes)) return INT64_MAX;
  // A tenant's own jobs come before its children in the division.
  if (!borrowed || !below_holder.valid() || !within_share(taker, below_taker, takes)) return 0;
  std::int64_t beyond = INT64_MAX;
  for (TenantId up = holder;; up = parents_[up.value()]) {
    beyond = std::min(beyond, -share_left_milli(up));
    if (up == below_holder) return std::max<std::int64_t>(0, beyond);
  }
}

bool QuotaTree::may_displace(TenantId taker, TenantId holder, QuotaResource held_type) const {
  if (!in_use_) return true;
  const auto [below_taker, below_holder] = parting(taker, holder);
  if (!below_holder.valid()) return true;
  for (TenantId up = holder; division_; up = parents_[up.value()]) {
    if (share_left_milli(up) >= 0) return false;
    if (up == below_holder) break;
  }
  return all_borrow(holder, below_holder, held_type);
}

void QuotaTree::set_stops(Stops stops) {
  if (stops == stops_) return;
  ++version_;
  stops_ = std::move(stops);
}

bool QuotaTree::check() const {
  if (!in_use_) return true;
  std::vector<std::int64_t> children(rows_.size());
  std::vector<std::int64_t> children_fixed(rows_.size());
  const auto tenants = static_cast<std::uint32_t>(rows_.size() / resources_);
  for (std::uint32_t tenant = tenants; tenant-- > 0;) {
    for (std::size_t resource = 0; resource < resources_; ++resource) {
      const std::size_t index = at(TenantId{tenant}, static_cast<QuotaResource>(resource));
      const Row& row = rows_[index];
      if (row.shut_children != children[index] || row.shut_children_fixed != children_fixed[index])
        return false;
      if (tenant == 0) continue;
      const std::size_t parent = at(parents_[tenant], static_cast<QuotaResource>(resource));
      if (division_ && resource == kAllGpus && division_->used_milli(TenantId{tenant}) != row.used)
        return false;
      if (row.used > rows_[parent].used || row.fixed > rows_[parent].fixed) return false;
      children[parent] += shut(row, row.used, row.shut_children);
      children_fixed[parent] += shut_fixed(row, row.fixed, row.shut_children_fixed);
    }
  }
  return true;
}

}  // namespace gw::sched
