// The search for nodes and power, now or once running jobs have ended.
#include "sched/power_search.h"

#include <algorithm>
#include <array>
#include <bit>
#include <tuple>

#include "base/check.h"

namespace gw::sched {
namespace {

std::uint64_t lowest_bits(std::uint64_t mask, std::uint32_t count) {
  std::uint64_t taken = 0;
  for (; count > 0; --count) {
    taken |= mask & (~mask + 1);
    mask &= mask - 1;
  }
  return taken;
}

}  // namespace

void PowerSearch::begin(const State& state, std::uint32_t pool, const Job& job) {
  state_ = &state;
  pool_ = &*state.pools[pool];
  job_ = &job;
  const Shape& shape = job.request.shape;
  side_ = pool_->wishes_side(shape);
  const bool one_node =
      shape.gpus <= pool_->gpus_per_node() && (!side_ || shape.gpus <= 1 || pool_->within_share(shape));
  anywhere_ = shape.nodes == 0 && !one_node;
  per_node_ = shape.gpus;
  need_ = anywhere_ ? shape.gpus : std::max(shape.nodes, 1U);
  last_level_ = static_cast<std::uint32_t>(pool_->fabric().levels.size()) - 1;
  if (shape.level_required && shape.level != Shape::kAnyLevel) {
    while (last_level_ > 0 && pool_->fabric().levels[last_level_].fabric_level > shape.level) --last_level_;
  }
  if (stamps_.size() < pool_->nodes()) {
    stamps_.resize(pool_->nodes());
    free_.resize(pool_->nodes());
  }
  const PowerTree& power = state.power;
  left_.resize(power.levels());
  for (std::uint32_t level = 0; level < power.levels(); ++level) left_[level].resize(power.vertices(level));
  if (++stamp_ == 0) {
    std::fill(stamps_.begin(), stamps_.end(), 0U);
    for (std::vector<Left>& level : left_) std::fill(level.begin(), level.end(), Left{});
    stamp_ = 1;
  }
  shares_.clear();
  other_load_.clear();
  units_ = 0;
  touched_.clear();
  found_now_.clear();
  const auto look_at = [&](std::uint32_t node) {
    const std::uint32_t units = provides(free_now(node));
    if (units > 0) found_now_.emplace_back(units, node);
    units_ += units;
  };
  const std::uint32_t least = anywhere_ ? 1 : per_node_;  // GPUs that any node must have to provide anything.
  if (shape.gpu_milli == 0 && least > 0) {
    pool_->for_each_free(least, look_at);
    return;
  }
  for (std::uint32_t node = 0; node < pool_->nodes(); ++node) {
    if (!pool_->is_off(node)) look_at(node);
  }
}

PowerSearch::Free PowerSearch::free_now(std::uint32_t node) const {
  return Free{
      pool_->free_count(node), job_->request.shape.gpu_milli > 0 ? pool_->most_partial_milli(node) : 0,
      side_ ? pool_->side_free(node) : Pool::Side{}, state_->power.load(pool_->fleet_node(node).value())};
}

PowerSearch::Free& PowerSearch::free_of(std::uint32_t node) {
  if (stamps_[node] != stamp_) {
    stamps_[node] = stamp_;
    free_[node] = free_now(node);
    touched_.push_back(node);
  }
  return free_[node];
}

std::uint32_t PowerSearch::provides(const Free& free) const {
  const Shape& shape = job_->request.shape;
  if (shape.gpu_milli > 0)
    return (free.gpus > 0 || free.partial_milli >= shape.gpu_milli) &&
           (!side_ || free.side.covers(Pool::side_on_node(shape, 1)));
  if (!anywhere_)
    return free.gpus >= per_node_ && (!side_ || free.side.covers(Pool::side_on_node(shape, per_node_)));
  std::uint32_t most = std::min(free.gpus, need_);
  while (most > 0 && side_ && !free.side.covers(Pool::side_on_node(shape, most))) --most;
  return most;
}

void PowerSearch::give(const Job& job) {
  const PowerTree& power = state_->power;
  const Pool& pool = *state_->pools[job.placement.pool];
  const Shape& given = job.request.shape;
  for (const Piece& piece : job.placement.pieces) {
    const auto used = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
    const std::int64_t load =
        power.increment(pool.fleet_node(piece.node).value(), job.request, used, job.clock);
    const Pool::Side side = Pool::side_on_node(given, used);
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      const std::uint32_t at = pool.fleet_node(node).value();
      std::int64_t* loads = nullptr;
      if (&pool == pool_) {
        Free& free = free_of(node);
        loads = &free.load;
        if (!pool.is_off(node)) units_ -= provides(free);
        if (given.gpu_milli > 0) {
          const auto gpu = static_cast<std::uint32_t>(std::countr_zero(piece.gpu_mask));
          std::uint32_t& left = shares_.try_emplace({node, gpu}, pool.partial_milli(node, gpu)).first->second;
          left += given.gpu_milli;
          free.partial_milli = std::max(free.partial_milli, left);
          if (left == 1000) ++free.gpus;
        } else {
          free.gpus += used;
        }
        free.side.cpu_milli += side.cpu_milli;
        free.side.memory_mib += side.memory_mib;
        if (!pool.is_off(node)) units_ += provides(free);
      } else {
        loads = &other_load_.try_emplace(at, power.load(at)).first->second;
      }
      const std::int64_t before = std::min(power.range(at), *loads);
      *loads -= load;
      const std::int64_t less = before - std::min(power.range(at), *loads);
      FeedId feed{0, power.leaf(at)};
      for (;;) {
        left(feed) += less;
        if (feed.level + 1 == power.levels()) break;
        feed = {feed.level + 1, power.parent(feed)};
      }
    }
  }
}

bool PowerSearch::take(std::uint32_t node, std::uint32_t gpus) {
  const PowerTree& power = state_->power;
  const std::uint32_t at = pool_->fleet_node(node).value();
  const std::int64_t load = stamps_[node] == stamp_ ? free_[node].load : power.load(at);
  const std::int64_t more =
      std::min(power.range(at),
               load + power.increment(at, job_->request, job_->request.shape.gpu_milli > 0 ? 1 : gpus,
                                      PowerTree::kFull)) -
      std::min(power.range(at), load);
  for (FeedId feed{0, power.leaf(at)};; feed = {feed.level + 1, power.parent(feed)}) {
    if (left(feed) < more) return false;
    if (feed.level + 1 == power.levels()) break;
  }
  for (FeedId feed{0, power.leaf(at)};; feed = {feed.level + 1, power.parent(feed)}) {
    left(feed) -= more;
    taken_.emplace_back(feed, more);
    if (feed.level + 1 == power.levels()) return true;
  }
}

void PowerSearch::undo() {
  for (const auto& [feed, amount] : taken_) left(feed) += amount;
  taken_.clear();
}

/// GPUs anywhere: the emptiest nodes first. One node: the tightest. Else in the order of nodes.
std::span<const PowerSearch::Found> PowerSearch::ranked(std::span<const Found> found) {
  if (!anywhere_ && need_ > 1) return found;
  constexpr std::uint32_t kMostOnNode = 64;
  std::array<std::uint32_t, kMostOnNode + 2> first{};
  const auto rank = [&](const Found& entry) {
    if (anywhere_) return kMostOnNode - std::min(entry.first, kMostOnNode);
    return std::min(
        stamps_[entry.second] == stamp_ ? free_[entry.second].gpus : pool_->free_count(entry.second),
        kMostOnNode);
  };
  for (const Found& entry : found) ++first[rank(entry) + 1];
  for (std::uint32_t at = 1; at < first.size(); ++at) first[at] += first[at - 1];
  ranked_.resize(found.size());
  for (const Found& entry : found) ranked_[first[rank(entry)]++] = entry;
  return ranked_;
}

/// Of (what it provides, node): as many as are needed, as far as there is power. All need the same power
/// where a node is a unit, and feeds nest, so taking whatever fits gives the most that is possible.
std::optional<std::vector<PowerSearch::Share>> PowerSearch::choose_in(std::span<const Found> found) {
  std::uint32_t missing = need_;
  std::vector<Share> chosen;
  for (const auto& [units, node] : ranked(found)) {
    if (missing == 0) break;
    std::uint32_t gpus = anywhere_ ? std::min(units, missing) : per_node_;
    if (anywhere_) {
      while (gpus > 0 && !take(node, gpus)) --gpus;
      if (gpus == 0) continue;
      missing -= gpus;
    } else {
      if (!take(node, gpus)) continue;
      --missing;
    }
    chosen.push_back({node, gpus});
  }
  undo();
  if (missing > 0) return std::nullopt;
  std::sort(chosen.begin(), chosen.end(), [](const Share& a, const Share& b) { return a.node < b.node; });
  return chosen;
}

std::optional<std::vector<PowerSearch::Share>> PowerSearch::choose() {
  if (units_ < need_) return std::nullopt;
  std::span<const Found> found = found_now_;
  if (!touched_.empty()) {
    found_.clear();
    for (const std::uint32_t node : touched_) {
      if (pool_->is_off(node)) continue;
      if (const std::uint32_t units = provides(free_[node])) found_.emplace_back(units, node);
    }
    const auto by_node = [](const Found& a, const Found& b) { return a.second < b.second; };
    std::sort(found_.begin(), found_.end(), by_node);
    const auto given = static_cast<std::ptrdiff_t>(found_.size());
    for (const Found& entry : found_now_) {
      if (stamps_[entry.second] != stamp_) found_.push_back(entry);
    }
    std::inplace_merge(found_.begin(), found_.begin() + given, found_.end(), by_node);
    found = found_;
  }
  const auto search = [&](std::uint32_t index) -> std::optional<std::vector<Share>> {
    const PoolFabric::Level& level = pool_->fabric().levels[index];
    auto from = found.begin();
    for (std::uint32_t vertex = 0; vertex < level.vertices() && from != found.end(); ++vertex) {
      std::uint64_t units = 0;
      auto to = from;
      for (; to != found.end() && to->second < level.first[vertex + 1]; ++to) units += to->first;
      if (units >= need_) {
        if (std::optional<std::vector<Share>> chosen = choose_in({from, to})) return chosen;
      }
      from = to;
    }
    return std::nullopt;
  };
  std::optional<std::vector<Share>> widest = search(last_level_);
  if (!widest || need_ == 1) return widest;
  for (std::uint32_t level = 0; level < last_level_; ++level) {
    if (std::optional<std::vector<Share>> chosen = search(level)) return chosen;
  }
  return widest;
}

std::optional<PowerSearch::Answer> PowerSearch::find(const State& state, std::uint32_t pool, const Job& job,
                                                     Instant now, Instant bound) {
  begin(state, pool, job);
  // The ends of all pools' jobs, in order: they share feeds.
  std::vector<EndProfile::Cursor> ends(state.running.size());
  const auto next_end = [&]() -> std::pair<const EndProfile::Entry*, std::size_t> {
    std::pair<const EndProfile::Entry*, std::size_t> first{nullptr, 0};
    for (std::size_t index = 0; index < ends.size(); ++index) {
      const EndProfile::Entry* entry = state.running[index].entry(ends[index]);
      if (entry == nullptr) continue;
      const Instant end = std::max(entry->end, now);
      const Instant best = first.first == nullptr ? Instant::max() : std::max(first.first->end, now);
      if (first.first == nullptr || end < best || (end == best && entry->job < first.first->job))
        first = {entry, index};
    }
    return first;
  };
  // Where only power is missing, the next look comes after twice as many ends: the time that is found may be
  // later than the first possible one, and is a promise of "not later than".
  Instant when = now;
  std::size_t step = 1;
  for (;;) {
    std::size_t count = 1;
    if (units_ >= need_) {
      if (const std::optional<std::vector<Share>> chosen = choose()) {
        Answer answer{when, {}};
        for (const Share& share : *chosen) answer.nodes.push_back(share.node);
        return answer;
      }
      count = std::exchange(step, step * 2);
    }
    auto [entry, index] = next_end();
    if (entry == nullptr) return std::nullopt;
    // With the last of them come all that end at that time, but of those past their limits.
    for (; entry != nullptr; std::tie(entry, index) = next_end()) {
      const Instant end = std::max(entry->end, now);
      if (count == 0 && (end != when || when <= now)) break;
      when = end;
      give(state.jobs[entry->job]);
      ends[index] = state.running[index].after(ends[index]);
      if (count > 0) --count;
    }
    if (when >= bound) return std::nullopt;
  }
}

std::optional<Placement> PowerSearch::place(const State& state, const Job& job) {
  const Shape& shape = job.request.shape;
  if (shape.is_grouped()) return std::nullopt;  // Blocks and spread start where there is power anyway.
  for (const std::uint32_t pool : state.classes[job.shape_class].pools) {
    if (state.quota.in_use() &&
        !state.quota.permits(job.request.tenant, state.quota_amount(job, pool), job.id).ok())
      continue;
    begin(state, pool, job);
    const std::optional<std::vector<Share>> chosen = choose();
    if (!chosen) continue;
    Placement placement;
    placement.pool = pool;
    for (const Share& share : *chosen) {
      std::uint64_t mask = lowest_bits(pool_->free_gpu_mask(share.node), share.gpus);
      if (shape.gpu_milli > 0) {
        const std::uint32_t gpu = pool_->partial_for(share.node, shape.gpu_milli);
        mask = gpu < 64 ? std::uint64_t{1} << gpu : lowest_bits(pool_->free_gpu_mask(share.node), 1);
      }
      std::vector<Piece>& pieces = placement.pieces;
      if (shape.gpu_milli == 0 && !pieces.empty() && pieces.back().gpu_mask == mask &&
          pieces.back().node + pieces.back().count == share.node) {
        ++pieces.back().count;
      } else {
        pieces.push_back({share.node, 1, mask});
      }
    }
    placement.span = pool_->span_of(placement.pieces);
    return placement;
  }
  return std::nullopt;
}

}  // namespace gw::sched
