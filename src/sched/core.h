// Core: the deciding part of Gigawerk. Facts and the time go in, plans come out; equal inputs give equal
// plans.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "model/fleet.h"
#include "model/policy.h"
#include "sched/events.h"
#include "sched/pass.h"
#include "sched/state.h"

namespace gw::sched {

class Core {
 public:
  Core(const Fleet& fleet, const PolicyConfig& policy);
  /// A copy goes on with equal plans, as one that is restored from a snapshot does, at a small part of what
  /// that costs; least where it is assigned to a core that has been used, whose memory it takes over.
  Core(const Core& other);
  Core& operator=(const Core& other);

  /// Takes in one fact. `now` never goes back.
  void apply(const Event& event, Instant now);
  /// Decides. Call once after all facts of an instant; the plan holds until the next call.
  const Plan& plan(Instant now);

  /// When a plan is due though no fact has come in; Instant::max() if none is.
  [[nodiscard]] Instant next_due() const { return state_.wake; }

  /// In place of `plan`: takes over what was decided elsewhere (an earlier version, a log) after the facts of
  /// an instant. Empty, or which start is not possible; what came before it has been taken over.
  [[nodiscard]] std::string adopt(const Plan& decided, Instant now);

  /// From now on nothing is passed over because an earlier search for it has failed, or a quick look says
  /// that one would. Plans are the same, but cost what those looks and memories spare: for tests.
  void search_thoroughly() { state_.thorough = true; }

  /// What did not survive a change of fleet or policy.
  struct Moved {
    std::vector<JobId> interrupted;  ///< Their nodes are gone, or too small now: they wait again.
    std::vector<JobId> rejected;     ///< No part of the new fleet could ever hold them.
  };
  /// On a fresh core of another fleet or policy: takes over tenants, usage, jobs and nodes' states of `old`.
  /// Nodes, GPU types and fabric levels are matched by name. `zones_of` says where each job may be on the new
  /// fleet; without it, zones are matched by their facts: a job that was allowed everywhere is, one that was
  /// not is only where the facts are those of a zone that it had. What runs where it may not be any more is
  /// interrupted. A plan is due next.
  Moved move_from(const Core& old, const Fleet& old_fleet, const Fleet& fleet, Instant now,
                  const std::function<std::uint64_t(const Job&)>& zones_of = {});

  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] const Job* job(JobId id) const { return state_.jobs.find(id); }
  /// The one reason that keeps a waiting job from running, as of the last plan.
  [[nodiscard]] Reason binding_reason(JobId id) const;
  [[nodiscard]] Pass::Promise promise() const { return pass_->promise(); }
  /// The waiting job that is first in the order; none if nothing waits.
  [[nodiscard]] JobId head() const { return state_.pending.first(); }
  /// GPUs that are free but can be no part of the head's placement, by type or by number on their node.
  [[nodiscard]] std::int64_t unusable_for_head() const;

  /// May the window be added? Its tenant and job must be known, and no node be reserved twice at a time.
  [[nodiscard]] bool may_add_window(WindowId id, const WindowTerms& terms) const;

  /// Recounts the whole state; empty if every invariant holds (tests and the twin's checks).
  [[nodiscard]] std::string check() const;

  /// The whole state as bytes; `restore` on a fresh core of the same fleet and policy goes on with equal
  /// plans.
  [[nodiscard]] std::string snapshot() const;
  /// False if the bytes are not a snapshot for this fleet and policy.
  [[nodiscard]] bool restore(std::string_view snapshot);

 private:
  void finish_plan();
  [[nodiscard]] std::string check_claims() const;
  [[nodiscard]] bool restore_quota(ByteReader& in);
  [[nodiscard]] bool restore_windows(ByteReader& in);
  [[nodiscard]] std::string check_windows() const;
  void move_windows(const State& old, const Fleet& old_fleet, const Fleet& fleet);
  void move_quota(const State& old, const Fleet& old_fleet, const Fleet& fleet);

  State state_;
  std::unique_ptr<Pass> pass_;
  Plan plan_;
  Plan building_;
  Instant now_;
  bool planned_ = false;  ///< Nothing has been told since the last plan.
};

}  // namespace gw::sched
