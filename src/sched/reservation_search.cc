// The search for a reservation's time and nodes.
#include "sched/reservation_search.h"

#include <algorithm>

#include "base/check.h"

namespace gw::sched {

std::optional<ReservationSearch::Answer> ReservationSearch::find(Pool& pool, const EndProfile& running,
                                                                 const JobTable& jobs, const Shape& shape,
                                                                 PlacementKind kind, Instant now,
                                                                 Instant bound) {
  // CPU, memory, shares of a GPU and required fabric levels need the real search; plain GPUs need counts
  // only.
  const bool plain =
      shape.gpu_milli == 0 && shape.gpus > 0 && !shape.level_required && !pool.side_may_bind(shape);
  return plain ? find_by_counts(pool, running, jobs, shape, now, bound)
               : find_by_trial(pool, running, jobs, shape, kind, now, bound);
}

/// Notes that a job's share of a GPU is given back; true if it was the last user's.
bool ReservationSearch::frees_gpu(const Pool& pool, const Job& job) {
  const Piece& piece = job.placement.pieces.front();
  const auto gpu = static_cast<std::uint32_t>(std::countr_zero(piece.gpu_mask));
  const auto at = shares_.try_emplace({piece.node, gpu}, pool.partial_milli(piece.node, gpu)).first;
  return (at->second += job.request.shape.gpu_milli) == 1000;
}

std::uint32_t& ReservationSearch::free_of(const Pool& pool, std::uint32_t node) {
  if (stamps_[node] != stamp_) {
    stamps_[node] = stamp_;
    free_[node] = pool.is_down(node) ? 0 : pool.free_count(node);
    touched_.push_back(node);
  }
  return free_[node];
}

std::optional<ReservationSearch::Answer> ReservationSearch::find_by_counts(const Pool& pool,
                                                                           const EndProfile& running,
                                                                           const JobTable& jobs,
                                                                           const Shape& shape, Instant now,
                                                                           Instant bound) {
  if (stamps_.size() < pool.nodes()) {
    stamps_.assign(pool.nodes(), 0);
    free_.assign(pool.nodes(), 0);
    stamp_ = 0;
  }
  if (++stamp_ == 0) {
    std::fill(stamps_.begin(), stamps_.end(), 0U);
    stamp_ = 1;
  }
  touched_.clear();
  shares_.clear();
  // A gang counts nodes with enough free GPUs; GPUs anywhere count GPUs (on one node if they fit one).
  const bool anywhere = shape.nodes == 0 && shape.gpus > pool.gpus_per_node();
  const std::uint32_t on_node = anywhere ? 0 : shape.gpus;
  const std::int64_t need = anywhere ? shape.gpus : std::max(shape.nodes, 1U);
  std::int64_t count = pool.index(View::kOpen).total(on_node);
  Instant end = now;
  bool done = false;
  running.for_each([&](const EndProfile::Entry& entry) {
    const Instant when = std::max(entry.end, now);
    if (count >= need && (when != end || when == now)) {  // Jobs past their limits need not all end for it.
      done = true;
      return false;
    }
    if (when >= bound) return false;
    end = when;
    const Job& job = jobs[entry.job];
    if (job.request.shape.gpu_milli != 0 && !frees_gpu(pool, job)) return true;
    for (const Piece& piece : job.placement.pieces) {
      const auto gpus = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
      if (gpus == 0) continue;
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
        std::uint32_t& free = free_of(pool, node);
        if (anywhere) {
          count += gpus;
        } else {
          count += free < on_node && free + gpus >= on_node;
        }
        free += gpus;
      }
    }
    return true;
  });
  if (!done && count < need) return std::nullopt;
  const auto wanted = static_cast<std::uint32_t>(need);
  return Answer{end, anywhere ? choose_anywhere(pool, wanted) : choose_gang(pool, on_node, wanted)};
}

/// Of the nodes with at least `gpus` free then: from the smallest part of the fabric that has `need` of them.
std::vector<std::uint32_t> ReservationSearch::choose_gang(const Pool& pool, std::uint32_t gpus,
                                                          std::uint32_t need) const {
  std::vector<std::uint32_t> candidates;
  for (const std::uint32_t node : touched_) {
    if (free_[node] >= gpus) candidates.push_back(node);
  }
  const CapacityIndex& index = pool.index(View::kOpen);
  for (std::uint32_t free = gpus; free <= pool.gpus_per_node(); ++free) {
    for (std::uint32_t node = index.next_exact(free, 0); node != Bitmap::kNone;
         node = index.next_exact(free, node + 1)) {
      if (stamps_[node] != stamp_) candidates.push_back(node);
    }
  }
  std::sort(candidates.begin(), candidates.end());
  GW_CHECK(candidates.size() >= need);
  // Candidates are in fabric order, so a vertex holds `need` of them if the (need - 1)-th next lies inside it
  // too.
  std::size_t best = 0;
  for (const PoolFabric::Level& level : pool.fabric().levels) {
    std::uint32_t vertex = 0;
    bool found = false;
    for (std::size_t at = 0; at + need <= candidates.size(); ++at) {
      while (level.first[vertex + 1] <= candidates[at]) ++vertex;
      if (candidates[at + need - 1] < level.first[vertex + 1]) {
        best = at;
        found = true;
        break;
      }
    }
    if (found) break;
  }
  const auto first = candidates.begin() + static_cast<std::ptrdiff_t>(best);
  return {first, first + need};
}

/// The nodes with the most free GPUs then, until `need` GPUs are together.
std::vector<std::uint32_t> ReservationSearch::choose_anywhere(const Pool& pool, std::uint32_t need) const {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> candidates;  // (free GPUs, node)
  for (const std::uint32_t node : touched_) {
    if (free_[node] > 0) candidates.emplace_back(free_[node], node);
  }
  const CapacityIndex& index = pool.index(View::kOpen);
  for (std::uint32_t free = 1; free <= pool.gpus_per_node(); ++free) {
    for (std::uint32_t node = index.next_exact(free, 0); node != Bitmap::kNone;
         node = index.next_exact(free, node + 1)) {
      if (stamps_[node] != stamp_) candidates.emplace_back(free, node);
    }
  }
  std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::vector<std::uint32_t> nodes;
  std::uint32_t gpus = 0;
  for (std::size_t at = 0; at < candidates.size() && gpus < need; ++at) {
    gpus += candidates[at].first;
    nodes.push_back(candidates[at].second);
  }
  GW_CHECK(gpus >= need);
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

}  // namespace gw::sched
