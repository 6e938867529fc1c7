// ReservationSearch: when, by the running jobs' limits, will a shape fit into a pool, and on which nodes?
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "sched/end_profile.h"
#include "sched/job_table.h"
#include "sched/pool.h"

namespace gw::sched {

/// Gives the running jobs' nodes back in the order of their limits, in a scratch count of free GPUs per node,
/// until the shape fits. Costs a few nanoseconds per node given back; the pool and its index are left alone.
/// All nodes of the pool that are up must be open.
class ReservationSearch {
 public:
  struct Answer {
    Instant when;
    std::vector<std::uint32_t> nodes;  ///< Pool-local, ascending.
  };
  /// None if the shape does not fit before `bound`, however many jobs end.
  [[nodiscard]] std::optional<Answer> find(Pool& pool, const EndProfile& running, const JobTable& jobs,
                                           const Shape& shape, PlacementKind kind, Instant now,
                                           Instant bound);

 private:
  [[nodiscard]] std::optional<Answer> find_by_counts(const Pool& pool, const EndProfile& running,
                                                     const JobTable& jobs, const Shape& shape, Instant now,
                                                     Instant bound);
  [[nodiscard]] std::optional<Answer> find_by_trial(Pool& pool, const EndProfile& running,
                                                    const JobTable& jobs, const Shape& shape,
                                                    PlacementKind kind, Instant now, Instant bound);
  bool frees_gpu(const Pool& pool, const Job& job);
  std::uint32_t& free_of(const Pool& pool, std::uint32_t node);
  [[nodiscard]] std::vector<std::uint32_t> choose_gang(const Pool& pool, std::uint32_t gpus,
                                                       std::uint32_t need) const;
  [[nodiscard]] std::vector<std::uint32_t> choose_anywhere(const Pool& pool, std::uint32_t need) const;

  // Scratch: a node's count is valid where its stamp is the current one; else it is the pool's.
  std::uint32_t stamp_ = 0;
  std::vector<std::uint32_t> stamps_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> touched_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t>
      shares_;  ///< (node, GPU) -> thousandths free.
};

}  // namespace gw::sched
