// QuotaTree: what each tenant uses, may use and is owed; asked before every start.
//
// A tenant's guarantee is carved out of its parent's. What is guaranteed and not used may be borrowed, up to
// what its owner lends; only jobs that can be preempted may use what is lent, so that the owner can always
// have it back. A job must find room at its tenant and at every tenant above, up to the whole fleet.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "model/quota.h"
#include "sched/deserved.h"

namespace gw::sched {

class QuotaTree {
 public:
  /// `gpu_types`: of the fleet. The root (tenant 0) is there from the start.
  explicit QuotaTree(std::size_t gpu_types) : resources_(gpu_types + 1), parents_(1), tops_(1, TenantId{0}) {}
  /// What the GPU type that counts least counts for; whether there are GPUs (processors) of no type.
  void set_kinds(std::int64_t least_equivalent_milli, bool untyped) {
    least_equivalent_milli_ = least_equivalent_milli;
    untyped_ = untyped;
  }

  /// `weight`: by which it shares with those beside it.
  void add_tenant(TenantId parent, std::uint32_t weight = 1) {
    parents_.push_back(parent);
    tops_.push_back(parent == TenantId{0} ? TenantId{tenants() - 1} : top(parent));
    if (in_use_) rows_.resize(parents_.size() * resources_);
    if (division_) division_->add(parent, weight);
  }
  void set_weight(TenantId tenant, std::uint32_t weight) {
    if (division_) division_->set_weight(tenant, weight);
  }
  /// From now on. The first terms of all switch the bookkeeping on: `in_use` holds from then on.
  void set_terms(TenantId tenant, QuotaResource resource, const QuotaTerms& terms);
  void set_budget(TenantId tenant, BudgetState state);
  /// Before any tenant is added: it is in use, and what tenants deserve (`share_out`) can be reclaimed as
  /// what is guaranteed to them can.
  void use_shares();
  [[nodiscard]] bool has_shares() const { return division_.has_value(); }
  /// Its waiting jobs ask for that much more (less) in all.
  void wait(TenantId tenant, std::int64_t all_milli) {
    if (division_) division_->wait(tenant, all_milli);
  }
  /// Divides what is up anew by what is guaranteed, used and asked for. What tenants deserve stays so until
  /// the next time. Gives those that may deserve another amount now.
  std::span<const std::uint32_t> share_out() {
    if (!division_) return {};
    return division_->divide(capacity_[kAllGpus]);
  }
  /// GPUs that are up, by resource, in thousandths.
  void set_capacity(QuotaResource resource, std::int64_t milli);
  [[nodiscard]] std::size_t resources() const { return resources_; }
  [[nodiscard]] bool in_use() const { return in_use_; }
  [[nodiscard]] QuotaTerms terms(TenantId tenant, QuotaResource resource) const {
    return at(tenant, resource) < rows_.size() ? rows_[at(tenant, resource)].terms : QuotaTerms{};
  }
  [[nodiscard]] BudgetState budget(TenantId tenant) const {
    return tenant.value() < budgets_.size() ? budgets_[tenant.value()] : BudgetState::kOpen;
  }

  /// What a job takes: of its GPUs' type and of all in GPU-equivalents. No type: equivalents only.
  struct Amount {
    QuotaResource type = kAllGpus;
    std::int64_t type_milli = 0;
    std::int64_t all_milli = 0;
    bool preemptible = false;
  };
  void start(TenantId tenant, const Amount& amount) { change(tenant, amount, +1); }
  void stop(TenantId tenant, const Amount& amount) { change(tenant, amount, -1); }
  /// A reservation keeps its part below the limits, without using it.
  void reserve(TenantId tenant, const Amount& amount) { hold(tenant, amount, +1); }
  void release(TenantId tenant, const Amount& amount) { hold(tenant, amount, -1); }
  /// What was not permitted at one version stays so until the next, or until enough has been freed where it
  /// was kept back: starts only take.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] std::int64_t freed_milli(TenantId tenant, QuotaResource resource) const {
    return rows_[at(tenant, resource)].freed;
  }

  /// Where `top` is a child of the root: a job of its tenants that takes more than this in all finds no room
  /// beside what is guaranteed to others (preemptible: beside what they do not lend). INT64_MAX: it is not
  /// kept back so.
  [[nodiscard]] std::int64_t most_milli_below(TenantId top, bool preemptible) const;

  /// What keeps a job from starting; kNone if nothing does.
  enum class Bar : std::uint8_t { kNone, kLimit, kLent, kBudget, kBehind };
  struct Answer {
    Bar bar = Bar::kNone;
    TenantId at;                        ///< Where it is kept back.
    QuotaResource resource = kAllGpus;  ///< Of what there is too little.
    std::int64_t lacks_milli = 0;       ///< So much must be freed there at least.
    [[nodiscard]] bool ok() const { return bar == Bar::kNone; }
  };
  [[nodiscard]] Answer permits(TenantId tenant, const Amount& amount, JobId job = {},
                               bool heed_stops = true) const;
  /// At most so many GPUs could be permitted to a job of the tenant now: a quick look for scans.
  [[nodiscard]] std::int64_t room_gpus(TenantId tenant) const;

  /// Is the tenant, with `amount` more, within its guarantee (or what it deserves)? Then it may take back
  /// what others have borrowed.
  [[nodiscard]] bool is_entitled(TenantId tenant, const Amount& amount) const;
  /// Does the tenant use less than is guaranteed to it, or than it deserves?
  [[nodiscard]] bool is_owed(TenantId tenant) const;
  /// So much more in all the tenant may use within what it deserves; 0 where there are no shares.
  [[nodiscard]] std::int64_t share_left_milli(TenantId tenant) const {
    return share_milli(tenant) - (division_ ? rows_[at(tenant, kAllGpus)].used : 0);
  }
  /// A job of `taker` that is entitled may have what a job of `holder` uses that takes no more in all than
  /// this; 0: none. It is INT64_MAX within the guarantee of the tenant below where the two part, if every
  /// tenant from the holder up to there uses more than is guaranteed to it. Where every tenant from the taker
  /// up to there is within what it deserves, it is what each of those above the holder uses beyond that: none
  /// falls below it.
  [[nodiscard]] std::int64_t reclaimable_milli(TenantId taker, TenantId holder, const Amount& takes,
                                               QuotaResource held_type) const;
  /// The same for a job that uses `gives_milli` in all.
  [[nodiscard]] bool may_reclaim(TenantId taker, TenantId holder, const Amount& takes,
                                 QuotaResource held_type, std::int64_t gives_milli) const {
    const std::int64_t most = reclaimable_milli(taker, holder, takes, held_type);
    return most > 0 && gives_milli <= most;
  }
  /// The same for a job of higher priority: also from tenants without any guarantee and from its own.
  [[nodiscard]] bool may_displace(TenantId taker, TenantId holder, QuotaResource held_type) const;
  /// Does the tenant use more of it than is guaranteed to it? Nobody of another branch gets what those below
  /// it use where it does not.
  [[nodiscard]] bool borrows(TenantId tenant, QuotaResource type) const;
  /// What is guaranteed to the tenant; in all, where there are shares, what it deserves, which is no less.
  [[nodiscard]] std::int64_t due_milli(TenantId tenant, QuotaResource resource) const {
    return resource == kAllGpus && division_ ? share_milli(tenant) : terms(tenant, resource).guaranteed_milli;
  }

  /// Nothing but the named job starts under each of these tenants: jobs that wait too long for their quota.
  using Stops = std::vector<std::pair<TenantId, JobId>>;
  void set_stops(Stops stops);

  [[nodiscard]] std::int64_t used_milli(TenantId tenant, QuotaResource resource) const {
    return at(tenant, resource) < rows_.size() ? rows_[at(tenant, resource)].used : 0;
  }
  /// Of `used_milli`, what runs as not preemptible.
  [[nodiscard]] std::int64_t fixed_milli(TenantId tenant, QuotaResource resource) const {
    return at(tenant, resource) < rows_.size() ? rows_[at(tenant, resource)].fixed : 0;
  }
  [[nodiscard]] std::int64_t waiting_milli(TenantId tenant) const {
    return division_ ? division_->waiting_milli(tenant) : 0;
  }
  /// Recounts the sums that are kept; false if one is wrong or a limit is broken by what has been started.
  [[nodiscard]] bool check() const;
  [[nodiscard]] TenantId parent(TenantId tenant) const { return parents_[tenant.value()]; }
  /// The child of the root that it is or is below; the root's own is the root.
  [[nodiscard]] TenantId top(TenantId tenant) const { return tops_[tenant.value()]; }
  /// The most thousandths of GPUs of the type that counts least that count for no more than `all_milli`.
  [[nodiscard]] std::int64_t most_gpu_milli(std::int64_t all_milli) const {
    const std::int64_t least = least_equivalent_milli_;
    if (least == 0 || all_milli >= INT64_MAX / 1000 - 1) return INT64_MAX;
    return ((all_milli + 1) * 1000 + least - 1) / least - 1;
  }
  [[nodiscard]] std::uint32_t tenants() const { return static_cast<std::uint32_t>(parents_.size()); }

 private:
  struct Row {
    QuotaTerms terms;
    std::int64_t used = 0;   ///< With all below.
    std::int64_t fixed = 0;  ///< Of it, by jobs that cannot be preempted.
    std::int64_t held = 0;   ///< Beside it, by a reservation.
    std::int64_t freed = 0;  ///< All that has ever stopped or been let go here, summed.
    /// What the children shut off from others beyond what they use, summed: from jobs that can be preempted
    /// (they lend the rest), and from those that cannot (they lend nothing).
    std::int64_t shut_children = 0;
    std::int64_t shut_children_fixed = 0;
  };
  [[nodiscard]] std::size_t at(TenantId tenant, QuotaResource resource) const {
    return tenant.value() * resources_ + resource;
  }
  /// Beyond its use, what a tenant keeps for itself, with `more` in use.
  static std::int64_t shut(const Row& row, std::int64_t used, std::int64_t children) {
    const std::int64_t own = row.terms.kept_milli();
    return children > own - used ? children : own - used;
  }
  static std::int64_t shut_fixed(const Row& row, std::int64_t fixed, std::int64_t children) {
    return children > row.terms.guaranteed_milli - fixed ? children : row.terms.guaranteed_milli - fixed;
  }
  void begin_use();
  void change(TenantId tenant, const Amount& amount, int sign);
  void hold(TenantId tenant, const Amount& amount, int sign);
  void count_terms(QuotaResource resource, const QuotaTerms& terms, int sign);
  void change_row(TenantId tenant, QuotaResource resource, std::int64_t delta, bool fixed);
  [[nodiscard]] Answer permits_row(TenantId tenant, QuotaResource resource, std::int64_t milli,
                                   bool preemptible) const;
  /// Within the guarantees that `tenant` itself has, and it has one.
  [[nodiscard]] bool within_guarantee(TenantId tenant, const Amount& amount) const;
  /// Do the tenant and those above it up to `last` deserve the amount beside what they use?
  [[nodiscard]] bool within_share(TenantId tenant, TenantId last, const Amount& amount) const;
  [[nodiscard]] std::int64_t share_milli(TenantId tenant) const {
    return division_ ? division_->deserved_milli(tenant) : 0;
  }
  /// The ancestors of both right below where they part; none for one that the other descends from.
  [[nodiscard]] std::pair<TenantId, TenantId> parting(TenantId a, TenantId b) const;
  [[nodiscard]] bool all_borrow(TenantId from, TenantId to, QuotaResource type) const;
  [[nodiscard]] std::uint32_t depth(TenantId tenant) const;

  std::size_t resources_;
  std::vector<TenantId> parents_;
  std::vector<TenantId> tops_;
  std::vector<Row> rows_;  ///< By tenant and resource; empty until it is in use.
  std::vector<std::int64_t> capacity_;
  struct Promises {
    std::uint32_t kept = 0;        ///< Tenants that do not lend all that is guaranteed to them.
    std::uint32_t guaranteed = 0;  ///< Tenants to whom anything is guaranteed.
  };
  std::vector<Promises> promises_;  ///< By resource.
  std::vector<BudgetState> budgets_;
  Stops stops_;
  bool in_use_ = false;
  std::optional<Division> division_;  ///< Of all in GPU-equivalents; with shares only.
  std::uint64_t version_ = 1;
  std::int64_t least_equivalent_milli_ = 1000;
  bool untyped_ = false;
};

}  // namespace gw::sched
