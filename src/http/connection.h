// Connection: one peer of the server: its requests in order, their answers, its streams and its deadlines.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/asio.h"
#include "http/listener.h"
#include "http/mailbox.h"
#include "http/output_queue.h"
#include "http/request_parser.h"
#include "http/response_text.h"
#include "http/server.h"
#include "http/tls.h"

namespace gw::http {

class IoThread;
struct StreamState;

/// Everything here happens on the connection's thread. A request is handed to the handler when the one before
/// it has been answered; what the peer sends meanwhile waits, at most one reading of it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Connection(IoThread& thread, Accepted accepted, RequestKey key, bool refused);
  ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  /// For request number `request`; nothing happens if that is no longer awaited.
  void answer(std::uint64_t request, Response response);
  void start_stream(std::uint64_t request, Response response, std::shared_ptr<StreamState> stream);
  /// Of the stream that runs; `write_out` must follow.
  void add_piece(std::shared_ptr<const std::string> bytes);
  void end_stream(bool cut);
  /// Writes as much as the peer takes, then goes on with what waits for that.
  void write_out();
  /// Ends what is over its time.
  void check_time(Time now);
  /// No new requests. What is in work is finished, event streams are ended.
  void drain();
  /// At once; `abort` lets the peer see that something is missing.
  enum class Ending : bool { kClean, kAbort };
  void close(Ending ending);

  /// It is on its thread's list of those to write out.
  bool dirty = false;

 private:
  enum class State : std::uint8_t {
    kReading,    ///< A request (and before the first, the TLS handshake).
    kHandling,   ///< The handler has the request.
    kStreaming,  ///< The answer is a stream.
    kEnding,     ///< The last answer is being written.
    kLingering,  ///< All is written; what still comes is thrown away until the peer closes too.
    kClosed,
  };
  /// What of a request is awaited.
  enum class Phase : std::uint8_t { kIdle, kHead, kBody };

  // connection.cc
  void read_more();
  void on_read(std::size_t bytes, bool ended, bool failed);
  void on_input(std::string_view bytes);
  void on_peer_done();
  std::size_t read_requests(std::string_view bytes);
  void read_stash();
  void handle(Request request);
  void call_handler(Request request);
  void refuse(const Refusal& refusal);
  void refuse_with(Response response);
  [[nodiscard]] bool admit_body();
  void await_request();
  void await(Phase phase);
  void finish_work();
  [[nodiscard]] Time after(std::uint32_t seconds) const;

  // connection_output.cc
  std::string& output();
  void check(Response& response);
  void write_head(const Response& response, BodyEnd end, std::size_t body_bytes);
  void write_answer(Response response);
  void stream_is_over();
  enum class Sent : std::uint8_t { kAll, kBlocked, kFailed };
  Sent send_plain();
  Sent send_sealed(TlsSession& tls);
  void take_from_queue(std::size_t bytes);
  void wait_to_write();
  void on_all_written();
  void linger();

  IoThread& thread_;
  asio::generic::stream_protocol::socket socket_;
  const Peer peer_;
  RequestKey key_;  ///< Of the request in work, or the last one.
  const bool refused_;
  std::optional<TlsSession> tls_;

  State state_ = State::kReading;
  Phase phase_ = Phase::kHead;
  Time deadline_;           ///< Of the phase, in kReading, or of kLingering.
  bool reading_ = false;    ///< An asynchronous read is under way.
  bool peer_done_ = false;  ///< Nothing more will come.
  bool in_work_ = false;    ///< Counted by ServerState::work_begins.
  bool keep_alive_ = true;  ///< After the answer to the request in work.
  bool http_1_0_ = false;   ///< The request in work is.
  bool head_only_ = false;  ///< The request in work is HEAD.
  bool continued_ = false;  ///< 100 has been sent for the request that comes.
  bool admitted_ = false;   ///< Its body may be large.
  RequestParser parser_;
  std::string stash_;       ///< Plain bytes that came before their turn.
  bool consuming_ = false;  ///< `read_requests` is at work.

  OutputQueue queue_;
  Time write_deadline_;       ///< While `blocked_`.
  bool blocked_ = false;      ///< The peer must take something before more is read or written.
  bool waiting_ = false;      ///< An asynchronous wait for that is under way.
  std::size_t progress_ = 0;  ///< Bytes written since `write_deadline_` was set.
  std::shared_ptr<StreamState> stream_;
  bool stream_chunked_ = false;
  bool stream_ending_ = false;   ///< All pieces are queued.
  bool stream_drained_ = false;  ///< Its producer has been told.
  bool event_stream_ = false;

  /// Small, for there are many connections, and most are idle.
  std::array<char, 2048> buffer_;
};

}  // namespace gw::http
