// Asker: asks the server, on threads of its own, for what a screen wants: every interval, at once when
// something has changed there, and again and again while nobody answers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "client/connection.h"
#include "top/wish.h"

namespace gw::top {

struct AskerOptions {
  client::Settings settings;
  std::chrono::nanoseconds interval = std::chrono::seconds(1);
  /// Called on the asker's threads whenever there is something to take.
  std::function<void()> arrived;
};

class Asker {
 public:
  explicit Asker(AskerOptions options);
  /// Ends calls that wait.
  ~Asker();
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  /// What to ask from now on. What was not wanted before is asked at once.
  void want(std::vector<Ask> wish);
  /// Told once, in order; then everything is asked anew.
  void tell(std::vector<Order> orders);

  struct Arrived {
    std::vector<Answer> answers;
    std::vector<OrderResult> results;
  };
  Arrived take();

 private:
  using Clock = std::chrono::steady_clock;
  void run();
  void watch();
  /// The connection of a thread, opened if there is none; from its own thread only.
  client::Connection* connect(std::unique_ptr<client::Connection>& connection, client::Failure& failure);
  void drop(std::unique_ptr<client::Connection>& connection);
  [[nodiscard]] std::vector<Ask> due(Clock::time_point now) const;
  [[nodiscard]] bool round_is_due(Clock::time_point now) const;
  Answer ask(const Ask& ask);
  OrderResult tell(const Order& order);

  const AskerOptions options_;
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::vector<Ask> wish_;
  std::vector<Ask> asked_;  ///< Since the last round began.
  std::vector<Order> orders_;
  Arrived arrived_;
  bool changed_ = false;  ///< The server has told of a change.
  bool stopping_ = false;
  Clock::time_point round_;                         ///< When the last round began.
  Clock::time_point next_round_;                    ///< When the next is due.
  Clock::duration pause_{};                         ///< At least, from one round to the next.
  Clock::time_point output_;                        ///< When output was last asked for.
  std::unique_ptr<client::Connection> connection_;  ///< Guarded by mutex_ against those who interrupt it.
  std::unique_ptr<client::Connection> watching_;    ///< The same.
  std::thread asking_thread_;
  std::thread watching_thread_;
};

/// One question, answered.
Answer ask_server(client::Connection& connection, const Ask& ask);

}  // namespace gw::top
