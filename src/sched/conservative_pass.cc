// Conservative backfill: every waiting job, in order, has a reservation at the earliest time that delays none
// before.
//
// The profile of free GPUs of each pool starts from the running jobs' limits; each job in order takes the
// earliest slot long enough for its limit (Mu'alem and Feitelson 2001, section 2). As long as running jobs
// end exactly at their limits the reservations stay right and only arrivals are added; else all are made anew
// in order, which lets jobs move up. Counts do not see fragmentation: a job whose slot has come but that fits
// no nodes waits and keeps its slot.
//
// What is made anew matters only up to the last job that could start now, so a pass stops there.
#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "sched/free_profile.h"
#include "sched/pass.h"
#include "sched/window_view.h"

namespace gw::sched {
namespace {

class ConservativePass final : public Pass {
 public:
  explicit ConservativePass(const PolicyConfig& policy) : fifo_(policy.order == OrderKind::kFifo) {}

  void run(State& state, Instant now, Plan& plan) override {
    if (state.pending.by_tenant()) state.pending.fair_share().advance(now);
    state.refresh_quota(now);
    // Where places matter, counts go astray of what really starts, so old reservations may not stand.
    const bool rebuild = state.thorough || !valid_ || !fifo_ || !state.uniform || state.changes.irregular ||
                         overdue(state, now);
    const bool may_stop = rebuild && !state.thorough && !state.pending.by_tenant() && !state.windows.in_use();
    std::vector<std::pair<JobId, std::uint32_t>> due;
    valid_ = true;
    if (rebuild) {
      rebuild_profiles(state, now);
      due_.clear();
      promise_ = {};
      fits_.assign(state.classes.size(), -1);
      least_ = INT64_MAX;
      for (std::uint32_t id = 0; id < state.classes.size(); ++id) {
        if (state.classes[id].waiting > 0)
          least_ = std::min(least_, state.classes[id].shape.total_gpu_milli());
      }
      visits_ = 0;
      waiting_ = state.pending.size();
      if (!state.pending.by_tenant()) find_hope(state, nullptr);
    } else {
      for (FreeProfile& profile : profiles_) profile.advance(now);
      for (auto at = due_.begin(); at != due_.end() && at->first.first <= now; at = due_.erase(at))
        due.emplace_back(at->first.second, at->second);
      std::sort(due.begin(), due.end());
      for (const auto& [id, pool] : due) start_due(state, state.jobs[id], pool, now, plan);
    }
    state.pending.scan(
        rebuild ? JobId{} : state.changes.last_seen, [](TenantId) { return PendingQueue::Bounds{}; },
        [&](JobId id) {
          if (may_stop) visit(state, state.jobs[id]);
          return anchor(state, state.jobs[id], now, plan);
        },
        [&] { return may_stop && stop_here(); });
  }

  [[nodiscard]] Promise promise() const override { return promise_; }

  [[nodiscard]] Reason reason(const State& state, const Job& job) const override {
    const QuotaTree::Answer bar = state.quota_bar(job);
    if (job.request.window.valid()) return bar.ok() ? Reason::kWindow : Reason::kQuota;
    if (!bar.ok()) return bar.bar == QuotaTree::Bar::kBudget ? Reason::kBudget : Reason::kQuota;
    if (state.place(job, View::kOpen)) return Reason::kReservation;
    return fits_without_windows(state, job) ? Reason::kWindow : placement_reason(state, job);
  }

  void reset(State& /*state*/) override {
    valid_ = false;
    due_.clear();
    promise_ = {};
  }

  [[nodiscard]] std::unique_ptr<Pass> copy(const State& state) const override {
    return make_conservative_pass(state.policy);  // As after `restore`.
  }

  void save(const State& /*state*/, ByteWriter& /*out*/) const override {}
  [[nodiscard]] bool restore(State& /*state*/, ByteReader& /*in*/, std::uint64_t /*format*/) override {
    valid_ = false;  // Made anew from the state: equal, since a rebuild is what regular passes only save.
    return true;
  }

 private:
  static std::int64_t demand(const Job& job) { return job.request.shape.total_gpu_milli(); }

  /// What comes free for others when the job ends: not what it has on closed nodes.
  static std::int64_t given_back(const Pool& pool, const Job& job) {
    if (pool.closed_nodes() == 0) return demand(job);
    const Shape& shape = job.request.shape;
    std::int64_t milli = 0;
    for (const Piece& piece : job.placement.pieces) {
      const std::int64_t each =
          shape.gpu_milli != 0 ? shape.gpu_milli : std::int64_t{1000} * std::popcount(piece.gpu_mask);
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
        milli += pool.is_closed(node) ? 0 : each;
    }
    return milli;
  }

  /// Does a job run past its limit? Then the profile is wrong about it.
  static bool overdue(const State& state, Instant now) {
    for (const EndProfile& running : state.running) {
      bool late = false;
      running.for_each([&](const EndProfile::Entry& entry) {
        late = entry.end <= now;
        return false;
      });
      if (late) return true;
    }
    return false;
  }

  void rebuild_profiles(const State& state, Instant now) {
    profiles_.resize(state.pools.size());
    for (std::size_t pool = 0; pool < state.pools.size(); ++pool) {
      const Pool& nodes = *state.pools[pool];
      profiles_[pool].reset(now, nodes.free_gpus() * 1000 + nodes.partial_free_milli());
      // Jobs past their limits are taken to end within a second.
      const Instant soon = now + seconds(1);
      std::int64_t overdue = 0;
      state.running[pool].for_each([&](const EndProfile::Entry& entry) {
        const std::int64_t milli =
            state.uniform ? std::int64_t{entry.amount} * 1000 : given_back(nodes, state.jobs[entry.job]);
        if (entry.end <= now) {
          overdue += milli;
          return true;
        }
        if (overdue > 0 && entry.end >= soon) profiles_[pool].append(soon, std::exchange(overdue, 0));
        profiles_[pool].append(entry.end, milli);
        return true;
      });
      if (overdue > 0) profiles_[pool].append(soon, overdue);
    }
  }

  [[nodiscard]] bool could_start(State& state, JobId id) {
    const Job& job = state.jobs[id];
    const std::vector<std::uint32_t>& pools = state.classes[job.shape_class].pools;
    return std::any_of(pools.begin(), pools.end(),
                       [&](std::uint32_t pool) {
                         return permits(state, job, pool) &&
                                job.request.limit <= profiles_[pool].window(demand(job));
                       }) &&
           fits_nodes(state, job);
  }

  static bool permits(const State& state, const Job& job, std::uint32_t pool) {
    return !state.quota.in_use() ||
           state.quota.permits(job.request.tenant, state.quota_amount(job, pool), job.id).ok();
  }

  /// Is there a place for the job's shape now?
  bool fits_nodes(State& state, const Job& job) {
    if (state.uniform) return true;  // The counts decide.
    if (!state.quota_leaves_all(job)) return state.place(job, View::kOpen).has_value();
    signed char& fits = fits_[job.shape_class];
    if (fits < 0) fits = state.place(job, View::kOpen) ? 1 : 0;
    return fits == 1;
  }

  /// The next job behind `after` that could start now, by what is reserved so far; none if no more can.
  void find_hope(State& state, const Job* after) {
    std::int64_t free = 0;
    Nanoseconds window{0};
    for (std::size_t pool = 0; pool < profiles_.size(); ++pool) {
      free = std::max(
          free, state.pools[pool]->free_gpus() + (state.pools[pool]->partial_free_milli() + 999) / 1000);
      window = std::max(window, profiles_[pool].window(least_));
    }
    PendingQueue::Bounds bounds;
    bounds.free = static_cast<std::int32_t>(std::min<std::int64_t>(free, INT32_MAX - 1));
    bounds.spare = -1;
    bounds.window = static_cast<std::int32_t>(
        std::min<std::int64_t>(window.count() / kNanosecondsPerSecond, INT32_MAX - 1));
    hope_ = state.pending.find_after(after, bounds, [&](JobId id) { return could_start(state, id); });
  }

  /// To be called for each job before its reservation is made.
  void visit(State& state, const Job& job) {
    ++visits_;
    if (job.id == hope_) {
      find_hope(state, &job);
    } else if (visits_ % 8 == 0 && hope_.valid() && !could_start(state, hope_)) {
      find_hope(state, &state.jobs[hope_]);
    }
  }

  /// Once nobody else could start, the rest need no reservations; they are made anew in the next pass.
  bool stop_here() {
    if (hope_.valid() || !promise_.job.valid()) return false;
    if (visits_ < waiting_) valid_ = false;
    return true;
  }

  void start_due(State& state, Job& job, std::uint32_t pool, Instant now, Plan& plan) {
    std::optional<Placement> placement =
        state.pools[pool]->place(job.request.shape, View::kOpen, state.policy.placement);
    if (placement) {
      placement->pool = pool;
      state.start(job, std::move(*placement), now, plan);
    } else {
      valid_ = false;  // The counts were not enough: plan anew next time.
    }
  }

  /// On nodes that windows keep back alone: they are not in the profiles, so no reservation is touched.
  bool start_in_windows(State& state, Job& job, Instant now, Plan& plan) {
    const WindowChoice choice = window_choice(state, job, now);
    for (const std::vector<std::uint32_t>* groups : {&choice.own, &choice.kept}) {
      std::vector<std::uint32_t> kept;
      for (const std::uint32_t group : *groups) {
        if (state.windows.groups()[group].closed && group_room(state, group, job.request.shape) > 0)
          kept.push_back(group);
      }
      if (kept.empty() || (job.request.window.valid() && groups != &choice.own)) continue;
      std::optional<Placement> placement = place_in_groups(state, job, kept, 0, {});
      if (!placement) continue;
      state.start(job, std::move(*placement), now, plan);
      return true;
    }
    return false;
  }

  bool anchor(State& state, Job& job, Instant now, Plan& plan) {
    std::uint32_t best_pool = 0;
    Instant best = Instant::max();
    if (!state.quota_bar(job).ok()) return false;  // No reservation: nobody knows when quota comes free.
    if (state.windows.in_use() && start_in_windows(state, job, now, plan)) return true;
    if (job.request.window.valid()) return false;
    for (const std::uint32_t pool : state.classes[job.shape_class].pools) {
      if (!permits(state, job, pool)) continue;
      const Instant start = profiles_[pool].earliest(job.request.limit, demand(job));
      if (start < best) {
        best = start;
        best_pool = pool;
      }
    }
    if (best == Instant::max()) {
      valid_ = false;  // Not enough nodes are up, or not without those that windows keep back.
      if (!state.windows.in_use()) return false;
      std::optional<Placement> between;
      {
        const WindowView view(state, job, now);
        between = state.place(job, View::kOpen);
      }
      if (!between) return false;
      state.start(job, std::move(*between), now, plan);
      return true;
    }
    profiles_[best_pool].reserve(best, job.request.limit, demand(job));
    if (best > now) {
      if (!promise_.job.valid()) promise_ = {job.id, best};
      if (fifo_ && state.uniform) due_[{best, job.id}] = best_pool;
      return false;
    }
    std::optional<Placement> placement =
        state.pools[best_pool]->place(job.request.shape, View::kOpen, state.policy.placement);
    if (!placement) {
      valid_ = false;
      return false;
    }
    placement->pool = best_pool;
    state.start(job, std::move(*placement), now, plan);
    std::replace(fits_.begin(), fits_.end(), static_cast<signed char>(1), static_cast<signed char>(-1));
    return true;
  }

  bool fifo_;
  bool valid_ = false;
  std::int64_t least_ = 0;         ///< The smallest demand that waits.
  JobId hope_;                     ///< The first job behind those visited in this pass that could start now.
  std::vector<signed char> fits_;  ///< By shape class: has it a place now? -1 = not known.
  std::size_t visits_ = 0;         ///< Jobs looked at in this pass,
  std::size_t waiting_ = 0;        ///< of so many.
  std::vector<FreeProfile> profiles_;
  std::map<std::pair<Instant, JobId>, std::uint32_t>
      due_;          ///< Reserved starts of waiting jobs, and their pools.
  Promise promise_;  ///< Of the first job that waits.
};

}  // namespace

std::unique_ptr<Pass> make_conservative_pass(const PolicyConfig& policy) {
  return std::make_unique<ConservativePass>(policy);
}

}  // namespace gw::sched
