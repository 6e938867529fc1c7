// Defragmentation: which preemptible jobs to move so that whole parts of the fabric come free, and at what
// cost.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sched/core.h"

namespace gw::sched {

struct DefragWish {
  std::uint8_t level = 0;       ///< Fabric level of the domains.
  std::uint32_t domains = 1;    ///< So many more than are free now.
  std::uint64_t gpu_types = 0;  ///< Bit i: domains of GPU type i; 0 = any.
};

struct DefragPlan {
  struct Domain {
    std::uint32_t pool = 0;
    std::uint32_t vertex = 0;           ///< Of the pool's fabric.
    std::vector<NodeId> nodes;          ///< Ascending.
    std::vector<JobId> jobs;            ///< That leave it, and left none chosen before; ascending.
    std::int64_t lost_gpu_milli_s = 0;  ///< Of those jobs.
  };
  struct Move {
    JobId job;
    std::int64_t lost_gpu_milli_s = 0;  ///< Thousandths of GPU-seconds, the restart included.
    bool starts_at_once = false;        ///< It finds another place outside the free domains; else it waits.
    Placement to;                       ///< Where it starts at once.
  };
  std::uint32_t domains = 0;   ///< That could be had in all: of the level, with no node lost or closed.
  std::uint32_t free_now = 0;  ///< Of them without any job or reservation.
  std::uint32_t stuck = 0;     ///< Of them with a job that may not be stopped.
  std::vector<Domain> freed;   ///< The cheapest first.
  std::vector<Move> moves;     ///< Ascending by job.
  std::int64_t lost_gpu_milli_s = 0;
  bool verified = false;  ///< On the copy all of them came free together, and a gang that needs them fits.

  [[nodiscard]] bool complete(const DefragWish& wish) const { return freed.size() >= wish.domains; }
};

/// Chooses domains one after the other, the one that then loses least first; jobs that lie on several count
/// once. Then `copy` (a core of the same state, which is changed) takes the jobs off, keeps the free and
/// freed domains shut, plans, and sees who starts elsewhere; last, the freed domains are opened and a gang is
/// placed. Costs a walk over the running jobs and one pass; the core decides on nothing by it.
[[nodiscard]] DefragPlan plan_defrag(Core& copy, const DefragWish& wish);

}  // namespace gw::sched
