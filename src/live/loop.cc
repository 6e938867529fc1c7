// Turns and what surrounds them.
#include "live/loop.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include "spec/job_json.h"

namespace gw::live {
namespace {

/// Reads the job's own words; false with a report if they cannot be read (they were, when it was submitted).
bool complete(Orders::Start& start, std::vector<Report>& reports, Instant now) {
  spec::Checked<JobSpec> spec = start.text != nullptr ? spec::parse_job_json(*start.text)
                                                      : std::unexpected(std::vector<spec::Diagnostic>{});
  if (!spec) {
    Report report;
    report.id = start.launch.id;
    report.ended = true;
    report.started = report.ended_at = now;
    report.end = AttemptEnd::kLaunchFailed;
    report.note = "its description cannot be read: " + spec::diagnostics_text(spec.error());
    reports.push_back(std::move(report));
    return false;
  }
  if (spec->array) {
    Launch& launch = start.launch;
    launch.array_first = ~0U;
    for (const ArrayRange& range : spec->array->ranges) {
      launch.array_first = std::min(launch.array_first, range.first);
      launch.array_last =
          std::max(launch.array_last, range.last - (range.last - range.first) % std::max(1U, range.step));
    }
  }
  start.launch.spec = std::make_shared<const JobSpec>(std::move(*spec));
  return true;
}

}  // namespace

Loop::Loop(Controller& controller, Store& store, Engine& engine, UnixClock clock, LoopHooks hooks)
    : controller_(controller),
      store_(store),
      engine_(engine),
      clock_(std::move(clock)),
      hooks_(std::move(hooks)) {}

Result<std::vector<std::string>> Loop::open() { return load(controller_.options(), false, {}); }

Result<std::vector<std::string>> Loop::reload(ControllerOptions options,
                                              const std::function<void()>& before_recover) {
  if (!healthy_) return fail("the store fails; try again once it works");
  return load(std::move(options), true, before_recover);
}

Result<std::vector<std::string>> Loop::load(ControllerOptions options, bool all_is_kept,
                                            const std::function<void()>& before_recover) {
  std::vector<Orders::Start> starts;
  // Beside the old book, which readers go on with: the store may be slow, or away.
  Controller fresh(std::move(options), store_);
  Result<std::vector<std::string>> notes = fresh.load(clock_(), starts);
  if (!notes) return notes;
  {
    const std::unique_lock lock(mutex_);
    std::swap(controller_, fresh);
    if (all_is_kept) controller_.take_over(fresh);
    true_ = true;
  }
  origin_ = controller_.book().origin_unix_ns;
  shift_ = 0;
  const Nanoseconds behind = controller_.book().now - now();
  if (behind > Nanoseconds{0}) shift_ = behind.count();
  reports_.clear();
  nodes_.clear();
  std::vector<Launch> expected;
  for (Orders::Start& start : starts) {
    if (complete(start, reports_, now())) expected.push_back(std::move(start.launch));
  }
  if (before_recover) before_recover();
  engine_.recover(std::move(expected));
  healthy_ = true;
  again_ = true;
  return notes;
}

Instant Loop::now() const { return Instant{clock_() + shift_ - origin_}; }

Instant Loop::next_due() const {
  const std::optional<Instant> engine = engine_.next_due();
  return std::min(controller_.next_due(), engine.value_or(Instant::max()));
}

Result<void> Loop::step(std::vector<Command> commands) {
  if (!healthy_) {
    const Result<std::vector<std::string>> opened = open();
    if (!opened) {
      for (const Command& command : commands) {
        if (hooks_.answer) hooks_.answer({command.ticket, Refusal{503, "store", opened.error().message}});
      }
      return std::unexpected(opened.error());
    }
  }
  engine_.take(reports_, nodes_);
  Turn turn;
  {
    const std::unique_lock lock(mutex_);
    turn = controller_.turn(now(), std::move(commands), reports_, nodes_);
  }
  reports_.clear();
  nodes_.clear();
  again_ = turn.again;
  point("turn.decided");
  if (!turn.changes.empty()) {
    if (Result<void> kept = store_.commit(turn.changes); !kept) {
      healthy_ = true_ = false;
      for (const Reply& reply : turn.replies) {
        if (hooks_.answer) hooks_.answer({reply.ticket, Refusal{503, "store", kept.error().message}});
      }
      // Where it can be read (a full disk), readers go on with what is kept.
      if (const Result<std::vector<std::string>> opened = open(); !opened) healthy_ = false;
      return kept;
    }
  }
  point("turn.kept");
  for (Reply& reply : turn.replies) {
    if (hooks_.answer) hooks_.answer(std::move(reply));
  }
  if (hooks_.kept) hooks_.kept(turn.changes);
  point("turn.answered");
  carry_out(turn.orders);
  point("turn.done");
  return {};
}

void Loop::carry_out(Orders& orders) {
  for (const ClockLimit& limit : orders.clocks) engine_.limit_clocks(limit);
  // What goes on elsewhere leaves first; what is stopped in the turn in which it starts must be there for
  // that.
  std::set<AttemptId> starting;
  for (const Orders::Start& start : orders.starts) starting.insert(start.launch.id);
  const auto late = std::stable_partition(orders.stops.begin(), orders.stops.end(),
                                          [&](const Stop& stop) { return !starting.contains(stop.id); });
  for (auto stop = orders.stops.begin(); stop != late; ++stop) engine_.stop(*stop);
  for (Orders::Start& start : orders.starts) {
    if (!complete(start, reports_, now())) continue;
    engine_.start(std::move(start.launch));
    point("turn.started");
  }
  for (auto stop = late; stop != orders.stops.end(); ++stop) engine_.stop(*stop);
  for (const AttemptId id : orders.forgets) engine_.forget(id);
  if (!reports_.empty()) again_ = true;
}

}  // namespace gw::live
