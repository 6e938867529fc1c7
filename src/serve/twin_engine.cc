// A heap of what happens next to each attempt, and the failures between.
#include "serve/twin_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/rng.h"

namespace gw::serve {
namespace {

constexpr Nanoseconds kMostStopTime = seconds(1);

}  // namespace

std::size_t TwinEngine::HashId::operator()(const live::AttemptId& id) const {
  return ((id.job * 0x9e3779b97f4a7c15ULL + id.attempt) * 0xd1342543de82ef95ULL) >> 16;
}

TwinEngine::TwinEngine(const Fleet& fleet, std::function<Instant()> now, const TwinEngineOptions& options)
    : now_(std::move(now)),
      seed_(options.seed),
      since_begin_(options.begin - Instant{}),
      faults_(options.faults, fleet, Rng(options.seed).split("faults")) {
  GW_CHECK(now_ && since_begin_ >= Nanoseconds{0});
  if (faults_.next_due() == Instant::max()) return;
  nodes_.resize(fleet.nodes());
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node) {
    nodes_[node].name = fleet.node_name(NodeId{node});
    node_of_name_.emplace(nodes_[node].name, node);
  }
}

void TwinEngine::start(live::Launch launch) {
  GW_CHECK(launch.spec != nullptr && !launch.nodes.empty() && launch.limit > Nanoseconds{0});
  if (is_anothers(launch)) drop(launch.id);
  const auto [at, is_new] = attempts_.try_emplace(launch.id);
  if (!is_new) return;
  Attempt& attempt = at->second;
  attempt.identity = launch.identity;
  const SimulatedRun run = simulate_run(launch, seed_);
  attempt.end = run.end;
  attempt.exit_code = run.exit_code;
  attempt.stop_time = std::clamp(launch.spec->grace, Nanoseconds{0}, kMostStopTime);
  attempt.decided = launch.decided;
  attempt.started = launch.decided + run.startup;
  attempt.ends_at = attempt.started + run.run_time;
  if (nodes_.empty()) {
    attempt.phase = Phase::kStarting;
  } else {
    for (const live::NodeShare& share : launch.nodes) {
      const auto node = node_of_name_.find(share.node);
      if (node != node_of_name_.end()) attempt.nodes.push_back(node->second);
    }
  }
  push(launch.id, attempt);
}

void TwinEngine::stop(const live::Stop& stop) {
  if (const auto at = attempts_.find(stop.id); at != attempts_.end()) {
    at->second.stop_time = std::min(at->second.stop_time, stop.most_grace);
    at->second.stopping = true;
  }
  end_soon(stop.id, live::AttemptEnd::kStopped, {});
}

void TwinEngine::end_soon(live::AttemptId id, live::AttemptEnd end, std::string note) {
  const auto at = attempts_.find(id);
  if (at == attempts_.end() || at->second.phase == Phase::kEnded) return;
  Attempt& attempt = at->second;
  const Instant now = std::max(now_(), attempt.decided);
  const Instant when = attempt.started > now ? now : now + attempt.stop_time;
  if (attempt.ends_at > when) cut_short(id, attempt, when, end, std::move(note));
}

void TwinEngine::recover(std::vector<live::Launch> expected) {
  std::unordered_set<live::AttemptId, HashId> wanted;
  for (const live::Launch& launch : expected) wanted.insert(launch.id);
  std::vector<live::AttemptId> unwanted;
  for (const auto& [id, attempt] : attempts_) {
    if (!wanted.contains(id)) unwanted.push_back(id);
  }
  for (const live::AttemptId id : unwanted)
    attempts_.at(id).phase == Phase::kEnded
        ? forget(id)
        : end_soon(id, live::AttemptEnd::kLost, "it was expected no more");
  for (live::Launch& launch : expected) {
    if (is_anothers(launch)) {
      const live::AttemptId id = launch.id;
      const Instant now = std::max(now_(), launch.decided);
      start(std::move(launch));
      Attempt& attempt = attempts_.at(id);
      attempt.started = Instant::max();  // It never does.
      cut_short(id, attempt, now, live::AttemptEnd::kLost, "another job's attempt was found in its place");
      continue;
    }
    const auto at = attempts_.find(launch.id);
    if (at == attempts_.end()) {
      start(std::move(launch));
    } else if (Attempt& attempt = at->second; attempt.phase >= Phase::kRunning) {
      // What was told of it may not have been kept. One that never started has only its end to tell.
      attempt.phase = attempt.started < attempt.ends_at ? Phase::kStarting : Phase::kRunning;
      push(launch.id, attempt);
    }
  }
  drop_stale();
}

void TwinEngine::limit_clocks(const live::ClockLimit& limit) {
  const auto at = attempts_.find(limit.id);
  if (at == attempts_.end() || at->second.phase == Phase::kEnded || limit.speed_permille == 0) return;
  Attempt& attempt = at->second;
  if (attempt.speed_permille == limit.speed_permille) return;
  const bool own_end =
      attempt.end == live::AttemptEnd::kExited || attempt.end == live::AttemptEnd::kTimeLimit ||
      attempt.end == live::AttemptEnd::kSignalled || attempt.end == live::AttemptEnd::kOutOfMemory;
  const Instant from = std::max(now_(), attempt.started);
  if (own_end && attempt.ends_at > from) {
    __extension__ using Wide = __int128;
    const Wide left = Wide{(attempt.ends_at - from).count()} * attempt.speed_permille / limit.speed_permille;
    attempt.ends_at =
        from + Nanoseconds{static_cast<std::int64_t>(std::min<Wide>(left, kLongestSpan.count()))};
    push(limit.id, attempt);
  }
  attempt.speed_permille = limit.speed_permille;
  drop_stale();
}

bool TwinEngine::is_anothers(const live::Launch& launch) const {
  const auto at = attempts_.find(launch.id);
  return at != attempts_.end() && launch.identity != 0 && at->second.identity != launch.identity;
}

void TwinEngine::forget(live::AttemptId id) {
  const auto at = attempts_.find(id);
  if (at == attempts_.end()) return;
  // Taken for ended, but it still saves its work: how long it draws power is asked for.
  if (at->second.stopping && at->second.phase != Phase::kEnded) {
    at->second.forgotten = true;
    return;
  }
  drop(id);
}

void TwinEngine::drop(live::AttemptId id) {
  const auto at = attempts_.find(id);
  leave(id, at->second);
  attempts_.erase(at);
  drop_stale();
}

void TwinEngine::take(std::vector<live::Report>& reports, std::vector<live::NodeReport>& nodes) {
  const Instant now = now_();
  std::vector<std::uint32_t> changed;
  while (true) {
    const Instant change = next_change();
    const bool attempt_first = !due_.empty() && due_.front().when <= change;
    if ((attempt_first ? due_.front().when : change) > now) break;
    if (attempt_first) {
      step(reports);
    } else if (const NodeId node = change_node(); node.valid()) {
      changed.push_back(node.value());
    }
  }
  // One report a node, in the order of their last changes.
  std::vector<live::NodeReport> last;
  std::vector<bool> told(changed.empty() ? 0 : nodes_.size());
  for (std::size_t at = changed.size(); at-- > 0;) {
    if (told[changed[at]]) continue;
    told[changed[at]] = true;
    const Node& node = nodes_[changed[at]];
    last.push_back({node.name, !node.is_down(), node.is_down() ? "simulated failure" : "simulated repair"});
  }
  nodes.insert(nodes.end(), std::make_move_iterator(last.rbegin()), std::make_move_iterator(last.rend()));
}

std::optional<Instant> TwinEngine::next_due() const {
  const Instant due = std::min(next_change(), due_.empty() ? Instant::max() : due_.front().when);
  if (due == Instant::max()) return std::nullopt;
  return due;
}

void TwinEngine::step(std::vector<live::Report>& reports) {
  const live::AttemptId id = due_.front().id;
  Attempt& attempt = attempts_.at(id);
  pop();
  live::Report report;
  report.id = id;
  report.identity = attempt.identity;
  report.started = attempt.started;
  switch (attempt.phase) {
    case Phase::kDecided:
      attempt.phase = Phase::kStarting;
      enter(id, attempt);
      break;
    case Phase::kStarting:
      attempt.phase = Phase::kRunning;
      reports.push_back(std::move(report));
      break;
    case Phase::kRunning:
      leave(id, attempt);
      attempt.phase = Phase::kEnded;
      report.ended = true;
      report.ended_at = attempt.ends_at;
      report.end = attempt.end;
      report.exit_code = attempt.exit_code;
      report.note = attempt.note;
      reports.push_back(std::move(report));
      break;
    case Phase::kEnded:
      GW_CHECK(false);
  }
  if (attempt.phase != Phase::kEnded) {
    push(id, attempt);
  } else if (attempt.forgotten) {
    attempts_.erase(id);
  }
  drop_stale();
}

/// From now on failures of its nodes end it; one that is down already does at once.
void TwinEngine::enter(live::AttemptId id, Attempt& attempt) {
  for (const std::uint32_t node : attempt.nodes) nodes_[node].attempts.push_back(id);
  for (const std::uint32_t node : attempt.nodes) {
    if (!nodes_[node].is_down()) continue;
    const Instant when = std::max(attempt.decided, nodes_[node].down_since);
    cut_short(id, attempt, when, live::AttemptEnd::kLost, fmt::format("node {} is down", nodes_[node].name));
    return;
  }
}

void TwinEngine::leave(live::AttemptId id, const Attempt& attempt) {
  for (const std::uint32_t node : attempt.nodes) std::erase(nodes_[node].attempts, id);
}

void TwinEngine::cut_short(live::AttemptId id, Attempt& attempt, Instant when, live::AttemptEnd end,
                           std::string note) {
  attempt.end = end;
  attempt.exit_code = 0;
  attempt.ends_at = when;
  attempt.note = std::move(note);
  if (attempt.started > when) {  // It never starts.
    attempt.started = when;
    attempt.phase = Phase::kRunning;
  }
  push(id, attempt);
  drop_stale();
}

Instant TwinEngine::next_change() const {
  const Instant due = faults_.next_due();
  return due == Instant::max() ? due : due + since_begin_;
}

NodeId TwinEngine::change_node() {
  const twin::FaultProcess::Change change = faults_.take();
  if (!change.node.valid()) return change.node;
  Node& node = nodes_[change.node.value()];
  const Instant when = change.when + since_begin_;
  node.down_since = change.up ? Instant::max() : when;
  if (!change.up) {
    std::vector<live::AttemptId> lost = node.attempts;
    std::sort(lost.begin(), lost.end());
    for (const live::AttemptId id : lost)
      cut_short(id, attempts_.at(id), when, live::AttemptEnd::kLost,
                fmt::format("node {} has failed", node.name));
  }
  return change.node;
}

void TwinEngine::push(live::AttemptId id, const Attempt& attempt) {
  due_.push_back({attempt.due(), id});
  std::push_heap(due_.begin(), due_.end(), std::greater<>());
}

void TwinEngine::pop() {
  std::pop_heap(due_.begin(), due_.end(), std::greater<>());
  due_.pop_back();
}

bool TwinEngine::is_stale(const Due& due) const {
  const auto at = attempts_.find(due.id);
  return at == attempts_.end() || at->second.phase == Phase::kEnded || at->second.due() != due.when;
}

/// What an attempt was to do before it was cut short or forgotten stays in the heap until it comes to the
/// front, or until most of the heap is of that kind.
void TwinEngine::drop_stale() {
  constexpr std::size_t kFew = 64;
  if (due_.size() > kFew + 2 * attempts_.size()) {
    std::erase_if(due_, [this](const Due& due) { return is_stale(due); });
    std::make_heap(due_.begin(), due_.end(), std::greater<>());
  }
  while (!due_.empty() && is_stale(due_.front())) pop();
}

}  // namespace gw::serve
