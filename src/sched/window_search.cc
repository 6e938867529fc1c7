// Nodes for a window, counted by groups of the calendar and by when running jobs leave them.
#include "sched/window_search.h"

#include <algorithm>
#include <map>
#include <set>

#include "sched/reservation_search.h"

namespace gw::sched {
namespace {

/// A node that the wish could use: from when on, and whether those in the way could be told to go.
struct Candidate {
  std::uint32_t node;      ///< Pool-local.
  Instant free_from;       ///< By limits.
  bool movable = true;     ///< All who are there longer than the time asked for can be preempted.
  std::uint32_t jobs = 0;  ///< How many those are.
};

class Search {
 public:
  Search(const State& state, const WindowWish& wish, Instant now) : state_(state), wish_(wish), now_(now) {}

  WindowAnswer run() {
    answer_.terms = wish_.terms;
    answer_.terms.from = std::max(wish_.terms.from, now_);
    collect();
    const Instant asked = answer_.terms.from;
    std::optional<std::vector<std::uint32_t>> nodes = choose(asked, false);
    if (!nodes && wish_.terms.preempt) nodes = choose(asked, true);
    if (nodes) {
      keep(asked, *nodes);
      note_in_the_way(asked);
      return std::move(answer_);
    }
    blame(asked);
    if (answer_.bar == WindowAnswer::Bar::kNodes) return std::move(answer_);
    for (const Instant when : times_after(asked)) {
      nodes = choose(when, false);
      if (!nodes) continue;
      keep(when, *nodes);
      break;
    }
    return std::move(answer_);
  }

 private:
  struct Of {
    std::uint32_t pool;
    std::map<std::uint32_t, std::vector<Candidate>>
        groups;  ///< By group (kNoGroup: free of windows), by time.
    std::uint32_t need = 0;
  };

  void collect() {
    std::map<std::pair<std::uint32_t, std::uint32_t>, bool> named;
    for (const NodeRun& run : wish_.terms.nodes) {
      for (std::uint32_t node = run.first.value(); node < run.first.value() + run.count; ++node)
        named[state_.place_of(NodeId{node})] = true;
    }
    for (std::uint32_t index = 0; index < state_.pools.size(); ++index) {
      const Pool& pool = *state_.pools[index];
      if (named.empty()) {
        if (wish_.gpu_types != 0 &&
            (pool.gpu_type() >= 64 || ((wish_.gpu_types >> pool.gpu_type()) & 1U) == 0))
          continue;
        if (wish_.nodes == 0 && pool.gpus_per_node() == 0) continue;
      }
      std::vector<Candidate> all(pool.nodes());
      for (std::uint32_t node = 0; node < pool.nodes(); ++node) all[node] = {node, now_};
      const auto busy = [&](const Placement& placement, Instant until, bool movable) {
        for (const Piece& piece : placement.pieces) {
          for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
            all[node].free_from = std::max(all[node].free_from, until);
            if (until <= answer_.terms.from) continue;
            all[node].movable = all[node].movable && movable;
            ++all[node].jobs;
          }
        }
      };
      state_.running[index].for_each([&](const EndProfile::Entry& entry) {
        const Job& job = state_.jobs[entry.job];
        busy(job.placement, leaves_at(job, std::max(job.expected_end, now_)), job.request.preemptible);
        return true;
      });
      for (const auto& [id, claim] : state_.claims) {
        if (claim.placement.pool != index) continue;
        const Job& job = state_.jobs[id];
        busy(claim.placement, leaves_at(job, now_ + state_.policy.grace + job.request.limit), false);
      }
      Of of{index, {}, 0};
      std::uint32_t count = 0;
      for (const Candidate& candidate : all) {
        if (named.empty() ? pool.is_down(candidate.node) || pool.is_closed(candidate.node, Closure::kDrained)
                          : !named.contains({index, candidate.node}))
          continue;
        of.groups[state_.windows.group_of(index, candidate.node)].push_back(candidate);
        ++count;
      }
      if (count == 0) continue;
      of.need = !named.empty()    ? count
                : wish_.nodes > 0 ? wish_.nodes
                                  : (wish_.gpus + pool.gpus_per_node() - 1) / pool.gpus_per_node();
      for (auto& [group, candidates] : of.groups) {
        std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
          return a.free_from != b.free_from ? a.free_from < b.free_from : a.node < b.node;
        });
      }
      pools_.push_back(std::move(of));
    }
    named_ = !named.empty();
  }

  /// A job of the owner may stay until the window's end.
  [[nodiscard]] Instant leaves_at(const Job& job, Instant end) const {
    const bool own = state_.windows.owns(WindowId{}, wish_.terms, State::window_user(job));
    return own ? std::max(now_, end - std::min(wish_.terms.length, end - Instant{})) : end;
  }

  [[nodiscard]] WindowTerms at(Instant when) const {
    WindowTerms terms = wish_.terms;
    if (terms.until != Instant::max()) {
      const Nanoseconds later = when - wish_.terms.from;
      terms.until = later < kLastInstant - terms.until ? terms.until + later : kLastInstant;
    }
    terms.from = when;
    return terms;
  }

  [[nodiscard]] bool is_reserved(std::uint32_t group, const WindowTerms& terms) const {
    if (group == Windows::kNoGroup) return false;
    const std::vector<WindowId>& windows = state_.windows.groups()[group].windows;
    return std::any_of(windows.begin(), windows.end(),
                       [&](WindowId id) { return Windows::overlap(terms, *state_.windows.find(id)); });
  }

  /// Named nodes must all be free, in whichever pools; else the first pool with enough.
  [[nodiscard]] std::optional<std::vector<std::uint32_t>> choose(Instant when, bool preempt) const {
    const WindowTerms terms = at(when);
    std::vector<std::uint32_t> fleet_nodes;
    for (const Of& of : pools_) {
      std::uint64_t count = 0;
      std::vector<const std::vector<Candidate>*> usable;
      for (const auto& [group, candidates] : of.groups) {
        if (is_reserved(group, terms)) continue;
        usable.push_back(&candidates);
        count +=
            preempt ? candidates.size()
                    : static_cast<std::uint64_t>(std::upper_bound(candidates.begin(), candidates.end(), when,
                                                                  [](Instant at, const Candidate& candidate) {
                                                                    return at < candidate.free_from;
                                                                  }) -
                                                 candidates.begin());
      }
      if (count < of.need) {
        if (named_) return std::nullopt;
        continue;
      }
      std::vector<Candidate> free;
      for (const std::vector<Candidate>* candidates : usable) {
        for (const Candidate& candidate : *candidates) {
          if (candidate.free_from <= when || (preempt && candidate.movable)) free.push_back(candidate);
        }
      }
      std::vector<std::uint32_t> chosen = pick(*state_.pools[of.pool], free, of.need, when);
      if (chosen.size() < of.need) {
        if (named_) return std::nullopt;
        continue;
      }
      for (const std::uint32_t node : chosen)
        fleet_nodes.push_back(state_.pools[of.pool]->fleet_node(node).value());
      if (!named_) break;
    }
    if (fleet_nodes.empty()) return std::nullopt;
    std::sort(fleet_nodes.begin(), fleet_nodes.end());
    return fleet_nodes;
  }

  /// The fewest jobs to be told first, then the smallest part of the fabric.
  [[nodiscard]] std::vector<std::uint32_t> pick(const Pool& pool, std::vector<Candidate>& free,
                                                std::uint32_t need, Instant when) const {
    if (free.size() < need || need == 0) return {};
    std::sort(free.begin(), free.end(),
              [](const Candidate& a, const Candidate& b) { return a.node < b.node; });
    const auto cost = [&](const Candidate& candidate) {
      return candidate.free_from <= when ? 0U : candidate.jobs;
    };
    std::vector<std::uint32_t> best;
    std::uint64_t least = UINT64_MAX;
    for (const PoolFabric::Level& level : pool.fabric().levels) {
      const bool last = &level == &pool.fabric().levels.back();
      if (wish_.level != Shape::kAnyLevel && level.fabric_level > wish_.level) break;
      auto from = free.begin();
      for (std::uint32_t vertex = 0; vertex < level.vertices(); ++vertex) {
        auto to = from;
        while (to != free.end() && to->node < level.first[vertex + 1]) ++to;
        if (to - from >= static_cast<std::ptrdiff_t>(need)) {
          std::vector<Candidate> inside(from, to);
          std::stable_sort(inside.begin(), inside.end(),
                           [&](const Candidate& a, const Candidate& b) { return cost(a) < cost(b); });
          std::uint64_t sum = 0;
          for (std::uint32_t index = 0; index < need; ++index) sum += cost(inside[index]);
          if (sum < least) {
            least = sum;
            best.clear();
            for (std::uint32_t index = 0; index < need; ++index) best.push_back(inside[index].node);
          }
        }
        from = to;
      }
      if (least == 0 || last) break;
    }
    return best;
  }

  void keep(Instant when, const std::vector<std::uint32_t>& nodes) {
    answer_.terms = at(when);
    answer_.terms.nodes = node_runs(nodes);
    answer_.found = true;
  }

  [[nodiscard]] bool is_chosen(std::uint32_t pool, const Placement& placement) const {
    for (const Piece& piece : placement.pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
        const std::uint32_t fleet = state_.pools[pool]->fleet_node(node).value();
        for (const NodeRun& run : answer_.terms.nodes) {
          if (run.first.value() <= fleet && fleet < run.first.value() + run.count) return true;
        }
      }
    }
    return false;
  }

  void note_in_the_way(Instant when) {
    for (const Of& of : pools_) {
      state_.running[of.pool].for_each([&](const EndProfile::Entry& entry) {
        const Job& job = state_.jobs[entry.job];
        if (leaves_at(job, job.expected_end) > when && is_chosen(of.pool, job.placement))
          answer_.jobs.push_back(job.id);
        return true;
      });
    }
    std::sort(answer_.jobs.begin(), answer_.jobs.end());
  }

  /// What stands in the way at the time asked for.
  void blame(Instant asked) {
    const WindowTerms terms = at(asked);
    std::set<WindowId> windows;
    bool enough = pools_.empty() ? false : named_;
    bool unreserved = false;
    std::set<std::uint32_t> pools;
    for (const Of& of : pools_) {
      std::vector<Candidate> all;
      std::vector<Candidate> open;
      for (const auto& [group, candidates] : of.groups) {
        all.insert(all.end(), candidates.begin(), candidates.end());
        if (!is_reserved(group, terms)) {
          open.insert(open.end(), candidates.begin(), candidates.end());
          continue;
        }
        for (const WindowId id : state_.windows.groups()[group].windows) {
          if (Windows::overlap(terms, *state_.windows.find(id))) windows.insert(id);
        }
      }
      const Instant ever = Instant::max();
      if (pick(*state_.pools[of.pool], all, of.need, ever).size() < of.need) continue;
      enough = true;
      if (pick(*state_.pools[of.pool], open, of.need, ever).size() < of.need) continue;
      unreserved = true;
      pools.insert(of.pool);
    }
    if (!enough) {
      answer_.bar = WindowAnswer::Bar::kNodes;
    } else if (!unreserved || (named_ && !windows.empty())) {
      answer_.bar = WindowAnswer::Bar::kReserved;
      answer_.windows.assign(windows.begin(), windows.end());
    } else {
      answer_.bar = WindowAnswer::Bar::kRunning;
      for (const std::uint32_t pool : pools) {
        state_.running[pool].for_each([&](const EndProfile::Entry& entry) {
          const Job& job = state_.jobs[entry.job];
          if (leaves_at(job, job.expected_end) <= asked) return true;
          if (named_ && !named_holds(pool, job.placement)) return true;
          if (wish_.terms.preempt && job.request.preemptible) return true;
          answer_.jobs.push_back(job.id);
          return true;
        });
      }
      std::sort(answer_.jobs.begin(), answer_.jobs.end());
    }
  }

  [[nodiscard]] bool named_holds(std::uint32_t pool, const Placement& placement) const {
    for (const Piece& piece : placement.pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
        const std::uint32_t fleet = state_.pools[pool]->fleet_node(node).value();
        for (const NodeRun& run : wish_.terms.nodes) {
          if (run.first.value() <= fleet && fleet < run.first.value() + run.count) return true;
        }
      }
    }
    return false;
  }

  /// When anything comes free after the time asked for, ascending.
  [[nodiscard]] std::vector<Instant> times_after(Instant asked) const {
    std::vector<Instant> times;
    for (const Of& of : pools_) {
      for (const auto& [group, candidates] : of.groups) {
        for (const Candidate& candidate : candidates) {
          if (candidate.free_from > asked && candidate.free_from <= kLastInstant)
            times.push_back(candidate.free_from);
        }
      }
      Windows::User nobody;
      nobody.limit = wish_.terms.length;
      const Instant settled = times.empty() ? asked : *std::max_element(times.begin(), times.end());
      if (!state_.windows.in_pool(of.pool)) continue;
      for (const Instant end : state_.windows.openings(of.pool, nobody, asked, settled)) {
        times.push_back(end);
        // One that repeats may have to be moved by a part of its period only.
        if (wish_.terms.every > Nanoseconds{0})
          times.push_back(asked + (end - asked) - wish_.terms.every * ((end - asked) / wish_.terms.every));
      }
    }
    std::sort(times.begin(), times.end());
    times.erase(std::unique(times.begin(), times.end()), times.end());
    std::erase_if(times, [&](Instant when) { return when <= asked; });
    return times;
  }

  const State& state_;
  const WindowWish& wish_;
  Instant now_;
  bool named_ = false;
  std::vector<Of> pools_;
  WindowAnswer answer_;
};

/// When, by the limits of running jobs, quota lets the job start in a pool; max: never.
Instant quota_opens(const State& state, const Job& job, std::uint32_t pool, Instant now) {
  const QuotaTree::Amount amount = state.quota_amount(job, pool);
  const auto is_let = [&](const QuotaTree& quota) {
    return quota.permits(job.request.tenant, amount, job.id, false).ok();
  };
  if (!state.quota.in_use() || is_let(state.quota)) return now;
  std::vector<std::pair<Instant, JobId>> ends;
  for (const EndProfile& running : state.running) {
    running.for_each([&](const EndProfile::Entry& entry) {
      if (!state.jobs[entry.job].leaving) ends.emplace_back(entry.end, entry.job);
      return true;
    });
  }
  std::sort(ends.begin(), ends.end());
  QuotaTree by_then = state.quota;
  for (const auto& [end, id] : ends) {
    const Job& ended = state.jobs[id];
    by_then.stop(ended.request.tenant, state.quota_amount(ended, ended.placement.pool));
    if (is_let(by_then)) return std::max(end, now);
  }
  return Instant::max();
}

}  // namespace

WindowAnswer find_window(const State& state, const WindowWish& wish, Instant now) {
  return Search(state, wish, now).run();
}

WindowAnswer promise_window(const State& state, const Job& job, Nanoseconds slack, Instant now) {
  WindowAnswer answer;
  answer.bar = WindowAnswer::Bar::kQuota;
  ReservationSearch search;
  std::optional<ReservationSearch::Answer> best;
  std::uint32_t best_pool = 0;
  for (const std::uint32_t pool : state.classes[job.shape_class].pools) {
    const Instant from = quota_opens(state, job, pool, now);
    if (from == Instant::max()) continue;
    if (!best) answer.bar = WindowAnswer::Bar::kNodes;
    // Nodes that are held for another now must be open to the search, as the pass has them when it reserves.
    Pool& nodes = *state.pools[pool];
    std::vector<std::uint32_t> held;
    for (std::uint32_t node = 0; node < nodes.nodes(); ++node) {
      if (nodes.is_held(node)) held.push_back(node);
    }
    const std::uint64_t version = nodes.version();
    for (const std::uint32_t node : held) nodes.release_hold(node);
    std::optional<ReservationSearch::Answer> found =
        search.find(nodes, state.running[pool], state.jobs, job.request.shape, state.policy.placement, from,
                    best ? best->when : Instant::max(), {&state.windows, pool, State::window_user(job)});
    for (const std::uint32_t node : held) nodes.hold(node);
    nodes.set_version(version);
    if (!found || (best && found->when >= best->when)) continue;
    best = std::move(found);
    best_pool = pool;
  }
  if (!best) return answer;
  answer.terms.job = job.id;
  answer.terms.from = best->when;
  answer.terms.length = std::min(job.request.limit, kLongestSpan - slack) + slack;
  std::vector<std::uint32_t> nodes;
  for (const std::uint32_t node : best->nodes)
    nodes.push_back(state.pools[best_pool]->fleet_node(node).value());
  std::sort(nodes.begin(), nodes.end());
  answer.terms.nodes = node_runs(nodes);
  answer.found = true;
  answer.bar = WindowAnswer::Bar::kNone;
  if (const WindowId other = state.conflicting_window(answer.terms); other.valid()) {
    // The slack runs into the next window: the job's own limit does not.
    answer.terms.length = job.request.limit;
    answer.found = !state.conflicting_window(answer.terms).valid();
    if (!answer.found) answer.windows.push_back(other);
  }
  return answer;
}

}  // namespace gw::sched
