// Mailbox: how other threads reach a connection: messages to its thread, many of which cost one wake-up.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "http/server.h"

namespace gw::http {

struct StreamState;

/// One request of one connection of a thread. Slots are used again, generations and requests never.
struct RequestKey {
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;
  std::uint64_t request = 0;
  friend bool operator==(const RequestKey&, const RequestKey&) = default;
};

struct AnswerMessage {
  RequestKey to;
  Response response;
};
struct StreamMessage {  ///< A stream begins.
  RequestKey to;
  Response response;
  std::shared_ptr<StreamState> stream;
};
struct PieceMessage {
  std::shared_ptr<StreamState> stream;
  std::shared_ptr<const std::string> bytes;
};
struct StreamEndMessage {
  std::shared_ptr<StreamState> stream;
  bool cut = false;  ///< At once, and so that the peer sees that something is missing.
};
struct StreamHookMessage {
  std::shared_ptr<StreamState> stream;
  std::function<void()> closed;  ///< One of the two is set.
  std::function<void()> drained;
};
using TaskMessage = std::function<void()>;  ///< To be called on the thread.

using Message = std::variant<AnswerMessage, StreamMessage, PieceMessage, StreamEndMessage, StreamHookMessage,
                             TaskMessage>;

/// Outlives its thread: what is posted after `close` is dropped.
class Mailbox {
 public:
  /// `wake` is called for the first message since the last `take`; it must make the thread take soon.
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  /// False if the thread has ended; then `message` is as it was.
  bool post(Message&& message) {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    messages_.push_back(std::move(message));
    // Under the lock: what `wake` refers to may be gone once the mailbox is closed.
    if (messages_.size() == 1) wake_();
    return true;
  }
  /// Swaps the messages, in their order, into the empty `out`.
  void take(std::vector<Message>& out) {
    const std::lock_guard lock(mutex_);
    messages_.swap(out);
  }
  void close() {
    std::vector<Message> dropped;  // Destroyed behind the lock: a Responder in it may want to post.
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(messages_);
  }

 private:
  std::mutex mutex_;
  std::vector<Message> messages_;
  std::function<void()> wake_;
  bool closed_ = false;
};

}  // namespace gw::http
