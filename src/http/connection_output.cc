// Writing: answers and streams, and what follows when the peer has taken them.
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "http/connection.h"
#include "http/io_thread.h"
#include "http/stream.h"
#include "http/text.h"

namespace gw::http {
namespace {

constexpr std::uint32_t kLingerSeconds = 2;
/// Longer bodies are not copied behind their heads.
constexpr std::size_t kCopiedBytes = std::size_t{16} << 10;
/// What must go through within write_seconds.
constexpr std::size_t kProgressBytes = std::size_t{1} << 20;
/// Encrypted ahead of a peer that may not take it.
constexpr std::size_t kSealedBytes = std::size_t{64} << 10;
constexpr std::size_t kKeptBytes = 2048;

}  // namespace

/// Where new bytes for the peer go; they come behind those of the queue.
std::string& Connection::output() { return thread_.scratch; }

/// A response that must not go out as it is becomes one that says so, here and in the log.
void Connection::check(Response& response) {
  if (const std::string wrong = check_response(response); !wrong.empty()) {
    thread_.shared().log(fmt::format("a response was not sent: {}", wrong));
    response = problem(500, "the server failed to answer this request");
  }
  for (const auto& [name, value] : response.headers) {
    if (equals_ignoring_case(name, "connection") && list_has(value, "close")) keep_alive_ = false;
  }
  if (thread_.shared().draining.load(std::memory_order_relaxed)) keep_alive_ = false;
}

void Connection::write_head(const Response& response, BodyEnd end, std::size_t body_bytes) {
  const std::string_view connection = !keep_alive_ ? "close" : http_1_0_ ? "keep-alive" : "";
  append_head(output(), response, end, body_bytes, connection, thread_.date());
}

/// Puts the whole answer out; then the next request is awaited, or this was the last.
void Connection::write_answer(Response response) {
  check(response);
  const bool without_body = response.status == 204 || response.status == 304;
  write_head(response, without_body ? BodyEnd::kNone : BodyEnd::kLength, response.body.size());
  if (!without_body && !head_only_) {
    if (response.body.size() <= kCopiedBytes) {
      output() += response.body;
    } else {
      queue_.push_back(std::exchange(output(), {}));
      queue_.push_back(std::move(response.body));
    }
  }
  if (keep_alive_ && !(peer_done_ && stash_.empty() && !consuming_)) {
    await_request();
  } else {
    state_ = State::kEnding;
  }
}

void Connection::answer(std::uint64_t request, Response response) {
  if (state_ != State::kHandling || request != key_.request) return;
  write_answer(std::move(response));
}

void Connection::start_stream(std::uint64_t request, Response response, std::shared_ptr<StreamState> stream) {
  const bool awaited = state_ == State::kHandling && request == key_.request;
  const bool sound = awaited && check_response(response).empty() && response.status != 204 &&
                     response.status != 304 && !head_only_;
  if (!sound) {
    stream->ended = true;
    stream->open.store(false, std::memory_order_relaxed);
    if (!awaited) return;
    if (!head_only_) return write_answer(std::move(response));
    check(response);
    write_head(response, http_1_0_ ? BodyEnd::kClose : BodyEnd::kChunked, 0);
    state_ = State::kEnding;
    if (keep_alive_) await_request();
    return;
  }
  stream_chunked_ = !http_1_0_;
  if (http_1_0_) keep_alive_ = false;
  check(response);
  write_head(response, stream_chunked_ ? BodyEnd::kChunked : BodyEnd::kClose, 0);
  state_ = State::kStreaming;
  stream_ = std::move(stream);
  stream_->connection = this;
  stream_ending_ = false;
  stream_drained_ = false;
  event_stream_ = response.content_type.starts_with("text/event-stream");
  thread_.shared().counters.streams_open.fetch_add(1, std::memory_order_relaxed);
  if (!response.body.empty()) {  // Beside the bound of what may wait.
    if (stream_chunked_) append_chunk_size(output(), response.body.size());
    output() += response.body;
    if (stream_chunked_) output() += "\r\n";
  }
  if (event_stream_ && thread_.shared().draining.load(std::memory_order_relaxed)) end_stream(false);
}

void Connection::add_piece(std::shared_ptr<const std::string> bytes) {
  if (state_ != State::kStreaming || stream_ending_) return;
  if (!output().empty()) queue_.push_back(std::exchange(output(), {}));
  std::string before;
  if (stream_chunked_) append_chunk_size(before, bytes->size());
  queue_.push_shared(std::move(before), std::move(bytes), stream_chunked_ ? "\r\n" : "");
  stream_drained_ = false;
}

void Connection::end_stream(bool cut) {
  if (state_ != State::kStreaming || stream_ending_) return;
  if (cut) return close(Ending::kAbort);
  stream_ending_ = true;
  stream_->open.store(false, std::memory_order_relaxed);
  if (stream_chunked_) output() += "0\r\n\r\n";
}

/// Tells the stream's handle and whoever waits for its end.
void Connection::stream_is_over() {
  const std::shared_ptr<StreamState> stream = std::exchange(stream_, nullptr);
  thread_.shared().counters.streams_open.fetch_sub(1, std::memory_order_relaxed);
  stream->connection = nullptr;
  stream->ended = true;
  stream->open.store(false, std::memory_order_relaxed);
  stream->drained = nullptr;
  thread_.call(std::exchange(stream->closed, nullptr));
}

void Connection::write_out() {
  if (state_ == State::kClosed) return;
  std::string& fresh = output();
  if (!fresh.empty() && (waiting_ || !queue_.empty())) queue_.push_back(std::exchange(fresh, {}));
  if (waiting_) return;
  switch (tls_ ? send_sealed(*tls_) : send_plain()) {
    case Sent::kFailed:
      return close(Ending::kAbort);
    case Sent::kBlocked:
      wait_to_write();
      break;
    case Sent::kAll:
      on_all_written();
      break;
  }
  read_more();
}

Connection::Sent Connection::send_plain() {
  std::array<iovec, 48> buffers;
  std::string& fresh = output();
  while (true) {
    std::size_t count = 1;
    if (!fresh.empty()) {
      buffers[0] = {fresh.data(), fresh.size()};
    } else {
      count = queue_.gather(buffers);
      if (count == 0) return Sent::kAll;
    }
    msghdr message{};
    message.msg_iov = buffers.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    const bool full = sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (sent < 0 && !full) return Sent::kFailed;
    const std::size_t bytes = full ? 0 : static_cast<std::size_t>(sent);
    progress_ += bytes;
    if (fresh.empty()) {
      take_from_queue(bytes);
    } else if (bytes == fresh.size()) {
      fresh.clear();
    } else {
      queue_.push_back(fresh.substr(bytes));
      fresh.clear();
    }
    if (full) return Sent::kBlocked;
  }
}

Connection::Sent Connection::send_sealed(TlsSession& tls) {
  std::string& fresh = output();
  std::string& sealed = tls.outgoing();
  while (true) {
    const bool can_seal =
        tls.state() == TlsSession::State::kOpen || tls.state() == TlsSession::State::kClosed;
    if (!fresh.empty() && can_seal) tls.seal(fresh);
    fresh.clear();
    if (sealed.empty() && can_seal) {
      std::array<iovec, 48> buffers;
      std::size_t taken = 0;
      std::string together;  // One record for many small pieces.
      for (std::size_t index = 0, count = queue_.gather(buffers); index < count && taken < kSealedBytes;
           ++index) {
        const std::size_t take = std::min(buffers[index].iov_len, kSealedBytes - taken);
        together.append(static_cast<const char*>(buffers[index].iov_base), take);
        taken += take;
      }
      tls.seal(together);
      take_from_queue(taken);
    }
    if (sealed.empty()) break;
    const ssize_t sent =
        ::send(socket_.native_handle(), sealed.data(), sealed.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Sent::kBlocked : Sent::kFailed;
    progress_ += static_cast<std::size_t>(sent);
    sealed.erase(0, static_cast<std::size_t>(sent));
  }
  if (sealed.capacity() > kKeptBytes) sealed = {};
  return Sent::kAll;
}

void Connection::take_from_queue(std::size_t bytes) {
  const OutputQueue::Progress through = queue_.consume(bytes);
  if (!stream_) return;
  stream_->waiting.fetch_sub(through.shared_bytes, std::memory_order_relaxed);
  if (through.pieces > 0) progress_ = kProgressBytes;  // As far as the deadline is concerned.
}

void Connection::wait_to_write() {
  if (!blocked_ || progress_ >= kProgressBytes) {
    write_deadline_ = after(thread_.shared().options.write_seconds);
    progress_ = 0;
  }
  blocked_ = true;
  waiting_ = true;
  socket_.async_wait(asio::socket_base::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->waiting_ = false;
                       if (!error) self->write_out();
                     });
}

void Connection::on_all_written() {
  const bool was_blocked = std::exchange(blocked_, false);
  progress_ = 0;
  switch (state_) {
    case State::kStreaming:
      if (!stream_ending_) {
        if (!std::exchange(stream_drained_, true) && stream_->drained) thread_.call(stream_->drained);
        break;
      }
      stream_is_over();
      finish_work();
      state_ = State::kEnding;
      if (keep_alive_) await_request();
      return on_all_written();
    case State::kEnding:
      finish_work();
      return linger();
    case State::kReading:
      finish_work();
      if (consuming_) break;
      if (was_blocked && phase_ == Phase::kIdle) await(Phase::kIdle);
      if (!stash_.empty()) {
        read_stash();
        if (!output().empty() || !queue_.empty()) return write_out();
      }
      if (peer_done_ && state_ == State::kReading && stash_.empty()) close(Ending::kClean);
      break;
    case State::kHandling:
    case State::kLingering:
    case State::kClosed:
      break;
  }
}

/// Says that no more comes, and waits a little for the peer to say the same: closed at once, with something
/// of it unread, the system would take back what the peer has not yet read.
void Connection::linger() {
  if (tls_) {
    tls_->say_goodbye();
    const std::string& goodbye = tls_->outgoing();
    if (!goodbye.empty())
      ::send(socket_.native_handle(), goodbye.data(), goodbye.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  stash_ = {};
  if (peer_done_) return close(Ending::kClean);
  ::shutdown(socket_.native_handle(), SHUT_WR);
  state_ = State::kLingering;
  deadline_ = after(kLingerSeconds);
  read_more();
}

}  // namespace gw::http
