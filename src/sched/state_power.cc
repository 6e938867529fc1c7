// The state's power: what running jobs draw, and how the feeds are kept within their caps.
//
// A cap that is above all its nodes at nameplate never binds. Under one that can, nodes go dark as far as
// needed, so that what starts on the others is within every cap (see power_tree.h). Where the draw of what
// runs already is above a cap, in the order of cost: the clocks of all jobs under the feed are capped alike,
// and where their floor is not enough, or clocks cannot be capped, elastic jobs shrink, and last jobs are
// preempted, as few as possible.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <tuple>

#include "base/check.h"
#include "sched/state.h"

namespace gw::sched {
namespace {

__extension__ typedef __int128 Int128;

/// Calls visit(first, last) for runs of consecutive fleet nodes of a piece.
template <class Visit>
void for_fleet_runs(const Pool& pool, const Piece& piece, Visit&& visit) {
  std::uint32_t first = pool.fleet_node(piece.node).value();
  std::uint32_t last = first + 1;
  for (std::uint32_t node = piece.node + 1; node < piece.node + piece.count; ++node) {
    const std::uint32_t next = pool.fleet_node(node).value();
    if (next != last) {
      visit(first, last);
      first = next;
    }
    last = next + 1;
  }
  visit(first, last);
}

}  // namespace

void State::add_power(const Job& job, int sign) {
  if (!claims.empty() || !resizes.empty()) count_leaving(job, sign);
  const Pool& pool = *pools[job.placement.pool];
  const int slow = job.clock < PowerTree::kFull ? sign : 0;
  for (const Piece& piece : job.placement.pieces) {
    const auto gpus = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
    const std::int64_t each =
        sign * power.increment(pool.fleet_node(piece.node).value(), job.request, gpus, job.clock);
    for_fleet_runs(pool, piece,
                   [&](std::uint32_t first, std::uint32_t last) { power.add_load(first, last, each, slow); });
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      const std::uint32_t at = pool.fleet_node(node).value();
      power.set_room(at, pool.has_room(node), power.load(at) == 0);
    }
  }
}

void State::count_leaving(const Job& job, const Placement& claimed, int sign) {
  if (claimed.pool != job.placement.pool) return;
  const Pool& pool = *pools[job.placement.pool];
  auto at = claimed.pieces.begin();
  for (const Piece& piece : job.placement.pieces) {
    const auto gpus = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
    const std::int64_t each =
        sign * power.increment(pool.fleet_node(piece.node).value(), job.request, gpus, job.clock);
    const std::uint32_t end = piece.node + piece.count;
    at = std::partition_point(at, claimed.pieces.end(),
                              [&](const Piece& other) { return other.node + other.count <= piece.node; });
    for (auto other = at; other != claimed.pieces.end() && other->node < end; ++other) {
      const std::uint32_t last = std::min(end, other->node + other->count);
      for (std::uint32_t node = std::max(piece.node, other->node); node < last; ++node)
        power.add_leaving(pool.fleet_node(node).value(), each);
    }
  }
}

void State::count_leaving(const Job& job, int sign) {
  if (job.leaving) {
    for (const auto& [id, claim] : claims) {
      if (!std::binary_search(claim.victims.begin(), claim.victims.end(), job.id)) continue;
      count_leaving(job, claim.placement, sign);
      break;
    }
  }
  const auto resize = resizes.find(job.id);
  if (resize != resizes.end()) count_leaving(job, resize->second.placement, sign);
}

const GpuType* State::gpu_type_of(const Job& job) const {
  const Shape& shape = job.request.shape;
  const std::uint32_t type = pools[job.placement.pool]->gpu_type();
  const bool gpus = shape.gpus > 0 || shape.gpu_milli > 0;
  return gpus && type != NodeType::kNoGpu ? &gpu_types_[type] : nullptr;
}

void State::feed_cap(const Event& event) {
  const FeedId feed{event.feed_level, event.feed_vertex};
  clocks_allowed = event.clocks;
  power.set_cap(feed, event.cap);
  if (power.limited()) set_structured();
  for (const auto& pool : pools) pool->set_power_limited(power.limited());
  ++node_changes;
  changes.released = changes.irregular = true;
}

void State::set_dark(NodeId node, bool dark) {
  Pool& pool = *pools[pool_of(node)];
  const std::uint32_t local = pool.local_node(node);
  dark ? pool.darken(local) : pool.lighten(local);
  power.set_dark(node.value(), dark);
  dark_nodes_ += dark ? 1U : ~0U;
}

void State::darken() {
  for (const FeedId feed : power.take_over_reach()) {
    while (power.reach(feed).count() > power.limit(feed)) {
      const std::uint32_t node = power.next_to_darken(feed, [&](std::uint32_t candidate) {
        const Pool& pool = *pools[pool_of(NodeId{candidate})];
        return pool.is_held(pool.local_node(NodeId{candidate}));
      });
      if (node == Bitmap::kNone) break;  // The rest is drawn, or held for the next in order.
      set_dark(NodeId{node}, true);
    }
  }
}

void State::hold_power(const Job& job, std::uint32_t pool, const std::vector<std::uint32_t>& nodes) {
  const std::uint32_t gpus = std::max(std::min(job.request.shape.gpus, pools[pool]->gpus_per_node()),
                                      job.request.shape.gpu_milli > 0 ? 1U : 0U);
  for (const std::uint32_t node : nodes) {
    const std::uint32_t at = pools[pool]->fleet_node(node).value();
    power.set_floor(at, power.increment(at, job.request, gpus, PowerTree::kFull));
  }
  darken();
}

void State::release_power(std::uint32_t pool, const std::vector<std::uint32_t>& nodes) {
  for (const std::uint32_t node : nodes) power.set_floor(pools[pool]->fleet_node(node).value(), 0);
}

void State::set_clock(Job& job, std::uint32_t permille) {
  add_power(job, -1);
  job.clock = permille;
  add_power(job, +1);
  permille < PowerTree::kFull ? void(slowed.insert(job.id)) : void(slowed.erase(job.id));
}

void State::change_clock(Job& job, std::uint32_t permille, Instant now) {
  const GpuType* type = gpu_type_of(job);
  if (type == nullptr || job.clock == permille) return;
  const std::uint32_t before = type->speed_permille(job.clock);
  set_clock(job, permille);
  const std::uint32_t speed = type->speed_permille(permille);
  if (job.expected_end <= now || job.leaving) return;
  // Nobody runs into a limit for the operator's cap.
  const Int128 left = Int128{(job.expected_end - now).count()} * before + (speed - 1);
  const Int128 stretched = std::min<Int128>(left / speed, (kLastInstant - now).count());
  running[job.placement.pool].erase(job.expected_end, job.id);
  job.expected_end = now + Nanoseconds{static_cast<std::int64_t>(stretched)};
  running[job.placement.pool].insert({job.expected_end, job.id, amount_of(job.request.shape)});
}

void State::stop_for_power(Job& job, Instant now, Plan& plan) {
  forget_interruption(job, plan);
  // Whom this very plan starts need not be stopped: it does not start.
  const auto of_job = [&](const Plan::Start& start) { return start.job == job.id; };
  if (std::erase_if(plan.starts, of_job) == 0) plan.stopped.push_back(job.id);
  wait_again(job, now, plan);  // Which may be its end, where the law has changed.
  changes.released = changes.irregular = true;
}

/// The running jobs with nodes under the feed, by id.
std::vector<JobId> State::jobs_of(FeedId feed) const {
  std::vector<JobId> found;
  for (std::size_t index = 0; index < pools.size(); ++index) {
    const Pool& pool = *pools[index];
    const auto local = [&](std::uint32_t fleet_node) {  // The first of the pool's nodes at or after it.
      std::uint32_t low = 0;
      for (std::uint32_t count = pool.nodes(); count > 0;) {
        const std::uint32_t half = count / 2;
        if (pool.fleet_node(low + half).value() < fleet_node) {
          low += half + 1;
          count -= half + 1;
        } else {
          count = half;
        }
      }
      return low;
    };
    const std::uint32_t begin = local(power.begin(feed));
    const std::uint32_t end = local(power.end(feed));
    if (begin == end) continue;
    running[index].for_each([&](const EndProfile::Entry& entry) {
      const std::vector<Piece>& pieces = jobs[entry.job].placement.pieces;
      const auto piece = std::partition_point(pieces.begin(), pieces.end(),
                                              [&](const Piece& at) { return at.node + at.count <= begin; });
      if (piece != pieces.end() && piece->node < end) found.push_back(entry.job);
      return true;
    });
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// What a running job adds to the draw of a feed at that clock.
std::int64_t State::draw_in(FeedId feed, const Job& job, std::uint32_t clock) const {
  const Pool& pool = *pools[job.placement.pool];
  std::int64_t draw = 0;
  for (const Piece& piece : job.placement.pieces) {
    std::int64_t inside = 0;
    for_fleet_runs(pool, piece, [&](std::uint32_t first, std::uint32_t last) {
      const std::uint32_t from = std::max(first, power.begin(feed));
      const std::uint32_t to = std::min(last, power.end(feed));
      if (from < to) inside += to - from;
    });
    if (inside == 0) continue;
    const auto gpus = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
    draw += inside * power.increment(pool.fleet_node(piece.node).value(), job.request, gpus, clock);
  }
  return draw;
}

/// Caps the clocks of all `jobs` alike, as little as brings the feed within its cap, down to their floors.
void State::slow(FeedId feed, const std::vector<JobId>& under) {
  struct Slowable {
    Job* job;
    std::uint32_t floor;
    std::int64_t full;  ///< Its draw in the feed at full clocks.
  };
  std::vector<Slowable> slowable;
  std::uint32_t lowest = PowerTree::kFull;
  for (const JobId id : under) {
    Job& job = jobs[id];
    const GpuType* type = gpu_type_of(job);
    if (type == nullptr || type->power_floor_permille >= job.clock) continue;
    slowable.push_back({&job, type->power_floor_permille, draw_in(feed, job, PowerTree::kFull)});
    lowest = std::min(lowest, type->power_floor_permille);
  }
  if (slowable.empty()) return;
  const std::int64_t excess = power.draw(feed).count() - power.limit(feed);
  const auto clock_of = [](const Slowable& entry, std::uint32_t level) {
    return std::max(std::min(entry.job->clock, level), entry.floor);
  };
  const auto saves = [&](std::uint32_t level) {
    Int128 sum = 0;
    for (const Slowable& entry : slowable)
      sum += Int128{entry.full} * (entry.job->clock - clock_of(entry, level)) / PowerTree::kFull;
    return sum >= excess;
  };
  std::uint32_t level = lowest;
  for (std::uint32_t low = lowest, high = PowerTree::kFull; low < high;) {  // The highest that saves enough.
    const std::uint32_t middle = low + (high - low + 1) / 2;
    if (saves(middle)) {
      level = low = middle;
    } else {
      high = middle - 1;
    }
  }
  for (;; --level) {  // Rounding, and nodes that are full beyond their nameplate, may ask for a little more.
    for (const Slowable& entry : slowable) {
      const std::uint32_t clock = clock_of(entry, level);
      if (clock == entry.job->clock) continue;
      clocks_before_.try_emplace(entry.job->id, entry.job->clock);
      set_clock(*entry.job, clock);
    }
    if (!power.over(feed) || level == lowest) break;
  }
  slowed_for.insert(feed);
}

/// Preemptible jobs first, then by lowest priority, then by least lost work; none whose stop is not needed.
/// `kept`: what is drawn beside what runs now.
void State::stop_below(FeedId feed, const std::vector<JobId>& under, std::int64_t kept, Instant now,
                       Plan& plan) {
  using Cost = std::tuple<bool, std::int32_t, Int128, std::uint32_t>;
  struct Victim {
    Cost cost;
    Job* job;
    std::int64_t draw;
  };
  while (power.draw(feed).count() + kept > power.limit(feed)) {
    std::vector<Victim> candidates;
    for (const JobId id : under) {
      Job* job = jobs.find(id);  // Gone where it was stopped above and the law lets it run nowhere any more.
      const std::int64_t draw = job != nullptr && job->running ? draw_in(feed, *job, job->clock) : 0;
      if (draw == 0) continue;
      const JobRequest& request = job->request;
      const std::int64_t interval = request.checkpoint_interval.count();
      const std::int64_t spent = (now - job->started).count();
      const Int128 lost = Int128{interval > 0 ? spent % interval : spent} *
                          std::max<std::int64_t>(1000, request.shape.total_gpu_milli());
      candidates.push_back({{!request.preemptible, request.priority, lost, ~id.value()}, job, draw});
    }
    if (candidates.empty()) return;  // What is left is idle power.
    std::sort(candidates.begin(), candidates.end(),
              [](const Victim& a, const Victim& b) { return a.cost < b.cost; });
    std::int64_t excess = power.draw(feed).count() + kept - power.limit(feed);
    auto last = candidates.begin();
    for (; excess > 0 && last != candidates.end(); ++last) excess -= last->draw;
    for (auto victim = candidates.begin(); victim != last; ++victim) {
      if (excess + victim->draw <= 0) {
        excess += victim->draw;  // The others are enough.
      } else {
        stop_for_power(*victim->job, now, plan);
      }
    }
  }
}

bool State::has_power(const Job& job, const Placement& placement, const std::vector<JobId>& leaving,
                      const std::vector<Shrink>& shrinks, bool beside_promises) const {
  std::map<FeedId, std::int64_t> more;
  const auto add = [&](const JobRequest& request, const Placement& place, std::uint32_t clock, int sign) {
    const Pool& pool = *pools[place.pool];
    for (const Piece& piece : place.pieces) {
      const auto gpus = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
      for (std::uint32_t local = piece.node; local < piece.node + piece.count; ++local) {
        const std::uint32_t node = pool.fleet_node(local).value();
        const std::int64_t load = sign * power.increment(node, request, gpus, clock);
        for (FeedId feed{0, power.leaf(node)};; feed = {feed.level + 1, power.parent(feed)}) {
          more[feed] += load;
          if (feed.level + 1 == power.levels()) break;
        }
      }
    }
  };
  add(job.request, placement, PowerTree::kFull, +1);
  for (const JobId id : leaving) add(jobs[id].request, jobs[id].placement, jobs[id].clock, -1);
  for (const Shrink& shrink : shrinks) add(jobs[shrink.job].request, shrink.rest, PowerTree::kFull, +1);
  return std::all_of(more.begin(), more.end(), [&](const auto& entry) {
    const std::int64_t promised = beside_promises ? power.promised(entry.first).count() : 0;
    return entry.second <= 0 ||
           power.draw(entry.first).count() + promised + entry.second <= power.limit(entry.first);
  });
}

void State::meet_cap(FeedId feed, Instant now, Plan& plan) {
  if (!power.over(feed)) return;
  std::vector<JobId> under = jobs_of(feed);
  if (clocks_allowed) slow(feed, under);
  if (!power.over(feed)) return;
  const std::int64_t kept = shrink_below(feed, under, now, plan);
  stop_below(feed, under, kept, now, plan);
}

/// Clocks go up as soon as a feed for which they are capped has a hundredth of its cap to spare.
void State::raise_clocks(Instant now, Plan& plan) {
  if (slowed.empty()) {
    slowed_for.clear();
    return;
  }
  const bool room = !clocks_allowed || slowed_for.empty() ||
                    std::any_of(slowed_for.begin(), slowed_for.end(), [&](FeedId feed) {
                      return power.limit(feed) - power.draw(feed).count() >= power.limit(feed) / 100;
                    });
  if (!room) return;
  const std::vector<JobId> ids(slowed.begin(), slowed.end());
  for (const JobId id : ids) {
    clocks_before_.try_emplace(id, jobs[id].clock);
    set_clock(jobs[id], PowerTree::kFull);
  }
  slowed_for.clear();
  for (const FeedId feed : power.take_over_draw()) {
    if (power.over(feed) && clocks_allowed) slow(feed, jobs_of(feed));
    if (!clocks_allowed) meet_cap(feed, now, plan);
  }
}

bool State::balance_power(Instant now, Plan& plan) {
  if (!power.tracked() || (!power.limited() && power.none_over() && slowed.empty() && dark_nodes_ == 0))
    return false;
  darken();
  for (const FeedId feed : power.take_over_draw()) meet_cap(feed, now, plan);
  raise_clocks(now, plan);
  darken();
  for (const auto& [id, before] : clocks_before_) {
    Job* job = jobs.find(id);
    if (job == nullptr || !job->running || job->clock == before) continue;
    const std::uint32_t clock = job->clock;
    set_clock(*job, before);
    change_clock(*job, clock, now);
    plan.clocks.push_back({id, clock});
  }
  clocks_before_.clear();
  bool lit = false;
  for (std::uint32_t node = power.next_to_light(); node != Bitmap::kNone; node = power.next_to_light()) {
    set_dark(NodeId{node}, false);
    lit = true;
  }
  changes.released |= lit;
  return lit;
}

std::string State::check_power() const {
  if (!power.tracked()) return {};
  std::vector<std::int64_t> load(pool_of_node_.size(), 0);
  std::size_t slow = 0;
  jobs.for_each([&](const Job& job) {
    if (!job.running) return;
    slow += job.clock < PowerTree::kFull;
    const Pool& pool = *pools[job.placement.pool];
    for (const Piece& piece : job.placement.pieces) {
      for (std::uint32_t local = piece.node; local < piece.node + piece.count; ++local) {
        const std::uint32_t node = pool.fleet_node(local).value();
        load[node] += power.increment(node, job.request,
                                      static_cast<std::uint32_t>(std::popcount(piece.gpu_mask)), job.clock);
      }
    }
  });
  if (slow != slowed.size()) return "jobs with capped clocks are miscounted";
  std::uint32_t dark = 0;
  for (std::uint32_t node = 0; node < pool_of_node_.size(); ++node) {
    const Pool& pool = *pools[pool_of(NodeId{node})];
    const std::uint32_t local = pool.local_node(NodeId{node});
    if (load[node] != power.load(node)) return fmt::format("the load of node {} is wrong", node);
    if (pool.is_down(local) == power.is_up(node) || pool.is_closed_for_all(local) != power.is_closed(node) ||
        (load[node] == 0) != power.is_whole(node) || pool.has_room(local) != power.has_room(node))
      return fmt::format("the feeds take node {} for another", node);
    if (pool.is_dark(local) != power.is_dark(node)) return fmt::format("node {} is half dark", node);
    dark += pool.is_dark(local);
  }
  if (dark != dark_nodes_) return "dark nodes are miscounted";
  if (std::string problem = check_promises(); !problem.empty()) return problem;
  return power.check();
}

std::string State::check_promises() const {
  std::map<std::uint32_t, std::pair<std::int64_t, std::int64_t>> promised;  // Claim and what leaves, by node.
  const auto add = [&](const Job& job, const Placement& place, const auto& leaving) {
    const Pool& pool = *pools[place.pool];
    for (const Piece& piece : place.pieces) {
      for (std::uint32_t local = piece.node; local < piece.node + piece.count; ++local) {
        const std::uint32_t node = pool.fleet_node(local).value();
        auto& [claim, leaves] = promised[node];
        claim = power.increment(node, job.request, static_cast<std::uint32_t>(std::popcount(piece.gpu_mask)),
                                PowerTree::kFull);
        for (const JobId id : leaving) {
          const Job& other = jobs[id];
          for (const Piece& has : other.placement.pieces) {
            if (other.placement.pool != place.pool || local < has.node || local >= has.node + has.count)
              continue;
            leaves += power.increment(node, other.request,
                                      static_cast<std::uint32_t>(std::popcount(has.gpu_mask)), other.clock);
          }
        }
      }
    }
  };
  for (const auto& [id, claim] : claims) add(jobs[id], claim.placement, claim.victims);
  for (const auto& [id, resize] : resizes) add(jobs[id], resize.placement, std::vector<JobId>{id});
  for (std::uint32_t node = 0; node < power.nodes(); ++node) {
    const auto at = promised.find(node);
    const auto [claim, leaves] = at == promised.end() ? std::pair<std::int64_t, std::int64_t>{} : at->second;
    if (power.claim(node) != claim || power.leaving(node) != leaves)
      return fmt::format("what is promised on node {} is wrong", node);
  }
  return {};
}

}  // namespace gw::sched
