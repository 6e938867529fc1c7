// What the threads of a server share.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "http/listener.h"
#include "http/request_head.h"
#include "http/server.h"
#include "http/tls.h"

namespace gw::http {

struct ServerState {
  ServerState(const ServerOptions& given, Handler handles)
      : options(given),
        handler(std::move(handles)),
        limits{given.header_bytes, given.target_bytes, given.header_count, given.body_bytes} {}

  const ServerOptions options;
  const Handler handler;
  const RequestLimits limits;

  struct Counters {
    std::atomic<std::uint64_t> connections_open{0};
    std::atomic<std::uint64_t> connections_total{0};
    std::atomic<std::uint64_t> connections_refused{0};
    std::atomic<std::uint64_t> refused_open{0};  ///< Refused ones that are still told so.
    std::atomic<std::uint64_t> streams_open{0};
    std::atomic<std::uint64_t> requests_total{0};
    std::atomic<std::uint64_t> requests_refused{0};
  };
  Counters counters;
  std::atomic<bool> draining{false};

  void log(std::string_view text) const {
    if (options.log) options.log(text);
  }

  [[nodiscard]] std::optional<TlsContext> tls() const {
    const std::lock_guard lock(tls_mutex_);
    return tls_;
  }
  void set_tls(TlsContext context) {
    const std::lock_guard lock(tls_mutex_);
    tls_ = std::move(context);
  }

  /// Counts a connection of `peer`. False, and not counted, if there are as many as there may be.
  bool admit(const Peer& peer);
  void leave(const Peer& peer);

  /// Requests that the handler has and whose answer is not yet written.
  void work_begins() { in_work_.fetch_add(1, std::memory_order_relaxed); }
  void work_ends();
  /// False if some were still in work after `seconds`.
  bool wait_for_work(unsigned seconds);

 private:
  mutable std::mutex tls_mutex_;
  std::optional<TlsContext> tls_;
  std::mutex hosts_mutex_;
  std::unordered_map<std::string, std::uint32_t> hosts_;  ///< Open connections by Peer::host.
  std::atomic<std::uint64_t> in_work_{0};
  std::mutex work_mutex_;
  std::condition_variable work_done_;
};

}  // namespace gw::http
