// Server: an HTTP/1.1 server with limits, TLS and event streams, on Boost.Beast; it knows nothing of what it
// serves.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace gw::http {

struct Request {
  std::string method;  ///< `GET`, ...
  std::string target;  ///< As sent.
  /// Of the target, percent-decoded; begins with `/`. An encoded slash stays `%2F`, so that a split at `/`
  /// never gives more segments than the client sent. Valid UTF-8 without control characters, `.` and `..`.
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;    ///< Decoded, in order.
  std::vector<std::pair<std::string, std::string>> headers;  ///< Names in lower case, in order.
  std::string body;
  std::string remote;   ///< `127.0.0.1:40312`, `[::1]:40312`, or `unix:1000` with the user id of the peer.
  bool secure = false;  ///< Came over TLS.
  /// Of the path, decoded one by one: a segment may hold a `/`. None for `/`; a trailing slash gives an empty
  /// last one.
  std::vector<std::string> segments;

  /// The first header of that (lower-case) name, or empty.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  /// The first query parameter of that name, or nullptr.
  [[nodiscard]] const std::string* parameter(std::string_view name) const;
};

/// The server adds `Date`, `Content-Length` or `Transfer-Encoding`, and `Connection` (`close` may be set
/// here). A response that would break the framing (a line break in a value, a name that is no token, one of
/// those headers, a status outside 200..599) is not sent: the client gets 500, and the log says what was
/// wrong.
struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// A response that goes on: server-sent events or a body of unknown length. All calls may come from any
/// thread. Dropping the last pointer to it is a `close`.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Queues bytes as they are. False if the peer has gone, or reads so slowly that more than
  /// `stream_buffer_bytes` wait: then the stream has been closed.
  virtual bool write(std::shared_ptr<const std::string> bytes) = 0;
  /// Ends the response when all that is queued has been sent.
  virtual void close() = 0;
  [[nodiscard]] virtual bool open() const = 0;
  /// `closed` is called once, on a thread of the server, when the stream has ended for whatever reason.
  virtual void on_close(std::function<void()> closed) = 0;
  /// Bytes that were queued and not yet handed to the system: a producer of a long body stops at some mark
  /// below `stream_buffer_bytes` and goes on in `on_drained`.
  [[nodiscard]] virtual std::size_t waiting_bytes() const { return 0; }
  /// `drained` is called on a thread of the server whenever all that was queued has been handed over, and
  /// once at the beginning if nothing waits then.
  virtual void on_drained(std::function<void()> drained) { const auto unused = std::move(drained); }
};

/// Answers one request: exactly one of `send` and `stream` must be called, once, from any thread, soon or
/// later, also when the peer or the server has gone meanwhile. If a Responder is destroyed unanswered, the
/// server sends 500.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual void send(Response response) = 0;
  /// Sends the head of `response` (its body first, if any) and leaves the body open.
  virtual std::shared_ptr<Stream> stream(Response response) = 0;
};

/// Called on a thread of the server, which waits: what takes long belongs to another. If it throws, the log
/// says so and the client gets 500.
using Handler = std::function<void(Request request, std::shared_ptr<Responder> responder)>;

struct ServerOptions {
  /// An IPv4 or IPv6 address, a host name, or `unix:/path`: a socket file which its owner alone may use.
  std::string address = "127.0.0.1";
  std::uint16_t port = 7411;    ///< 0 = any that is free; see Server::port.
  std::string tls_certificate;  ///< PEM file with the whole chain; empty: no TLS.
  std::string tls_key;          ///< PEM file that others may not read.
  unsigned threads = 1;
  std::size_t body_bytes = std::size_t{1} << 20;  ///< Larger ones are answered with 413.
  /// Asked once for each request whose body is larger than `small_body_bytes`, before the rest of it is taken
  /// in: an answer refuses it. `head` has no body. Empty: nobody is refused.
  std::function<std::optional<Response>(const Request& head)> admit_large_body;
  std::size_t small_body_bytes = std::size_t{64} << 10;
  std::size_t header_bytes = std::size_t{16} << 10;  ///< Larger ones are answered with 431.
  std::size_t stream_buffer_bytes = std::size_t{1} << 20;
  std::uint32_t connections = 4096;           ///< More are answered with 503 and closed.
  std::uint32_t connections_per_address = 0;  ///< 0 = no such limit.
  /// From the first byte of a request to the end of its head; for the first one of a connection (and the TLS
  /// handshake) from the connection's beginning.
  std::uint32_t header_seconds = 10;
  std::uint32_t body_seconds = 30;  ///< For a whole body.
  /// For each MiB of an answer, and for each piece of a stream, once the peer lets it wait.
  std::uint32_t write_seconds = 30;
  std::uint32_t idle_seconds = 75;                  ///< Between requests.
  std::size_t target_bytes = std::size_t{8} << 10;  ///< Longer ones are answered with 414.
  std::size_t header_count = 100;                   ///< More are answered with 431.
  /// Told of what an operator should know (a failed accept, a handler that threw), on any thread; may be
  /// empty.
  std::function<void(std::string_view)> log;
};

struct ServerCounters {
  std::uint64_t connections_open = 0;
  std::uint64_t connections_total = 0;
  std::uint64_t connections_refused = 0;
  std::uint64_t streams_open = 0;
  std::uint64_t requests_total = 0;
  std::uint64_t requests_refused = 0;  ///< Malformed, too large or too slow: never seen by the handler.
};

class Server {
 public:
  /// Listens at once; requests are handed to `handler` on the server's threads.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, Handler handler);
  /// Stops listening, closes every connection and joins the threads.
  virtual ~Server() = default;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  [[nodiscard]] virtual ServerCounters counters() const = 0;
  /// No new connections or requests; returns when those in work are answered or `seconds` are over. Streams
  /// of server-sent events are ended at once (their clients come again); others are work and may end
  /// themselves.
  virtual void drain(unsigned seconds) = 0;
  /// Reads certificate and key anew, for connections from now on; on an Error the old ones stay in use.
  virtual Result<void> reload_tls() { return {}; }
};

}  // namespace gw::http
