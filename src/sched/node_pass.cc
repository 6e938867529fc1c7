// No backfill and EASY on real nodes: the first blocked job gets a reservation of named nodes.
//
// The reservation is found by giving back the running jobs' nodes in the order of their limits until the job
// fits; the nodes it would then get are held. Others may use open nodes freely, and held nodes only if they
// end (by their limit) before the reservation. So nothing can push the reserved job back, whatever the
// fragmentation: a large gang never starves. The reservation stays with its job until that starts or leaves.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "sched/pass.h"
#include "sched/patience.h"
#include "sched/power_search.h"
#include "sched/preemptor.h"
#include "sched/reservation_search.h"
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
    if (std::exchange(window_edges_, state.window_edges) != state.window_edges) window_failures_.clear();
    state.refresh_quota(now);
    state.start_claimed(now, plan);
    const JobId promised = reserved_;
    keep_reservation(state, plan);
    // Its part of the quota may be what jobs that wait too long were kept back by.
    if (promised.valid() && !reserved_.valid()) state.refresh_quota(now);
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
      if (first == reserved_) {
        if (make_room(state, job, plan)) continue;
        break;
      }
      if (try_start(state, job, plan) || make_room(state, job, plan)) continue;
      head_ = first;
      if (!backfill_) {
        if (start_in_the_dark(state, job, plan)) continue;
        break;
      }
      if (reserved_.valid() || !make_reservation(state, plan)) break;
    }
    preemptor_.reclaim(state, now, [&](Job& job) { return make_room(state, job, plan); });
    if (backfill_ && any) backfill(state, plan);
  }

  [[nodiscard]] Promise promise() const override {
    return reserved_.valid() ? Promise{reserved_, when_} : Promise{};
  }

  [[nodiscard]] Reason reason(const State& state, const Job& job) const override {
    if (job.claims) return Reason::kGrace;
    if (job.id != reserved_) {
      const QuotaTree::Answer bar = state.quota_bar(job);
      if (bar.bar == QuotaTree::Bar::kBudget) return Reason::kBudget;
      if (!bar.ok()) return Reason::kQuota;
    }
    if (state.waits_for_window(job, now_)) return Reason::kWindow;
    if (!backfill_ && job.id != head_) return Reason::kOrder;
    if (backfill_ && reserved_.valid() && job.id != reserved_ && state.place(job, View::kHeld))
      return Reason::kReservation;
    if (job.request.window.valid()) return Reason::kCapacity;  // Its window is full, or too short for it.
    if (state.place(job, View::kOpen))
      return Reason::kReservation;  // Cannot be after a full pass, but for time.
    if (fits_without_windows(state, job)) return Reason::kWindow;
    return placement_reason(state, job);
  }

  void reset(State& state) override {
    drop(state);
    head_ = JobId{};
  }

  void save(const State& state, ByteWriter& out) const override {
    out.u64(reserved_.value());
    out.u64(head_.value());
    out.i64(when_.count());
    out.u64(pool_);
    out.u64(releases_at_);
    out.u64(nodes_.size());
    for (const std::uint32_t node : nodes_) out.u64(node);
    preemptor_.save(state, out);
  }

  [[nodiscard]] bool restore(State& state, ByteReader& in, std::uint64_t format) override {
    reserved_ = JobId{in.u32()};
    head_ = JobId{in.u32()};
    when_ = Instant{in.i64()};
    pool_ = in.u32();
    releases_at_ = in.u64();
    const std::size_t count = in.count();
    nodes_.clear();
    if (!in.ok() || pool_ >= state.pools.size() || (count > 0 && !reserved_.valid())) return false;
    for (std::size_t index = 0; index < count; ++index) {
      const std::uint32_t node = in.u32();
      if (!in.ok() || node >= state.pools[pool_]->nodes() || state.pools[pool_]->is_held(node)) return false;
      state.pools[pool_]->hold(node);
      nodes_.push_back(node);
    }
    if (reserved_.valid()) {
      const Job* job = state.jobs.find(reserved_);
      if (job == nullptr || !job->waits) return false;
      charge(state, *job);
      if (state.power.limited()) state.hold_power(*job, pool_, nodes_);
    }
    return preemptor_.restore(state, in, format);
  }

 private:
  /// Waiting shape classes that may fit now in one view; the queue sees them through their numbers modulo 64.
  class Alive {
   public:
    [[nodiscard]] std::uint64_t tags() const { return tags_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    void reset(std::uint32_t classes) {
      tags_ = 0;
      size_ = 0;
      counts_.fill(0);
      alive_.assign(classes, false);
      ids_.clear();
    }
    void add(std::uint32_t id) {
      alive_[id] = true;
      ids_.push_back(id);
      ++size_;
      ++counts_[id % 64];
      tags_ |= std::uint64_t{1} << (id % 64);
    }
    void remove(std::uint32_t id) {
      if (!alive_[id]) return;
      alive_[id] = false;
      --size_;
      if (--counts_[id % 64] == 0) tags_ &= ~(std::uint64_t{1} << (id % 64));
    }

    /// Removes those for which keep(id) does not hold.
    template <class Keep>
    void filter(Keep&& keep) {
      std::erase_if(ids_, [&](std::uint32_t id) {
        if (alive_[id] && !keep(id)) remove(id);
        return !alive_[id];
      });
    }

   private:
    std::uint64_t tags_ = 0;
    std::size_t size_ = 0;
    std::array<std::uint32_t, 64> counts_{};
    std::vector<bool> alive_;
    std::vector<std::uint32_t> ids_;  ///< All alive ones, and some that are not any more.
  };

  [[nodiscard]] Nanoseconds window() const {
    return reserved_.valid() && when_ > now_ ? when_ - now_ : Nanoseconds{0};
  }

  static std::uint64_t version_of(const State& state, const ShapeClasses::Class& shape) {
    std::uint64_t version = 0;
    for (const std::uint32_t pool : shape.pools) version += state.pools[pool]->version();
    return version;
  }

  /// The first job in the order that its quota lets start (the reserved one has been let already).
  [[nodiscard]] JobId first_permitted(State& state) const {
    const JobId first = state.pending.first();
    if (!first.valid() || !(state.quota.in_use() || state.jobs[first].request.window.valid())) return first;
    JobId found;
    state.pending.scan(
        JobId{}, [&](TenantId tenant) { return quota_bounds(state, tenant); },
        [&](JobId id) {
          const Job& job = state.jobs[id];
          if (id == reserved_ || (!state.waits_for_window(job, now_) && state.quota_lets(job))) found = id;
          return false;
        },
        [&] { return found.valid(); }, [&](TenantId top) { return may_let(state, top); });
    return found;
  }

  /// Could quota let in anyone below the child of the root?
  [[nodiscard]] bool may_let(const State& state, TenantId top) const {
    return state.thorough ||
           (reserved_.valid() && state.quota.top(state.jobs[reserved_].request.tenant) == top) ||
           state.quota_may_let(top);
  }

  /// No more than the tenant's quota could let start.
  [[nodiscard]] PendingQueue::Bounds quota_bounds(const State& state, TenantId tenant) const {
    PendingQueue::Bounds bounds;
    if (!tenant.valid() || !state.quota.in_use() || state.thorough) return bounds;
    if (reserved_.valid() && state.jobs[reserved_].request.tenant == tenant) return bounds;
    bounds.free = cut(state.quota_room(tenant));
    if (state.fixed_barred(tenant)) bounds.open_tags = bounds.held_tags = state.classes.borrowing_tags();
    return bounds;
  }

  /// Makes others leave for a job that may have that, if this lets it start.
  bool make_room(State& state, Job& job, Plan& plan) {
    if (job.request.window.valid() || !preemptor_.may_try(state, job, now_)) return false;
    if (job.id == reserved_) {  // Its reservation must not stand in its own way.
      const std::vector<std::uint32_t> nodes = nodes_;
      const std::uint64_t version = state.pools[pool_]->version();
      drop(state);
      if (preemptor_.make_room(state, job, now_, plan)) return true;
      hold(state, job, nodes);
      state.pools[pool_]->set_version(version);
      return false;
    }
    const std::vector<std::uint32_t> held = std::exchange(nodes_, {});
    for (const std::uint32_t node : held) state.pools[pool_]->release_hold(node);
    const bool done = preemptor_.make_room(state, job, now_, plan);
    const Pool& pool = *state.pools[pool_];
    if (std::any_of(held.begin(), held.end(),
                    [&](std::uint32_t node) { return pool.is_closed(node, Closure::kClaimed); })) {
      if (state.power.tracked()) state.release_power(pool_, held);
      drop(state);  // Its nodes are another's now: it is made anew.
      return done;
    }
    for (const std::uint32_t node : held) state.pools[pool_]->hold(node);
    nodes_ = held;
    return done;
  }

  bool try_start(State& state, Job& job, Plan& plan) {
    // What quota forbids the job says nothing about its shape.
    if (state.quota.in_use() && !state.quota_lets(job)) return false;
    const bool shape_decides = state.quota_leaves_all(job);
    ShapeClasses::Class& shape = state.classes[job.shape_class];
    const std::uint64_t version = version_of(state, shape);
    const WindowChoice choice = state.windows.in_use() ? window_choice(state, job, now_) : WindowChoice{};
    if (!choice.own.empty() && start_in_own_window(state, job, choice.own, shape_decides, plan)) return true;
    if (job.request.window.valid()) return false;
    if (state.thorough || shape.failed_open != version) {
      if (std::optional<Placement> placement = state.place(job, View::kOpen)) {
        state.start_widest(job, std::move(*placement), View::kOpen, now_, plan);
        return true;
      }
      if (shape_decides) shape.failed_open = version;
    }
    const bool may_hold = reserved_.valid() && job.request.limit <= window();
    if (may_hold && (state.thorough || shape.failed_held != version)) {
      if (std::optional<Placement> placement = state.place(job, View::kHeld)) {
        state.start_widest(job, std::move(*placement), View::kHeld, now_, plan);
        return true;
      }
      if (shape_decides) shape.failed_held = version;
    }
    return !choice.kept.empty() &&
           start_between_windows(state, job, choice.kept, may_hold, shape_decides, plan);
  }

  /// What has failed on these groups and on nodes that are (held and) open, at a version of the pools.
  struct WindowTry {
    Shape shape;
    std::vector<std::uint32_t> groups;
    bool own;  ///< On the groups' nodes alone.
    bool held;
    friend auto operator<=>(const WindowTry&, const WindowTry&) = default;
  };

  [[nodiscard]] bool has_failed(const State& state, const WindowTry& what, std::uint64_t version) const {
    if (state.thorough) return false;
    const auto at = window_failures_.find(what);
    if (at != window_failures_.end() && at->second == version) return true;
    return std::all_of(what.groups.begin(), what.groups.end(),
                       [&](std::uint32_t group) { return group_room(state, group, what.shape) == 0; });
  }

  /// On the nodes of the job's own windows alone, also where they are held for another that will not need
  /// them before its limit.
  bool start_in_own_window(State& state, Job& job, const std::vector<std::uint32_t>& own, bool shape_decides,
                           Plan& plan) {
    const std::uint64_t version = version_of(state, state.classes[job.shape_class]);
    const WindowTry what{job.request.shape, own, true, job.request.limit <= window()};
    if (has_failed(state, what, version)) return false;
    const std::vector<std::uint32_t> held = nodes_;
    std::vector<std::uint64_t> versions;
    for (const auto& pool : state.pools) versions.push_back(pool->version());
    for (const std::uint32_t node : held) state.pools[pool_]->release_hold(node);
    const bool apart = job.id != reserved_ && !what.held;
    std::optional<Placement> placement =
        place_in_groups(state, job, own, pool_, apart ? held : std::vector<std::uint32_t>{});
    for (const std::uint32_t node : held) state.pools[pool_]->hold(node);
    for (std::size_t pool = 0; pool < versions.size(); ++pool) state.pools[pool]->set_version(versions[pool]);
    if (!placement) {
      if (shape_decides) window_failures_[what] = version;
      return false;
    }
    if (job.id == reserved_) drop(state);
    state.start(job, std::move(*placement), now_, plan);
    return true;
  }

  /// On nodes of windows that begin after the job's limit, together with open ones.
  bool start_between_windows(State& state, Job& job, const std::vector<std::uint32_t>& kept, bool may_hold,
                             bool shape_decides, Plan& plan) {
    const std::uint64_t version = version_of(state, state.classes[job.shape_class]);
    const WindowTry what{job.request.shape, kept, false, may_hold};
    if (has_failed(state, what, version)) return false;
    std::optional<Placement> placement;
    {
      const WindowView view(state, kept);
      placement = state.place(job, View::kOpen);
      if (!placement && may_hold) placement = state.place(job, View::kHeld);
    }
    if (placement) {
      state.start(job, std::move(*placement), now_, plan);
      return true;
    }
    if (shape_decides) window_failures_[what] = version;
    return false;
  }

  /// What could start on nodes that windows keep back: of which shapes, how large and how long at most.
  void look_at_windows(const State& state) {
    kept_.reset(state.classes.size());
    kept_free_ = -1;
    kept_span_ = Nanoseconds{-1};
    if (!state.windows.in_use()) return;
    const std::vector<Windows::Group>& groups = state.windows.groups();
    std::vector<std::int64_t> free(state.pools.size());
    std::vector<bool> any(state.pools.size());
    for (std::uint32_t index = 0; index < groups.size(); ++index) {
      if (!groups[index].closed) continue;
      const std::uint32_t pool = groups[index].pool;
      const std::int64_t room = group_room(state, index, Shape{0, 1});
      if (room == 0 && state.pools[pool]->partial_free_milli() == 0 &&
          state.pools[pool]->gpus_per_node() > 0 && !waits_without_gpus(state))
        continue;
      free[pool] += room;
      any[pool] = true;
      Nanoseconds span = kLongestSpan;
      for (const WindowId id : groups[index].windows) {
        const WindowTerms& terms = *state.windows.find(id);
        const std::optional<Windows::Time> time = Windows::time_at(terms, now_);
        if (!time) continue;
        const bool own_only = time->from <= now_ || terms.job.valid();
        span = std::min(span, (own_only ? time->to : time->from) - now_);
      }
      kept_span_ = std::max(kept_span_, span);
    }
    for (std::size_t pool = 0; pool < free.size(); ++pool) {
      if (!any[pool]) continue;
      kept_free_ = std::max(kept_free_, free[pool] + state.pools[pool]->free_gpus() + 1);
    }
    for (std::uint32_t id = 0; kept_free_ >= 0 && id < state.classes.size(); ++id) {
      const ShapeClasses::Class& shape = state.classes[id];
      if (shape.waiting > 0 &&
          std::any_of(shape.pools.begin(), shape.pools.end(), [&](std::uint32_t pool) { return any[pool]; }))
        kept_.add(id);
    }
  }

  static bool waits_without_gpus(const State& state) {
    for (std::uint32_t id = 0; id < state.classes.size(); ++id) {
      if (state.classes[id].waiting > 0 && state.classes[id].shape.total_gpu_milli() == 0) return true;
    }
    return false;
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
    if (failed == version_of(state, shape)) return false;
    return std::any_of(shape.pools.begin(), shape.pools.end(),
                       [&](std::uint32_t pool) { return state.pools[pool]->may_fit(shape.shape, view); });
  }

  /// A class that has failed to fit stays out of the rest of the pass: each start only takes capacity.
  void note_failure(const State& state, std::uint32_t id) {
    if (state.thorough) return;
    const ShapeClasses::Class& shape = state.classes[id];
    const std::uint64_t version = version_of(state, shape);
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
    (view == View::kOpen ? shape.failed_open : shape.failed_held) = version_of(state, shape);
    return false;
  }

  /// Where few shapes wait, it pays to know at once which still fit: often none does, and the pass is over.
  void settle(State& state) {
    if (state.thorough) return;
    constexpr std::size_t kFew = 32;
    if (open_.size() <= kFew) open_.filter([&](std::uint32_t id) { return fits(state, id, View::kOpen); });
    if (held_.size() <= kFew) {
      held_.filter([&](std::uint32_t id) {
        return state.classes[id].shortest_limit() <= window() && fits(state, id, View::kHeld);
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
      if (reserved_.valid() && shape.shortest_limit() <= window() && may_fit(state, shape, View::kHeld))
        held_.add(id);
    }
    settle(state);
    look_at_windows(state);
    const auto free_bounds = [&] {
      PendingQueue::Bounds bounds;
      if (state.thorough) return bounds;
      std::int64_t open = -1;
      std::int64_t held = -1;
      for (const auto& pool : state.pools) {
        const std::int64_t part = pool->partial_free_milli() > 0 ? 1 : 0;
        open = std::max(open, pool->free_gpus(View::kOpen) + part);
        held = std::max(held, pool->free_gpus(View::kHeld) + part);
      }
      bounds.free = cut(std::max({open, held, kept_free_}));
      bounds.spare = open_.tags() == 0 ? -1 : cut(open);
      const Nanoseconds held_span = held_.tags() == 0 ? Nanoseconds{-kNanosecondsPerSecond} : window();
      const Nanoseconds span = std::max(held_span, kept_span_);
      bounds.window = span < Nanoseconds{0} ? -1 : cut(span.count() / kNanosecondsPerSecond);
      bounds.open_tags = open_.tags();
      bounds.held_tags = held_.tags() | kept_.tags();
      return bounds;
    };
    state.pending.scan(
        JobId{},
        [&](TenantId tenant) {
          PendingQueue::Bounds bounds = free_bounds();
          const PendingQueue::Bounds quota = quota_bounds(state, tenant);
          bounds.free = std::min(bounds.free, quota.free);
          bounds.open_tags &= quota.open_tags;
          bounds.held_tags &= quota.held_tags;
          return bounds;
        },
        [&](JobId id) {
          if (id == reserved_) return false;
          Job& job = state.jobs[id];
          if (try_start(state, job, plan)) {
            settle(state);
            return true;
          }
          note_failure(state, job.shape_class);
          return false;
        },
        [&] { return !state.thorough && (open_.tags() | held_.tags() | kept_.tags()) == 0; },
        [&](TenantId top) { return may_let(state, top); }, free_bounds);
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
        [&] { return started || reserved_.valid(); }, [&](TenantId top) { return may_let(state, top); });
    return started;
  }

  /// Starts the reserved job if it fits now, drops its reservation if it has left, renews one that is out of
  /// date.
  void keep_reservation(State& state, Plan& plan) {
    if (!reserved_.valid()) return;
    Job* job = state.jobs.find(reserved_);
    if (job == nullptr || !job->waits || !allowed_zone(job->request.shape, state.pools[pool_]->zone())) {
      drop(state);
      return;
    }
    if (!state.changes.released) return;
    if (state.quota.in_use() && !still_permitted(state, *job)) {
      drop(state);
      return;
    }
    Pool& pool = *state.pools[pool_];
    std::optional<Placement> placement;
    std::optional<WindowView> windows(std::in_place, state, *job,
                                      now_);  // It may use what they leave it now.
    for (const View view : {View::kHeld, View::kOpen}) {
      placement = view == View::kHeld ? place_on_held(state, *job) : state.place(*job, view);
      if (!placement) continue;
      if (view == View::kHeld) placement->pool = pool_;
      windows.reset();
      drop(state);
      state.start_widest(*job, std::move(*placement), View::kOpen, now_, plan);
      return;
    }
    GW_CHECK(reserved_.valid());
    // Open and held nodes together, if their number could do, or another reservation if this one is stale.
    const Shape& shape = job->request.shape;
    const std::uint32_t g = shape.nodes == 0 ? 0 : shape.gpus;
    const std::int64_t need = shape.nodes == 0 ? shape.gpus : shape.nodes;
    const bool enough = shape.gpu_milli == 0 && need > 1 &&
                        (shape.gpus == 0 ||  // Then the index cannot tell.
                         (g <= pool.gpus_per_node() &&
                          pool.index(View::kOpen).total(g) + pool.index(View::kHeld).total(g) >= need));
    windows.reset();
    if (state.power.limited() && held_are_free(pool, job->request.shape)) {
      const std::vector<std::uint32_t> nodes = nodes_;
      const std::uint64_t version = pool.version();
      drop(state);
      if (start_in_the_dark(state, *job, plan)) return;
      hold(state, *job, nodes);
      pool.set_version(version);
    }
    const std::uint64_t early = state.releases - releases_at_;
    // Renewing costs a walk over running jobs, so it waits for a share of them to have ended: constant per
    // release.
    const bool late = now_ >= when_ && early > state.running_jobs() / 64;
    const bool broken =
        state.changes.nodes &&
        std::any_of(nodes_.begin(), nodes_.end(), [&](std::uint32_t node) { return is_lost(pool, node); });
    const bool stale = late || broken || misses_its_gap(state, *job) || early > 16 + state.running_jobs() / 4;
    if (!enough && !stale) return;
    const std::vector<std::uint32_t> nodes = nodes_;
    const std::uint64_t version = pool.version();
    drop(state);
    {
      const WindowView view(state, *job, now_);
      placement = state.place(*job, View::kOpen);
    }
    if (placement) {
      state.start_widest(*job, std::move(*placement), View::kOpen, now_, plan);
    } else if (stale) {
      reserve(state, *job, find(state, *job), plan);
    } else {
      hold(state, *job, nodes);
      pool.set_version(version);
    }
  }

  [[nodiscard]] std::optional<Placement> place_on_held(const State& state, const Job& job) const {
    return state.pools[pool_]->place(job.request.shape, View::kHeld, state.policy.placement);
  }

  /// Has the calendar changed, or has its time passed so that a window now comes too early for it?
  [[nodiscard]] bool misses_its_gap(const State& state, const Job& job) const {
    if (state.changes.windows) return true;
    if (!state.windows.in_pool(pool_) || now_ < when_) return false;
    return std::any_of(nodes_.begin(), nodes_.end(), [&](std::uint32_t node) {
      const std::uint32_t group = state.windows.group_of(pool_, node);
      return group != Windows::kNoGroup &&
             !state.windows.admits(state.windows.groups()[group], State::window_user(job), now_);
    });
  }

  /// Do the quotas, as they are now, still let the reserved job in where it is to start?
  bool still_permitted(State& state, const Job& job) {
    state.release_quota(job, pool_);
    const bool permitted =
        state.quota.permits(job.request.tenant, state.quota_amount(job, pool_), job.id).ok();
    state.reserve_quota(job, pool_);
    return permitted;
  }

  /// Is the node off for another reason than that it is reserved now?
  static bool is_lost(const Pool& pool, std::uint32_t node) {
    return pool.is_down(node) || pool.is_closed(node, Closure::kDrained) ||
           pool.is_closed(node, Closure::kClaimed) || pool.is_closed(node, Closure::kDark);
  }

  /// That nothing can be promised is said of its shape, unless that may change with more than nodes and caps.
  static void note_hopeless(State& state, const Job& job) {
    if (!state.quota_leaves_all(job)) return;
    // Without a search by power only lit nodes are promised, and which are lit changes with what runs.
    if (state.dark_nodes() > 0 && (!state.power.limited() || job.request.shape.is_grouped())) return;
    state.set_hopeless(job);
  }

  void charge(State& state, const Job& job) {
    state.reserve_quota(job, pool_);
    charged_ = {job.request.tenant, state.quota_amount(job, pool_)};
  }

  void hold(State& state, const Job& job, const std::vector<std::uint32_t>& nodes) {
    reserved_ = job.id;
    charge(state, job);
    nodes_ = nodes;
    for (const std::uint32_t node : nodes_) state.pools[pool_]->hold(node);
    if (state.power.limited()) state.hold_power(job, pool_, nodes_);
  }

  /// Have the held nodes the GPUs that their job needs, be they dark or not?
  [[nodiscard]] bool held_are_free(const Pool& pool, const Shape& shape) const {
    const std::uint32_t each = std::min(shape.nodes == 0 ? 1U : shape.gpus, pool.gpus_per_node());
    std::uint64_t gpus = 0;
    for (const std::uint32_t node : nodes_) {
      const std::uint32_t free = pool.free_count(node);
      if (free < each) return false;
      gpus += free;
    }
    return shape.nodes > 0 || gpus >= shape.gpus;
  }

  void drop(State& state) {
    for (const std::uint32_t node : nodes_) state.pools[pool_]->release_hold(node);
    if (state.power.tracked()) state.release_power(pool_, nodes_);
    nodes_.clear();
    if (reserved_.valid()) state.release_quota(charged_.first, charged_.second);
    reserved_ = JobId{};
  }

  /// Where and when the job can start by the running jobs' limits: at the earliest in any pool.
  struct Found {
    std::uint32_t pool;
    ReservationSearch::Answer answer;
  };
  [[nodiscard]] std::optional<Found> find(State& state, const Job& job) {
    std::optional<Found> best;
    for (const std::uint32_t pool : state.classes[job.shape_class].pools) {
      if (state.quota.in_use() &&
          !state.quota.permits(job.request.tenant, state.quota_amount(job, pool), job.id).ok())
        continue;
      const Instant bound = best ? best->answer.when : Instant::max();
      std::optional<ReservationSearch::Answer> answer;
      if (state.power.limited() && !job.request.shape.is_grouped()) {
        if (std::optional<PowerSearch::Answer> found = power_search_.find(state, pool, job, now_, bound))
          answer = ReservationSearch::Answer{found->when, std::move(found->nodes)};
      } else {
        answer = search_.find(*state.pools[pool], state.running[pool], state.jobs, job.request.shape,
                              state.policy.placement, now_, bound,
                              {&state.windows, pool, State::window_user(job)});
      }
      if (answer && (!best || answer->when < best->answer.when)) best = Found{pool, std::move(*answer)};
    }
    return best;
  }

  /// The same, asked once for each job while nothing starts.
  [[nodiscard]] const std::optional<Found>& ask(State& state, const Job& job) {
    const auto [at, is_new] = asked_.try_emplace(job.id);
    if (is_new) at->second = find(state, job);
    if (!at->second) note_hopeless(state, job);
    return at->second;
  }

  /// Holds the nodes that were found; true if the job has started instead, as there was power for it on dark
  /// ones.
  bool reserve(State& state, Job& job, const std::optional<Found>& found, Plan& plan) {
    GW_CHECK(nodes_.empty());
    if (!found) return false;  // It could not start even if all others ended.
    if (found->answer.when <= now_ && start_in_the_dark(state, job, plan)) return true;
    releases_at_ = state.releases;
    when_ = found->answer.when;
    pool_ = found->pool;
    hold(state, job, found->answer.nodes);
    return false;
  }

  bool backfill_;
  JobId head_;  ///< The first job that did not fit in the last pass.
  JobId reserved_;
  Instant when_;
  std::uint32_t pool_ = 0;
  std::vector<std::uint32_t> nodes_;  ///< Held, pool-local.
  std::uint64_t releases_at_ = 0;     ///< State::releases when the reservation was made.
  Alive open_;  ///< Waiting shapes not known to fail on open (held) nodes, in this pass.
  Alive held_;
  Alive kept_;                   ///< On nodes that windows keep back.
  std::int64_t kept_free_ = -1;  ///< GPUs that a job could find with their help.
  Nanoseconds kept_span_{-1};    ///< The longest limit with which it could.
  std::map<JobId, std::optional<Found>> asked_;
  std::map<WindowTry, std::uint64_t> window_failures_;
  std::uint64_t window_edges_ = 0;
  Instant now_;
  std::pair<TenantId, QuotaTree::Amount> charged_;  ///< To the quota, for the reservation.
  ReservationSearch search_;
  Preemptor preemptor_;
  PowerSearch power_search_;
};

}  // namespace

std::unique_ptr<Pass> make_node_pass(const PolicyConfig& policy) {
  return std::make_unique<NodePass>(policy);
}

Reason placement_reason(const State& state, const Job& job) {
  const Shape& shape = job.request.shape;
  if (shape.gpus == 0 && shape.gpu_milli == 0) return Reason::kSideResources;
  bool enough = false;
  bool nodes = false;
  bool dark = false;
  bool alone = false;  // Would fit if CPU and memory were no object.
  Shape gpus_only = shape;
  gpus_only.cpu_milli = gpus_only.memory_mib = 0;
  Shape anywhere_in_fabric = gpus_only;
  anywhere_in_fabric.level_required = false;
  anywhere_in_fabric.segment_nodes = 0;
  anywhere_in_fabric.spread_level = Shape::kAnyLevel;
  bool closer = false;  // Would fit if it need not keep apart.
  Shape not_apart = gpus_only;
  not_apart.spread_level = Shape::kAnyLevel;
  for (const std::uint32_t pool_index : state.classes[job.shape_class].pools) {
    const Pool& pool = *state.pools[pool_index];
    const std::int64_t free_milli = pool.free_gpus(View::kOpen) * 1000 + pool.partial_free_milli();
    enough |= free_milli >= shape.total_gpu_milli();
    dark |= pool.dark_gpus() > 0 && free_milli + pool.dark_gpus() * 1000 >= shape.total_gpu_milli();
    nodes |= pool.place(anywhere_in_fabric, View::kOpen, state.policy.placement).has_value();
    alone |= pool.place(gpus_only, View::kOpen, state.policy.placement).has_value();
    closer |= shape.spread_required && pool.place(not_apart, View::kOpen, state.policy.placement).has_value();
  }
  if (alone) return Reason::kSideResources;
  if (closer) return Reason::kSpread;
  if (nodes) return Reason::kTopology;
  if (dark) return Reason::kPower;
  return enough ? Reason::kFragmentation : Reason::kCapacity;
}

}  // namespace gw::sched
