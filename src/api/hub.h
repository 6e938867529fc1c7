// Hub: who watches, and what they are told: every change of a job's state, budgets that reach a threshold and
// caps of feeds that change, as server-sent events.
//
// The factory's thread only notes what has changed. A thread of the hub's own writes it down and sends it, as
// fast as each watcher reads, so that neither many changes at once nor a slow watcher holds the factory up.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "api/json.h"
#include "api/notice.h"
#include "http/server.h"
#include "live/book.h"
#include "live/commands.h"
#include "live/store.h"

namespace gw::api {

/// What a watcher wants to hear of.
struct WatchFilter {
  TenantId top;            ///< The tenant whose subtree it may see.
  std::uint64_t job = 0;   ///< This job, or the tasks of this array; 0 = all.
  live::Actor actor = {};  ///< Who watches.
};

struct HubLimits {
  std::size_t watchers = 4096;
  /// Remembered for those who come back or read slowly; who is further behind gets `reset`.
  std::size_t events = 10'000;
  /// Budgets and caps, which are remembered while nobody watches too.
  std::size_t notices = 1000;
  /// Of present states that wait to be sent, of all watchers together.
  std::size_t present_bytes = std::size_t{64} << 20;
};

class Hub {
 public:
  /// Calls with the book locked for reading.
  using Read = std::function<void(const std::function<void(const live::Book&)>&)>;

  /// `first_id`: of the first event; larger than any id of a hub before this one, so that those who come back
  /// with an id of that one are told `reset`.
  Hub(Read read, const HubLimits& limits, std::uint64_t first_id);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  /// For each turn that kept something, on the factory's thread. True: nobody watches, and the changes, none
  /// of which is to be remembered, are counted, which is all that is to be done. False: `publish` them.
  bool pass_over(const live::Changes& changes);
  /// With the book as it was kept, locked for reading.
  void publish(const live::Changes& changes, const live::Book& book);

  /// Once, before the first of them: caps that are not met, to be remembered like what is published.
  void begin_with(const live::Book& book);

  /// Joins with an open stream; none if too many watch. `after`: the last event that the client has seen;
  /// events behind it are sent first, or, if not all of them are remembered, the notices among them and an
  /// event `reset`. None: from now on, and the id of now is sent first.
  /// `held`: nothing is sent before `begin`.
  std::optional<std::uint64_t> join(std::shared_ptr<http::Stream> stream, WatchFilter filter,
                                    std::optional<std::uint64_t> after, bool held = false);
  /// Sends the jobs as they were when the watcher joined, then what has happened since. None: there are too
  /// many, it gets `reset`.
  void begin(std::uint64_t watcher, const std::optional<std::vector<JobMoment>>& present);
  /// A comment to everybody: keeps connections alive, finds those that are dead. Ends the streams of those
  /// who may not watch any more.
  void beat(const std::function<bool(const live::Book&, const live::Actor&)>& may_go_on);
  [[nodiscard]] std::size_t watchers() const;
  /// Closes every stream.
  void close();

 private:
  using Text = std::shared_ptr<const std::string>;
  /// What has happened, not yet written down.
  struct News {
    std::uint64_t id = 0;
    JobMoment job;
    std::optional<Notice> notice;  ///< Then it is of this, and of no job.
    Instant at;
  };
  struct Event {
    bool of_job = true;
    std::uint64_t job = 0;
    std::uint64_t array_job = 0;
    std::uint32_t tasks = 1;      ///< That share the record, `job` the first.
    std::vector<TenantId> above;  ///< Its tenant and all above it.
    Text text;
  };
  struct Watcher {
    std::shared_ptr<http::Stream> stream;
    WatchFilter filter;
    std::uint64_t joined = 0;  ///< Id of the last event before it joined.
    std::uint64_t next = 0;    ///< The first event that it has not been asked about.
    bool held = false;
    bool unknown = false;  ///< It named an event that there never was.
    bool missed = false;   ///< Events that it has not had are remembered no more.
    std::deque<Text> present;
  };
  struct Begun {
    std::uint64_t watcher = 0;
    std::deque<Text> present;
    std::size_t bytes = 0;
  };
  /// What other threads leave for the hub's. Streams refer to it, and may outlive the hub.
  struct Inbox {
    std::mutex mutex;
    std::condition_variable wakeup;
    bool stopping = false;
    std::uint64_t next_id = 0;
    std::uint64_t next_watcher = 1;
    std::size_t watchers = 0;
    std::size_t present_bytes = 0;
    std::deque<News> news;
    std::vector<News> notices;  ///< Of them, and of those that nobody watched.
    std::vector<std::pair<std::uint64_t, Watcher>> joined;
    std::vector<Begun> begun;
    std::vector<std::uint64_t> ready;  ///< Watchers that may be sent more.
    std::vector<std::uint64_t> gone;
    std::set<std::uint64_t> stalled;  ///< Their streams hold as much as they should.
  };
  struct Delivery {
    std::vector<Begun> begun;
    std::vector<std::uint64_t> ready, gone;
  };

  static bool wants(const WatchFilter& filter, const Event& event);
  void run();
  /// Waits for something to do; false at the end.
  bool take(Delivery& delivery);
  void write_down(std::deque<Event>& fresh);
  static Event written(const live::Book& book, const News& news);
  void deliver(Delivery& delivery, std::deque<Event>& fresh);
  void adopt();
  /// Sends what there is; false when the watcher has gone.
  bool pump(std::uint64_t id, Watcher& watcher);
  void forget(std::uint64_t id);
  [[nodiscard]] std::uint64_t oldest() const { return end_ - events_.size(); }

  const Read read_;
  const HubLimits limits_;
  const std::shared_ptr<Inbox> inbox_;

  // Of the hub's thread alone.
  std::deque<News> pending_;
  std::vector<News> pending_notices_;
  std::uint64_t pending_end_;  ///< Id behind the last of what is pending or written down.

  // Locked before the inbox; the book is locked behind it.
  mutable std::mutex mutex_;
  std::deque<Event> events_;                             ///< The latest, without a gap.
  std::uint64_t end_;                                    ///< Id behind the last of them.
  std::deque<std::pair<std::uint64_t, Event>> notices_;  ///< By id: the latest, also from before `events_`.
  std::unordered_map<std::uint64_t, Watcher> watchers_;
  std::thread thread_;
};

}  // namespace gw::api
