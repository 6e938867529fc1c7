// Counterfactuals: the nearest changes of a job's request that would start it sooner, each tried on the real
// scheduler.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/units.h"
#include "model/job.h"
#include "sched/state.h"
#include "twin/forecast.h"

namespace gw::twin {

/// What of a request is changed. The order is that of ties.
enum class ChangeKind : std::uint8_t {
  kGpuTypes,     ///< One more GPU type will do.
  kLevel,        ///< The fabric level is preferred, not required.
  kSpread,       ///< As many GPUs on twice as many nodes.
  kPreemptible,  ///< It may be stopped for others.
  kZones,        ///< It may also be where its own legal wishes keep it from.
  kCpu,          ///< Fewer CPUs.
  kMemory,       ///< Less memory.
  kLimit,        ///< A shorter time limit.
  kSize,         ///< Fewer nodes, or fewer GPUs where it is on one node or anywhere.
};
std::string_view name_of(ChangeKind kind);  ///< `gpu-types`, `level`, `spread`, `preemptible`, `zones`,
                                            ///< `cpus`, `memory`, `limit`, `size`

/// A changed request, and when it would start if it were submitted now and the job as it is were cancelled.
struct Counterfactual {
  ChangeKind kind = ChangeKind::kSize;
  JobRequest request;
  /// How much of the wish is given up: the part of its size or limit; a third of that for CPUs and memory; a
  /// tenth for another GPU type or for more nodes, 15 % for a level, a zone or being preemptible.
  std::uint32_t given_up_permille = 0;
  bool at_once = false;  ///< It starts in the very pass that first sees it: no draw has a part in that.
  StartForecast start;   ///< `p50` and `p90` are now where `at_once`.
};

struct CounterfactualOptions {
  std::uint64_t seed = 1;
  std::uint32_t most_members = 8;
  std::size_t most_changes = 5;
  /// Simulated events in all, as in ForecastOptions. 700,000 took up to 3.7 s of two cores
  /// (docs/performance.md).
  std::uint64_t most_events = 700'000;
  unsigned threads = 0;  ///< As in ForecastOptions.
  /// Where rules would let the job be, were it not for wishes of its own (as Shape::zones); 0: everywhere.
  std::uint64_t lawful_zones = 0;
};

struct Counterfactuals {
  StartForecast present;                ///< Of the job as it is, from the same draws.
  std::vector<Counterfactual> changes;  ///< Only those that start it sooner; nearest first.
  std::uint32_t tried = 0;              ///< Requests that were tried.
  std::uint64_t events = 0;
};

/// Tries changes of the waiting job `job`: each on a copy of the factory in which the job is cancelled and
/// the changed one submitted, behind all others of its rank. The jobs of the changed worlds run as long as
/// those of the present one. An Error if the snapshot is not of that fleet and policy, or the job does not
/// wait.
Result<Counterfactuals> nearest_changes(const ForecastInput& input, JobId job,
                                        const CounterfactualOptions& options);

/// For a shape that no part of the fleet could ever hold: the nearest shapes that some part could, and that
/// are let, nearest first; empty if one change alone is not enough. Who is let something is let less, too.
struct PossibleShape {
  ChangeKind kind = ChangeKind::kSize;
  Shape shape;
  std::uint32_t given_up_permille = 0;
};
std::vector<PossibleShape> nearest_possible(const sched::State& state, const Shape& shape,
                                            const std::function<bool(const Shape&)>& is_let);

/// Gives up part of a request: `whole` is what is asked for, `part` what is left of it.
std::uint32_t given_up_permille(std::int64_t whole, std::int64_t part);

}  // namespace gw::twin
