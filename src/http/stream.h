// The two things that a handler holds of a request, a Responder and perhaps a Stream, and what they share
// with the connection.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "http/mailbox.h"
#include "http/server.h"

namespace gw::http {

class Connection;

/// Of one stream, for its handle on any thread and its connection.
struct StreamState {
  StreamState(std::shared_ptr<Mailbox> to, std::size_t most_waiting)
      : mailbox(std::move(to)), limit(most_waiting) {}

  const std::shared_ptr<Mailbox> mailbox;
  const std::size_t limit;
  std::atomic<bool> open{true};  ///< More may be written.
  std::atomic<std::size_t> waiting{0};

  // Of the connection's thread alone:
  Connection* connection = nullptr;  ///< Null before the head is written, and once it has ended.
  bool ended = false;
  std::function<void()> closed;
  std::function<void()> drained;
};

/// The only Stream of its state.
class StreamHandle final : public Stream {
 public:
  explicit StreamHandle(std::shared_ptr<StreamState> state) : state_(std::move(state)) {}
  ~StreamHandle() override { end(false); }
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;

  bool write(std::shared_ptr<const std::string> bytes) override;
  void close() override { end(false); }
  [[nodiscard]] bool open() const override { return state_->open.load(std::memory_order_relaxed); }
  void on_close(std::function<void()> closed) override;
  [[nodiscard]] std::size_t waiting_bytes() const override {
    return state_->waiting.load(std::memory_order_relaxed);
  }
  void on_drained(std::function<void()> drained) override;

 private:
  void end(bool cut);

  std::shared_ptr<StreamState> state_;
};

/// Where the answer of a request that is in work goes when its own handler gives it, on the connection's
/// thread: straight to the connection.
struct Handling {
  const Mailbox* mailbox = nullptr;
  RequestKey key;
  Connection* connection = nullptr;
  /// Of the handler that this thread is in, or null.
  static thread_local const Handling* current;
};

class ResponderHandle final : public Responder {
 public:
  ResponderHandle(std::shared_ptr<Mailbox> mailbox, RequestKey key, std::size_t stream_buffer_bytes)
      : mailbox_(std::move(mailbox)), key_(key), stream_buffer_bytes_(stream_buffer_bytes) {}
  ~ResponderHandle() override;
  ResponderHandle(const ResponderHandle&) = delete;
  ResponderHandle& operator=(const ResponderHandle&) = delete;

  void send(Response response) override;
  std::shared_ptr<Stream> stream(Response response) override;
  /// Answers in the handler's place, unless it has answered; whatever it tries later is dropped.
  void give_up(Response response);

 private:
  enum class State : unsigned char { kOpen, kAnswered, kGivenUp };
  bool claim();
  void deliver(Response response);

  const std::shared_ptr<Mailbox> mailbox_;
  const RequestKey key_;
  const std::size_t stream_buffer_bytes_;
  std::atomic<State> state_{State::kOpen};
};

}  // namespace gw::http
