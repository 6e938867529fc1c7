// Engine: what carries out the decisions of a live factory: starts attempts of jobs, stops them, and reports
// what became of them.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "model/job_spec.h"

namespace gw::live {

/// One try at running a job. Attempts of a job count from 1; a number is never used twice.
struct AttemptId {
  std::uint64_t job = 0;
  std::uint32_t attempt = 0;
  friend auto operator<=>(const AttemptId&, const AttemptId&) = default;
};

/// What an attempt gets of one node.
struct NodeShare {
  std::string node;             ///< By name.
  std::uint64_t gpu_mask = 0;   ///< Bit i: GPU i of the node.
  std::uint32_t gpu_milli = 0;  ///< 1..999: that share of the one GPU of the mask.
  std::int64_t cpu_milli = 0;   ///< 0 = no limit.
  std::int64_t memory_mib = 0;  ///< 0 = no limit.
};

/// All that an engine needs to start an attempt.
struct Launch {
  AttemptId id;
  /// Of the job, unlike that of every other job there ever was: numbers come again where a database goes back
  /// to an older state. 0 = not known, not checked.
  std::uint64_t identity = 0;
  std::shared_ptr<const JobSpec> spec;
  std::vector<NodeShare> nodes;  ///< In the order of their ranks; never empty.
  std::uint64_t array_job = 0;   ///< Number of the array, or 0.
  std::optional<std::uint32_t> array_index;
  std::uint32_t array_tasks = 0;  ///< Tasks of the array in all.
  std::uint32_t array_first = 0;  ///< Smallest and largest index of the array.
  std::uint32_t array_last = 0;
  std::string tenant;     ///< Path.
  std::string user;       ///< Who submitted it.
  std::string unix_user;  ///< Account that it runs under; empty: the engine's own.
  std::string gpu_type;   ///< Of its nodes; empty where they have none.
  Nanoseconds limit;      ///< > 0
  Instant decided;        ///< When its start was decided.
};

enum class StopKind : std::uint8_t {
  kCancel,   ///< By its owner or an operator.
  kRequeue,  ///< To wait again (an operator's wish, a drained node).
  kPreempt,  ///< To wait again, as its place is wanted for another job or its tenant's budget is spent.
};

enum class AttemptEnd : std::uint8_t {
  kExited,        ///< With `exit_code`.
  kSignalled,     ///< By `signal`, which nobody here sent.
  kTimeLimit,     ///< Stopped at its limit.
  kStopped,       ///< As asked by `stop`.
  kOutOfMemory,   ///< Killed for going over its memory.
  kLaunchFailed,  ///< Never ran; `note` says why.
  kLost,          ///< What became of it cannot be known: its machine or supervisor has gone.
  kPreempted,     ///< Stopped to make room. Engines say kStopped: they do not know what for.
};

/// What has happened to an attempt. The same may be reported more than once, also out of order.
struct Report {
  AttemptId id;
  std::uint64_t identity = 0;  ///< As in its Launch; 0 = not known.
  bool ended = false;          ///< False: it has started.
  Instant started;
  Instant ended_at;  ///< Where `ended`.
  AttemptEnd end = AttemptEnd::kExited;
  int exit_code = 0;
  int signal = 0;
  std::string note;      ///< For people: why it could not start, that output was lost.
  Nanoseconds cpu_time;  ///< User and system time of all its processes; 0 = not known.
  Bytes memory_peak;     ///< 0 = not known.
  std::uint64_t output_bytes = 0;
  std::uint64_t output_lost_bytes = 0;
};

/// How an attempt is asked to end.
struct Stop {
  AttemptId id;
  StopKind kind = StopKind::kCancel;
  Nanoseconds most_grace = kLongestSpan;  ///< It gets its own grace, and at most this.
};

/// From now on the work of an attempt may draw so much of its power: a feed above it carries less, or more
/// again.
struct ClockLimit {
  AttemptId id;
  std::uint32_t permille = 1000;        ///< Of what its work draws beyond idle; 1000: its clocks are free.
  std::uint32_t speed_permille = 1000;  ///< How fast its work goes so, as is assumed.
  std::int64_t gpu_watts = 0;           ///< What each of its GPUs may draw so; 0 = not known.
  std::int64_t gpu_free_watts = 0;      ///< The same at free clocks.
  Nanoseconds limit;  ///< Its time limit from now on, from its start: longer where it goes slower.
  std::string gpu_type;
  std::vector<NodeShare> nodes;  ///< As in its Launch.
};

/// A node has failed or is back.
struct NodeReport {
  std::string node;
  bool up = false;
  std::string reason;
};

/// Calls come from one thread. None of them blocks for long or fails: what goes wrong comes as a report.
class Engine {
 public:
  virtual ~Engine() = default;

  /// Starts an attempt, at most once: for an attempt that is known already, nothing happens. One of the same
  /// number and another identity is another job's: it is ended, and what it left is moved out of the way.
  virtual void start(Launch launch) = 0;
  /// Asks an attempt to end: SIGTERM, and SIGKILL when its grace is over. Unknown ones are ignored. Asked
  /// again, the shorter grace holds.
  virtual void stop(const Stop& stop) = 0;
  /// Every attempt that should be running: after a restart, and whenever what was told may not have been
  /// kept. Nothing that was told before counts: each of them is taken over and its start told again, started
  /// if it never was, or its end told (again). Attempts that are not among them are stopped and forgotten,
  /// whoever started them; one of these that a later call expects again was lost. With none expected, all
  /// end. An attempt of another identity than is expected is such a one, and the expected one is lost.
  virtual void recover(std::vector<Launch> expected) = 0;
  /// The end of an attempt has been kept for good: the engine may drop its own record of it (not its output).
  virtual void forget(AttemptId id) = 0;
  /// Caps the clocks of an attempt, or frees them. Told again after a restart for those that are not at full
  /// clocks or have another time limit than their Launch says. An engine that cannot do it ignores it: the
  /// factory's options say whether one can.
  virtual void limit_clocks(const ClockLimit& limit) { (void)limit; }
  /// Moves what has happened since the last call to the end of `reports` and `nodes`.
  virtual void take(std::vector<Report>& reports, std::vector<NodeReport>& nodes) = 0;
  /// When to call `take` again at the latest; none: the engine wakes its owner itself.
  [[nodiscard]] virtual std::optional<Instant> next_due() const { return std::nullopt; }
};

}  // namespace gw::live
