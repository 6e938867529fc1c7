// How much of the factory's nodes is used, free, kept back for somebody, and off.
#pragma once

#include <cstdint>

#include "live/book.h"

namespace gw::api {

/// What a node is to those who wait. One that a feed cannot supply is open: its GPUs are free.
enum class Standing : std::uint8_t {
  kOpen,
  kReserved,  ///< Kept for a reservation, or for a job that others make room for; it serves all the same.
  kOff,       ///< Down, drained or draining.
};
[[nodiscard]] Standing standing_of(const sched::Pool& pool, std::uint32_t node);

/// `used` + `free` + `reserved` + `off` = `all`. Of nodes that drain, what runs there still is used.
struct NodeUse {
  std::int64_t all = 0;
  std::int64_t used = 0;
  std::int64_t free = 0;
  std::int64_t reserved = 0;  ///< Free, on nodes that are reserved.
  std::int64_t off = 0;

  NodeUse& operator+=(const NodeUse& other);
};
/// Whole GPUs: one of which jobs hold shares is used.
[[nodiscard]] NodeUse gpus_of(const sched::Pool& pool);
/// In thousandths; of nodes whose CPUs are counted.
[[nodiscard]] NodeUse cpus_of(const live::Book& book);

}  // namespace gw::api
