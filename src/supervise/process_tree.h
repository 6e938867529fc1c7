// The processes below this one, however far they have moved away: found through /proc, signalled, killed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace gw::supervise {

/// All processes below `root` (which is not among them), parents before children. They reach everything that
/// was ever started only if `root` is a child subreaper.
std::vector<pid_t> descendants_of(pid_t root);

/// Those that `parent` has itself started or inherited.
std::vector<pid_t> children_of(pid_t parent);

/// Stops, then kills all processes below `root`, again and again while new ones show up, within bounds: one
/// round more is needed where processes are left. A stopped process cannot fork, so this ends also for
/// processes that fork as fast as they can.
void kill_descendants(pid_t root);

/// Memory without files that `processes` hold together.
std::uint64_t memory_of(const std::vector<pid_t>& processes);

}  // namespace gw::supervise
