// IoThread: one thread of a server with its connections; whatever happens to a connection happens on its
// thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "http/asio.h"
#include "http/connection.h"
#include "http/mailbox.h"
#include "http/server_state.h"

namespace gw::http {

class IoThread {
 public:
  using Clock = std::chrono::steady_clock;

  explicit IoThread(ServerState& shared);
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  void start(unsigned number);
  /// Closes every connection, calls what waits for their end, and joins.
  void stop();
  [[nodiscard]] const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
  [[nodiscard]] bool is_this_thread() const { return thread_.get_id() == std::this_thread::get_id(); }

  // On this thread:
  enum class Admission : bool { kRefused, kAdmitted };
  void adopt(Accepted accepted, Admission admission);
  void drain();
  void remove(std::uint32_t slot);
  /// Calls what a user of the server gave, if anything; what it throws goes to the log.
  void call(const std::function<void()>& function);
  [[nodiscard]] asio::io_context& context() { return context_; }
  [[nodiscard]] ServerState& shared() { return shared_; }
  [[nodiscard]] static Clock::time_point now() { return Clock::now(); }
  /// The present second as an HTTP date.
  const std::string& date();
  /// Bytes for the peer of the connection that is being served; empty between two of them.
  std::string scratch;
  /// Where a connection reads what is too much for its own buffer.
  std::array<char, std::size_t{64} << 10> read_buffer;

 private:
  struct Slot {
    std::shared_ptr<Connection> connection;
    std::uint64_t generation = 0;
  };
  void run();
  void take_messages();
  void deliver(Message& message);
  void schedule_tick();
  void tick();
  void close_all();
  [[nodiscard]] std::shared_ptr<Connection> find(const RequestKey& key) const;

  ServerState& shared_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer timer_;
  bool ticking_ = false;
  std::shared_ptr<Mailbox> mailbox_;
  std::vector<Message> messages_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::uint64_t next_generation_ = 1;
  std::size_t connections_ = 0;
  std::vector<std::shared_ptr<Connection>> dirty_;  ///< With stream pieces that are not yet written.
  std::time_t date_second_ = 0;
  std::string date_;
  std::thread thread_;
};

}  // namespace gw::http
