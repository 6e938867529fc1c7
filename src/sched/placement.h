// Placement: which GPUs of which nodes a job holds, as runs of nodes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"

namespace gw::sched {

/// `count` nodes of one pool from `node` on, each giving the GPUs of `gpu_mask` (bit i = GPU i; 0 = no GPUs).
struct Piece {
  std::uint32_t node = 0;  ///< Pool-local.
  std::uint32_t count = 0;
  std::uint64_t gpu_mask = 0;
  friend bool operator==(const Piece&, const Piece&) = default;
};

struct Placement {
  std::uint32_t pool = 0;
  /// 0 = inside one node; k = the smallest fabric level that holds it all is Fleet::fabric[k - 1].
  std::uint8_t span = 0;
  std::vector<Piece> pieces;  ///< Ascending by node; runs do not touch or differ in mask.
  friend bool operator==(const Placement&, const Placement&) = default;
};

/// A running elastic job gives nodes up: what is left of its place.
struct Shrink {
  JobId job;
  Placement rest;
};

[[nodiscard]] inline std::uint32_t node_count(const Placement& placement) {
  std::uint32_t nodes = 0;
  for (const Piece& piece : placement.pieces) nodes += piece.count;
  return nodes;
}

}  // namespace gw::sched
