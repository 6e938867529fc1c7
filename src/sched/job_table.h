// JobTable: the jobs in the system (waiting or running), found by id.
#pragma once

#include <cstdint>
#include <vector>

#include "base/id_table.h"
#include "base/ids.h"
#include "base/units.h"
#include "model/job.h"
#include "sched/events.h"
#include "sched/placement.h"

namespace gw::sched {

struct Job {
  JobId id;
  JobRequest request;
  bool running = false;
  bool waits = false;    ///< It is in the queue.
  bool claims = false;   ///< It has left the queue: others leave the place where it will start.
  bool leaving = false;  ///< It runs, and has been told to save its work and go.
  /// It runs where a later law forbids it, and may end there. Whatever starts it again keeps to the law.
  bool finishes = false;
  Reason reason =
      Reason::kOrder;  ///< What bound it when it was first seen waiting; see Core::binding_reason for now.
  std::uint32_t shape_class = 0;
  /// When it joins the queue, of one that waits outside of it for a cheaper hour; else zero.
  Instant joins_at;
  std::int64_t key = 0;        ///< Static part of its place in the order.
  Instant waits_since;         ///< Its arrival, or the failure that last sent it back to the queue.
  Instant started;             ///< This attempt; while running.
  Instant expected_end;        ///< By its limit, or by the end of its grace; while running.
  std::uint32_t clock = 1000;  ///< Thousandths of its power that its work may draw; while running.
  std::uint32_t victim_slot = 0xffffffffU;  ///< In the VictimIndex of its pool, if it is in it.
  Placement placement;                      ///< While running.

  [[nodiscard]] bool is_put_off() const { return joins_at != Instant{}; }
};

using JobTable = IdTable<Job>;

}  // namespace gw::sched
