// Benchmarks of the local engine: how many short jobs it runs per second, and how long one takes from start
// to end.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>

#include "live/local_engine.h"

namespace gw::live {
namespace {

/// An engine in a folder of its own that is removed with it.
class Site {
 public:
  explicit Site(bool control_groups) {
    std::string folder = (std::filesystem::temp_directory_path() / "gigawerk-bench-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    folder_ = folder;
    LocalEngineOptions options;
    options.folder = folder_ / "jobs";
    options.control_groups = control_groups;
    options.to_instant = [](std::int64_t unix_ns) { return Instant{unix_ns}; };
    options.wake = [this] {
      const std::lock_guard lock(mutex_);
      woken_ = true;
      changed_.notify_all();
    };
    Result<std::unique_ptr<LocalEngine>> engine = LocalEngine::open(options);
    if (!engine) {
      std::fprintf(stderr, "%s\n", engine.error().message.c_str());
      std::exit(1);
    }
    engine_ = std::move(*engine);
    JobSpec spec;
    spec.name = "true";
    spec.command = {"/bin/true"};
    spec_ = std::make_shared<const JobSpec>(std::move(spec));
  }
  ~Site() {
    engine_.reset();
    std::filesystem::remove_all(folder_);
  }

  void start() {
    Launch launch;
    launch.id = {++last_, 1};
    launch.spec = spec_;
    launch.nodes.push_back({"node-1", 0, 0, 0, 0});
    launch.limit = minutes(1);
    engine_->start(std::move(launch));
  }
  /// Waits for something to end; gives how many have, each in good order.
  std::size_t wait() {
    std::size_t ended = 0;
    while (ended == 0) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return woken_; });
        woken_ = false;
      }
      reports_.clear();
      engine_->take(reports_, nodes_);
      for (const Report& report : reports_) {
        if (!report.ended) continue;
        ++ended;
        failed_ = failed_ || report.end != AttemptEnd::kExited || report.exit_code != 0;
        engine_->forget(report.id);
      }
    }
    return ended;
  }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<LocalEngine> engine_;
  std::shared_ptr<const JobSpec> spec_;
  std::uint64_t last_ = 0;
  std::vector<Report> reports_;
  std::vector<NodeReport> nodes_;
  bool failed_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

/// A steady number of `true` at a time. items/s are jobs per second.
void BM_ShortJobs(benchmark::State& bench) {
  Site site(bench.range(1) != 0);
  std::size_t ended = 0;
  for (std::int64_t number = 0; number < bench.range(0); ++number) site.start();
  for (auto _ : bench) {
    const std::size_t now = site.wait();
    ended += now;
    for (std::size_t number = 0; number < now; ++number) site.start();
  }
  for (auto left = static_cast<std::size_t>(bench.range(0)); left > 0;) left -= std::min(left, site.wait());
  bench.SetItemsProcessed(static_cast<std::int64_t>(ended));
  if (site.failed()) bench.SkipWithError("a job failed");
}
BENCHMARK(BM_ShortJobs)
    ->ArgsProduct({{8, 64}, {0, 1}})
    ->ArgNames({"at_a_time", "control_groups"})
    ->UseRealTime()
    ->MinTime(3);

/// One `true` after another, from start to the report of its end.
void BM_StartToEnd(benchmark::State& bench) {
  Site site(bench.range(0) != 0);
  for (auto _ : bench) {
    site.start();
    site.wait();
  }
  if (site.failed()) bench.SkipWithError("a job failed");
}
BENCHMARK(BM_StartToEnd)
    ->Arg(0)
    ->Arg(1)
    ->ArgName("control_groups")
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gw::live

BENCHMARK_MAIN();
