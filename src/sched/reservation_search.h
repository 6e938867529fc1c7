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
#include "sched/windows.h"

namespace gw::sched {

/// The calendar of a pool, and who wants to start; no windows where there is none.
struct WindowCalendar {
  const Windows* windows = nullptr;
  std::uint32_t pool = 0;
  Windows::User user;
};

/// Gives the running jobs' nodes back in the order of their limits, in a scratch count of what is free per
/// node, until the shape fits. Costs a few nanoseconds per node given back; the pool and its index are left
/// alone. All nodes of the pool that are up must be open, but for those that windows keep back: they count
/// whenever their windows admit the job, so that windows' ends are looked at like jobs' ends.
class ReservationSearch {
 public:
  struct Answer {
    Instant when;
    std::vector<std::uint32_t> nodes;  ///< Pool-local, ascending.
  };
  /// None if the shape does not fit before `bound`, however many jobs end.
  [[nodiscard]] std::optional<Answer> find(Pool& pool, const EndProfile& running, const JobTable& jobs,
                                           const Shape& shape, PlacementKind kind, Instant now, Instant bound,
                                           const WindowCalendar& calendar = {});

 private:
  /// What is free on a node by then; CPU and memory only where the shape asks for them.
  struct Free {
    std::uint32_t gpus;
    Pool::Side side;
  };
  /// How a shape is counted: nodes that hold its share of a gang, or GPUs on whichever nodes.
  struct Need {
    std::uint32_t per_node;  ///< GPUs on each node; of no meaning where `anywhere`.
    std::uint32_t count;     ///< Nodes, or GPUs where `anywhere`.
    bool anywhere;
    bool side;  ///< CPU or memory could bind.
  };
  static Need need_of(const Pool& pool, const Shape& shape);

  [[nodiscard]] std::optional<Answer> find_by_counts(const Pool& pool, const EndProfile& running,
                                                     const JobTable& jobs, const Shape& shape, Instant now,
                                                     Instant bound);
  [[nodiscard]] std::optional<Answer> find_by_trial(Pool& pool, const EndProfile& running,
                                                    const JobTable& jobs, const Shape& shape,
                                                    PlacementKind kind, Instant now, Instant bound);
  [[nodiscard]] std::optional<Answer> find_by_calendar(Pool& pool, const EndProfile& running,
                                                       const JobTable& jobs, const Shape& shape,
                                                       PlacementKind kind, Instant now, Instant bound,
                                                       const WindowCalendar& calendar);
  /// Is the node kept back by nothing but windows?
  static bool is_reserved_only(const Pool& pool, std::uint32_t node);
  /// Does the calendar admit the user to the node at the time that is looked at?
  [[nodiscard]] bool is_admitted(std::uint32_t node) const {
    if (calendar_.windows == nullptr) return true;
    const std::uint32_t group = calendar_.windows->group_of(calendar_.pool, node);
    return group == Windows::kNoGroup || admitted_[group];
  }
  void begin(const Pool& pool);
  /// What of `need.count` a node with `free` provides: 0 or 1 node, or some GPUs.
  std::uint32_t provides(const Shape& shape, const Free& free) const;
  std::int64_t count_now(const Pool& pool, const Shape& shape) const;
  /// What nodes of groups provide more is added to `group_count_` instead.
  std::int64_t give(const Pool& pool, const Shape& shape, const Job& job);
  bool frees_gpu(const Pool& pool, const Job& job);
  Free& free_of(const Pool& pool, std::uint32_t node);
  [[nodiscard]] Free free_now(const Pool& pool, std::uint32_t node) const;
  /// (what the node provides, node) for all that provide anything by then.
  [[nodiscard]] std::vector<std::pair<std::uint32_t, std::uint32_t>> candidates(const Pool& pool,
                                                                                const Shape& shape) const;
  [[nodiscard]] std::vector<std::uint32_t> choose_gang(const Pool& pool, const Shape& shape) const;
  [[nodiscard]] std::vector<std::uint32_t> choose_anywhere(const Pool& pool, const Shape& shape) const;

  Need need_{};
  WindowCalendar calendar_;                ///< Without windows where the pool has none.
  std::vector<bool> admitted_;             ///< By group, at the time that is looked at.
  std::vector<std::int64_t> group_count_;  ///< What of the need each group provides by then.
  // Scratch: what is free on a node is valid where its stamp is the current one; else it is the pool's.
  std::uint32_t stamp_ = 0;
  std::vector<std::uint32_t> stamps_;
  std::vector<Free> free_;
  std::vector<std::uint32_t> touched_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t>
      shares_;  ///< (node, GPU) -> thousandths free.
};

}  // namespace gw::sched
