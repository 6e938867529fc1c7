// Patience: how a command goes on looking for a server that went away.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace gw::client {

class Patience {
 public:
  explicit Patience(std::chrono::seconds most) : most_(most) {}

  /// The server answers.
  void restore() { tries_ = 0; }
  /// Waits before the next try, each time a little longer, at most a second. False: that was long enough.
  bool wait() {
    const auto now = std::chrono::steady_clock::now();
    if (tries_++ == 0) since_ = now;
    if (now - since_ >= most_) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(100 * tries_, 1000)));
    return true;
  }
  /// Whether the last try was the first in vain: people are told once.
  [[nodiscard]] bool just_lost() const { return tries_ == 1; }

 private:
  std::chrono::seconds most_;
  std::chrono::steady_clock::time_point since_;
  int tries_ = 0;
};

}  // namespace gw::client
