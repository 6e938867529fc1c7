// Core::move_from: the jobs, tenants and node states of one core on another fleet or under another policy.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "sched/core.h"

namespace gw::sched {
namespace {

/// The old fleet's names in terms of the new one.
class Translation {
 public:
  Translation(const Fleet& old_fleet, const Fleet& fleet) : old_fleet_(old_fleet), fleet_(fleet) {
    std::map<std::string, std::uint32_t> by_name;
    for (std::uint32_t node = 0; node < fleet.nodes(); ++node)
      by_name.emplace(fleet.node_name(NodeId{node}), node);
    for (std::uint32_t node = 0; node < old_fleet.nodes(); ++node) {
      const auto at = by_name.find(old_fleet.node_name(NodeId{node}));
      nodes_.push_back(at == by_name.end() ? NodeId{} : NodeId{at->second});
    }
  }

  /// None: there is no such node any more.
  [[nodiscard]] NodeId node(NodeId old) const { return nodes_[old.value()]; }

  [[nodiscard]] Shape shape(Shape shape) const {
    if (shape.gpu_types != 0) {
      std::uint64_t types = 0;
      for (std::size_t type = 0; type < 64; ++type) {
        if (((shape.gpu_types >> type) & 1U) == 0) continue;
        const std::string* name =
            type < old_fleet_.gpu_types.size() ? &old_fleet_.gpu_types[type].name : nullptr;
        for (std::size_t now = 0; name != nullptr && now < fleet_.gpu_types.size() && now < 63; ++now) {
          if (fleet_.gpu_types[now].name == *name) types |= std::uint64_t{1} << now;
        }
      }
      shape.gpu_types = types != 0 ? types : std::uint64_t{1} << 63;  // A type that no node has.
    }
    if (shape.level != Shape::kAnyLevel) {
      const int level = shape.level < old_fleet_.fabric.size()
                            ? fleet_.fabric_level(old_fleet_.fabric[shape.level].level)
                            : -1;
      shape.level = level < 0 ? Shape::kAnyLevel : static_cast<std::uint8_t>(level);
      if (level < 0) shape.level_required = false;
    }
    shape.zones = zones(shape.zones);
    shape.segment_level = level_of(shape.segment_level);
    if (shape.segment_level == Shape::kAnyLevel) shape.segment_nodes = 0;
    shape.spread_level = level_of(shape.spread_level);
    return shape;
  }

 private:
  /// The zones of the new fleet with the facts of those in `old`; no zone where there is none.
  [[nodiscard]] std::uint64_t zones(std::uint64_t old) const {
    if (old == 0) return 0;
    std::uint64_t now = 0;
    for (std::size_t zone = 0; zone < old_fleet_.zones.size(); ++zone) {
      if (((old >> zone) & 1U) == 0) continue;
      for (std::size_t other = 0; other < fleet_.zones.size(); ++other) {
        if (fleet_.zones[other].same_facts(old_fleet_.zones[zone])) now |= std::uint64_t{1} << other;
      }
    }
    return now != 0 ? now : Shape::kNoZone;
  }
  /// The level of that name; kAnyLevel: there is none.
  [[nodiscard]] std::uint8_t level_of(std::uint8_t old) const {
    const int level = old < old_fleet_.fabric.size() ? fleet_.fabric_level(old_fleet_.fabric[old].level) : -1;
    return level < 0 ? Shape::kAnyLevel : static_cast<std::uint8_t>(level);
  }

  const Fleet& old_fleet_;
  const Fleet& fleet_;
  std::vector<NodeId> nodes_;
};

void append_node(std::vector<Piece>& pieces, std::uint32_t node, std::uint64_t gpu_mask) {
  if (!pieces.empty() && pieces.back().node + pieces.back().count == node &&
      pieces.back().gpu_mask == gpu_mask) {
    ++pieces.back().count;
  } else {
    pieces.push_back({node, 1, gpu_mask});
  }
}

}  // namespace

/// Terms and budgets, GPU types by name.
void Core::move_quota(const State& old, const Fleet& old_fleet, const Fleet& fleet) {
  if (!old.quota.in_use()) return;
  Plan ignored;
  for (std::uint32_t tenant = 0; tenant < old.quota.tenants(); ++tenant) {
    for (std::size_t resource = 0; resource < old.quota.resources(); ++resource) {
      const QuotaTerms terms = old.quota.terms(TenantId{tenant}, static_cast<QuotaResource>(resource));
      if (terms == QuotaTerms{}) continue;
      std::size_t here = resource == kAllGpus ? 0 : fleet.gpu_types.size() + 1;
      for (std::size_t type = 0; resource != kAllGpus && type < fleet.gpu_types.size(); ++type) {
        if (fleet.gpu_types[type].name == old_fleet.gpu_types[resource - 1].name) here = type + 1;
      }
      if (here > fleet.gpu_types.size()) continue;  // There are no such GPUs any more.
      state_.apply(Event::tenant_quota(TenantId{tenant}, static_cast<QuotaResource>(here), terms), now_,
                   ignored);
    }
    const BudgetState budget = old.quota.budget(TenantId{tenant});
    if (budget != BudgetState::kOpen)
      state_.apply(Event::tenant_budget(TenantId{tenant}, budget), now_, ignored);
  }
}

/// Windows, with the nodes that are left of them.
void Core::move_windows(const State& old, const Fleet& old_fleet, const Fleet& fleet) {
  const Translation translation(old_fleet, fleet);
  for (const auto& [id, terms] : old.windows.all()) {
    WindowTerms here = terms;
    std::vector<std::uint32_t> nodes;
    for (const NodeRun& run : terms.nodes) {
      for (std::uint32_t node = run.first.value(); node < run.first.value() + run.count; ++node) {
        if (const NodeId now = translation.node(NodeId{node}); now.valid()) nodes.push_back(now.value());
      }
    }
    std::sort(nodes.begin(), nodes.end());
    here.nodes = node_runs(nodes);
    Plan ignored;
    if (!here.nodes.empty()) state_.apply(Event::window_added(id, here), now_, ignored);
  }
}

namespace {

/// Caps that differ from the old fleet's, feeds by name. What follows from them the next plan decides.
void move_caps(const State& old, const Fleet& old_fleet, State& state, const Fleet& fleet, Instant now) {
  if (!old.power.tracked() || !state.power.tracked()) return;
  Plan ignored;
  for (std::uint32_t level = 0; level < old.power.levels(); ++level) {
    for (std::uint32_t vertex = 0; vertex < old.power.vertices(level); ++vertex) {
      const FeedId feed{level, vertex};
      if (old.power.cap(feed) == old.power.built_cap(feed)) continue;
      const std::optional<Fleet::FeedAt> here = fleet.find_feed(old_fleet.feed_name(level, vertex));
      if (here)
        state.apply(Event::feed_cap(here->level, here->vertex, old.power.cap(feed), old.clocks_allowed), now,
                    ignored);
    }
  }
  state.clocks_allowed = old.clocks_allowed;
  for (const auto& [feed, curve] : old.prices.curves()) {
    const std::optional<Fleet::FeedAt> here = fleet.find_feed(old_fleet.feed_name(feed.level, feed.vertex));
    if (here) state.prices.set({here->level, here->vertex}, curve);
  }
  state.prices.set_mean_wait(old.prices.mean_wait());
  state.prices.set_run_ppm(old.prices.run_ppm());
}

/// Usage by tenant and kind of GPU, matched by the type's name; what was used of others counts as of the
/// first.
std::vector<double> move_usage(const State& old, const Fleet& old_fleet, const std::vector<double>& usage,
                               const State& state, const Fleet& fleet) {
  const auto name_of = [](const Fleet& of, std::uint32_t type) {
    return type < of.gpu_types.size() ? of.gpu_types[type].name : std::string();
  };
  const std::size_t old_kinds = old.pending.fair_share().kinds();
  const std::size_t kinds = state.pending.fair_share().kinds();
  std::vector<std::size_t> kind_of(old_kinds);
  for (std::size_t kind = 0; kind < old.gpu_type_of_kind().size(); ++kind) {
    for (std::size_t now = 0; now < state.gpu_type_of_kind().size(); ++now) {
      if (name_of(old_fleet, old.gpu_type_of_kind()[kind]) == name_of(fleet, state.gpu_type_of_kind()[now]))
        kind_of[kind] = now;
    }
  }
  std::vector<double> moved(usage.size() / old_kinds * kinds);
  for (std::size_t at = 0; at < usage.size(); ++at)
    moved[at / old_kinds * kinds + kind_of[at % old_kinds]] += usage[at];
  return moved;
}

}  // namespace

Core::Moved Core::move_from(const Core& old, const Fleet& old_fleet, const Fleet& fleet, Instant now,
                            const std::function<std::uint64_t(const Job&)>& zones_of) {
  GW_CHECK(state_.next_job == 0 && state_.jobs.size() == 0 && now >= old.now_);
  now_ = now;
  Moved moved;
  Plan ignored;
  const FairShare& shares = old.state_.pending.fair_share();
  for (std::uint32_t tenant = 1; tenant < shares.tenants(); ++tenant)
    state_.apply(Event::tenant_added(shares.parent(TenantId{tenant}), shares.weight(TenantId{tenant})), now,
                 ignored);

  move_quota(old.state_, old_fleet, fleet);
  move_caps(old.state_, old_fleet, state_, fleet, now);

  const Translation translation(old_fleet, fleet);
  std::vector<NodeId> closed;
  for (const auto& pool : old.state_.pools) {
    for (std::uint32_t node = 0; node < pool->nodes(); ++node) {
      const NodeId new_node = translation.node(pool->fleet_node(node));
      if (!new_node.valid()) continue;
      if (pool->is_down(node)) state_.apply(Event::node_down(new_node), now, ignored);
      if (pool->is_closed(node, Closure::kDrained)) closed.push_back(new_node);
    }
  }

  std::vector<const Job*> jobs;
  old.state_.jobs.for_each([&](const Job& job) { jobs.push_back(&job); });
  std::sort(jobs.begin(), jobs.end(), [](const Job* a, const Job* b) { return a->id < b->id; });
  for (const Job* job : jobs) {
    JobRequest request = job->request;
    request.shape = translation.shape(request.shape);
    if (zones_of) request.shape.zones = zones_of(*job);
    state_.next_job = job->id.value();
    state_.apply(Event::job_submitted(job->id, request), now, ignored);
    Job* here = state_.jobs.find(job->id);
    if (here == nullptr) {
      moved.rejected.push_back(job->id);
      continue;
    }
    state_.set_waits_since(*here, std::min(job->waits_since, now));
    if (!job->is_put_off()) state_.call_in(*here);
    here->reason = job->reason;
    if (!job->running) continue;
    Placement placement;
    bool possible = true;
    const Pool& old_pool = *old.state_.pools[job->placement.pool];
    for (const Piece& piece : job->placement.pieces) {
      for (std::uint32_t at = piece.node; possible && at < piece.node + piece.count; ++at) {
        const NodeId node = translation.node(old_pool.fleet_node(at));
        possible = node.valid() && (placement.pieces.empty() || state_.pool_of(node) == placement.pool);
        if (!possible) break;
        placement.pool = state_.pool_of(node);
        append_node(placement.pieces, state_.pools[placement.pool]->local_node(node), piece.gpu_mask);
      }
    }
    if (possible) {
      std::sort(placement.pieces.begin(), placement.pieces.end(),
                [](const Piece& a, const Piece& b) { return a.node < b.node; });
      const Pool& pool = *state_.pools[placement.pool];
      placement.span = pool.span_of(placement.pieces);
      possible = allowed_zone(request.shape, pool.zone()) && pool.is_free(request.shape, placement);
    }
    if (possible) {
      state_.start_at(*here, std::move(placement), job->expected_end, now, ignored);
      state_.set_started(*here, job->started);
      if (job->leaving) state_.mark_leaving(*here);
      if (state_.power.tracked() && job->clock < PowerTree::kFull) state_.set_clock(*here, job->clock);
    } else {
      state_.set_waits_since(*here, now);
      moved.interrupted.push_back(job->id);
    }
  }
  for (const NodeId node : closed) state_.apply(Event::node_closed(node), now, ignored);
  move_windows(old.state_, old_fleet, fleet);
  state_.next_job = old.state_.next_job;
  state_.changes = {true, true, true, true,
                    old.state_.next_job == 0 ? JobId{} : JobId{old.state_.next_job - 1}};
  pass_ = make_pass(state_);
  // What was used counts as before; what runs is charged on from the last charge.
  FairShare::State usage = shares.save();
  if (!old.state_.pending.by_tenant()) usage.charged_to = now;
  usage.usage = move_usage(old.state_, old_fleet, usage.usage, state_, fleet);
  usage.running_milli = state_.pending.fair_share().save().running_milli;
  state_.pending.fair_share().restore(usage);
  return moved;
}

}  // namespace gw::sched
