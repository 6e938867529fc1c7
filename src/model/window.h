// WindowTerms: a time for which nodes are reserved, for whom, and how it repeats.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/job.h"

namespace gw {

/// Neighbouring nodes of a fleet.
struct NodeRun {
  NodeId first;
  std::uint32_t count = 1;
  friend bool operator==(const NodeRun&, const NodeRun&) = default;
};

/// Nodes (ascending, none twice) as runs.
inline std::vector<NodeRun> node_runs(const std::vector<std::uint32_t>& nodes) {
  std::vector<NodeRun> runs;
  for (const std::uint32_t node : nodes) {
    if (!runs.empty() && runs.back().first.value() + runs.back().count == node) {
      ++runs.back().count;
    } else {
      runs.push_back({NodeId{node}, 1});
    }
  }
  return runs;
}

/// Nodes that only their owner's jobs may use in [from, from + length), in [from + every, ...) and so on.
struct WindowTerms {
  TenantId tenant;       ///< The owner, with all below it. None: nobody (maintenance), but for `job`.
  JobId job;             ///< The one job for which the window is; it ends with the job's start.
  Instant from;          ///< The first time.
  Nanoseconds length;    ///< Of each time; > 0.
  Nanoseconds every{0};  ///< 0: once; else at least `length`.
  Instant until = Instant::max();  ///< A repeating one does not begin any more at or after this.
  /// Jobs in the way that can be preempted are told to go a grace before each time.
  bool preempt = false;
  std::vector<NodeRun> nodes;  ///< Ascending, none twice.
  friend bool operator==(const WindowTerms&, const WindowTerms&) = default;
};

/// What is to be reserved. `terms.nodes` names nodes, or is empty: then `nodes` whole nodes of one pool.
struct WindowWish {
  WindowTerms terms;
  std::uint32_t nodes = 0;
  std::uint32_t gpus = 0;                 ///< In place of `nodes`: as many nodes as hold so many GPUs.
  std::uint64_t gpu_types = 0;            ///< Bit i: GPU type i will do; 0 = any.
  std::uint8_t level = Shape::kAnyLevel;  ///< All inside one vertex of this fabric level.
};

/// A reservation of a scenario.
struct Reservation {
  std::string name;
  WindowWish wish;
  Instant made;  ///< When it is asked for.
};

}  // namespace gw
