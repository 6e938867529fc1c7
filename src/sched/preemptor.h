// Preemptor: for which waiting jobs running ones are made to leave, and when it is tried again.
#pragma once

#include <functional>
#include <map>

#include "base/bytes.h"
#include "sched/regained.h"
#include "sched/shrink_search.h"
#include "sched/state.h"
#include "sched/victim_search.h"

namespace gw::sched {

/// A search costs a walk over the running jobs, so a pass makes few of them, and what has failed is not tried
/// again until some time has passed.
class Preemptor {
 public:
  Preemptor() = default;
  Preemptor(const Preemptor&) = delete;  // The search refers to what it holds.
  Preemptor& operator=(const Preemptor&) = delete;
  void begin(const State& state, Instant now);
  /// Is the job one for which others may have to leave, and worth a search now?
  [[nodiscard]] bool may_try(const State& state, const Job& job, Instant now) const;
  /// True if others leave for it: then it has left the queue.
  bool make_room(State& state, Job& job, Instant now, Plan& plan);
  /// Tries the jobs of tenants that have less than is guaranteed to them, wherever in the order they stand.
  void reclaim(State& state, Instant now, const std::function<bool(Job&)>& try_it);

  void save(const State& state, ByteWriter& out) const;
  [[nodiscard]] bool restore(const State& state, ByteReader& in, std::uint64_t format);

 private:
  static constexpr int kMostSearches = 16;  ///< In a pass.
  static constexpr int kMostFailures = 8;   ///< One after the other; then it rests.
  static constexpr int kMostLooks = 256;    ///< At jobs that are owed, in a pass.

  /// What failed for one job fails for all that differ from it in nothing that counts.
  struct Kind {
    TenantId tenant;
    Shape shape;
    std::int32_t priority;
    bool preemptible;
    friend auto operator<=>(const Kind&, const Kind&) = default;
  };
  static Kind kind_of(const Job& job) {
    return {job.request.tenant, job.request.shape, job.request.priority, job.request.preemptible};
  }
  /// Is it worth a search for jobs that leave as a whole?
  [[nodiscard]] bool may_preempt(const State& state, const Job& job) const;
  [[nodiscard]] bool is_entitled(const State& state, const Job& job) const;

  int searches_ = 0;
  int failures_ = 0;  ///< Since the last success.
  Instant rests_until_;
  std::map<Kind, Instant> retry_;  ///< Not to be tried before.
  Regained regained_;
  VictimSearch search_{&regained_};
};

}  // namespace gw::sched
