// LogFollowers: streams of jobs' output that grow as the jobs print, through their requeues to their end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "http/server.h"
#include "live/factory.h"
#include "live/job_output.h"

namespace gw::api {

class LogFollowers {
 public:
  static Result<std::unique_ptr<LogFollowers>> start(std::filesystem::path jobs, live::Factory& factory);
  ~LogFollowers();
  LogFollowers(const LogFollowers&) = delete;
  LogFollowers& operator=(const LogFollowers&) = delete;

  /// Follows a job's output from `offset` of its latest attempt on, through later ones, as server-sent
  /// events: `status` with the job at each change, `out` and `err` with offset and text (or base64 where it
  /// is no UTF-8), `gap` where output was dropped, `end` with the job at its end. `job`: as the archive has
  /// it now. False: the job has ended just now; look it up again and `tell`.
  bool follow(std::shared_ptr<http::Stream> stream, const live::JobRecord& job, std::uint64_t offset,
              live::Actor actor);
  /// These jobs have changed.
  void tell(const std::vector<live::JobRecord>& jobs);
  /// Keeps connections alive, and ends the streams of those who may not follow any more.
  void beat(const std::function<bool(const live::Book&, const live::Actor&)>& may_go_on);
  void close();
  [[nodiscard]] std::size_t followers() const;

 private:
  struct Follower {
    std::shared_ptr<http::Stream> stream;
    live::Actor actor;
    std::uint64_t job = 0;
    std::uint32_t attempt = 0;  ///< 0: it has none yet.
    std::uint64_t offset = 0;
    std::uint64_t error_offset = 0;
    std::string status;
    bool over = false;       ///< The job has ended; what is left of its output goes out, then the end.
    std::string last_words;  ///< The event `end`.
  };

  LogFollowers(std::filesystem::path jobs, live::Factory& factory, live::OutputWatch watch)
      : jobs_(std::move(jobs)), factory_(factory), watch_(std::move(watch)) {}
  void run();
  /// Sends what there is; true when the follower is done with.
  bool pump(Follower& follower);
  bool pump_stream(Follower& follower, live::OutputStream stream, std::uint64_t& offset, bool& ended);
  void learn(Follower& follower, const live::JobRecord& job, const live::Book& book);
  void watch(const Follower& follower);
  void unwatch(live::AttemptId id);

  std::filesystem::path jobs_;
  live::Factory& factory_;
  mutable std::mutex mutex_;
  live::OutputWatch watch_;
  std::map<std::uint64_t, Follower> followers_;
  std::map<live::AttemptId, std::uint32_t> watched_;  ///< How many follow it.
  std::set<std::uint64_t> news_;                      ///< Followers to look at.
  std::uint64_t next_ = 1;
  bool stopping_ = false;
  int wakeup_ = -1;
  std::thread thread_;
};

}  // namespace gw::api
