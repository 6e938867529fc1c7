// Counting of connections and of work.
#include "http/server_state.h"

#include <chrono>

namespace gw::http {

bool ServerState::admit(const Peer& peer) {
  if (counters.connections_open.load(std::memory_order_relaxed) >= options.connections) return false;
  if (options.connections_per_address > 0 && !peer.host.empty()) {
    const std::lock_guard lock(hosts_mutex_);
    std::uint32_t& count = hosts_[peer.host];
    if (count >= options.connections_per_address) return false;
    ++count;
  }
  counters.connections_open.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void ServerState::leave(const Peer& peer) {
  counters.connections_open.fetch_sub(1, std::memory_order_relaxed);
  if (options.connections_per_address == 0 || peer.host.empty()) return;
  const std::lock_guard lock(hosts_mutex_);
  const auto found = hosts_.find(peer.host);
  if (found != hosts_.end() && --found->second == 0) hosts_.erase(found);
}

void ServerState::work_ends() {
  if (in_work_.fetch_sub(1) != 1 || !draining.load()) return;
  const std::lock_guard lock(work_mutex_);
  work_done_.notify_all();
}

bool ServerState::wait_for_work(unsigned seconds) {
  std::unique_lock lock(work_mutex_);
  return work_done_.wait_for(lock, std::chrono::seconds(seconds), [this] { return in_work_.load() == 0; });
}

}  // namespace gw::http
