// LocalEngine: runs jobs as processes on this machine, each under a supervisor that outlives the server.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "live/engine.h"
#include "live/local_engine_launch.h"

namespace gw::live {

struct LocalEngineOptions {
  /// Of the engine alone; attempts live below it (docs/job-environment.md). Made if absent. Where jobs run
  /// under other accounts, these must be able to pass through the folders above it.
  std::filesystem::path folder;
  std::filesystem::path supervisor;  ///< gw-supervise; empty: found by `find_supervisor`.
  LaunchRules rules;
  bool control_groups = true;          ///< False: not even where there could be.
  std::filesystem::path control_root;  ///< cgroup2 folder to work in; empty: where this process stands.
  /// False: supervisors are looked at from time to time, as before Linux 5.3, which has no descriptors for
  /// processes.
  bool process_descriptors = true;
  /// From nanoseconds since 1970 to the owner's time. Called on the engine's thread; must be given.
  std::function<Instant(std::int64_t unix_ns)> to_instant;
  /// Called on the engine's thread when `take` has something to give again. May be empty.
  std::function<void()> wake;
};

/// All work is done on a thread of the engine's own; the calls only hand it over. Destroying the engine
/// leaves the jobs running: another engine on the same folder takes them over with `recover`.
class LocalEngine final : public Engine {
 public:
  /// An Error where the folder cannot be used, another engine has it, or gw-supervise is not found.
  static Result<std::unique_ptr<LocalEngine>> open(LocalEngineOptions options);
  ~LocalEngine() override;
  LocalEngine(const LocalEngine&) = delete;
  LocalEngine& operator=(const LocalEngine&) = delete;

  void start(Launch launch) override;
  void stop(const Stop& stop) override;
  void recover(std::vector<Launch> expected) override;
  void forget(AttemptId id) override;
  /// Only its time limit: the clocks are a PowerLimiter's.
  void limit_clocks(const ClockLimit& limit) override;
  void take(std::vector<Report>& reports, std::vector<NodeReport>& nodes) override;

  /// For people: which limits this machine cannot hold jobs to, and why; empty: all of them hold.
  [[nodiscard]] const std::string& missing_limits() const;

 private:
  class Worker;
  explicit LocalEngine(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

/// gw-supervise beside the running program, or in ../libexec/gigawerk seen from it; empty: not there.
std::filesystem::path find_supervisor();

}  // namespace gw::live
