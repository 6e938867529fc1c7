// The best parallel layouts of a training run: all that divide, fit in memory, and are then timed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "physics/memory.h"
#include "physics/training.h"

namespace gw::physics {

struct SearchOptions {
  const ModelShape* model = nullptr;
  const Accelerator* gpu = nullptr;
  int stack = 0;
  Precision precision = Precision::kBf16;
  double sequence = 0;
  std::uint32_t gpus = 0;
  std::uint32_t global_batch = 0;
  std::size_t keep = 10;  ///< How many of the best to return.
  /// Largest micro-batch, and largest context-parallel degree, that are tried.
  std::uint32_t micro_batch_max = 8;
  std::uint32_t context_max = 16;
  /// Degrees that are given; 0 = any.
  std::uint32_t tensor = 0;
  std::uint32_t pipeline = 0;
  std::uint32_t chunks = 0;
  std::uint32_t context = 0;
  std::uint32_t expert = 0;
  std::uint32_t micro_batch = 0;
  std::optional<Recompute> recompute;  ///< Given; none = the least that fits,
  std::optional<Sharding> sharding;    ///< and whichever is faster.
  bool copies_per_expert = false;      ///< As in TrainingRun.
  bool overlaps_experts = false;
};

struct Candidate {
  Layout layout;
  StepTime time;
  TrainingMemory memory;
};

struct SearchResult {
  std::vector<Candidate> best;  ///< Fastest first; equal times in the order of the search.
  std::uint64_t timed = 0;
  std::uint64_t too_large = 0;  ///< Layouts that divide but do not fit in memory.
  /// Where nothing fits: the layout that comes nearest.
  Candidate nearest;
};

/// Tensor-parallel groups stay inside a scale-up domain. Work grows with the number of layouts (thousands for
/// 16,384 GPUs), a microsecond or two each.
[[nodiscard]] SearchResult search_layouts(const SearchOptions& options, const Calibration& calibration);

}  // namespace gw::physics
