// JobSpec: all that a user says about a job, as it is submitted, kept and launched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "model/law.h"

namespace gw {

/// What must have become of another job before this one may start.
enum class DependencyKind : std::uint8_t {
  kAfterOk,     ///< It has completed.
  kAfterNotOk,  ///< It has ended in any other way.
  kAfterAny,    ///< It has ended.
  kAfterStart,  ///< It has started.
};

struct Dependency {
  DependencyKind kind = DependencyKind::kAfterOk;
  std::uint64_t job = 0;  ///< Its number; of an array, all its tasks are meant.
  friend bool operator==(const Dependency&, const Dependency&) = default;
};

/// Task indices of a job array: `first`, `first + step`, ... up to and including `last`.
struct ArrayRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t step = 1;
  friend bool operator==(const ArrayRange&, const ArrayRange&) = default;
};

struct ArraySpec {
  std::vector<ArrayRange> ranges;
  std::uint32_t most_running = 0;  ///< Tasks that may run at a time; 0 = any number.
  friend bool operator==(const ArraySpec&, const ArraySpec&) = default;
};

/// Where the command of a job with several nodes or tasks is started.
enum class LaunchKind : std::uint8_t {
  kEveryTask,  ///< Once per task on each node, with RANK and LOCAL_RANK (as srun and torchrun do).
  kFirstNode,  ///< Once, on the first node (as sbatch does).
};

/// How a job is kept apart from the machine.
enum class Isolation : std::uint8_t {
  kNone,
  kBubblewrap,  ///< A file system view of its own: the system read-only, its working folder writable.
  kContainer,   ///< `image` in a container engine.
};

/// A signal sent before the time limit.
struct WarningSignal {
  int signal = 0;  ///< By number; 0 = none.
  Nanoseconds before;
  bool whole_group = true;  ///< False: only the first process of each task gets it.
  friend bool operator==(const WarningSignal&, const WarningSignal&) = default;
};

struct JobSpec {
  std::string name;    ///< Never empty once admitted.
  std::string tenant;  ///< Path `org/project/user`; empty: the submitter's own.

  /// What runs: either `command` (a program and its arguments) or `script` (a text that begins with `#!`,
  /// then started with `arguments`).
  std::vector<std::string> command;
  std::string script;
  std::vector<std::string> arguments;
  std::string working_folder;  ///< Absolute; empty: the attempt's own folder.
  std::vector<std::pair<std::string, std::string>> environment;  ///< Ascending by name.
  /// Patterns of files that take standard output and error (%j number, %A array number, %a index, %x name,
  /// %N first node, %u user, %t rank); empty: Gigawerk keeps them. `error` empty: with the output.
  std::string output;
  std::string error;
  std::string image;  ///< For Isolation::kContainer.
  Isolation isolation = Isolation::kNone;
  LaunchKind launch = LaunchKind::kEveryTask;

  /// `nodes` > 0: that many nodes with `gpus` GPUs on each; 0: `gpus` GPUs on any nodes of one kind.
  std::uint32_t nodes = 1;
  std::uint32_t gpus = 0;
  std::uint32_t gpu_milli = 0;         ///< 1..999: a share of one GPU; then gpus is 0 and nodes 1.
  std::vector<std::string> gpu_types;  ///< Any of these will do; empty: any.
  std::int64_t cpu_milli = 0;   ///< Thousandths of cores per node (in all where nodes is 0); 0 = no wish.
  std::int64_t memory_mib = 0;  ///< Per node (in all where nodes is 0); 0 = no wish.
  std::uint32_t tasks_per_node = 1;
  std::string level;  ///< Fabric level that should hold all nodes; empty: any.
  bool level_required = false;
  LegalWishes law;  ///< Where it and its data may be.

  Nanoseconds limit;  ///< 0 = the server's default.
  WarningSignal warning;
  Nanoseconds grace = seconds(30);         ///< From SIGTERM to SIGKILL.
  std::optional<std::int64_t> begin_unix;  ///< Not before this second of Unix time.
  /// It should have ended by then; what is late goes on.
  std::optional<std::int64_t> deadline_unix;
  bool flexible = false;      ///< It may wait for a cheaper or greener hour, as far as its deadline allows.
  std::int32_t priority = 0;  ///< Larger is sooner.
  bool hold = false;          ///< Waits until released.
  bool preemptible = false;
  bool requeue = true;              ///< Wait again after a failure of the machine.
  Nanoseconds checkpoint_interval;  ///< 0 = it keeps no checkpoints.
  std::optional<ArraySpec> array;
  std::vector<Dependency> dependencies;  ///< All must hold.
  bool any_dependency = false;           ///< One of `dependencies` will do.
  std::string comment;

  std::uint32_t segment_nodes = 0;  ///< Blocks of so many nodes, each inside one `segment_level`; 0 = none.
  std::string segment_level;        ///< Empty: the fleet's lowest level.
  std::string exclusive_level;      ///< It has whole ones of that level, or `node`, to itself; empty: no.
  std::string spread_level;         ///< Its nodes keep apart at that level; empty: they need not.
  bool spread_required = false;
  std::string reservation;  ///< It runs in this one only; empty: wherever it may.
  /// It is elastic: any number of nodes from `nodes` to this will do; 0 = exactly `nodes`.
  std::uint32_t nodes_max = 0;
  bool keep_on_failure = false;  ///< Where a node fails it keeps the others and goes on with a spare one.

  friend bool operator==(const JobSpec&, const JobSpec&) = default;
};

}  // namespace gw
