// Twin: the simulated clock and engine. It feeds the core a stream of jobs and answers its plans with future
// events.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "model/faults.h"
#include "model/fleet.h"
#include "model/law.h"
#include "model/policy.h"
#include "model/power_schedule.h"
#include "model/window.h"
#include "runtime/seams.h"
#include "twin/metrics.h"
#include "twin/speed_table.h"
#include "workload/job_stream.h"

namespace gw::twin {

/// What the law said of a job, and what became of it.
struct Ruling {
  Instant when;
  JobId job;
  std::string name;
  TenantFacts tenant;
  LegalWishes facts;
  std::shared_ptr<const LawDecision> decision;
  std::optional<Day> day;
  sched::Reason refused = sched::Reason::kNone;  ///< kNone: it was admitted.
};

struct TwinOptions {
  PolicyConfig policy;
  FaultSpec faults;
  std::vector<Reservation> reservations;
  PowerSchedule power;
  std::uint64_t seed = 1;
  /// Stop taking jobs submitted at or after this instant.
  Instant until = Instant::max();
  /// Check every invariant of the core after every n-th pass; 0 = never.
  std::uint64_t check_every = 0;
  std::string name;
  /// Null: every job runs as long as its stream says. Else jobs of classes with work run as fast as physics
  /// says for where they are (docs/physics-twin.md).
  const PhysicsSetup* physics = nullptr;
  const Law* law = nullptr;              ///< None: every job may be anywhere.
  std::optional<Day> date;               ///< Of the run's zero; none: all rules are in force.
  std::vector<LegalWishes> class_facts;  ///< Per job class of the stream; classes beyond have none.
  /// Called for every job in order of submission, once it is admitted or refused.
  std::function<Result<void>(const Ruling&)> on_ruling;
  runtime::Store* store = nullptr;
  /// Called for every job that ends, in order of end (equal ends: in order of arrival).
  std::function<Result<void>(const JobRecord&, const TenantTree&)> on_job;
  /// Called now and then with the jobs submitted so far and the simulated time (progress).
  std::function<void(std::uint64_t, Instant)> on_progress;
};

/// The names that a run's figures carry: of its policy, fleet, fabric levels, reasons and job classes.
RunLabels run_labels(const Fleet& fleet, const workload::JobStream& stream, const TwinOptions& options);

/// Runs all jobs of `stream` on `fleet` to the end. GPU type names of the stream are matched with the fleet's
/// by name; a job that names only types the fleet does not have is rejected.
Result<RunSummary> run_twin(const Fleet& fleet, workload::JobStream& stream, const TwinOptions& options);

}  // namespace gw::twin
