// What a job asks for (all that the core may see) and what it will really do (known to a simulation only).
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/units.h"

namespace gw {

/// The resources of one job. Jobs of equal shape are interchangeable for placement.
///
/// Three forms: a gang of `nodes` > 0 nodes with `gpus` GPUs on each; `nodes` == 0: `gpus` GPUs anywhere in
/// one pool; `gpu_milli` in 1..999: a share of a single GPU (then nodes == 1 and gpus == 0). `nodes` > 0 with
/// gpus == 0 and gpu_milli == 0 asks for CPU and memory only.
struct Shape {
  static constexpr std::uint8_t kAnyLevel = 0xff;

  std::uint32_t nodes = 1;
  std::uint32_t gpus = 0;
  std::uint32_t gpu_milli = 0;             ///< Thousandths of one GPU; 0 = whole GPUs.
  std::int64_t cpu_milli = 0;              ///< Per node (in total where nodes == 0); 0 = no wish.
  std::int64_t memory_mib = 0;             ///< Per node (in total where nodes == 0); 0 = no wish.
  std::uint64_t gpu_types = 0;             ///< Bit i: GPU type i will do; 0 = any.
  std::uint8_t level = kAnyLevel;          ///< Fabric level that should hold the whole gang.
  bool level_required = false;             ///< Wait rather than span more than `level`.
  std::uint64_t zones = 0;                 ///< Bit i: zone i of the fleet is allowed; 0 = any (law.h).
  std::uint32_t segment_nodes = 0;         ///< The gang is blocks of so many nodes, each inside one vertex of
  std::uint8_t segment_level = kAnyLevel;  ///< this level; 0 = no blocks. `nodes` is a multiple of it.
  std::uint8_t spread_level = kAnyLevel;   ///< Its nodes keep apart: few of them in one vertex of this level.
  bool spread_required = false;            ///< Wait rather than have more in one than an even share.

  /// In no zone, whatever fleet.
  static constexpr std::uint64_t kNoZone = std::uint64_t{1} << 63;

  /// Does it ask how its nodes lie to one another, beyond one level that holds them all?
  [[nodiscard]] bool is_grouped() const { return segment_nodes > 1 || spread_level != kAnyLevel; }

  friend auto operator<=>(const Shape&, const Shape&) = default;

  /// GPUs in all, in thousandths.
  [[nodiscard]] std::int64_t total_gpu_milli() const {
    if (gpu_milli != 0) return gpu_milli;
    return std::int64_t{1000} * gpus * (nodes == 0 ? 1 : nodes);
  }
};

/// May a job of that shape, or anything that belongs to it (a spare node, its checkpoints and outputs), be in
/// that zone? Whatever gives a job a place asks this.
inline bool allowed_zone(const Shape& shape, std::uint32_t zone) {
  return shape.zones == 0 || (zone < 64 && ((shape.zones >> zone) & 1U) != 0);
}

/// What the user hands in.
struct JobRequest {
  Shape shape;
  TenantId tenant;
  Instant submit;
  Nanoseconds limit;                ///< The user's time limit; > 0.
  std::int32_t priority = 0;        ///< Larger is sooner.
  Nanoseconds checkpoint_interval;  ///< 0 = the job keeps no checkpoints.
  bool preemptible = false;
  /// What its work draws, in thousandths of what lies between idle and nameplate on the GPUs it holds; 1 to
  /// 1000.
  std::uint32_t power_permille = 1000;
  bool flexible = false;  ///< May wait for a cheaper or greener hour, if it has a deadline.
  Instant deadline;       ///< It should have ended by then; zero: none.
  WindowId window;        ///< It runs in this one only; none: wherever it may.
  /// Where a node of a gang fails, the job keeps the others and goes on at once with a spare one, if there is
  /// one.
  bool keep_on_failure = false;
  /// An elastic gang: any number of nodes from `nodes_min` to `nodes_max` will do, and `shape.nodes` is how
  /// many it has (while it waits: the least). Both 0: as many as `shape.nodes`, always.
  std::uint32_t nodes_min = 0;
  std::uint32_t nodes_max = 0;

  [[nodiscard]] bool is_elastic() const { return nodes_max != 0; }
  /// May its size change while it runs? What keeps no checkpoints would lose all its work: it is sized once,
  /// when it starts.
  [[nodiscard]] bool is_resizable() const { return is_elastic() && checkpoint_interval > Nanoseconds{0}; }
};

enum class JobOutcome : std::uint8_t { kCompleted, kFailed, kCancelled, kTimeout };

/// What happens when it runs; hidden from the core.
struct JobTruth {
  Nanoseconds run_time;  ///< >= 0; of an elastic job: on `nodes_min` nodes.
  JobOutcome outcome = JobOutcome::kCompleted;
  /// Of an elastic job: what each node beyond the least adds, in thousandths of what one of those does.
  std::uint32_t scaling_permille = 1000;
};

/// A job of a recorded or generated workload.
struct TraceJob {
  std::string id;      ///< As the log names it.
  JobRequest request;  ///< `tenant` and `shape.gpu_types` index the stream's own tables.
  JobTruth truth;
  std::uint8_t job_class = 0;  ///< Index into the stream's class names; 0 where the log has none.
};

}  // namespace gw
