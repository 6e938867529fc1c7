// Pass: one scheduling pass over the waiting jobs; each backfill rule is one implementation.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "sched/state.h"

namespace gw::sched {

class Pass {
 public:
  virtual ~Pass() = default;
  /// Starts what the rule allows at `now`.
  virtual void run(State& state, Instant now, Plan& plan) = 0;
  /// The job with a reservation and its time, for reports and explanations; none if there is none.
  struct Promise {
    JobId job;
    Instant when;
  };
  [[nodiscard]] virtual Promise promise() const { return {}; }
  /// Why a waiting job does not run, as of the last pass.
  [[nodiscard]] virtual Reason reason(const State& state, const Job& job) const = 0;
  /// Lets go of every promise and memory of earlier passes: others than this pass have decided meanwhile.
  virtual void reset(State& state) = 0;
  /// For a copy of the state that this pass has worked on: one that decides alike there.
  [[nodiscard]] virtual std::unique_ptr<Pass> copy(const State& state) const = 0;
  static constexpr std::uint64_t kFormat = 5;  ///< Of snapshots, as they are written now.
  /// What later passes depend on beyond the state, for snapshots. `restore` gives false on malformed bytes.
  virtual void save(const State& state, ByteWriter& out) const = 0;
  /// Of a snapshot in `format`.
  [[nodiscard]] virtual bool restore(State& state, ByteReader& in, std::uint64_t format) = 0;
};

/// The pass for the state's policy and fleet.
std::unique_ptr<Pass> make_pass(const State& state);
/// No backfill and EASY on processor counts: the textbook rule (see docs/policies.md).
std::unique_ptr<Pass> make_count_pass(const PolicyConfig& policy);
/// The same rules on real nodes: the blocked job's reservation names nodes.
std::unique_ptr<Pass> make_node_pass(const PolicyConfig& policy);
/// Conservative backfill: every waiting job has a reservation on the GPU counts of a pool.
std::unique_ptr<Pass> make_conservative_pass(const PolicyConfig& policy);

/// What binds a job that fits no open node: capacity, CPU or memory, topology or fragmentation.
Reason placement_reason(const State& state, const Job& job);

}  // namespace gw::sched
