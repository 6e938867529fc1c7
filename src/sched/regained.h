// Regained: whose places are those that a guarantee has won back, and by which tenant's guarantee.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "sched/state.h"

namespace gw::sched {

/// A tenant that uses more than its guarantee may be told to let any of its jobs go. Were that also one for
/// which others have left by right of the guarantee, it would make them leave again as soon as the tenant
/// uses less: the two would take from each other in turn whenever the rest of the tenant's work comes and
/// goes. So a job stays within the guarantee by which it has got its place, as long as it holds that as it
/// is, and what its tenant starts besides is what is borrowed. No guarantee keeps more than it holds beside
/// the work below it that cannot be preempted. Where tenants reclaim to their fair shares, what a tenant
/// deserves is its guarantee here.
class Regained {
 public:
  struct Held {
    JobId job;
    Instant started;  ///< Of that attempt; a later one has its place from elsewhere.
    TenantId within;  ///< The lowest tenant whose guarantee it was.
    QuotaTree::Amount amount;
  };

  /// Others are about to leave the pool for `job`, which has taken no quota there yet.
  void note(const State& state, const Job& job, std::uint32_t pool);
  /// Before a pass: those that have started since are held. Costs O(claims).
  void refresh(const State& state);
  /// Those of the tenant's own jobs, ascending; some have ended since.
  [[nodiscard]] std::span<const Held> of(TenantId tenant) const {
    return tenant.value() < held_.size() ? held_[tenant.value()] : std::span<const Held>{};
  }
  /// Does it keep that job from the taker's tenant? Those below the guarantee itself may have it: what they
  /// take from each other stays in it.
  [[nodiscard]] bool keeps(const State& state, TenantId taker, const Held& held, const Job& job) const;
  /// The same of one that has run since `started`, among `held`, which are those of its tenant.
  [[nodiscard]] bool keeps(const State& state, TenantId taker, std::span<const Held> held, JobId job,
                           Instant started) const;
  /// The same of any running job.
  [[nodiscard]] bool covers(const State& state, TenantId taker, const Job& job) const;

  void save(const State& state, ByteWriter& out) const;
  /// False if the state has no such tenants.
  [[nodiscard]] bool restore(const State& state, ByteReader& in);

 private:
  /// What a guarantee keeps.
  struct Kept {
    std::vector<std::int64_t> milli;  ///< By resource; no less than that of all its jobs. Empty: none.
    std::vector<TenantId> tenants;    ///< Whose jobs they are, ascending.
  };
  void hold(const State& state, const Job& job, TenantId within);
  [[nodiscard]] bool stands(const State& state, TenantId within) const;
  void recount(const State& state, Kept& kept, TenantId within) const;
  void forget_ended(const State& state);

  std::map<JobId, TenantId> claiming_;   ///< Within whose guarantee.
  std::vector<std::vector<Held>> held_;  ///< By the job's tenant.
  // What has ended is taken off when that matters; until then no answer depends on it.
  mutable std::vector<Kept> kept_;       ///< By the guarantee's tenant.
  mutable std::vector<TenantId> stale_;  ///< Within whose guarantee some are known to have ended.
};

}  // namespace gw::sched
