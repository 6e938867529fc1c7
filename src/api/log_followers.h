// LogFollowers: streams of jobs' output that grow as the jobs print, through their requeues to their end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
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

  /// Follows a job's output from `offset` of `attempt` (0: of its latest) on, through later ones, as
  /// server-sent events: `status` with the job at each change, `out` and `err` with attempt, offset and text
  /// (or base64 where it is no UTF-8), `gap` where output was dropped, `end` with the job at its end. All
  /// that an attempt printed is sent before anything is told of the next. `job`: as the archive has it now.
  /// False: the job has ended just now; look it up again and `tell`.
  bool follow(std::shared_ptr<http::Stream> stream, const live::JobRecord& job, std::uint32_t attempt,
              std::uint64_t offset, live::Actor actor);
  /// These jobs have changed. Costs the factory's thread next to nothing: the rest is done on ours.
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
    std::uint32_t attempt = 0;  ///< Whose output is being sent; 0: it has none yet.
    std::uint32_t latest = 0;   ///< The job's.
    std::uint32_t watched = 0;  ///< The attempt that `watched_` counts it for; 0: none.
    std::uint64_t offset = 0;
    std::uint64_t error_offset = 0;
    std::string status;                           ///< As last learnt.
    std::map<std::uint32_t, std::string> unsent;  ///< Events `status`, by attempt: the last one of each.
    bool over = false;                            ///< The job has ended.
    std::string last_words;                       ///< The event `end`.
  };

  /// What other threads leave for ours. Streams refer to it, and may outlive the followers.
  struct Inbox {
    ~Inbox();
    void wake() const;

    std::mutex mutex;
    int descriptor = -1;  ///< An eventfd.
    bool stopping = false;
    std::map<std::uint64_t, std::uint32_t> followed;  ///< Jobs, and by how many.
    /// Jobs that have changed; with the job where it has ended, for then the book does not have it.
    std::map<std::uint64_t, std::optional<live::JobRecord>> changed;
    std::set<std::uint64_t> ready;    ///< Followers to look at.
    std::set<std::uint64_t> stalled;  ///< Their streams hold as much as they should.
  };

  LogFollowers(std::filesystem::path jobs, live::Factory& factory, live::OutputWatch watch)
      : jobs_(std::move(jobs)),
        factory_(factory),
        inbox_(std::make_shared<Inbox>()),
        watch_(std::move(watch)) {}
  void run();
  void take_news();
  /// Sends some of what there is; true when the follower is done with. `more`: there is more to send.
  bool pump(std::uint64_t id, Follower& follower, bool& more);
  /// How far a stream of an attempt has been sent.
  enum class Progress : std::uint8_t {
    kAll,      ///< To its end: nothing more will come.
    kSoFar,    ///< All that there is.
    kMore,     ///< There is more, and the reader takes it.
    kStalled,  ///< There may be more; the reader must first take what it was sent.
  };
  Progress pump_stream(std::uint64_t id, Follower& follower, live::OutputStream stream,
                       std::uint64_t& offset);
  bool stall(std::uint64_t id, const Follower& follower);
  void learn(Follower& follower, const live::JobRecord& job, const live::Book& book);
  static void tell_status(Follower& follower);
  void watch(Follower& follower);
  void unwatch(Follower& follower);

  std::filesystem::path jobs_;
  live::Factory& factory_;
  const std::shared_ptr<Inbox> inbox_;

  mutable std::mutex mutex_;  ///< Locked before the book and the inbox.
  live::OutputWatch watch_;
  std::map<std::uint64_t, Follower> followers_;
  struct Watched {
    std::uint32_t followers = 0;
    bool there = false;  ///< Its folder is watched; before it starts there is none.
  };
  std::map<live::AttemptId, Watched> watched_;
  std::set<std::uint64_t> news_;  ///< Followers to look at.
  std::uint64_t next_ = 1;
  std::thread thread_;
};

}  // namespace gw::api
