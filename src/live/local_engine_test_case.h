// For tests with real processes: an engine in a folder of its own, its reports, and a look at what is left.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "live/job_output.h"
#include "live/local_engine.h"
#include "supervise/system.h"

namespace gw::live {

/// Processes that have `text` in their command line, environment or working folder.
inline std::vector<pid_t> processes_with(const std::string& text) {
  std::vector<pid_t> found;
  DIR* processes = ::opendir("/proc");
  while (const dirent* entry = ::readdir(processes)) {
    const pid_t process = std::atoi(entry->d_name);
    if (process <= 0 || process == ::getpid()) continue;
    const std::string folder = "/proc/" + std::string(entry->d_name);
    std::error_code error;
    std::string about = supervise::read_file_at(AT_FDCWD, (folder + "/cmdline").c_str()).value_or("");
    about += supervise::read_file_at(AT_FDCWD, (folder + "/environ").c_str()).value_or("");
    about += std::filesystem::read_symlink(folder + "/cwd", error).string();
    if (about.find(text) != std::string::npos) found.push_back(process);
  }
  ::closedir(processes);
  return found;
}

class LocalEngineTestCase : public testing::Test {
 protected:
  using Clock = std::chrono::steady_clock;

  void SetUp() override {
    std::string folder = testing::TempDir() + "gigawerk-engine-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);  // Jobs of other accounts pass through.
    folder_ = folder;
    options_.folder = folder_ / "jobs";
  }

  void TearDown() override {
    engine_.reset();
    // What was killed may take a moment to go.
    for (int number = 0; number < 200 && !processes_with(folder_.string()).empty(); ++number)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_THAT(processes_with(folder_.string()), testing::IsEmpty()) << "processes are left behind";
    for (const pid_t process : processes_with(folder_.string())) ::kill(process, SIGKILL);
    std::filesystem::remove_all(folder_);
  }

  void open_engine() {
    options_.to_instant = [](std::int64_t unix_ns) { return Instant{unix_ns}; };
    options_.wake = [this] {
      const std::lock_guard lock(mutex_);
      woken_ = true;
      changed_.notify_all();
    };
    Result<std::unique_ptr<LocalEngine>> engine = LocalEngine::open(options_);
    ASSERT_TRUE(engine.has_value()) << engine.error().message;
    engine_ = std::move(*engine);
  }

  static JobSpec job_of(std::vector<std::string> command) {
    JobSpec spec;
    spec.name = "test";
    spec.command = std::move(command);
    spec.grace = seconds(5);
    return spec;
  }
  static JobSpec shell(const std::string& text) { return job_of({"/bin/sh", "-c", text}); }
  static Launch launch_of(JobSpec spec, std::uint64_t job = 1, std::uint32_t attempt = 1) {
    Launch launch;
    launch.id = {job, attempt};
    launch.nodes.resize(std::max<std::size_t>(spec.nodes, 1));
    for (std::size_t node = 0; node < launch.nodes.size(); ++node)
      launch.nodes[node].node = "node-" + std::to_string(node + 1);
    launch.spec = std::make_shared<const JobSpec>(std::move(spec));
    launch.tenant = "lab/vision/ada";
    launch.user = "ada";
    launch.limit = minutes(10);
    return launch;
  }

  void collect() {
    std::vector<Report> reports;
    std::vector<NodeReport> nodes;
    engine_->take(reports, nodes);
    for (Report& report : reports) {
      (report.ended ? ended_ : started_)[report.id].push_back(report);
      all_.push_back(std::move(report));
    }
  }
  /// Until `done`, or 30 seconds are over.
  template <class Done>
  bool wait_until(Done done) {
    const Clock::time_point latest = Clock::now() + std::chrono::seconds(30);
    while (true) {
      collect();
      if (done()) return true;
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, std::chrono::milliseconds(20), [this] { return woken_; }) &&
          Clock::now() > latest)
        return false;
      woken_ = false;
    }
  }
  Report wait_for_end(AttemptId id = {1, 1}) {
    EXPECT_TRUE(wait_until([&] { return ended_.contains(id); })) << "attempt " << id.job << " has not ended";
    return ended_.contains(id) ? ended_[id].front() : Report{};
  }
  void wait_for_start(AttemptId id = {1, 1}) {
    EXPECT_TRUE(wait_until([&] { return started_.contains(id); }))
        << "attempt " << id.job << " has not started";
  }
  /// Starts an engine if there is none, runs one job to its end.
  Report run(Launch launch) {
    if (!engine_) open_engine();
    const AttemptId id = launch.id;
    engine_->start(std::move(launch));
    return wait_for_end(id);
  }
  Report run(JobSpec spec) { return run(launch_of(std::move(spec))); }

  [[nodiscard]] std::filesystem::path folder_of(AttemptId id = {1, 1}) const {
    return attempt_folder(options_.folder, id);
  }
  [[nodiscard]] std::string output_of(AttemptId id = {1, 1},
                                      OutputStream stream = OutputStream::kOutput) const {
    const Result<OutputPart> part = read_output(folder_of(id), stream, 0, std::size_t{1} << 26);
    return part ? part->bytes : part.error().message;
  }
  /// Waits until the job has printed `text`.
  bool wait_for_output(const std::string& text, AttemptId id = {1, 1}) {
    return wait_until([&] { return output_of(id).find(text) != std::string::npos; });
  }

  std::filesystem::path folder_;
  LocalEngineOptions options_;
  std::unique_ptr<LocalEngine> engine_;
  std::map<AttemptId, std::vector<Report>> started_;
  std::map<AttemptId, std::vector<Report>> ended_;
  std::vector<Report> all_;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

}  // namespace gw::live
