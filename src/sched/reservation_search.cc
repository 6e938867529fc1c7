// The search for a reservation's time and nodes.
#include "sched/reservation_search.h"

#include <algorithm>

#include "base/check.h"

namespace gw::sched {

ReservationSearch::Need ReservationSearch::need_of(const Pool& pool, const Shape& shape) {
  Need need{};
  need.side = pool.wishes_side(shape);
  // GPUs anywhere go onto one node if they fit one, also with their CPU and memory.
  const bool one_node =
      shape.gpus <= pool.gpus_per_node() && (!need.side || shape.gpus <= 1 || pool.within_share(shape));
  need.anywhere = shape.nodes == 0 && !one_node;
  need.per_node = shape.gpus;
  need.count = need.anywhere ? shape.gpus : std::max(shape.nodes, 1U);
  return need;
}

std::optional<ReservationSearch::Answer> ReservationSearch::find(Pool& pool, const EndProfile& running,
                                                                 const JobTable& jobs, const Shape& shape,
                                                                 PlacementKind kind, Instant now,
                                                                 Instant bound,
                                                                 const WindowCalendar& calendar) {
  calendar_ = {};
  if (calendar.windows != nullptr && calendar.windows->in_pool(calendar.pool))
    return find_by_calendar(pool, running, jobs, shape, kind, now, bound, calendar);
  // Shares of a GPU, required fabric levels, blocks and spread need the real search; all else needs counts
  // only.
  return shape.gpu_milli == 0 && !shape.level_required && !shape.is_grouped()
             ? find_by_counts(pool, running, jobs, shape, now, bound)
             : find_by_trial(pool, running, jobs, shape, kind, now, bound);
}

void ReservationSearch::begin(const Pool& pool) {
  if (stamps_.size() < pool.nodes()) {
    stamps_.assign(pool.nodes(), 0);
    free_.assign(pool.nodes(), Free{});
    stamp_ = 0;
  }
  if (++stamp_ == 0) {
    std::fill(stamps_.begin(), stamps_.end(), 0U);
    stamp_ = 1;
  }
  touched_.clear();
  shares_.clear();
}

std::uint32_t ReservationSearch::provides(const Shape& shape, const Free& free) const {
  if (!need_.anywhere) {
    return free.gpus >= need_.per_node &&
           (!need_.side || free.side.covers(Pool::side_on_node(shape, need_.per_node)));
  }
  std::uint32_t most = std::min(free.gpus, need_.count);
  if (need_.side) {
    while (most > 0 && !free.side.covers(Pool::side_on_node(shape, most))) --most;
  }
  return most;
}

ReservationSearch::Free ReservationSearch::free_now(const Pool& pool, std::uint32_t node) const {
  return Free{pool.free_count(node), need_.side ? pool.side_free(node) : Pool::Side{}};
}

/// What the pool provides now, before anything is given back.
std::int64_t ReservationSearch::count_now(const Pool& pool, const Shape& shape) const {
  const CapacityIndex& index = pool.index(View::kOpen);
  const bool any_node = shape.gpus == 0;  // Then the index, which counts GPUs, cannot tell.
  if (!any_node && (!need_.side || (pool.tight_nodes() == 0 && pool.within_share(shape))))
    return index.total(need_.anywhere ? 0 : need_.per_node);
  std::int64_t count = 0;
  for (const auto& [provided, node] : candidates(pool, shape)) count += provided;
  return count;
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> ReservationSearch::candidates(const Pool& pool,
                                                                                   const Shape& shape) const {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> found;
  const auto add = [&](std::uint32_t node, const Free& free) {
    if (!is_admitted(node)) return;
    if (const std::uint32_t provided = provides(shape, free)) found.emplace_back(provided, node);
  };
  if (calendar_.windows != nullptr && shape.gpus > 0) {  // The index does not know those that are kept back.
    for (std::size_t index = 0; index < admitted_.size(); ++index) {
      const Windows::Group& group = calendar_.windows->groups()[index];
      if (group.pool != calendar_.pool || !group.closed || !admitted_[index]) continue;
      for (const std::uint32_t node : group.nodes) {
        if (stamps_[node] != stamp_ && !pool.is_down(node) && is_reserved_only(pool, node))
          add(node, free_now(pool, node));
      }
    }
  }
  if (shape.gpus == 0) {
    for (std::uint32_t node = 0; node < pool.nodes(); ++node) {
      if (!pool.is_off(node) ||
          (calendar_.windows != nullptr && !pool.is_down(node) && is_reserved_only(pool, node)))
        add(node, stamps_[node] == stamp_ ? free_[node] : free_now(pool, node));
    }
    return found;
  }
  for (const std::uint32_t node : touched_) add(node, free_[node]);
  const CapacityIndex& index = pool.index(View::kOpen);
  for (std::uint32_t free = need_.anywhere ? 1 : need_.per_node; free <= pool.gpus_per_node(); ++free) {
    for (std::uint32_t node = index.next_exact(free, 0); node != Bitmap::kNone;
         node = index.next_exact(free, node + 1)) {
      if (stamps_[node] != stamp_) add(node, free_now(pool, node));
    }
  }
  return found;
}

/// Notes that a job's share of a GPU is given back; true if it was the last user's.
bool ReservationSearch::frees_gpu(const Pool& pool, const Job& job) {
  const Piece& piece = job.placement.pieces.front();
  const auto gpu = static_cast<std::uint32_t>(std::countr_zero(piece.gpu_mask));
  const auto at = shares_.try_emplace({piece.node, gpu}, pool.partial_milli(piece.node, gpu)).first;
  return (at->second += job.request.shape.gpu_milli) == 1000;
}

ReservationSearch::Free& ReservationSearch::free_of(const Pool& pool, std::uint32_t node) {
  if (stamps_[node] != stamp_) {
    stamps_[node] = stamp_;
    free_[node] = free_now(pool, node);
    touched_.push_back(node);
  }
  return free_[node];
}

/// Gives a running job's nodes back; how much more they provide then.
std::int64_t ReservationSearch::give(const Pool& pool, const Shape& shape, const Job& job) {
  const Shape& given = job.request.shape;
  const bool gives_gpus = given.gpu_milli == 0 ? given.gpus > 0 : frees_gpu(pool, job);
  if (!gives_gpus && !need_.side) return 0;
  std::int64_t more = 0;
  for (const Piece& piece : job.placement.pieces) {
    const auto used = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
    const std::uint32_t gpus = gives_gpus ? used : 0;
    const Pool::Side side = need_.side ? Pool::side_on_node(given, used) : Pool::Side{};
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      if (pool.is_closed(node) && !(calendar_.windows != nullptr && is_reserved_only(pool, node)))
        continue;  // Comes free for nobody.
      Free& free = free_of(pool, node);
      const std::uint32_t before = provides(shape, free);
      free.gpus += gpus;
      free.side.cpu_milli += side.cpu_milli;
      free.side.memory_mib += side.memory_mib;
      const std::int64_t gained = std::int64_t{provides(shape, free)} - before;
      const std::uint32_t group = calendar_.windows == nullptr
                                      ? Windows::kNoGroup
                                      : calendar_.windows->group_of(calendar_.pool, node);
      (group == Windows::kNoGroup ? more : group_count_[group]) += gained;
    }
  }
  return more;
}

std::optional<ReservationSearch::Answer> ReservationSearch::find_by_counts(const Pool& pool,
                                                                           const EndProfile& running,
                                                                           const JobTable& jobs,
                                                                           const Shape& shape, Instant now,
                                                                           Instant bound) {
  begin(pool);
  need_ = need_of(pool, shape);
  std::int64_t count = count_now(pool, shape);
  Instant end = now;
  bool done = false;
  running.for_each([&](const EndProfile::Entry& entry) {
    const Instant when = std::max(entry.end, now);
    if (count >= need_.count &&
        (when != end || when == now)) {  // Jobs past their limits need not all end for it.
      done = true;
      return false;
    }
    if (when >= bound) return false;
    end = when;
    count += give(pool, shape, jobs[entry.job]);
    return true;
  });
  if (!done && count < need_.count) return std::nullopt;
  return Answer{end, need_.anywhere ? choose_anywhere(pool, shape) : choose_gang(pool, shape)};
}

/// From the smallest part of the fabric that has enough nodes by then.
std::vector<std::uint32_t> ReservationSearch::choose_gang(const Pool& pool, const Shape& shape) const {
  std::vector<std::uint32_t> nodes;
  for (const auto& [provided, node] : candidates(pool, shape)) nodes.push_back(node);
  std::sort(nodes.begin(), nodes.end());
  const std::uint32_t need = need_.count;
  GW_CHECK(nodes.size() >= need);
  // They are in fabric order, so a vertex holds `need` of them if the (need - 1)-th next lies inside it too.
  std::size_t best = 0;
  for (const PoolFabric::Level& level : pool.fabric().levels) {
    std::uint32_t vertex = 0;
    bool found = false;
    for (std::size_t at = 0; at + need <= nodes.size(); ++at) {
      while (level.first[vertex + 1] <= nodes[at]) ++vertex;
      if (nodes[at + need - 1] < level.first[vertex + 1]) {
        best = at;
        found = true;
        break;
      }
    }
    if (found) break;
  }
  const auto first = nodes.begin() + static_cast<std::ptrdiff_t>(best);
  return {first, first + need};
}

/// The nodes that provide most by then, until enough GPUs are together.
std::vector<std::uint32_t> ReservationSearch::choose_anywhere(const Pool& pool, const Shape& shape) const {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> found = candidates(pool, shape);
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::vector<std::uint32_t> nodes;
  std::uint32_t gpus = 0;
  for (std::size_t at = 0; at < found.size() && gpus < need_.count; ++at) {
    gpus += found[at].first;
    nodes.push_back(found[at].second);
  }
  GW_CHECK(gpus >= need_.count);
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

/// Tries the real search after each end, on the pool itself, and undoes everything.
std::optional<ReservationSearch::Answer> ReservationSearch::find_by_trial(
    Pool& pool, const EndProfile& running, const JobTable& jobs, const Shape& shape, PlacementKind kind,
    Instant now, Instant bound) {
  const std::uint64_t version = pool.version();
  std::vector<const Job*> given;
  std::optional<Answer> answer;
  Instant end = now;
  const auto fits = [&] {
    if (given.empty()) return false;
    const std::optional<Placement> placement = pool.place(shape, View::kOpen, kind);
    if (!placement) return false;
    answer = Answer{end, {}};
    for (const Piece& piece : placement->pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
        answer->nodes.push_back(node);
    }
    return true;
  };
  bool found = false;
  running.for_each([&](const EndProfile::Entry& entry) {
    const Instant when = std::max(entry.end, now);
    if (when != end && (found = fits())) return false;
    if (when >= bound) return false;
    end = when;
    given.push_back(&jobs[entry.job]);
    pool.give(given.back()->request.shape, given.back()->placement);
    return true;
  });
  if (!found) fits();
  for (auto at = given.rbegin(); at != given.rend(); ++at) pool.take((*at)->request.shape, (*at)->placement);
  pool.set_version(version);
  return answer;
}

/// As the two above, at the ends of jobs and of windows. What the groups provide is counted apart, as they
/// come and go.
std::optional<ReservationSearch::Answer> ReservationSearch::find_by_calendar(
    Pool& pool, const EndProfile& running, const JobTable& jobs, const Shape& shape, PlacementKind kind,
    Instant now, Instant bound, const WindowCalendar& calendar) {
  const std::vector<Windows::Group>& groups = calendar.windows->groups();
  const bool by_counts = shape.gpu_milli == 0 && !shape.level_required && !shape.is_grouped();
  begin(pool);
  need_ = need_of(pool, shape);
  // Without groups first: they are opened to the index one by one, below.
  admitted_.assign(groups.size(), false);
  group_count_.assign(groups.size(), 0);
  calendar_ = calendar;
  std::int64_t count = 0;
  if (by_counts) {
    for (std::size_t index = 0; index < groups.size(); ++index) admitted_[index] = true;
    for (const auto& [provided, node] : candidates(pool, shape)) {
      const std::uint32_t group = calendar.windows->group_of(calendar.pool, node);
      (group == Windows::kNoGroup ? count : group_count_[group]) += provided;
    }
  }
  Instant settled = now;
  running.for_each([&](const EndProfile::Entry& entry) {
    settled = std::max(settled, entry.end);
    return true;
  });
  const std::vector<Instant> openings =
      calendar.windows->openings(calendar.pool, calendar.user, now, settled);
  const std::uint64_t version = pool.version();
  std::vector<const Job*> given;
  std::vector<bool> closed(groups.size(), true);  // As the pool has it while this tries places.
  for (std::size_t index = 0; index < groups.size(); ++index) closed[index] = groups[index].closed;
  std::optional<Answer> answer;
  const auto set_closed = [&](std::size_t index, bool close) {
    if (closed[index] == close) return;
    closed[index] = close;
    for (const std::uint32_t node : groups[index].nodes)
      close ? pool.close(node, Closure::kWindow) : pool.reopen(node, Closure::kWindow);
  };
  const auto fits_at = [&](Instant when) {
    std::int64_t here = count;
    for (std::size_t index = 0; index < groups.size(); ++index) {
      if (groups[index].pool != calendar.pool) continue;
      admitted_[index] = calendar.windows->admits(groups[index], calendar.user, when);
      if (by_counts && admitted_[index]) here += group_count_[index];
      if (!by_counts) set_closed(index, !admitted_[index]);
    }
    if (by_counts) {
      if (here < need_.count) return false;
      answer = Answer{when, need_.anywhere ? choose_anywhere(pool, shape) : choose_gang(pool, shape)};
      return true;
    }
    const std::optional<Placement> placement = pool.place(shape, View::kOpen, kind);
    if (!placement) return false;
    answer = Answer{when, {}};
    for (const Piece& piece : placement->pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
        answer->nodes.push_back(node);
    }
    return true;
  };
  // Of the jobs that end by an opening, all are given back first.
  std::size_t next_opening = 0;
  Instant end = now;
  bool changed = by_counts;
  bool stopped = false;
  const auto openings_before = [&](Instant when) {
    while (!answer && next_opening < openings.size() && openings[next_opening] < when &&
           openings[next_opening] < bound)
      fits_at(openings[next_opening++]);
    if (next_opening < openings.size() && openings[next_opening] == when) ++next_opening;
    return answer.has_value();
  };
  running.for_each([&](const EndProfile::Entry& entry) {
    const Instant when = std::max(entry.end, now);
    if (when != end || when == now) {  // Jobs past their limits need not all end for it.
      if (changed && fits_at(end)) return false;
      changed = false;
      if (openings_before(when)) return false;
    }
    if (when >= bound) {
      stopped = true;
      return false;
    }
    end = when;
    changed = true;
    if (by_counts) {
      count += give(pool, shape, jobs[entry.job]);
    } else {
      given.push_back(&jobs[entry.job]);
      pool.give(given.back()->request.shape, given.back()->placement);
    }
    return true;
  });
  if (!answer && !stopped && !(changed && fits_at(end))) openings_before(Instant::max());
  for (std::size_t index = 0; index < groups.size(); ++index) {
    if (groups[index].pool == calendar.pool) set_closed(index, groups[index].closed);
  }
  for (auto at = given.rbegin(); at != given.rend(); ++at) pool.take((*at)->request.shape, (*at)->placement);
  pool.set_version(version);
  calendar_ = {};
  return answer;
}

bool ReservationSearch::is_reserved_only(const Pool& pool, std::uint32_t node) {
  return !pool.is_closed(node, Closure::kDrained) && !pool.is_closed(node, Closure::kClaimed) &&
         !pool.is_closed(node, Closure::kDark);
}

}  // namespace gw::sched
