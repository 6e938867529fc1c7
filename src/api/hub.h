// Hub: who watches, and what they are told: every change of a job's state, as server-sent events.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

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

class Hub {
 public:
  /// `most_watchers` at a time; `kept_events` are remembered for those who come back.
  Hub(std::size_t most_watchers, std::size_t kept_events)
      : most_watchers_(most_watchers), kept_(kept_events) {}

  /// Called after each turn that kept something, with the book locked for reading.
  void publish(const live::Changes& changes, const live::Book& book);

  /// Joins with an open stream; false if too many watch. `after`: the last event that the client has seen;
  /// events behind it are sent first, or an event `reset` if they are not remembered any more. 0: from now
  /// on.
  bool join(std::shared_ptr<http::Stream> stream, WatchFilter filter, std::uint64_t after);
  /// A comment to everybody: keeps connections alive, finds those that are dead. Ends the streams of those
  /// who may not watch any more.
  void beat(const std::function<bool(const live::Actor&)>& may_go_on);
  [[nodiscard]] std::size_t watchers() const;
  /// Closes every stream.
  void close();

 private:
  struct Event {
    std::uint64_t id = 0;
    std::uint64_t job = 0;
    std::uint64_t array_job = 0;
    TenantId tenant;
    std::vector<TenantId> above;  ///< Its tenant and all above it.
    std::shared_ptr<const std::string> text;
  };
  struct Watcher {
    std::shared_ptr<http::Stream> stream;
    WatchFilter filter;
  };
  static bool wants(const WatchFilter& filter, const Event& event);

  std::size_t most_watchers_;
  std::size_t kept_;
  mutable std::mutex mutex_;
  std::uint64_t next_id_ = 1;
  std::deque<Event> events_;
  std::uint64_t next_watcher_ = 1;
  std::unordered_map<std::uint64_t, Watcher> watchers_;
};

}  // namespace gw::api
