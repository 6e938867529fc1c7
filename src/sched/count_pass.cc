// First come, first served with or without EASY backfill, on processor counts.
//
// EASY: jobs in order start while they fit. The first that does not is reserved at the earliest time by which
// enough processors are free by the running jobs' limits; what is free then beyond its need is spare. Later
// jobs, in order, start now if they fit and either end by then (by their limit) or fit into the spare, which
// they use up. (Lifka 1995, Mu'alem and Feitelson 2001, section 2.)
#include <algorithm>

#include "base/check.h"
#include "sched/pass.h"
#include "sched/patience.h"

namespace gw::sched {
namespace {

std::int32_t whole_seconds(Nanoseconds span) {
  return static_cast<std::int32_t>(
      std::min<std::int64_t>(span.count() / kNanosecondsPerSecond, INT32_MAX - 1));
}

class CountPass final : public Pass {
 public:
  explicit CountPass(const PolicyConfig& policy)
      : backfill_(policy.backfill != BackfillKind::kNone),
        fifo_(policy.order == OrderKind::kFifo),
        sticky_(policy.order == OrderKind::kFairShare) {}

  void run(State& state, Instant now, Plan& plan) override {
    if (state.pending.by_tenant()) state.pending.fair_share().advance(now);
    free_ = state.pools[0]->free_gpus();
    // With nothing released and the head as it was, jobs that could not start still cannot: the shadow time
    // stands, the window to it only shrinks. Only what is new needs a look.
    const bool only_new = !state.thorough && fifo_ && !state.changes.released && head_.valid();
    if (!only_new && !find_head(state, now, plan)) return;
    if (!backfill_ || free_ == 0) return;
    if (!only_new) {
      const EndProfile::Answer answer = state.running[0].reaches(free_, demand(state.jobs[head_]));
      shadow_ = std::max(answer.when, now);
      spare_ = answer.free - demand(state.jobs[head_]);
      if (answer.when == Instant::max()) spare_ = 0;  // Too many nodes are down: nothing may run past.
    }
    state.pending.scan(
        only_new ? state.changes.last_seen : JobId{},
        [&](TenantId) {
          if (state.thorough) return PendingQueue::Bounds{};
          return PendingQueue::Bounds{static_cast<std::int32_t>(free_), static_cast<std::int32_t>(spare_),
                                      whole_seconds(shadow_ - now)};
        },
        [&](JobId id) { return try_backfill(state, state.jobs[id], now, plan); }, [&] { return free_ == 0; });
  }

  [[nodiscard]] Promise promise() const override { return {backfill_ ? head_ : JobId{}, shadow_}; }

  [[nodiscard]] Reason reason(const State& state, const Job& job) const override {
    if (demand(job) > state.pools[0]->free_gpus())
      return job.id == head_ || backfill_ ? Reason::kCapacity : Reason::kOrder;
    return backfill_ ? Reason::kReservation : Reason::kOrder;
  }

  void reset(State& /*state*/) override {
    head_ = JobId{};
    shadow_ = Instant{};
    spare_ = 0;
  }

  [[nodiscard]] std::unique_ptr<Pass> copy(const State& /*state*/) const override {
    return std::make_unique<CountPass>(*this);
  }

  void save(const State& /*state*/, ByteWriter& out) const override {
    out.u64(head_.value());
    out.i64(shadow_.count());
    out.i64(spare_);
  }

  [[nodiscard]] bool restore(State& state, ByteReader& in, std::uint64_t /*format*/) override {
    head_ = JobId{in.u32()};
    shadow_ = Instant{in.i64()};
    spare_ = in.i64();
    return in.ok() && shadow_ >= Instant{} &&
           (!head_.valid() || sticky_ || state.jobs.find(head_) != nullptr);
  }

 private:
  static std::int64_t demand(const Job& job) { return (job.request.shape.total_gpu_milli() + 999) / 1000; }

  /// Starts jobs in order while they fit; false if nothing is left waiting, else head_ is the first that does
  /// not.
  bool find_head(State& state, Instant now, Plan& plan) {
    if (sticky_ && head_.valid()) {
      // Under fair share the order moves while jobs wait; the reservation stays with the job that has it.
      Job* held = state.jobs.find(head_);
      if (held != nullptr && !held->running) {
        if (!start(state, *held, now, plan)) return true;
      }
    }
    head_ = JobId{};
    for (;;) {
      const JobId first = state.pending.first();
      if (!first.valid()) return false;
      Job& job = state.jobs[first];
      if (start(state, job, now, plan)) continue;
      const JobId impatient =
          gang_to_reserve(state, now, [&](const Job& other) { return exceeds_fleet(state, other); });
      head_ = impatient.valid() ? impatient : first;
      if (head_ != first && start(state, state.jobs[head_], now, plan)) continue;
      if (backfill_ && exceeds_fleet(state, state.jobs[head_])) find_other_head(state, now, plan);
      return true;
    }
  }

  /// Are too many nodes down for the job, however many others end?
  static bool exceeds_fleet(const State& state, const Job& job) {
    return demand(job) > std::int64_t{state.pools[0]->nodes()} - state.pools[0]->down_gpus();
  }

  /// The head can be promised nothing: the first in order that can be takes its place, so that the others go
  /// on as if that one were not there. Those in between start as they fit.
  void find_other_head(State& state, Instant now, Plan& plan) {
    bool found = false;
    state.pending.scan(
        JobId{}, [](TenantId) { return PendingQueue::Bounds{}; },
        [&](JobId id) {
          Job& job = state.jobs[id];
          if (exceeds_fleet(state, job)) return false;
          if (start(state, job, now, plan)) return true;
          head_ = id;
          found = true;
          return false;
        },
        [&] { return found; });
  }

  /// False if the job does not fit: too few are free, or too few nodes are up for one that needs no GPU.
  bool start(State& state, Job& job, Instant now, Plan& plan) {
    if (demand(job) > free_) return false;
    std::optional<Placement> placement = state.place(job, View::kOpen);
    if (!placement) return false;
    free_ -= demand(job);
    state.start(job, std::move(*placement), now, plan);
    return true;
  }

  bool try_backfill(State& state, Job& job, Instant now, Plan& plan) {
    if (demand(job) > free_) return false;
    const bool ends_in_time = job.request.limit <= shadow_ - now;
    const std::int64_t needed = demand(job);
    if (!ends_in_time && needed > spare_) return false;
    if (!start(state, job, now, plan)) return false;
    if (!ends_in_time) spare_ -= needed;
    return true;
  }

  bool backfill_;
  bool fifo_;
  bool sticky_;
  JobId head_;
  Instant shadow_;
  std::int64_t spare_ = 0;
  std::int64_t free_ = 0;
};

}  // namespace

std::unique_ptr<Pass> make_count_pass(const PolicyConfig& policy) {
  return std::make_unique<CountPass>(policy);
}

}  // namespace gw::sched
