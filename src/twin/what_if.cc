// Pairs of worlds and what they differ by.
#include "twin/what_if.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <system_error>
#include <thread>

#include "base/check.h"
#include "base/rng.h"
#include "sched/core.h"
#include "twin/world.h"

namespace gw::twin {
namespace {

constexpr std::size_t kMostBins = 720;

/// The 0.975 quantile of Student's t by degrees of freedom from 1 on; then that of the normal distribution.
double t975(std::size_t degrees) {
  static constexpr double kT975[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                     2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086};
  constexpr double kNormal975 = 1.960;
  return degrees <= std::size(kT975) ? kT975[degrees - 1] : kNormal975 + 2.4 / static_cast<double>(degrees);
}

Comparison compare(const std::vector<double>& base, const std::vector<double>& changed) {
  GW_CHECK(base.size() == changed.size() && !base.empty());
  const auto count = static_cast<double>(base.size());
  Comparison result;
  for (std::size_t member = 0; member < base.size(); ++member) {
    result.base += base[member];
    result.changed += changed[member];
    result.difference += changed[member] - base[member];
  }
  result.base /= count;  // Sums of whole numbers stay exact.
  result.changed /= count;
  result.difference /= count;
  double squares = 0;
  for (std::size_t member = 0; member < base.size(); ++member) {
    const double off = changed[member] - base[member] - result.difference;
    squares += off * off;
  }
  const double half = base.size() < 2 ? 0 : t975(base.size() - 1) * std::sqrt(squares / (count - 1) / count);
  result.low = result.difference - half;
  result.high = result.difference + half;
  return result;
}

/// A wait, or as much of it as was seen.
struct Wait {
  double seconds = 0;
  bool cut = false;  ///< It went on when the horizon was reached.
};

/// Of waits; true as `cut` where those that were cut could make it more.
struct Waits {
  Wait mean, median, p90;
};
Waits waits_of(std::vector<Wait> all) {
  Waits waits;
  if (all.empty()) return waits;
  double least_cut = HUGE_VAL;
  for (const Wait& wait : all) {
    waits.mean.seconds += wait.seconds / static_cast<double>(all.size());
    if (wait.cut) least_cut = std::min(least_cut, wait.seconds);
  }
  waits.mean.cut = least_cut < HUGE_VAL;
  std::sort(all.begin(), all.end(), [](const Wait& a, const Wait& b) { return a.seconds < b.seconds; });
  const auto rank = [&](double part) {
    const auto at = static_cast<std::size_t>(std::ceil(part * static_cast<double>(all.size())));
    const double seconds = all[std::max<std::size_t>(at, 1) - 1].seconds;
    return Wait{seconds, least_cut <= seconds};
  };
  waits.median = rank(0.5);
  waits.p90 = rank(0.9);
  return waits;
}

struct Pair {
  WorldRun base;
  WorldRun changed;
  std::vector<Arrival> arrivals;
};

class Question {
 public:
  Question(const WhatIfInput& input, const WorldChanges& changes, const WhatIfOptions& options)
      : input_(input),
        changes_(changes),
        options_(options),
        rng_(Rng(options.seed).split("what-if")),
        present_(input.fleet, input.policy) {}

  Result<WhatIf> ask() {
    if (!present_.restore(input_.snapshot))
      return fail(fmt::format(
          "what-if: the snapshot of {} bytes is not one of the fleet \"{}\" under the policy \"{}\"; take it "
          "from the core that is asked about",
          input_.snapshot.size(), input_.fleet.name, input_.policy.name));
    found_.now = std::max(input_.now, present_.now());
    present_.state().jobs.for_each([&](const sched::Job& job) {
      if (!job.running) waiting_.push_back(job.id);
    });
    std::sort(waiting_.begin(), waiting_.end());
    const sched::FairShare& shares = present_.state().pending.fair_share();
    std::vector<TenantId> parents{TenantId{}};
    for (std::uint32_t tenant = 1; tenant < shares.tenants(); ++tenant)
      parents.push_back(shares.parent(TenantId{tenant}));
    run_times_ = std::make_unique<RunTimeSampler>(input_.run_times, parents);
    find_feeds(present_.state().power.tracked());
    found_.horizon = std::clamp(options_.horizon, seconds(1), sched::kLastInstant - found_.now);
    if (!run_members()) return fail("what-if: it was cancelled");
    summarize();
    return std::move(found_);
  }

 private:
  void find_feeds(bool tracked) {
    for (const std::string& name : changes_.feeds) {
      const std::optional<Fleet::FeedAt> base = input_.fleet.find_feed(name);
      const std::optional<Fleet::FeedAt> changed = changed_fleet().find_feed(name);
      if (!tracked || !base || !changed) continue;
      found_.feeds.push_back({name, {}, {}, {}, 0, 0});
      feeds_base_.push_back({base->level, base->vertex});
      feeds_changed_.push_back({changed->level, changed->vertex});
    }
  }

  [[nodiscard]] const Fleet& changed_fleet() const { return changes_.fleet ? *changes_.fleet : input_.fleet; }

  /// The factory with the changes; what they did at once goes to `moved`.
  [[nodiscard]] std::unique_ptr<sched::Core> changed(sched::Core::Moved* moved) const {
    auto core = std::make_unique<sched::Core>(present_);
    if (changes_.fleet || changes_.policy) {
      const PolicyConfig& policy = changes_.policy ? *changes_.policy : input_.policy;
      auto next = std::make_unique<sched::Core>(changed_fleet(), policy);
      sched::Core::Moved found = next->move_from(*core, input_.fleet, changed_fleet(), found_.now);
      if (moved != nullptr) *moved = std::move(found);
      core = std::move(next);
    }
    for (const sched::Event& event : changes_.events) core->apply(event, found_.now);
    return core;
  }

  Pair run_pair(std::uint32_t member, std::uint64_t most_events, sched::Core::Moved* moved) const {
    Pair pair;
    const Rng rng = rng_.split(member);
    const Instant end = found_.now + found_.horizon;
    pair.arrivals =
        sample_submissions(input_.arrivals, found_.now, end, rng.split("arrivals"), options_.most_arrivals);
    const std::size_t drawn = pair.arrivals.size();
    for (const Arrival& arrival : input_.planned) {
      if (arrival.when < end) pair.arrivals.push_back(arrival);
    }
    std::inplace_merge(pair.arrivals.begin(), pair.arrivals.begin() + static_cast<std::ptrdiff_t>(drawn),
                       pair.arrivals.end(),
                       [](const Arrival& a, const Arrival& b) { return a.when < b.when; });
    WorldTask task{waiting_,    pair.arrivals,      found_.now,   end,        found_.bin,
                   *run_times_, options_.cancelled, input_.facts, feeds_base_};
    const Rng run_times = rng.split("run-times");
    pair.base =
        run_world(std::make_unique<sched::Core>(present_), input_.fleet, task, run_times, most_events);
    if (changes_.facts) task.facts = *changes_.facts;
    task.feeds = feeds_changed_;
    pair.changed = run_world(changed(moved), changed_fleet(), task, run_times, most_events);
    return pair;
  }

  [[nodiscard]] bool cancelled() const { return options_.cancelled && options_.cancelled(); }

  /// False if it was cancelled.
  bool run_members() {
    // The first pair shows what one costs, and how far the events reach.
    constexpr std::uint32_t kFewest = WhatIfOptions::kFewestMembers;
    const std::uint64_t share = std::max<std::uint64_t>(1, options_.most_events / (2 * kFewest));
    sched::Core::Moved moved;
    set_bin();
    Pair first = run_pair(0, share, &moved);
    if (cancelled()) return false;
    const Instant reached = std::min(first.base.until, first.changed.until);
    found_.events = first.base.events + first.changed.events;
    if (reached < found_.now + found_.horizon) {
      found_.shortened = true;
      found_.horizon = std::max(reached - found_.now, seconds(1));
      set_bin();
      first = run_pair(0, share * 2, nullptr);
      found_.events += first.base.events + first.changed.events;
    }
    found_.interrupted = std::move(moved.interrupted);
    found_.rejected = std::move(moved.rejected);
    const std::uint64_t each = (first.base.events + first.changed.events) * 5 / 4 + 1;
    const std::uint64_t left = options_.most_events - std::min(options_.most_events, found_.events);
    const auto more = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(left / each, kFewest - 1, std::max(options_.most_members, kFewest) - 1));
    pairs_.push_back(std::move(first));
    pairs_.resize(1 + more);
    // A member that is so much dearer than the others is left out.
    std::atomic<std::uint32_t> next{1};
    const auto work = [&] {
      for (std::uint32_t member = next++; member <= more; member = next++)
        pairs_[member] = run_pair(member, each * 4, nullptr);
    };
    std::vector<std::jthread> others;
    try {
      for (unsigned thread = 1; thread < std::min(options_.threads, more); ++thread)
        others.emplace_back(work);
    } catch (const std::system_error&) {  // The system gives no more threads: fewer do it too.
    }
    work();
    others.clear();
    if (cancelled()) return false;
    for (std::size_t member = 1; member < pairs_.size(); ++member)
      found_.events += pairs_[member].base.events + pairs_[member].changed.events;
    std::erase_if(pairs_, [&](const Pair& pair) {
      return std::min(pair.base.until, pair.changed.until) < found_.now + found_.horizon;
    });
    return true;
  }

  void set_bin() {
    found_.bin = hours(1);
    while (found_.horizon / found_.bin >= static_cast<std::int64_t>(kMostBins)) found_.bin += hours(1);
  }

  /// Of one figure in all members.
  template <class Figure>
  void add(std::string_view name, Figure&& figure) {
    std::vector<double> base, changed;
    for (const Pair& pair : pairs_) {
      base.push_back(figure(pair, pair.base));
      changed.push_back(figure(pair, pair.changed));
    }
    found_.figures.push_back({name, compare(base, changed)});
  }

  void add_wait(std::string_view name, const std::function<Wait(const Pair&, const WorldRun&)>& figure) {
    bool base_cut = false, changed_cut = false;
    add(name, [&](const Pair& pair, const WorldRun& run) {
      const Wait wait = figure(pair, run);
      bool& cut = &run == &pair.base ? base_cut : changed_cut;
      cut = cut || wait.cut;
      return wait.seconds;
    });
    found_.figures.back().base_cut = base_cut;
    found_.figures.back().changed_cut = changed_cut;
  }

  void compare_feed(std::size_t index) {
    FeedComparison& feed = found_.feeds[index];
    const auto of = [&](double FeedRun::* figure) {
      std::vector<double> base, changed;
      for (const Pair& pair : pairs_) {
        base.push_back(pair.base.feeds[index].*figure);
        changed.push_back(pair.changed.feeds[index].*figure);
      }
      return compare(base, changed);
    };
    feed.mean = of(&FeedRun::mean);
    feed.peak = of(&FeedRun::peak);
    feed.above_s = of(&FeedRun::above_s);
    feed.cap_base = pairs_.front().base.feeds[index].lowest_cap;
    feed.cap_changed = pairs_.front().changed.feeds[index].lowest_cap;
  }

  void summarize() {
    found_.members = static_cast<std::uint32_t>(pairs_.size());
    found_.waiting_jobs = waiting_.size();
    if (pairs_.empty()) return;
    const Instant end = found_.now + found_.horizon;
    for (const Pair& pair : pairs_)
      found_.new_jobs += static_cast<double>(pair.arrivals.size()) / static_cast<double>(pairs_.size());
    const auto waiting = [&](const Pair& /*pair*/, const WorldRun& run) {
      std::vector<Wait> waits;
      for (const Instant start : run.starts)
        waits.push_back({to_seconds(std::min(start, end) - found_.now), start > end});
      return waits_of(std::move(waits));
    };
    const auto arriving = [&](const Pair& pair, const WorldRun& run) {
      std::vector<Wait> waits;
      for (std::size_t index = 0; index < run.new_starts.size(); ++index) {
        const Instant start = run.new_starts[index];
        waits.push_back({to_seconds(std::min(start, end) - pair.arrivals[index].when), start > end});
      }
      return waits_of(std::move(waits));
    };
    add_wait("wait_waiting_mean_s", [&](const Pair& p, const WorldRun& r) { return waiting(p, r).mean; });
    add_wait("wait_waiting_median_s", [&](const Pair& p, const WorldRun& r) { return waiting(p, r).median; });
    add_wait("wait_waiting_p90_s", [&](const Pair& p, const WorldRun& r) { return waiting(p, r).p90; });
    add_wait("wait_new_mean_s", [&](const Pair& p, const WorldRun& r) { return arriving(p, r).mean; });
    add_wait("wait_new_median_s", [&](const Pair& p, const WorldRun& r) { return arriving(p, r).median; });
    add_wait("wait_new_p90_s", [&](const Pair& p, const WorldRun& r) { return arriving(p, r).p90; });
    const double horizon_s = to_seconds(found_.horizon);
    const auto gpu_seconds = [&](const WorldRun& run) {
      double sum = 0;
      for (std::size_t bin = 0; bin < run.gpus.size(); ++bin) sum += run.gpus[bin] * bin_seconds(bin);
      return sum;
    };
    add("gpus_used_mean", [&](const Pair&, const WorldRun& r) { return gpu_seconds(r) / horizon_s; });
    add("utilisation", [&](const Pair&, const WorldRun& r) {
      return r.gpus_up == 0 ? 0 : gpu_seconds(r) / horizon_s / static_cast<double>(r.gpus_up);
    });
    add("power_mean_w", [&](const Pair&, const WorldRun& r) { return r.joules / horizon_s; });
    add("power_peak_w", [](const Pair&, const WorldRun& r) { return r.peak_watts; });
    add("energy_j", [](const Pair&, const WorldRun& r) { return r.joules; });
    add("starts", [](const Pair&, const WorldRun& r) { return static_cast<double>(r.started); });
    add("ends", [](const Pair&, const WorldRun& r) { return static_cast<double>(r.ended); });
    add("interruptions", [](const Pair&, const WorldRun& r) { return static_cast<double>(r.interrupted); });
    for (std::size_t index = 0; index < found_.feeds.size(); ++index) compare_feed(index);
    add("rejections", [](const Pair&, const WorldRun& r) { return static_cast<double>(r.rejected); });
    add("waiting_at_end",
        [](const Pair&, const WorldRun& r) { return static_cast<double>(r.waiting_at_end); });
    add("running_at_end",
        [](const Pair&, const WorldRun& r) { return static_cast<double>(r.running_at_end); });
    const auto mean_series = [&](std::vector<double> WorldRun::* series, WorldRun Pair::* world) {
      std::vector<double> mean((pairs_.front().*world.*series).size());
      for (const Pair& pair : pairs_) {
        for (std::size_t bin = 0; bin < mean.size(); ++bin)
          mean[bin] += (pair.*world.*series)[bin] / static_cast<double>(pairs_.size());
      }
      return mean;
    };
    found_.gpus_base = mean_series(&WorldRun::gpus, &Pair::base);
    found_.gpus_changed = mean_series(&WorldRun::gpus, &Pair::changed);
    found_.watts_base = mean_series(&WorldRun::watts, &Pair::base);
    found_.watts_changed = mean_series(&WorldRun::watts, &Pair::changed);
    found_.gpus_up_base = pairs_.front().base.gpus_up;
    found_.gpus_up_changed = pairs_.front().changed.gpus_up;
    find_shifts(end);
  }

  [[nodiscard]] double bin_seconds(std::size_t bin) const {
    const Nanoseconds from = found_.bin * static_cast<std::int64_t>(bin);
    return to_seconds(std::min(found_.bin, found_.horizon - from));
  }

  void find_shifts(Instant end) {
    std::vector<JobShift> shifts;
    const auto count = static_cast<std::int64_t>(pairs_.size());
    for (std::size_t index = 0; index < waiting_.size(); ++index) {
      JobShift shift{.job = waiting_[index], .base = Nanoseconds{}, .changed = Nanoseconds{}};
      for (const Pair& pair : pairs_) {
        if (pair.base.starts[index] > end) ++shift.base_unstarted;
        if (pair.changed.starts[index] > end) ++shift.changed_unstarted;
        shift.base += std::min(pair.base.starts[index], end) - found_.now;
        shift.changed += std::min(pair.changed.starts[index], end) - found_.now;
      }
      shift.base = shift.base / count;  // At most 100 members of a month: the sums are far from their end.
      shift.changed = shift.changed / count;
      if (shift.base != shift.changed) shifts.push_back(shift);
    }
    // Gains first; equal ones by number.
    std::sort(shifts.begin(), shifts.end(), [](const JobShift& a, const JobShift& b) {
      const Nanoseconds gain_a = a.base - a.changed, gain_b = b.base - b.changed;
      return gain_a != gain_b ? gain_a > gain_b : a.job < b.job;
    });
    for (const JobShift& shift : shifts) {
      if (found_.sooner.size() < options_.most_shifts && shift.changed < shift.base)
        found_.sooner.push_back(shift);
    }
    for (std::size_t index = shifts.size(); index-- > 0;) {
      if (found_.later.size() < options_.most_shifts && shifts[index].changed > shifts[index].base)
        found_.later.push_back(shifts[index]);
    }
  }

  const WhatIfInput& input_;
  const WorldChanges& changes_;
  const WhatIfOptions& options_;
  const Rng rng_;
  sched::Core present_;
  std::vector<JobId> waiting_;
  std::vector<sched::FeedId> feeds_base_, feeds_changed_;
  std::unique_ptr<RunTimeSampler> run_times_;
  std::vector<Pair> pairs_;
  WhatIf found_;
};

}  // namespace

Result<WhatIf> what_if(const WhatIfInput& input, const WorldChanges& changes, const WhatIfOptions& options) {
  return Question(input, changes, options).ask();
}

}  // namespace gw::twin
