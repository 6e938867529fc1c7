// The choice of domains to free, and its trial on a copy of the core.
#include "sched/defrag.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/check.h"
#include "sched/victim_search.h"

namespace gw::sched {
namespace {

class Defrag {
 public:
  Defrag(Core& copy, const DefragWish& wish) : core_(copy), state_(copy.state()), wish_(wish) {}

  DefragPlan make() {
    look();
    choose();
    if (!plan_.freed.empty()) try_out();
    return std::move(plan_);
  }

 private:
  using Place = std::pair<std::uint32_t, std::uint32_t>;  ///< (pool, vertex)

  struct Domain {
    std::vector<JobId> jobs;  ///< On it, ascending.
    std::int64_t cost = 0;    ///< Of those that are not chosen yet.
  };

  [[nodiscard]] const std::vector<std::uint32_t>& bounds(std::uint32_t pool) const {
    return state_.pools[pool]->fabric().levels[wish_.level].first;
  }

  /// Which domains are free, could be freed, or cannot.
  void look() {
    for (std::uint32_t index = 0; index < state_.pools.size(); ++index) {
      const Pool& pool = *state_.pools[index];
      const bool wanted = wish_.gpu_types == 0 || (pool.gpu_type() != NodeType::kNoGpu &&
                                                   ((wish_.gpu_types >> pool.gpu_type()) & 1U) != 0);
      if (pool.gpus_per_node() == 0 || !wanted || wish_.level >= pool.fabric().levels.size()) continue;
      const std::vector<std::uint32_t>& first = bounds(index);
      std::vector<Domain> domains(first.size() - 1);
      std::set<std::uint32_t> stuck;
      state_.running[index].for_each([&](const EndProfile::Entry& entry) {
        const Job& job = state_.jobs[entry.job];
        const bool goes = job.request.preemptible && !job.leaving;
        if (goes) costs_[job.id] = lost_work(state_, job, core_.now());
        for (const Piece& piece : job.placement.pieces) {
          auto vertex = static_cast<std::uint32_t>(std::upper_bound(first.begin(), first.end(), piece.node) -
                                                   first.begin() - 1);
          for (; vertex + 1 < first.size() && first[vertex] < piece.node + piece.count; ++vertex) {
            if (!goes) stuck.insert(vertex);
            std::vector<JobId>& jobs = domains[vertex].jobs;
            if (jobs.empty() || jobs.back() != job.id) jobs.push_back(job.id);
          }
        }
        return true;
      });
      for (std::uint32_t vertex = 0; vertex < domains.size(); ++vertex) {
        bool off = false;
        bool held = false;
        for (std::uint32_t node = first[vertex]; node < first[vertex + 1]; ++node) {
          off |= pool.is_off(node);
          held |= pool.is_held(node);
        }
        if (off) continue;
        ++plan_.domains;
        Domain& domain = domains[vertex];
        std::sort(domain.jobs.begin(), domain.jobs.end());
        if (stuck.contains(vertex)) {
          ++plan_.stuck;
        } else if (held) {
          continue;  // Promised to a job that waits.
        } else if (domain.jobs.empty()) {
          ++plan_.free_now;
          free_.emplace_back(index, vertex);
        } else {
          for (const JobId job : domain.jobs) {
            domain.cost += costs_[job];
            on_[job].push_back({index, vertex});
          }
          order_.emplace(domain.cost, Place{index, vertex});
          candidates_.emplace(Place{index, vertex}, std::move(domain));
        }
      }
    }
  }

  void choose() {
    std::set<JobId> chosen;
    while (plan_.freed.size() < wish_.domains && !order_.empty()) {
      const auto [cost, place] = *order_.begin();
      order_.erase(order_.begin());
      DefragPlan::Domain freed;
      freed.pool = place.first;
      freed.vertex = place.second;
      freed.lost_gpu_milli_s = cost;
      const std::vector<std::uint32_t>& first = bounds(place.first);
      for (std::uint32_t node = first[place.second]; node < first[place.second + 1]; ++node)
        freed.nodes.push_back(state_.pools[place.first]->fleet_node(node));
      for (const JobId job : candidates_.at(place).jobs) {
        if (!chosen.insert(job).second) continue;
        freed.jobs.push_back(job);
        for (const Place& other : on_[job]) {  // It costs the others nothing any more.
          Domain& domain = candidates_.at(other);
          const bool open = order_.erase({domain.cost, other}) > 0;
          domain.cost -= costs_[job];
          if (open) order_.emplace(domain.cost, other);
        }
      }
      plan_.lost_gpu_milli_s += cost;
      plan_.freed.push_back(std::move(freed));
    }
    for (const JobId job : chosen) plan_.moves.push_back({job, costs_[job], false, {}});
  }

  void try_out() {
    const Instant now = core_.now();
    std::vector<Event> shut;
    const auto close = [&](std::uint32_t pool, std::uint32_t vertex) {
      for (std::uint32_t node = bounds(pool)[vertex]; node < bounds(pool)[vertex + 1]; ++node)
        core_.apply(Event::node_closed(state_.pools[pool]->fleet_node(node)), now);
    };
    for (const auto& [pool, vertex] : free_) close(pool, vertex);
    for (const DefragPlan::Domain& domain : plan_.freed) close(domain.pool, domain.vertex);
    for (const DefragPlan::Move& move : plan_.moves) core_.apply(Event::job_requeued(move.job), now);
    const Plan& plan = core_.plan(now);
    for (DefragPlan::Move& move : plan_.moves) {
      for (const Plan::Start& start : plan.starts) {
        if (start.job != move.job) continue;
        move.starts_at_once = true;
        move.to = start.placement;
      }
    }
    // Freed domains of one pool and size take one gang in as many blocks.
    std::map<Place, std::uint32_t> sizes;
    for (const DefragPlan::Domain& domain : plan_.freed) {
      for (const NodeId node : domain.nodes) core_.apply(Event::node_reopened(node), now);
      ++sizes[{domain.pool, static_cast<std::uint32_t>(domain.nodes.size())}];
    }
    plan_.verified = true;
    for (const auto& [what, count] : sizes) {
      const Pool& pool = *state_.pools[what.first];
      Shape gang;
      gang.nodes = what.second * count;
      gang.gpus = pool.gpus_per_node();
      gang.segment_nodes = what.second;
      gang.segment_level = wish_.level;
      const std::optional<Placement> placement = pool.place(gang, View::kOpen, PlacementKind::kSmallestSpan);
      plan_.verified = plan_.verified && placement.has_value();
    }
    for (const DefragPlan::Domain& domain : plan_.freed) {
      const Pool& pool = *state_.pools[domain.pool];
      for (const NodeId node : domain.nodes)
        plan_.verified = plan_.verified && pool.free_count(pool.local_node(node)) == pool.gpus_per_node();
    }
  }

  Core& core_;
  const State& state_;
  DefragWish wish_;
  DefragPlan plan_;
  std::vector<Place> free_;
  std::map<Place, Domain> candidates_;
  std::set<std::pair<std::int64_t, Place>> order_;
  std::map<JobId, std::int64_t> costs_;
  std::map<JobId, std::vector<Place>> on_;  ///< Candidates on which the job is.
};

}  // namespace

DefragPlan plan_defrag(Core& copy, const DefragWish& wish) { return Defrag(copy, wish).make(); }

}  // namespace gw::sched
