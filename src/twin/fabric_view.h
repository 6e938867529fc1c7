// FabricView: how the GPUs of a placement lie in scale-up domains and under links, for the speed of the job.
#pragma once

#include <cstdint>
#include <vector>

#include "model/fleet.h"
#include "sched/state.h"

namespace gw::twin {

/// A link that a job's traffic crosses: the way up from one vertex of the fabric.
struct CrossedLink {
  std::uint32_t link = 0;
  std::uint32_t gpus = 0;  ///< Of the job, below it.
};

struct Lie {
  std::uint32_t gpus = 0;
  std::uint32_t per_domain = 0;  ///< GPUs in the domain that has the fewest of them.
  std::vector<CrossedLink> links;
};

/// Links are those of `Fleet::uplink_gbit_s` that are given; numbered over all levels.
class FabricView {
 public:
  explicit FabricView(const Fleet& fleet);

  /// O(nodes of the placement x fabric levels); whole GPUs only.
  [[nodiscard]] Lie lie_of(const sched::Placement& placement, const sched::Pool& pool) const;
  /// Bytes a second, one direction; 0 = not given, and no placement crosses it.
  [[nodiscard]] const std::vector<double>& capacities() const { return capacities_; }
  /// GPUs in the largest scale-up domain of that GPU type; at least 1.
  [[nodiscard]] std::uint32_t domain_gpus(std::uint32_t gpu_type) const { return domain_gpus_[gpu_type]; }

 private:
  /// Of a fabric level whose uplinks are given: where each node is, and its first link.
  struct Level {
    std::vector<std::uint32_t> vertex_of;
    std::uint32_t level = 0;
    std::uint32_t first_link = 0;
  };
  std::vector<Level> levels_;
  std::vector<std::uint32_t> domain_of_;  ///< Per node: the first node of its scale-up domain.
  std::vector<std::uint32_t> domain_gpus_;
  std::vector<double> capacities_;
};

}  // namespace gw::twin
