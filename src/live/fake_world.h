// A simulated world for the live loop: an engine whose answers come late, twice or never, a store that
// crashes in the middle, a clock that jumps, and a record of what really happened to compare with.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "live/engine.h"
#include "live/memory_store.h"
#include "live/verify.h"

namespace gw::live::fake {

/// Thrown where the process "dies".
struct Crash {};

/// The machine: it goes on while the factory's process is dead.
struct World {
  struct Process {
    Launch launch;
    std::int64_t begins = 0;  ///< Unix ns; the start itself takes time.
    std::int64_t ends = 0;    ///< When it will have ended by itself.
    AttemptEnd end = AttemptEnd::kExited;
    int exit_code = 0;
    bool start_told = false;
    bool end_told = false;
    bool stopped = false;
    bool forgotten = false;
    int machine = 0;
  };
  int machine = 0;                   ///< Where the factory's process is; it cannot reach what runs elsewhere.
  std::set<std::uint64_t> released;  ///< Jobs that somebody let go on, whatever still ran elsewhere.
  std::map<AttemptId, Process> processes;
  std::vector<std::string> violations;
  std::int64_t wall = 1'700'000'000'000'000'000;  ///< Real time, ns since 1970; never goes back.
  std::int64_t skew = 0;                          ///< What the system's clock is wrong by.
};

struct EngineWish {
  double late = 0.3;   ///< A report that is due is held back once more.
  double twice = 0.1;  ///< A report is given again later.
  double lost = 0.02;  ///< A process is lost with its supervisor.
  double launch_fails = 0.02;
};

class FakeEngine final : public Engine {
 public:
  FakeEngine(World& world, Rng& rng, const EngineWish& wish, std::function<Instant(std::int64_t)> instant)
      : world_(world), rng_(rng), wish_(wish), instant_(std::move(instant)) {}

  void start(Launch launch) override {
    const AttemptId id = launch.id;
    if (world_.processes.contains(id)) return;  // At most once.
    for (const auto& [other, process] : world_.processes) {
      if (other.job == id.job && process.ends > world_.wall && !process.stopped &&
          !world_.released.contains(id.job))
        world_.violations.push_back("job " + std::to_string(id.job) + " runs twice at a time");
    }
    World::Process process;
    process.machine = world_.machine;
    process.begins = world_.wall + static_cast<std::int64_t>(rng_.below(50'000'000));
    const double kind = rng_.uniform();
    process.ends = process.begins + rng_.between(1'000'000, 900'000'000'000);
    if (kind < wish_.launch_fails) {
      process.end = AttemptEnd::kLaunchFailed;
      process.ends = process.begins;
    } else if (kind < wish_.launch_fails + wish_.lost) {
      process.end = AttemptEnd::kLost;
    } else if (kind < 0.2) {
      process.exit_code = 1;
    }
    if (process.ends - process.begins > launch.limit.count() && process.end == AttemptEnd::kExited) {
      process.ends = process.begins + launch.limit.count();
      process.end = AttemptEnd::kTimeLimit;
    }
    process.launch = std::move(launch);
    world_.processes.emplace(id, std::move(process));
  }

  void stop(const Stop& stop) override {
    const auto at = world_.processes.find(stop.id);
    if (at == world_.processes.end() || at->second.machine != world_.machine ||
        at->second.ends <= world_.wall || at->second.stopped)
      return;
    World::Process& process = at->second;
    const std::int64_t ends =
        world_.wall + rng_.between(0, std::min<std::int64_t>(5'000'000'000, stop.most_grace.count()));
    if (stop.kind == StopKind::kPreempt && process.ends <= ends) return;  // It is done before it has gone.
    process.stopped = true;
    process.begins = std::min(process.begins, world_.wall);
    process.ends = std::min(process.ends, ends);
    process.end = AttemptEnd::kStopped;
  }

  void recover(std::vector<Launch> expected) override {
    std::set<AttemptId> wanted;
    for (const Launch& launch : expected) wanted.insert(launch.id);
    // First, as a real engine keeps an attempt back until the one before it has gone.
    for (auto& [id, process] : world_.processes) {
      if (!wanted.contains(id)) stop({id});
    }
    for (Launch& launch : expected) {
      const auto at = world_.processes.find(launch.id);
      if (at == world_.processes.end()) {
        start(std::move(launch));  // It had been decided, but never reached the machine.
      } else {
        at->second.start_told = at->second.end_told = false;
        if (at->second.forgotten) world_.violations.push_back("an end was forgotten before it was kept");
      }
    }
  }

  void forget(AttemptId id) override {
    const auto at = world_.processes.find(id);
    if (at != world_.processes.end()) at->second.forgotten = true;
  }

  void take(std::vector<Report>& reports, std::vector<NodeReport>& nodes) override {
    (void)nodes;
    for (auto& [id, process] : world_.processes) {
      if (process.machine != world_.machine) continue;
      if (process.begins <= world_.wall && !process.start_told && process.end != AttemptEnd::kLaunchFailed) {
        if (rng_.chance(wish_.late)) continue;
        process.start_told = !rng_.chance(wish_.twice);
        Report report;
        report.id = id;
        report.started = instant_(process.begins + world_.skew);
        reports.push_back(report);
      }
      if (process.ends <= world_.wall && !process.end_told) {
        if (rng_.chance(wish_.late)) continue;
        process.end_told = !rng_.chance(wish_.twice);
        Report report;
        report.id = id;
        report.ended = true;
        report.started = instant_(process.begins + world_.skew);
        report.ended_at = instant_(process.ends + world_.skew);
        report.end = process.end;
        report.exit_code = process.exit_code;
        reports.push_back(report);
      }
    }
    if (rng_.chance(0.3)) std::reverse(reports.begin(), reports.end());
  }

 private:
  World& world_;
  Rng& rng_;
  EngineWish wish_;
  std::function<Instant(std::int64_t)> instant_;
};

/// What keeps the factory's store while its process is dead.
class Device {
 public:
  virtual ~Device() = default;
  /// The store, as a new process finds it.
  virtual Store& open() = 0;
  /// The process has died; perhaps the machine's power was cut, too.
  virtual void crash() = 0;
  /// All that is kept.
  virtual MemoryStore content() = 0;
};

class MemoryDevice final : public Device {
 public:
  Store& open() override { return store_; }
  void crash() override {}
  MemoryStore content() override { return store_; }

 private:
  MemoryStore store_;
};

/// A commit may fail, with or without having been kept, or the process may die before or after it.
class FlakyStore final : public Store {
 public:
  FlakyStore(Rng& rng, Store& inner, double fails, double crashes)
      : rng_(rng), inner_(inner), fails_(fails), crashes_(crashes) {}

  Result<void> commit(const Changes& changes) override {
    if (rng_.chance(crashes_)) throw Crash{};
    const bool fails_now = rng_.chance(fails_);
    if (fails_now && rng_.chance(0.5)) return fail("the disk is full");
    if (Result<void> kept = inner_.commit(changes); !kept) return kept;
    if (fails_now) return fail("the answer to the commit was lost");
    if (rng_.chance(crashes_)) throw Crash{};
    return {};
  }
  Result<Loaded> load() override { return inner_.load(); }
  Result<void> journal_after(std::uint64_t sequence,
                             const std::function<bool(const JournalRow&)>& row) override {
    return inner_.journal_after(sequence, row);
  }
  Result<std::optional<EndedJob>> ended_job(std::uint64_t number) override {
    return inner_.ended_job(number);
  }
  Result<EndedTasks> ended_tasks(std::uint64_t first) override { return inner_.ended_tasks(first); }
  Result<void> transfers_after(Instant when, const std::function<void(const TransferRecord&)>& row) override {
    return inner_.transfers_after(when, row);
  }
  Result<std::optional<IdempotencyRecord>> find_key(std::string_view scope, std::string_view key) override {
    return inner_.find_key(scope, key);
  }

 private:
  Rng& rng_;
  Store& inner_;
  double fails_;
  double crashes_;
};

/// The store's journal as verification reads it.
inline Result<void> journal_of(const MemoryStore& store, const std::function<bool(JournalEntry)>& entry) {
  std::size_t at = 0;
  for (const SnapshotRow& snapshot : store.snapshots) {
    for (; at < store.journal.size() && store.journal[at].sequence <= snapshot.sequence; ++at) {
      if (!entry(store.journal[at])) return {};
    }
    if (!entry(snapshot)) return {};
  }
  for (; at < store.journal.size(); ++at) {
    if (!entry(store.journal[at])) return {};
  }
  return {};
}

}  // namespace gw::live::fake
