// Core::snapshot and Core::restore: the whole deciding state as bytes.
#include <algorithm>
#include <bit>

#include "base/check.h"
#include "sched/codec.h"
#include "sched/core.h"

namespace gw::sched {
namespace {

constexpr std::uint64_t kFormat = Pass::kFormat;
constexpr std::uint64_t kOldestFormat = 4;  ///< That is read still: an upgrade begins with it.

enum class Phase : std::uint8_t { kWaits, kRuns, kLeaves, kClaims, kPutOff };

Phase phase_of(const Job& job) {
  if (job.claims) return Phase::kClaims;
  if (job.is_put_off()) return Phase::kPutOff;
  if (!job.running) return Phase::kWaits;
  return job.leaving ? Phase::kLeaves : Phase::kRuns;
}

struct Claiming {
  JobId id;
  JobRequest request;
  Instant waits_since;
  Reason reason;
  Claim claim;
};

/// Bytes from outside: could the core hold this claim, all jobs but those that claim being in place?
bool is_sound(const State& state, const Claim& claim, const Shape& shape) {
  if (claim.placement.pool >= state.pools.size() || claim.placement.pieces.empty()) return false;
  const Pool& pool = *state.pools[claim.placement.pool];
  if (!allowed_zone(shape, pool.zone())) return false;
  std::uint64_t next = 0;
  for (const Piece& piece : claim.placement.pieces) {
    if (piece.count == 0 || piece.node < next || std::uint64_t{piece.node} + piece.count > pool.nodes())
      return false;
    next = std::uint64_t{piece.node} + piece.count;
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      if (pool.is_down(node) || pool.is_closed(node, Closure::kClaimed)) return false;
    }
  }
  for (std::size_t index = 0; index < claim.victims.size(); ++index) {
    const Job* victim = state.jobs.find(claim.victims[index]);
    if (victim == nullptr || !victim->leaving ||
        (index > 0 && claim.victims[index] <= claim.victims[index - 1]))
      return false;
  }
  return !claim.victims.empty() || pool.is_free(shape, claim.placement, Closure::kDrained);
}

/// The same of where a job is to go on; what is free is looked at once all is in place.
bool is_sound(const State& state, JobId id, const State::Resizing& resize) {
  const Placement& place = resize.placement;
  const Job& job = state.jobs[id];
  if (place.pool != job.placement.pool || !job.request.is_resizable() || resize.end < Instant{}) return false;
  const Pool& pool = *state.pools[place.pool];
  std::uint64_t next = 0;
  for (const Piece& piece : place.pieces) {
    if (piece.count == 0 || piece.node < next || std::uint64_t{piece.node} + piece.count > pool.nodes() ||
        static_cast<std::uint32_t>(std::popcount(piece.gpu_mask)) != job.request.shape.gpus ||
        (pool.gpus_per_node() < 64 && (piece.gpu_mask >> pool.gpus_per_node()) != 0))
      return false;
    next = std::uint64_t{piece.node} + piece.count;
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      if (pool.is_down(node) || pool.is_closed(node, Closure::kClaimed)) return false;
    }
  }
  const std::uint32_t nodes = node_count(place);
  return nodes >= job.request.nodes_min && nodes <= job.request.nodes_max;
}

/// Caps that differ from the fleet's, dark nodes and clocks: what does not follow from the jobs.
void save_power(const State& state, ByteWriter& out) {
  const PowerTree& power = state.power;
  out.u64(power.tracked() ? 1 : 0);
  if (!power.tracked()) return;
  out.u64(state.clocks_allowed ? 1 : 0);
  std::vector<FeedId> capped;
  for (std::uint32_t level = 0; level < power.levels(); ++level) {
    for (std::uint32_t vertex = 0; vertex < power.vertices(level); ++vertex) {
      if (power.cap({level, vertex}) != power.built_cap({level, vertex})) capped.push_back({level, vertex});
    }
  }
  out.u64(capped.size());
  for (const FeedId feed : capped) {
    out.u64(feed.level);
    out.u64(feed.vertex);
    out.i64(power.cap(feed).count());
  }
  std::vector<const Job*> running;
  state.jobs.for_each([&](const Job& job) {
    if (job.running) running.push_back(&job);
  });
  std::sort(running.begin(), running.end(), [](const Job* a, const Job* b) { return a->id < b->id; });
  for (const Job* job : running) out.u64(job->clock);
  out.u64(state.slowed_for.size());
  for (const FeedId feed : state.slowed_for) {
    out.u64(feed.level);
    out.u64(feed.vertex);
  }
  const std::vector<std::uint32_t> dark = power.dark_nodes();
  out.u64(dark.size());
  for (const std::uint32_t node : dark) out.u64(node);
  out.u64(state.prices.curves().size());
  for (const auto& [feed, curve] : state.prices.curves()) {
    out.u64(feed.level);
    out.u64(feed.vertex);
    encode(out, curve);
  }
  out.i64(state.prices.mean_wait().count());
  out.i64(state.prices.run_ppm());
}

bool restore_power(State& state, ByteReader& in) {
  PowerTree& power = state.power;
  if ((in.u64() != 0) != power.tracked()) return false;
  if (!power.tracked()) return in.ok();
  const auto read_feed = [&](FeedId& feed) {
    feed.level = in.u32();
    feed.vertex = in.u32();
    return in.ok() && feed.level < power.levels() && feed.vertex < power.vertices(feed.level);
  };
  const bool clocks = in.u64() != 0;
  for (std::size_t left = in.count(); left > 0; --left) {
    FeedId feed;
    if (!read_feed(feed)) return false;
    const Milliwatts cap{in.i64()};
    if (!in.ok() || cap.count() < 0 || cap > kMostPower) return false;
    Plan ignored;
    state.apply(Event::feed_cap(feed.level, feed.vertex, cap), Instant{}, ignored);
  }
  state.clocks_allowed = clocks;
  std::vector<Job*> running;
  state.jobs.for_each([&](const Job& job) {
    if (job.running) running.push_back(&state.jobs[job.id]);
  });
  std::sort(running.begin(), running.end(), [](const Job* a, const Job* b) { return a->id < b->id; });
  for (Job* job : running) {
    const std::uint32_t clock = in.u32();
    if (!in.ok() || clock == 0 || clock > PowerTree::kFull) return false;
    if (clock != job->clock) state.set_clock(*job, clock);
  }
  for (std::size_t left = in.count(); left > 0; --left) {
    FeedId feed;
    if (!read_feed(feed)) return false;
    state.slowed_for.insert(feed);
  }
  // Where claims were put back, what is left beside them has gone dark by the caps of the fleet.
  for (const std::uint32_t node : power.dark_nodes()) state.set_dark(NodeId{node}, false);
  for (std::size_t left = in.count(); left > 0; --left) {
    const std::uint32_t node = in.u32();
    if (!in.ok() || node >= power.nodes() || power.is_dark(node)) return false;
    state.set_dark(NodeId{node}, true);
  }
  for (std::size_t left = in.count(); left > 0; --left) {
    FeedId feed;
    if (!read_feed(feed)) return false;
    state.prices.set(feed, decode_prices(in));
  }
  const Nanoseconds wait{in.i64()};
  if (wait < Nanoseconds{0} || wait > EnergyPrices::kLongestWait) return false;
  state.prices.set_mean_wait(wait);
  const std::int64_t ran = in.i64();
  if (ran < 0 || ran > 1'000'000) return false;
  state.prices.set_run_ppm(ran);
  return in.ok();
}

}  // namespace

// Indices, queues and sums are not written: they follow from the nodes and jobs, and ties go by id, so a
// rebuilt index decides like the one it replaces.
std::string Core::snapshot() const {
  GW_CHECK(building_.interrupted.empty() && building_.rejections.empty());  // A plan is due first.
  ByteWriter out;
  out.u64(kFormat);
  out.i64(now_.count());
  out.u64(state_.next_job);
  out.u64(state_.releases);
  out.i64(state_.wake.count());
  out.u64(state_.changes.last_seen.value());
  const State::Changes& changes = state_.changes;
  out.u64((changes.released ? 1 : 0) | (changes.irregular ? 2 : 0) | (changes.nodes ? 4 : 0) |
          (state_.uniform ? 8 : 0) | (changes.windows ? 16 : 0) | (state_.windows_due(now_) ? 32 : 0));
  out.i64(state_.longest_limit.count());
  const FairShare& fair = state_.pending.fair_share();
  const FairShare::State shares = fair.save();
  out.u64(fair.tenants() - 1);
  for (std::uint32_t tenant = 1; tenant < fair.tenants(); ++tenant) {
    out.u64(fair.parent(TenantId{tenant}).value());
    out.u64(fair.weight(TenantId{tenant}));
  }
  const QuotaTree& quota = state_.quota;
  out.u64(quota.in_use() ? 1 : 0);
  if (quota.in_use()) {
    std::vector<std::pair<TenantId, QuotaResource>> rows;
    for (std::uint32_t tenant = 0; tenant < quota.tenants(); ++tenant) {
      for (std::size_t resource = 0; resource < quota.resources(); ++resource) {
        if (quota.terms(TenantId{tenant}, static_cast<QuotaResource>(resource)) != QuotaTerms{})
          rows.emplace_back(tenant, static_cast<QuotaResource>(resource));
      }
    }
    out.u64(rows.size());
    for (const auto& [tenant, resource] : rows) {
      out.u64(tenant.value());
      out.u64(resource);
      encode(out, quota.terms(tenant, resource));
    }
    std::vector<TenantId> spent;
    for (std::uint32_t tenant = 0; tenant < quota.tenants(); ++tenant) {
      if (quota.budget(TenantId{tenant}) != BudgetState::kOpen) spent.emplace_back(tenant);
    }
    out.u64(spent.size());
    for (const TenantId tenant : spent) {
      out.u64(tenant.value());
      out.u64(static_cast<std::uint64_t>(quota.budget(tenant)));
    }
  }
  out.i64(shares.charged_to.count());
  out.f64(shares.inflation);
  for (const double usage : shares.usage) out.f64(usage);
  for (const auto& pool : state_.pools) {
    std::vector<std::uint32_t> down;
    for (std::uint32_t node = 0; node < pool->nodes(); ++node) {
      if (pool->is_down(node)) down.push_back(node);
    }
    out.u64(down.size());
    for (const std::uint32_t node : down) out.u64(node);
  }
  std::vector<const Job*> jobs;
  state_.jobs.for_each([&](const Job& job) { jobs.push_back(&job); });
  std::sort(jobs.begin(), jobs.end(), [](const Job* a, const Job* b) { return a->id < b->id; });
  out.u64(jobs.size());
  for (const Job* job : jobs) {
    out.u64(job->id.value());
    encode(out, job->request);
    out.i64(job->waits_since.count());
    out.u64(static_cast<std::uint64_t>(job->reason));
    out.u64(static_cast<std::uint64_t>(phase_of(*job)));
    if (job->claims) {
      const Claim& claim = state_.claims.at(job->id);
      encode(out, claim.placement);
      out.u64(claim.victims.size());
      for (const JobId victim : claim.victims) out.u64(victim.value());
    }
    if (job->is_put_off()) out.i64(job->joins_at.count());
    if (!job->running) continue;
    out.i64(job->started.count());
    out.i64(job->expected_end.count());
    encode(out, job->placement);
    out.u64(job->finishes ? 1 : 0);
    if (!job->leaving || !job->request.is_elastic()) continue;
    const auto resize = state_.resizes.find(job->id);
    out.u64(resize != state_.resizes.end() ? 1 : 0);
    if (resize == state_.resizes.end()) continue;
    encode(out, resize->second.placement);
    out.i64(resize->second.end.count());
  }
  for (const auto& pool : state_.pools) {
    std::vector<std::uint32_t> drained;
    for (std::uint32_t node = 0; pool->closed_nodes() > 0 && node < pool->nodes(); ++node) {
      if (pool->is_closed(node, Closure::kDrained)) drained.push_back(node);
    }
    out.u64(drained.size());
    for (const std::uint32_t node : drained) out.u64(node);
  }
  save_power(state_, out);
  out.u64(state_.windows.all().size());
  for (const auto& [id, terms] : state_.windows.all()) {
    out.u64(id.value());
    encode(out, terms);
  }
  std::size_t hopeless = 0;
  for (const auto& [who, known] : state_.hopeless) hopeless += known.at == state_.node_changes;
  out.u64(hopeless);
  for (const auto& [who, known] : state_.hopeless) {
    if (known.at != state_.node_changes) continue;
    encode(out, who.first);
    out.u64(who.second.size());
    for (const WindowId id : who.second) out.u64(id.value());
    out.i64(known.limit.count());
  }
  pass_->save(state_, out);
  return out.take();
}

bool Core::restore_windows(ByteReader& in) {
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    const WindowId id{in.u32()};
    const WindowTerms terms = decode_window(in);
    if (!in.ok() || !may_add_window(id, terms)) return false;
    state_.apply(Event::window_added(id, terms), now_, building_);
  }
  state_.refresh_windows(now_, nullptr);  // Who must go has been told.
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    const Shape shape = decode_shape(in);
    std::vector<WindowId> own;
    for (std::size_t windows = in.count(); windows > 0 && in.ok(); --windows) own.emplace_back(in.u32());
    const Nanoseconds limit{in.i64()};
    state_.hopeless[{shape, own}] = {state_.node_changes, limit};
  }
  return in.ok();
}

bool Core::restore_quota(ByteReader& in) {
  QuotaTree& quota = state_.quota;
  state_.quota.set_budget(TenantId{0}, BudgetState::kOpen);  // From now on it is in use.
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    const TenantId tenant{in.u32()};
    const std::uint64_t resource = in.u64();
    const QuotaTerms terms = decode_terms(in);
    if (!in.ok() || tenant.value() >= quota.tenants() || resource >= quota.resources()) return false;
    quota.set_terms(tenant, static_cast<QuotaResource>(resource), terms);
    state_.unused_quota.set_terms(tenant, static_cast<QuotaResource>(resource), terms);
  }
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    const TenantId tenant{in.u32()};
    const std::uint8_t budget = in.u8();
    if (!in.ok() || tenant.value() >= quota.tenants() ||
        budget > static_cast<std::uint8_t>(BudgetState::kStopAll))
      return false;
    quota.set_budget(tenant, static_cast<BudgetState>(budget));
  }
  for (std::uint32_t tenant = 0; tenant < quota.tenants(); ++tenant) state_.note_owed(TenantId{tenant});
  return in.ok();
}

bool Core::restore(std::string_view snapshot) {
  GW_CHECK(state_.next_job == 0 && state_.jobs.size() == 0);
  ByteReader in(snapshot);
  const std::uint64_t format = in.u64();
  if (format < kOldestFormat || format > kFormat) return false;
  now_ = Instant{in.i64()};
  const std::uint32_t next_job = in.u32();
  const std::uint64_t releases = in.u64();
  const Instant wake{in.i64()};
  const auto last_seen = JobId{in.u32()};
  const std::uint64_t flags = in.u64();
  state_.longest_limit = Nanoseconds{in.i64()};
  if (state_.longest_limit < Nanoseconds{0} || state_.longest_limit > kLongestSpan) return false;
  // Every job between was seen by the pass before the snapshot, but for a batch that still awaits its plan.
  constexpr std::uint32_t kMostUnseen = 1U << 20;
  const std::uint32_t seen = last_seen.valid() ? last_seen.value() + 1 : 0;
  if (!in.ok() || now_ < Instant{} || now_ > kLastInstant || !JobId{next_job}.valid() || seen > next_job ||
      next_job - seen > kMostUnseen)
    return false;
  Plan ignored;
  const std::size_t tenants = in.count();
  for (std::size_t tenant = 0; tenant < tenants; ++tenant) {
    const TenantId parent{in.u32()};
    const std::uint32_t weight = in.u32();
    if (!in.ok() || weight == 0 || parent.value() >= state_.pending.tenants() ||
        state_.pending.fair_share().depth(parent) >= FairShare::kMostDepth)
      return false;
    state_.apply(Event::tenant_added(parent, weight), now_, ignored);
  }
  if (in.u64() != 0 && !restore_quota(in)) return false;
  FairShare::State shares;
  shares.charged_to = Instant{in.i64()};
  shares.inflation = in.f64();
  const auto sensible = [](double value) { return value > -1e200 && value < 1e200; };  // Not so for a NaN.
  if (shares.charged_to < Instant{} || shares.charged_to > now_ || !sensible(shares.inflation) ||
      shares.inflation < 1)
    return false;
  for (std::size_t left = (tenants + 1) * state_.pending.fair_share().kinds(); left > 0; --left) {
    shares.usage.push_back(in.f64());
    if (!sensible(shares.usage.back())) return false;
  }
  for (const auto& pool : state_.pools) {
    const std::size_t down = in.count();
    for (std::size_t index = 0; index < down; ++index) {
      const std::uint32_t node = in.u32();
      if (!in.ok() || node >= pool->nodes() || pool->is_down(node)) return false;
      pool->set_down(node);
      if (state_.power.tracked()) state_.power.set_up(pool->fleet_node(node).value(), false);
    }
  }
  const std::size_t jobs = in.count();
  constexpr std::size_t kLeastJobBytes = 16;
  std::vector<Claiming> claiming;
  std::vector<std::pair<JobId, State::Resizing>> resizing;
  state_.jobs.reserve(std::min(jobs, in.left() / kLeastJobBytes));
  for (std::size_t index = 0; index < jobs; ++index) {
    const JobId id{in.u32()};
    const JobRequest request = decode_request(in);
    const Instant waits_since{in.i64()};
    const std::uint8_t reason = in.u8();
    const std::uint8_t phase = in.u8();
    if (!in.ok() || id.value() >= next_job || state_.jobs.find(id) != nullptr || reason >= kReasons ||
        !request_problem(request).empty() || request.tenant.value() > tenants || waits_since < Instant{} ||
        waits_since > now_ || phase > static_cast<std::uint8_t>(Phase::kPutOff))
      return false;
    Job* job = nullptr;
    const auto is = static_cast<Phase>(phase);
    if (is == Phase::kClaims) {
      Claim claim;
      claim.placement = decode_placement(in);
      for (std::size_t left = in.count(); left > 0 && in.ok(); --left) claim.victims.emplace_back(in.u32());
      claiming.push_back({id, request, waits_since, static_cast<Reason>(reason), std::move(claim)});
      continue;
    }
    if (is == Phase::kPutOff) {
      const Instant until{in.i64()};
      if (!in.ok() || until <= Instant{} || until > kLastInstant) return false;
      job = state_.put_put_off(id, request, waits_since, until);
    } else if (is != Phase::kWaits) {
      const Instant started{in.i64()};
      const Instant expected_end{in.i64()};
      Placement placement = decode_placement(in);
      const bool finishes = in.u64() != 0;
      if (!in.ok() || placement.pool >= state_.pools.size() || expected_end < Instant{} ||
          started < Instant{} || started > now_ ||
          !state_.pools[placement.pool]->is_free(request.shape, placement))
        return false;
      job = state_.put_running(id, request, waits_since, std::move(placement), expected_end, now_);
      if (job == nullptr) return false;
      state_.set_started(*job, started);
      job->finishes = finishes;
      if (is == Phase::kLeaves) {
        state_.mark_leaving(*job);
        if (request.is_elastic() && in.u64() != 0) {
          Placement place = decode_placement(in);
          resizing.emplace_back(id, State::Resizing{std::move(place), Instant{in.i64()}});
        }
      }
    } else {
      job = state_.put_waiting(id, request, waits_since);
    }
    if (job == nullptr) return false;
    job->reason = static_cast<Reason>(reason);
  }
  for (const auto& pool : state_.pools) {  // Last: jobs may run on closed nodes, but not start there.
    const std::size_t closed = in.count();
    for (std::size_t index = 0; index < closed; ++index) {
      const std::uint32_t node = in.u32();
      if (!in.ok() || node >= pool->nodes() || pool->is_closed(node)) return false;
      pool->close(node);
      if (state_.power.tracked()) state_.power.set_closed(pool->fleet_node(node).value(), true);
    }
    if (closed > 0 && (flags & 8) != 0) return false;
  }
  for (Claiming& job : claiming) {
    if (!is_sound(state_, job.claim, job.request.shape)) return false;
    Job* put = state_.put_claiming(job.id, job.request, job.waits_since, std::move(job.claim));
    if (put == nullptr) return false;
    put->reason = job.reason;
  }
  for (auto& [id, resize] : resizing) {
    if (!is_sound(state_, id, resize)) return false;
    state_.put_resize(state_.jobs[id], std::move(resize));
  }
  if (!restore_power(state_, in)) return false;
  if (!restore_windows(in)) return false;
  if ((flags & 32) != 0) state_.set_windows_due();
  state_.wake = wake;
  state_.next_job = next_job;
  state_.releases = releases;
  if ((flags & 8) == 0) state_.set_structured();
  if (state_.uniform != ((flags & 8) != 0)) return false;
  state_.changes = {(flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, (flags & 16) != 0, last_seen};
  pass_ = make_pass(state_);
  const std::vector<std::int64_t> running_milli = state_.pending.fair_share().save().running_milli;
  state_.pending.fair_share().restore({shares.charged_to, shares.inflation, shares.usage, running_milli});
  if (!pass_->restore(state_, in, format) || !in.done()) return false;
  state_.refresh_quota(now_);
  return check().empty();
}

}  // namespace gw::sched
