// Reading: from bytes to requests in work, and the deadlines on the way.
#include "http/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include "http/io_thread.h"
#include "http/stream.h"

namespace gw::http {
namespace {

/// Readings in a row before other connections have their turn.
constexpr int kReadsInRow = 16;
/// A peer that sends this much into a stream, where nothing is expected, is cut.
constexpr std::size_t kMostBytesIntoStream = 4096;

constexpr std::string_view kAllMethods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";

}  // namespace

Connection::Connection(IoThread& thread, Accepted accepted, RequestKey key, bool refused)
    : thread_(thread),
      socket_(thread.context()),
      peer_(std::move(accepted.peer)),
      key_(key),
      refused_(refused),
      parser_(thread.shared().limits) {
  if (const std::optional<TlsContext> tls = thread.shared().tls(); tls && !refused) tls_.emplace(*tls);
  boost::system::error_code failed;
  socket_.assign(asio::generic::stream_protocol(accepted.family, 0), accepted.descriptor.get(), failed);
  if (!failed) static_cast<void>(accepted.descriptor.release());
}

void Connection::start() {
  if (!socket_.is_open()) return close(Ending::kClean);
  // The first request has its time from here on, so that silence does not hold a place.
  phase_ = Phase::kHead;
  deadline_ = after(thread_.shared().options.header_seconds);
  if (refused_) {
    Response response = problem(503, "the server has as many connections as it may; try again soon");
    response.headers.emplace_back("Retry-After", "1");
    keep_alive_ = false;
    write_answer(std::move(response));
    write_out();
  }
  read_more();
}

Connection::Time Connection::after(std::uint32_t seconds) const {
  return IoThread::now() + std::chrono::seconds(seconds);
}

void Connection::await(Phase phase) {
  const ServerOptions& options = thread_.shared().options;
  phase_ = phase;
  deadline_ = after(phase == Phase::kIdle   ? options.idle_seconds
                    : phase == Phase::kHead ? options.header_seconds
                                            : options.body_seconds);
}

void Connection::read_more() {
  // While the handler works, one reading before its turn is enough; a stream must notice that its peer goes.
  const bool wanted = stash_.empty() || state_ == State::kStreaming;
  if (reading_ || peer_done_ || !wanted || state_ == State::kClosed) return;
  reading_ = true;
  socket_.async_read_some(
      asio::buffer(buffer_),
      [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
        self->on_read(bytes, error == asio::error::eof, static_cast<bool>(error));
      });
}

void Connection::on_read(std::size_t bytes, bool ended, bool failed) {
  if (state_ == State::kClosed) return;
  if (failed && !ended) return close(Ending::kAbort);
  on_input({buffer_.data(), bytes});
  // The buffer was too small: there is probably more.
  bool full = bytes == buffer_.size();
  for (int turn = 0; full && turn < kReadsInRow; ++turn) {
    if (state_ != State::kReading && state_ != State::kLingering) break;
    if (blocked_ || !stash_.empty()) break;
    std::array<char, std::size_t{64} << 10>& large = thread_.read_buffer;
    const ssize_t got = ::recv(socket_.native_handle(), large.data(), large.size(), MSG_DONTWAIT);
    if (got <= 0) break;  // An end or an error comes again.
    on_input({large.data(), static_cast<std::size_t>(got)});
    full = static_cast<std::size_t>(got) == large.size();
  }
  if (ended) on_peer_done();
  if (state_ == State::kClosed) return;
  reading_ = false;  // Not before: what was read must not be read over, nor out of its order.
  write_out();
  read_more();
}

void Connection::on_input(std::string_view bytes) {
  if (bytes.empty() || state_ == State::kLingering || state_ == State::kEnding || state_ == State::kClosed)
    return;
  if (!tls_) {
    if (stash_.empty()) bytes.remove_prefix(read_requests(bytes));
    if (state_ == State::kReading || state_ == State::kHandling || state_ == State::kStreaming)
      stash_ += bytes;
    return read_stash();
  }
  const TlsSession::State before = tls_->state();
  const TlsSession::State now = tls_->receive(bytes, stash_);
  if (now == TlsSession::State::kFailed) {
    if (before == TlsSession::State::kHandshake && tls_->was_plain_http()) {
      tls_.reset();
      return refuse({400, "this port speaks TLS: use https"});
    }
    write_out();  // The alert.
    return close(Ending::kClean);
  }
  read_stash();
  if (now == TlsSession::State::kClosed) on_peer_done();
}

void Connection::read_stash() {
  if (state_ == State::kStreaming && stash_.size() > kMostBytesIntoStream) return close(Ending::kAbort);
  if (state_ != State::kReading || stash_.empty()) return;
  std::string bytes = std::exchange(stash_, {});
  bytes.erase(0, read_requests(bytes));
  if (state_ != State::kClosed) stash_ = std::move(bytes);
}

/// Reads requests as long as each is answered at once; how many bytes that took.
std::size_t Connection::read_requests(std::string_view bytes) {
  std::size_t used = 0;
  consuming_ = true;
  while (state_ == State::kReading && !blocked_ && used < bytes.size()) {
    used += parser_.feed(bytes.substr(used));
    switch (parser_.stage()) {
      case RequestParser::Stage::kStart:
        break;
      case RequestParser::Stage::kHead:
        if (phase_ == Phase::kIdle) await(Phase::kHead);
        break;
      case RequestParser::Stage::kBody:
        if (phase_ != Phase::kBody) await(Phase::kBody);
        if (!admit_body()) break;
        if (parser_.head().expects_continue && !std::exchange(continued_, true) &&
            parser_.head().request.body.empty())
          output() += "HTTP/1.1 100 Continue\r\n\r\n";
        break;
      case RequestParser::Stage::kDone:
        handle(parser_.take());
        break;
      case RequestParser::Stage::kRefused:
        refuse(parser_.refusal());
        break;
    }
    // Small answers go out together; but whoever asks for much at once must take it.
    constexpr std::size_t kMostGathered = std::size_t{64} << 10;
    if (thread_.scratch.size() > kMostGathered || !queue_.empty()) write_out();
  }
  consuming_ = false;
  return used;
}

void Connection::on_peer_done() {
  peer_done_ = true;
  switch (state_) {
    case State::kReading:
      // Answers of before may still wait for the peer to take them.
      if (queue_.empty() && !blocked_) write_out();
      if (state_ != State::kReading) break;
      if (!blocked_) return close(Ending::kClean);
      state_ = State::kEnding;
      break;
    case State::kStreaming:
    case State::kLingering:
      return close(Ending::kClean);
    case State::kHandling:  // It may have closed its side only, and waits for the answer.
    case State::kEnding:
    case State::kClosed:
      break;
  }
}

void Connection::handle(Request request) {
  ServerState& shared = thread_.shared();
  const RequestHead& head = parser_.head();
  ++key_.request;
  state_ = State::kHandling;
  continued_ = admitted_ = false;
  http_1_0_ = head.http_1_0;
  head_only_ = request.method == "HEAD";
  keep_alive_ = head.keep_alive;
  if (shared.draining.load(std::memory_order_relaxed)) {
    refuse({503, "the server is about to end"});
    return;
  }
  shared.counters.requests_total.fetch_add(1, std::memory_order_relaxed);
  if (request.path == "*") {  // Only OPTIONS has it: what can this server do?
    Response response{204, {}, {{"Allow", std::string(kAllMethods)}}, {}};
    return answer(key_.request, std::move(response));
  }
  request.remote = peer_.text;
  request.secure = tls_.has_value();
  in_work_ = true;
  shared.work_begins();
  call_handler(std::move(request));
}

void Connection::call_handler(Request request) {
  const ServerState& shared = thread_.shared();
  const auto responder =
      std::make_shared<ResponderHandle>(thread_.mailbox(), key_, shared.options.stream_buffer_bytes);
  const Handling handling{thread_.mailbox().get(), key_, this};
  std::optional<std::string> thrown;
  const std::string path = request.path;
  Handling::current = &handling;
  try {
    shared.handler(std::move(request), responder);
  } catch (const std::exception& error) {
    thrown = error.what();
  } catch (...) {
    thrown = "something that is no std::exception";
  }
  if (thrown) {
    shared.log(fmt::format("the handler of {} threw: {}", path, *thrown));
    responder->give_up(problem(500, "the server failed to answer this request"));
  }
  Handling::current = nullptr;
}

/// False after refusing.
bool Connection::admit_body() {
  const ServerOptions& options = thread_.shared().options;
  const RequestHead& head = parser_.head();
  const bool large =
      head.content_length > options.small_body_bytes || head.request.body.size() > options.small_body_bytes;
  if (!large || !options.admit_large_body || std::exchange(admitted_, true)) return true;
  Request request = head.request;
  request.body.clear();
  request.remote = peer_.text;
  request.secure = tls_.has_value();
  std::optional<Response> refusal = options.admit_large_body(request);
  if (!refusal) return true;
  thread_.shared().counters.requests_refused.fetch_add(1, std::memory_order_relaxed);
  refuse_with(std::move(*refusal));
  return false;
}

void Connection::refuse(const Refusal& refusal) {
  thread_.shared().counters.requests_refused.fetch_add(1, std::memory_order_relaxed);
  Response response = problem(refusal.status, refusal.detail);
  if (refusal.status == 405) response.headers.emplace_back("Allow", kAllMethods);
  if (refusal.status == 503) response.headers.emplace_back("Retry-After", "1");
  refuse_with(std::move(response));
}

void Connection::refuse_with(Response response) {
  keep_alive_ = false;
  http_1_0_ = false;
  head_only_ = false;
  write_answer(std::move(response));
}

/// After an answer: the next request, whose bytes may be there already.
void Connection::await_request() {
  state_ = State::kReading;
  await(Phase::kIdle);
}

void Connection::finish_work() {
  if (std::exchange(in_work_, false)) thread_.shared().work_ends();
}

void Connection::check_time(Time now) {
  if (state_ == State::kClosed) return;
  if (blocked_) {
    if (now >= write_deadline_) close(Ending::kAbort);
    return;
  }
  if (state_ == State::kLingering && now >= deadline_) return close(Ending::kClean);
  if (state_ != State::kReading || now < deadline_) return;
  const bool in_handshake = tls_ && tls_->state() == TlsSession::State::kHandshake;
  if (parser_.stage() == RequestParser::Stage::kStart || in_handshake) return close(Ending::kClean);
  refuse(
      {408, phase_ == Phase::kBody ? "the body took too long to come" : "the headers took too long to come"});
  write_out();
}

void Connection::drain() {
  switch (state_) {
    case State::kReading:
      if (blocked_) {  // The answer before is not written yet.
        state_ = State::kEnding;
      } else if (parser_.stage() == RequestParser::Stage::kStart && stash_.empty()) {
        linger();
      } else {
        refuse({503, "the server is about to end"});
      }
      break;
    case State::kStreaming:
      keep_alive_ = false;
      if (event_stream_ && !stream_ending_) end_stream(false);
      break;
    case State::kHandling:
      keep_alive_ = false;
      break;
    case State::kEnding:
    case State::kLingering:
    case State::kClosed:
      return;
  }
  write_out();
  read_more();
}

void Connection::close(Ending ending) {
  if (state_ == State::kClosed) return;
  const std::shared_ptr<Connection> self = shared_from_this();  // The thread's may be the last.
  state_ = State::kClosed;
  boost::system::error_code ignored;
  if (ending == Ending::kAbort) {
    const ::linger reset{1, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  socket_.close(ignored);
  thread_.scratch.clear();
  queue_.clear();
  blocked_ = false;
  if (stream_) stream_is_over();
  finish_work();
  ServerState& shared = thread_.shared();
  if (refused_) {
    shared.counters.refused_open.fetch_sub(1, std::memory_order_relaxed);
  } else {
    shared.leave(peer_);
  }
  thread_.remove(key_.slot);
}

}  // namespace gw::http
