// No backfill and EASY on real nodes: the first blocked job gets a reservation of named nodes.
//
// The reservation is found by giving back the running jobs' nodes in the order of their limits until the job
// fits; the nodes it would then get are held. Others may use open nodes freely, and held nodes only if they
// end (by their limit) before the reservation. So nothing can push the reserved job back, whatever the
// fragmentation: a large gang never starves. The reservation stays with its job until that starts or leaves.
#include <algorithm>
#include <array>
#include <vector>

#include "base/check.h"
#include "sched/pass.h"
#include "sched/power_search.h"
#include "sched/preemptor.h"
#include "sched/reservation_search.h"

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
    state.refresh_quota(now);
    state.start_claimed(now, plan);
    keep_reservation(state, plan);
    preemptor_.begin(now);
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
    if (!backfill_ && job.id != head_) return Reason::kOrder;
    if (backfill_ && reserved_.valid() && job.id != reserved_ && state.place(job, View::kHeld))
      return Reason::kReservation;
    if (state.place(job, View::kOpen))
      return Reason::kReservation;  // Cannot be after a full pass, but for time.
    return placement_reason(state, job);
  }

  void reset(State& state) override {
    drop(state);
    head_ = JobId{};
  }

  void save(ByteWriter& out) const override {
    out.u64(reserved_.value());
    out.u64(head_.value());
    out.i64(when_.count());
    out.u64(pool_);
    out.u64(releases_at_);
    out.u64(nodes_.size());
    for (const std::uint32_t node : nodes_) out.u64(node);
    preemptor_.save(out);
  }

  [[nodiscard]] bool restore(State& state, ByteReader& in) override {
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
    return preemptor_.restore(in);
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
    if (!state.quota.in_use() || !first.valid()) return first;
    JobId found;
    state.pending.scan(
        JobId{}, [&](TenantId tenant) { return quota_bounds(state, tenant); },
        [&](JobId id) {
          if (id == reserved_ || state.quota_lets(state.jobs[id])) found = id;
          return false;
        },
        [&] { return found.valid(); });
    return found;
  }

  /// No more than the tenant's quota could let start.
  [[nodiscard]] PendingQueue::Bounds quota_bounds(const State& state, TenantId tenant) const {
    PendingQueue::Bounds bounds;
    if (!tenant.valid() || !state.quota.in_use()) return bounds;
    if (reserved_.valid() && state.jobs[reserved_].request.tenant == tenant) return bounds;
    bounds.free =
        state.nothing_lent_for(tenant) ? PendingQueue::Bounds::kNoneFromHere : cut(state.quota_room(tenant));
    if (state.fixed_barred(tenant)) bounds.open_tags = bounds.held_tags = state.classes.preemptible_tags();
    return bounds;
  }

  /// Makes others leave for a job that may have that, if this lets it start.
  bool make_room(State& state, Job& job, Plan& plan) {
    if (!preemptor_.may_try(state, job, now_)) return false;
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
    if (shape.failed_open != version) {
      if (std::optional<Placement> placement = state.place(job, View::kOpen)) {
        state.start(job, std::move(*placement), now_, plan);
        return true;
      }
      if (shape_decides) shape.failed_open = version;
    }
    if (!reserved_.valid() || job.request.limit > window() || shape.failed_held == version) return false;
    if (std::optional<Placement> placement = state.place(job, View::kHeld)) {
      state.start(job, std::move(*placement), now_, plan);
      return true;
    }
    if (shape_decides) shape.failed_held = version;
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
    const std::uint64_t failed = view == View::kOpen ? shape.failed_open : shape.failed_held;
    if (failed == version_of(state, shape)) return false;
    return std::any_of(shape.pools.begin(), shape.pools.end(),
                       [&](std::uint32_t pool) { return state.pools[pool]->may_fit(shape.shape, view); });
  }

  /// A class that has failed to fit stays out of the rest of the pass: each start only takes capacity.
  void note_failure(const State& state, std::uint32_t id) {
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
    state.pending.scan(
        JobId{},
        [&](TenantId tenant) {
          PendingQueue::Bounds bounds = quota_bounds(state, tenant);
          std::int64_t open = -1;
          std::int64_t held = -1;
          for (const auto& pool : state.pools) {
            const std::int64_t part = pool->partial_free_milli() > 0 ? 1 : 0;
            open = std::max(open, pool->free_gpus(View::kOpen) + part);
            held = std::max(held, pool->free_gpus(View::kHeld) + part);
          }
          bounds.free = std::min(bounds.free, cut(std::max(open, held)));
          bounds.spare = open_.tags() == 0 ? -1 : cut(open);
          bounds.window = held_.tags() == 0 ? -1 : cut(window().count() / kNanosecondsPerSecond);
          bounds.open_tags &= open_.tags();
          bounds.held_tags &= held_.tags();
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
        [&] { return (open_.tags() | held_.tags()) == 0; });
  }

  /// Reserves for the first job to which anything can be promised; one that could not start even if all
  /// others ended, for the nodes that are down, must not keep the rest from it. True if a job has started
  /// instead.
  bool make_reservation(State& state, Plan& plan) {
    for (;;) {
      const JobId impatient = state.impatient_gang(now_);
      if (!impatient.valid()) break;
      Job& job = state.jobs[impatient];
      if (try_start(state, job, plan)) return true;
      const Reserved result = reserve(state, job, plan);
      if (result != Reserved::kNever) return result == Reserved::kStarted;
      if (!note_hopeless(state, job)) break;
    }
    bool started = false;
    state.pending.scan(
        JobId{}, [&](TenantId tenant) { return quota_bounds(state, tenant); },
        [&](JobId id) {
          Job& job = state.jobs[id];
          if (state.is_hopeless(job) || !state.quota_lets(job)) return false;
          if (try_start(state, job, plan)) return started = true;
          const Reserved result = reserve(state, job, plan);
          if (result == Reserved::kNever) note_hopeless(state, job);
          return started = result == Reserved::kStarted;
        },
        [&] { return started || reserved_.valid(); });
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
    for (const View view : {View::kHeld, View::kOpen}) {
      placement = view == View::kHeld ? pool.place(job->request.shape, view, state.policy.placement)
                                      : state.place(*job, view);
      if (!placement) continue;
      if (view == View::kHeld) placement->pool = pool_;
      drop(state);
      state.start(*job, std::move(*placement), now_, plan);
      return;
    }
    if (state.power.limited() && held_are_free(pool, job->request.shape)) {
      const std::vector<std::uint32_t> nodes = nodes_;
      const std::uint64_t version = pool.version();
      drop(state);
      if (start_in_the_dark(state, *job, plan)) return;
      hold(state, *job, nodes);
      pool.set_version(version);
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
    const std::uint64_t early = state.releases - releases_at_;
    // Renewing costs a walk over running jobs, so it waits for a share of them to have ended: constant per
    // release.
    const bool late = now_ >= when_ && early > state.running_jobs() / 64;
    const bool broken =
        state.changes.nodes &&
        std::any_of(nodes_.begin(), nodes_.end(), [&](std::uint32_t node) { return pool.is_off(node); });
    const bool stale = late || broken || early > 16 + state.running_jobs() / 4;
    if (!enough && !stale) return;
    const std::vector<std::uint32_t> nodes = nodes_;
    const std::uint64_t version = pool.version();
    drop(state);
    placement = state.place(*job, View::kOpen);
    if (placement) {
      state.start(*job, std::move(*placement), now_, plan);
    } else if (stale) {
      reserve(state, *job, plan);
    } else {
      hold(state, *job, nodes);
      pool.set_version(version);
    }
  }

  /// Do the quotas, as they are now, still let the reserved job in where it is to start?
  bool still_permitted(State& state, const Job& job) {
    state.release_quota(job, pool_);
    const bool permitted =
        state.quota.permits(job.request.tenant, state.quota_amount(job, pool_), job.id).ok();
    state.reserve_quota(job, pool_);
    return permitted;
  }

  /// That nothing can be promised is said of its shape, unless quota leaves the job some pools only.
  static bool note_hopeless(State& state, const Job& job) {
    if (!state.quota_leaves_all(job)) return false;
    state.set_hopeless(job);
    return true;
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

  enum class Reserved : std::uint8_t {
    kNever,    ///< It could not start even if all others ended.
    kHeld,     ///< The nodes that it will get at the earliest time by the running jobs' limits are held.
    kStarted,  ///< It has started: there was power for it on nodes that are dark.
  };
  Reserved reserve(State& state, Job& job, Plan& plan) {
    GW_CHECK(nodes_.empty());
    std::optional<ReservationSearch::Answer> best;
    for (const std::uint32_t pool : state.classes[job.shape_class].pools) {
      if (state.quota.in_use() &&
          !state.quota.permits(job.request.tenant, state.quota_amount(job, pool), job.id).ok())
        continue;
      const Instant bound = best ? best->when : Instant::max();
      std::optional<ReservationSearch::Answer> answer;
      if (state.power.limited() && !job.request.shape.is_grouped()) {
        if (std::optional<PowerSearch::Answer> found = power_search_.find(state, pool, job, now_, bound))
          answer = ReservationSearch::Answer{found->when, std::move(found->nodes)};
      } else {
        answer = search_.find(*state.pools[pool], state.running[pool], state.jobs, job.request.shape,
                              state.policy.placement, now_, bound);
      }
      if (!answer || (best && answer->when >= best->when)) continue;
      best = std::move(answer);
      pool_ = pool;
    }
    if (!best) return Reserved::kNever;
    if (best->when <= now_ && start_in_the_dark(state, job, plan)) return Reserved::kStarted;
    releases_at_ = state.releases;
    when_ = best->when;
    hold(state, job, best->nodes);
    return Reserved::kHeld;
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
