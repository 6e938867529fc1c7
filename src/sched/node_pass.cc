// No backfill and EASY on real nodes: the first blocked job gets a reservation of named nodes.
//
// The reservation is found by giving back the running jobs' nodes in the order of their limits until the job
// fits; the nodes it would then get are held. Others may use open nodes freely, and held nodes only if they
// end (by their limit) before the reservation. So nothing can push the reserved job back, whatever the
// fragmentation: a large gang never starves. The reservation stays with its job until that starts or leaves.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "sched/node_reservation.h"
#include "sched/pass.h"
#include "sched/patience.h"
#include "sched/power_search.h"
#include "sched/preemptor.h"
#include "sched/shapes_alive.h"
#include "sched/window_starts.h"
#include "sched/window_view.h"

namespace gw::sched {
namespace {

std::int32_t cut(std::int64_t value) {
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(value, -1, INT32_MAX - 1));
}

class NodePass final : public Pass {
 public:
  explicit NodePass(const PolicyConfig& policy) : backfill_(policy.backfill != BackfillKind::kNone) {}

  void run(State& state, Instant now, Plan& plan) override {
    if (state.pending.by_tenant()) state.pending.fair_share().advance(now);
    now_ = now;
    window_starts_.begin(state);
    state.refresh_quota(now);
    state.start_claimed(now, plan);
    const JobId promised = reservation_.job();
    keep_reservation(state, plan);
    // Its part of the quota may be what jobs that wait too long were kept back by.
    if (promised.valid() && !reservation_.valid()) state.refresh_quota(now);
    preemptor_.begin(state, now);
    bool any = true;
    for (;;) {
      const JobId first = first_permitted(state);
      if (!first.valid()) {
        head_ = JobId{};
        any = false;
        break;
      }
      Job& job = state.jobs[first];
      if (first == reservation_.job()) {
        if (make_room(state, job, plan)) continue;
        break;
      }
      if (try_start(state, job, plan) || make_room(state, job, plan)) continue;
      head_ = first;
      if (!backfill_) {
        if (start_in_the_dark(state, job, plan)) continue;
        break;
      }
      if (reservation_.valid() || !make_reservation(state, plan)) break;
    }
    preemptor_.reclaim(state, now, [&](Job& job) { return make_room(state, job, plan); });
    if (backfill_ && any) backfill(state, plan);
  }

  [[nodiscard]] Promise promise() const override {
    return reservation_.valid() ? Promise{reservation_.job(), reservation_.when()} : Promise{};
  }

  [[nodiscard]] Reason reason(const State& state, const Job& job) const override {
    if (job.claims) return Reason::kGrace;
    if (job.id != reservation_.job()) {
      const QuotaTree::Answer bar = state.quota_bar(job);
      if (bar.bar == QuotaTree::Bar::kBudget) return Reason::kBudget;
      if (!bar.ok()) return Reason::kQuota;
    }
    if (state.waits_for_window(job, now_)) return Reason::kWindow;
    if (!backfill_ && job.id != head_) return Reason::kOrder;
    if (backfill_ && reservation_.valid() && job.id != reservation_.job() && state.place(job, View::kHeld))
      return Reason::kReservation;
    if (job.request.window.valid()) return Reason::kCapacity;  // Its window is full, or too short for it.
    if (state.place(job, View::kOpen))
      return Reason::kReservation;  // Cannot be after a full pass, but for time.
    if (fits_without_windows(state, job)) return Reason::kWindow;
    return placement_reason(state, job);
  }

  void reset(State& state) override {
    reservation_.drop(state);
    head_ = JobId{};
  }

  [[nodiscard]] std::unique_ptr<Pass> copy(const State& state) const override {
    auto copy = std::make_unique<NodePass>(state.policy);
    copy->head_ = head_;
    copy->reservation_ = reservation_;
    ByteWriter out;
    preemptor_.save(state, out);
    const std::string bytes = out.take();
    ByteReader in(bytes);
    GW_CHECK(copy->preemptor_.restore(state, in, kFormat));
    return copy;
  }

  void save(const State& state, ByteWriter& out) const override {
    out.u64(reservation_.job().value());
    out.u64(head_.value());
    reservation_.save(out);
    preemptor_.save(state, out);
  }

  [[nodiscard]] bool restore(State& state, ByteReader& in, std::uint64_t format) override {
    const JobId reserved{in.u32()};
    head_ = JobId{in.u32()};
    return reservation_.restore(state, reserved, in) && preemptor_.restore(state, in, format);
  }

 private:
  /// The first job in the order that its quota lets start (the reserved one has been let already).
  [[nodiscard]] JobId first_permitted(State& state) const {
    const JobId first = state.pending.first();
    if (!first.valid() || !(state.quota.in_use() || state.jobs[first].request.window.valid())) return first;
    JobId found;
    state.pending.scan(
        JobId{}, [&](TenantId tenant) { return quota_bounds(state, tenant); },
        [&](JobId id) {
          const Job& job = state.jobs[id];
          if (id == reservation_.job() || (!state.waits_for_window(job, now_) && state.quota_lets(job)))
            found = id;
          return false;
        },
        [&] { return found.valid(); }, [&](TenantId top) { return may_let(state, top); });
    return found;
  }

  /// Could quota let in anyone below the child of the root?
  [[nodiscard]] bool may_let(const State& state, TenantId top) const {
    return state.thorough ||
           (reservation_.valid() && state.quota.top(state.jobs[reservation_.job()].request.tenant) == top) ||
           state.quota_may_let(top);
  }

  /// No more than the tenant's quota could let start.
  [[nodiscard]] PendingQueue::Bounds quota_bounds(const State& state, TenantId tenant) const {
    PendingQueue::Bounds bounds;
    if (!tenant.valid() || !state.quota.in_use() || state.thorough) return bounds;
    if (reservation_.valid() && state.jobs[reservation_.job()].request.tenant == tenant) return bounds;
    bounds.free = cut(state.quota_room(tenant));
    if (state.fixed_barred(tenant)) bounds.open_tags = bounds.held_tags = state.classes.borrowing_tags();
    return bounds;
  }

  /// Makes others leave for a job that may have that, if this lets it start.
  bool make_room(State& state, Job& job, Plan& plan) {
    if (job.request.window.valid() || !preemptor_.may_try(state, job, now_)) return false;
    const auto make = [&] { return preemptor_.make_room(state, job, now_, plan); };
    // Its own reservation must not stand in its way.
    if (job.id == reservation_.job()) return reservation_.without(state, job, make);
    return reservation_.with_nodes_open(state, make);
  }

  bool try_start(State& state, Job& job, Plan& plan) {
    // What quota forbids the job says nothing about its shape.
    if (state.quota.in_use() && !state.quota_lets(job)) return false;
    const bool shape_decides = state.quota_leaves_all(job);
    ShapeClasses::Class& shape = state.classes[job.shape_class];
    const std::uint64_t version = pools_version(state, shape);
    const WindowChoice choice = state.windows.in_use() ? window_choice(state, job, now_) : WindowChoice{};
    if (!choice.own.empty() &&
        window_starts_.start_in_own(state, reservation_, job, choice.own, shape_decides, now_, plan))
      return true;
    if (job.request.window.valid()) return false;
    if (state.thorough || shape.failed_open != version) {
      if (std::optional<Placement> placement = state.place(job, View::kOpen)) {
        state.start_widest(job, std::move(*placement), View::kOpen, now_, plan);
        return true;
      }
      if (shape_decides) shape.failed_open = version;
    }
    const bool may_hold = reservation_.valid() && job.request.limit <= reservation_.window(now_);
    if (may_hold && (state.thorough || shape.failed_held != version)) {
      if (std::optional<Placement> placement = state.place(job, View::kHeld)) {
        state.start_widest(job, std::move(*placement), View::kHeld, now_, plan);
        return true;
      }
      if (shape_decides) shape.failed_held = version;
    }
    return !choice.kept.empty() &&
           window_starts_.start_between(state, job, choice.kept, may_hold, shape_decides, now_, plan);
  }

  /// The job that is first in the order also starts where nodes are dark, if there is power for what it draws
  /// itself. No node may be held.
  bool start_in_the_dark(State& state, Job& job, Plan& plan) {
    if (!state.power.limited()) return false;
    std::optional<Placement> placement = power_search_.place(state, job);
    if (!placement) return false;
    state.start(job, std::move(*placement), now_, plan);
    state.darken();
    return true;
  }

  /// Could the class fit into `view` now, as far as is known without a search?
  static bool may_fit(const State& state, const ShapeClasses::Class& shape, View view) {
    if (state.thorough) return true;
    const std::uint64_t failed = view == View::kOpen ? shape.failed_open : shape.failed_held;
    if (failed == pools_version(state, shape)) return false;
    return std::any_of(shape.pools.begin(), shape.pools.end(),
                       [&](std::uint32_t pool) { return state.pools[pool]->may_fit(shape.shape, view); });
  }

  /// A class that has failed to fit stays out of the rest of the pass: each start only takes capacity.
  void note_failure(const State& state, std::uint32_t id) {
    if (state.thorough) return;
    const ShapeClasses::Class& shape = state.classes[id];
    const std::uint64_t version = pools_version(state, shape);
    if (shape.failed_open == version) open_.remove(id);
    if (shape.failed_held == version) held_.remove(id);
  }

  /// Does the class fit into `view` now?
  static bool fits(State& state, std::uint32_t id, View view) {
    ShapeClasses::Class& shape = state.classes[id];
    if (shape.waiting == 0 || !may_fit(state, shape, view)) return false;
    for (const std::uint32_t pool : shape.pools) {
      if (state.pools[pool]->place(shape.shape, view, state.policy.placement)) return true;
    }
    (view == View::kOpen ? shape.failed_open : shape.failed_held) = pools_version(state, shape);
    return false;
  }

  /// Where few shapes wait, it pays to know at once which still fit: often none does, and the pass is over.
  void settle(State& state) {
    if (state.thorough) return;
    constexpr std::size_t kFew = 32;
    if (open_.size() <= kFew) open_.filter([&](std::uint32_t id) { return fits(state, id, View::kOpen); });
    if (held_.size() <= kFew) {
      held_.filter([&](std::uint32_t id) {
        return state.classes[id].shortest_limit() <= reservation_.window(now_) &&
               fits(state, id, View::kHeld);
      });
    }
  }

  /// Only jobs of shapes that may fit are looked at. Of many shapes each is searched for when a job of it
  /// comes up, and fails only once.
  void backfill(State& state, Plan& plan) {
    open_.reset(state.classes.size());
    held_.reset(state.classes.size());
    for (std::uint32_t id = 0; id < state.classes.size(); ++id) {
      const ShapeClasses::Class& shape = state.classes[id];
      if (shape.waiting == 0) continue;
      if (may_fit(state, shape, View::kOpen)) open_.add(id);
      if (reservation_.valid() && shape.shortest_limit() <= reservation_.window(now_) &&
          may_fit(state, shape, View::kHeld))
        held_.add(id);
    }
    settle(state);
    window_starts_.look(state, now_);
    PendingQueue::Bounds free;  // They change with starts and failures alone.
    const auto look = [&] {
      PendingQueue::Bounds bounds;
      if (state.thorough) return bounds;
      std::int64_t open = -1;
      std::int64_t held = -1;
      for (const auto& pool : state.pools) {
        const std::int64_t part = pool->partial_free_milli() > 0 ? 1 : 0;
        open = std::max(open, pool->free_gpus(View::kOpen) + part);
        held = std::max(held, pool->free_gpus(View::kHeld) + part);
      }
      bounds.free = cut(std::max({open, held, window_starts_.free()}));
      bounds.spare = open_.tags() == 0 ? -1 : cut(open);
      const Nanoseconds held_span =
          held_.tags() == 0 ? Nanoseconds{-kNanosecondsPerSecond} : reservation_.window(now_);
      const Nanoseconds span = std::max(held_span, window_starts_.span());
      bounds.window = span < Nanoseconds{0} ? -1 : cut(span.count() / kNanosecondsPerSecond);
      bounds.open_tags = open_.tags();
      bounds.held_tags = held_.tags() | window_starts_.shapes().tags();
      return bounds;
    };
    free = look();
    state.pending.scan(
        JobId{},
        [&](TenantId tenant) {
          PendingQueue::Bounds bounds = free;
          const PendingQueue::Bounds quota = quota_bounds(state, tenant);
          bounds.free = std::min(bounds.free, quota.free);
          bounds.open_tags &= quota.open_tags;
          bounds.held_tags &= quota.held_tags;
          return bounds;
        },
        [&](JobId id) {
          if (id == reservation_.job()) return false;
          Job& job = state.jobs[id];
          const bool started = try_start(state, job, plan);
          if (started) {
            settle(state);
          } else {
            note_failure(state, job.shape_class);
          }
          free = look();
          return started;
        },
        [&] {
          return !state.thorough && (open_.tags() | held_.tags() | window_starts_.shapes().tags()) == 0;
        },
        [&](TenantId top) { return may_let(state, top); }, [&] { return free; });
  }

  /// Reserves for the first job to which anything can be promised; one that could not start even if all
  /// others ended, for the nodes that are down, must not keep the rest from it. True if a job has started
  /// instead.
  bool make_reservation(State& state, Plan& plan) {
    asked_.clear();
    const JobId impatient = gang_to_reserve(
        state, now_, [&](const Job& job) { return state.is_hopeless(job) || !ask(state, job); });
    if (impatient.valid()) {
      Job& job = state.jobs[impatient];
      if (try_start(state, job, plan)) return true;
      return reserve(state, job, ask(state, job), plan);
    }
    bool started = false;
    state.pending.scan(
        JobId{}, [&](TenantId tenant) { return quota_bounds(state, tenant); },
        [&](JobId id) {
          Job& job = state.jobs[id];
          if (job.request.window.valid() || state.is_hopeless(job) || !state.quota_lets(job)) return false;
          if (try_start(state, job, plan)) return started = true;
          return started = reserve(state, job, ask(state, job), plan);
        },
        [&] { return started || reservation_.valid(); }, [&](TenantId top) { return may_let(state, top); });
    return started;
  }

  /// Starts the reserved job if it fits now, drops its reservation if it has left, renews one that is out of
  /// date.
  void keep_reservation(State& state, Plan& plan) {
    if (!reservation_.valid()) return;
    Job* job = state.jobs.find(reservation_.job());
    if (job == nullptr || !job->waits ||
        !allowed_zone(job->request.shape, state.pools[reservation_.pool()]->zone())) {
      reservation_.drop(state);
      return;
    }
    if (!state.changes.released) return;
    if (state.quota.in_use() && !reservation_.is_permitted(state, *job)) {
      reservation_.drop(state);
      return;
    }
    Pool& pool = *state.pools[reservation_.pool()];
    std::optional<Placement> placement;
    std::optional<WindowView> windows(std::in_place, state, *job,
                                      now_);  // It may use what they leave it now.
    for (const View view : {View::kHeld, View::kOpen}) {
      placement = view == View::kHeld ? place_on_held(state, *job) : state.place(*job, view);
      if (!placement) continue;
      if (view == View::kHeld) placement->pool = reservation_.pool();
      windows.reset();
      reservation_.drop(state);
      state.start_widest(*job, std::move(*placement), View::kOpen, now_, plan);
      return;
    }
    GW_CHECK(reservation_.valid());
    // Open and held nodes together, if their number could do, or another reservation if this one is stale.
    const Shape& shape = job->request.shape;
    const std::uint32_t g = shape.nodes == 0 ? 0 : shape.gpus;
    const std::int64_t need = shape.nodes == 0 ? shape.gpus : shape.nodes;
    const bool enough = shape.gpu_milli == 0 && need > 1 &&
                        (shape.gpus == 0 ||  // Then the index cannot tell.
                         (g <= pool.gpus_per_node() &&
                          pool.index(View::kOpen).total(g) + pool.index(View::kHeld).total(g) >= need));
    windows.reset();
    if (state.power.limited() && reservation_.has_all_gpus(state, job->request.shape) &&
        reservation_.without(state, *job, [&] { return start_in_the_dark(state, *job, plan); }))
      return;
    const std::uint64_t early = reservation_.ends_since(state);
    // Renewing costs a walk over running jobs, so it waits for a share of them to have ended: constant per
    // release.
    const bool late = now_ >= reservation_.when() && early > state.running_jobs() / 64;
    const bool broken = state.changes.nodes && reservation_.is_broken(state);
    const bool stale = late || broken || reservation_.misses_its_gap(state, *job, now_) ||
                       early > 16 + state.running_jobs() / 4;
    if (!enough && !stale) return;
    reservation_.without(state, *job, [&] {
      {
        const WindowView view(state, *job, now_);
        placement = state.place(*job, View::kOpen);
      }
      if (placement) {
        state.start_widest(*job, std::move(*placement), View::kOpen, now_, plan);
        return true;
      }
      if (!stale) return false;
      reserve(state, *job, reservation_.find(state, *job, now_, power_search_), plan);
      return true;
    });
  }

  [[nodiscard]] std::optional<Placement> place_on_held(const State& state, const Job& job) const {
    return state.pools[reservation_.pool()]->place(job.request.shape, View::kHeld, state.policy.placement);
  }

  /// That nothing can be promised is said of its shape, unless that may change with more than nodes and caps.
  static void note_hopeless(State& state, const Job& job) {
    if (!state.quota_leaves_all(job)) return;
    // Without a search by power only lit nodes are promised, and which are lit changes with what runs.
    if (state.dark_nodes() > 0 && (!state.power.limited() || job.request.shape.is_grouped())) return;
    state.set_hopeless(job);
  }

  /// Where and when the job can start by the running jobs' limits; asked once for each job while nothing
  /// starts.
  [[nodiscard]] const std::optional<NodeReservation::Found>& ask(State& state, const Job& job) {
    const auto [at, is_new] = asked_.try_emplace(job.id);
    if (is_new) at->second = reservation_.find(state, job, now_, power_search_);
    if (!at->second) note_hopeless(state, job);
    return at->second;
  }

  /// Holds the nodes that were found; true if the job has started instead, as there was power for it on dark
  /// ones.
  bool reserve(State& state, Job& job, const std::optional<NodeReservation::Found>& found, Plan& plan) {
    if (!found) return false;  // It could not start even if all others ended.
    if (found->answer.when <= now_ && start_in_the_dark(state, job, plan)) return true;
    reservation_.make(state, job, *found);
    return false;
  }

  bool backfill_;
  JobId head_;  ///< The first job that did not fit in the last pass.
  NodeReservation reservation_;
  ShapesAlive open_;  ///< Waiting shapes not known to fail on open (held) nodes, in this pass.
  ShapesAlive held_;
  std::map<JobId, std::optional<NodeReservation::Found>> asked_;
  Instant now_;
  WindowStarts window_starts_;
  Preemptor preemptor_;
  PowerSearch power_search_;
};

}  // namespace

std::unique_ptr<Pass> make_node_pass(const PolicyConfig& policy) {
  return std::make_unique<NodePass>(policy);
}

}  // namespace gw::sched
