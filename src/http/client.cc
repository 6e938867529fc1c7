// Client: requests as text, answers from their framing, and what to tell people when it does not work.
#include "http/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include "http/chunked.h"
#include "http/client_socket.h"
#include "http/response_head.h"
#include "http/text.h"
#include "http/url.h"

namespace gw::http {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;
using Kind = SocketFailure::Kind;
/// Gets the pieces of a body as they come; false: no more of them.
using Piece = std::function<Result<bool>(std::string_view)>;

constexpr std::string_view kEventStream = "text/event-stream";
constexpr std::size_t kMostHeadBytes = std::size_t{64} << 10;

bool is_line(std::string_view text) {
  return std::ranges::none_of(text, [](char byte) { return byte == '\r' || byte == '\n' || byte == '\0'; });
}

/// Sending it twice does what sending it once does (RFC 9110, section 9.2.2).
bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" || method == "OPTIONS";
}

class SocketClient final : public Client {
 public:
  SocketClient(const ClientOptions& options, ServerUrl url, std::optional<TlsContext> tls)
      : options_(options), url_(std::move(url)), tls_(std::move(tls)) {}

  Result<Answer> send(std::string_view method, std::string_view target, std::string_view body,
                      const Headers& headers) override {
    return exchange(method, target, body, headers, {});
  }

  Result<Answer> stream(std::string_view target,
                        const std::function<bool(std::string_view)>& piece) override {
    return exchange("GET", target, {}, {},
                    [&](std::string_view bytes) -> Result<bool> { return piece(bytes); });
  }

  Result<Answer> events(std::string_view target,
                        const std::function<bool(const ServerEvent&)>& event) override {
    EventParser parser(options_.answer_bytes);
    return exchange(
        "GET", target, {}, {{"Accept", std::string(kEventStream)}},
        [&](std::string_view bytes) { return parser.feed(bytes, event); }, kEventStream);
  }

  void interrupt() override { interruption_.raise(); }

 private:
  [[nodiscard]] static Deadline after(unsigned seconds) {
    return std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  }

  Result<Answer> exchange(std::string_view method, std::string_view target, std::string_view body,
                          const Headers& headers, const Piece& piece, std::string_view wanted_type = {}) {
    const Result<std::string> request = write_request(method, target, body, headers);
    if (!request) return std::unexpected(request.error());
    if (socket_ && (socket_->is_stale() || !received_.empty())) socket_.reset();
    while (true) {
      const bool kept = socket_ != nullptr;
      if (!kept) {
        received_.clear();
        SocketResult<std::unique_ptr<ClientSocket>> made = ClientSocket::connect(
            url_, tls_ ? &*tls_ : nullptr, interruption_, after(options_.connect_seconds));
        if (!made) return fail(explain_connect(made.error()));
        socket_ = std::move(*made);
      }
      socket_->forget_sent();
      answer_begun_ = false;
      SocketResult<Answer> answer = ask(method, *request, piece, wanted_type);
      if (answer) return std::move(*answer);
      const bool nothing_sent = socket_->sent() == 0;
      socket_.reset();
      // A kept connection may have been closed by the server just now, as it may at any time.
      const bool again = kept && answer.error().kind == Kind::kClosed && !answer_begun_ &&
                         (nothing_sent || is_idempotent(method));
      if (!again) return fail(explain(answer.error(), method, nothing_sent));
    }
  }

  Result<std::string> write_request(std::string_view method, std::string_view target, std::string_view body,
                                    const Headers& headers) const {
    const bool plain = std::ranges::all_of(target, [](char byte) { return byte > ' ' && byte < 0x7f; });
    if (!is_token(method) || !target.starts_with('/') || !plain)
      return fail(
          fmt::format("'{} {}' is no request: percent-encode what the path is made of", method, target));
    std::string text = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\nUser-Agent: gw\r\n", method, url_.prefix,
                                   target, url_.authority);
    if (!options_.token.empty())
      fmt::format_to(std::back_inserter(text), "Authorization: Bearer {}\r\n", options_.token);
    bool typed = false;
    for (const auto& [name, value] : headers) {
      if (!is_token(name) || !is_line(value))
        return fail(fmt::format("'{}' is no header of a request", name));
      typed = typed || equals_ignoring_case(name, "content-type");
      fmt::format_to(std::back_inserter(text), "{}: {}\r\n", name, value);
    }
    if (!body.empty() && !typed) text += "Content-Type: application/json\r\n";
    if (!body.empty() || method == "POST" || method == "PUT" || method == "PATCH")
      fmt::format_to(std::back_inserter(text), "Content-Length: {}\r\n", body.size());
    text += "\r\n";
    text += body;
    return text;
  }

  /// One request on the open connection. `wanted_type` is what a stream must be of.
  SocketResult<Answer> ask(std::string_view method, const std::string& request, const Piece& piece,
                           std::string_view wanted_type) {
    deadline_ = after(options_.answer_seconds);
    if (SocketResult<void> sent = socket_->send(request, received_, deadline_); !sent)
      return std::unexpected(std::move(sent.error()));
    const bool answered_early = !received_.empty();
    SocketResult<ResponseHead> read = read_head();
    if (!read) return std::unexpected(std::move(read.error()));
    ResponseHead& head = *read;

    const bool streaming = piece && head.status == 200;
    Answer answer{head.status, std::string(head.header("content-type")), std::move(head.headers), {}};
    if (streaming && !answer.content_type.starts_with(wanted_type))
      return bad_answer(fmt::format("the answer is of type '{}', not {}", answer.content_type, wanted_type));
    const Piece collect = [&](std::string_view bytes) -> Result<bool> {
      if (bytes.size() > options_.answer_bytes - answer.body.size())
        return fail(fmt::format("the answer is larger than {} bytes", options_.answer_bytes));
      answer.body += bytes;
      return true;
    };
    const SocketResult<bool> whole = read_body(method, head, streaming ? piece : collect, streaming);
    if (!whole) return std::unexpected(whole.error());
    if (!*whole || !head.keep_alive || answered_early) socket_.reset();
    return answer;
  }

  /// The head of the answer proper: those before it (100, 103) are passed over.
  SocketResult<ResponseHead> read_head() {
    while (true) {
      std::size_t end = received_.find("\r\n\r\n");
      while (end == std::string::npos) {
        if (received_.size() > kMostHeadBytes) return bad_answer("malformed answer: its head does not end");
        const std::size_t from = received_.size() < 3 ? 0 : received_.size() - 3;
        const SocketResult<bool> more = socket_->receive(received_, deadline_);
        answer_begun_ = answer_begun_ || !received_.empty();
        if (!more) return std::unexpected(more.error());
        if (!*more)
          return std::unexpected(
              SocketFailure{Kind::kClosed, "the server closed the connection without an answer"});
        end = received_.find("\r\n\r\n", from);
      }
      answer_begun_ = true;
      Result<ResponseHead> head = read_response_head(std::string_view(received_).substr(0, end + 4));
      received_.erase(0, end + 4);
      if (!head) return bad_answer(std::move(head.error().message));
      if (head->status >= 200) return std::move(*head);
      if (head->status == 101) return bad_answer("the answer changes to a protocol that nobody asked for");
    }
  }

  /// Gives the body to `piece`. False if not all of it was read: the connection cannot be used again.
  SocketResult<bool> read_body(std::string_view method, ResponseHead& head, const Piece& piece,
                               bool streaming) {
    if (method == "HEAD" || head.status == 204 || head.status == 304) return true;
    ChunkedDecoder chunked(ChunkedDecoder::Extras::kPassOver);
    std::optional<std::uint64_t> left;
    if (!head.chunked) left = head.content_length;
    if (!head.chunked && !left) head.keep_alive = false;
    while (!left || *left > 0) {
      if (received_.empty()) {
        if (streaming) deadline_ = after(options_.answer_seconds);
        const SocketResult<bool> more = socket_->receive(received_, deadline_);
        if (!more) return std::unexpected(more.error());
        if (!*more) {
          if (!head.chunked && !left) return false;  // The end of such a body.
          return std::unexpected(
              SocketFailure{Kind::kClosed, "the server closed the connection in the middle of its answer"});
        }
      }
      std::string_view bytes = received_;
      std::size_t used = bytes.size();
      bool ended = false;
      if (head.chunked) {
        const ChunkedDecoder::Step step = chunked.next(bytes);
        if (step.status == ChunkedDecoder::Status::kBad)
          return bad_answer("malformed answer: its chunks cannot be read");
        ended = step.status == ChunkedDecoder::Status::kDone;
        used = step.used;
        bytes = step.piece;
      } else if (left) {
        used = static_cast<std::size_t>(std::min<std::uint64_t>(*left, used));
        *left -= used;
        bytes = bytes.substr(0, used);
      }
      if (!bytes.empty()) {
        const Result<bool> go_on = piece(bytes);
        if (!go_on) return bad_answer(go_on.error().message);
        if (!*go_on) return false;
      }
      received_.erase(0, used);
      if (ended) return true;
    }
    return true;
  }

  static std::unexpected<SocketFailure> bad_answer(std::string message) {
    return std::unexpected(SocketFailure{Kind::kBadAnswer, std::move(message)});
  }

  [[nodiscard]] std::string explain_connect(const SocketFailure& why) const {
    switch (why.kind) {
      case Kind::kTls:
        return fmt::format(
            "cannot trust {}: {}; name the file of its certificate authority, or check that it speaks "
            "TLS",
            url_.text, why.message);
      case Kind::kTimeout:
        return fmt::format(
            "cannot reach {}: no connection within {} seconds; check the address and the network", url_.text,
            options_.connect_seconds);
      case Kind::kInterrupted:
        return fmt::format("{}: interrupted", url_.text);
      case Kind::kClosed:
      case Kind::kUnreachable:
      case Kind::kBadAnswer:
        break;
    }
    std::string message = why.message;
    if (!message.empty()) message.front() = to_lower(message.front());
    return fmt::format("cannot reach {}: {}; is gw serve running there?", url_.text, message);
  }

  [[nodiscard]] std::string explain(const SocketFailure& why, std::string_view method,
                                    bool nothing_sent) const {
    switch (why.kind) {
      case Kind::kInterrupted:
        return fmt::format("{}: interrupted", url_.text);
      case Kind::kTimeout:
        return fmt::format("{} did not answer within {} seconds; is it overloaded?", url_.text,
                           options_.answer_seconds);
      case Kind::kBadAnswer:
        return fmt::format("{}: {}", url_.text, why.message);
      case Kind::kTls:
      case Kind::kClosed:
      case Kind::kUnreachable:
        break;
    }
    const bool unknown = !nothing_sent && !is_idempotent(method);
    return fmt::format(
        "{}: {}{}", url_.text, why.message,
        unknown ? "; whether it did what was asked is not known: look before you repeat it" : "; try again");
  }

  const ClientOptions options_;
  const ServerUrl url_;
  const std::optional<TlsContext> tls_;
  Interruption interruption_;
  std::unique_ptr<ClientSocket> socket_;  ///< Null where there is no connection that can be used.
  std::string received_;                  ///< Bytes of it that are not yet read.
  Deadline deadline_;
  bool answer_begun_ = false;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::make(const ClientOptions& options) {
  Result<ServerUrl> url = parse_server_url(options.url);
  if (!url) return std::unexpected(std::move(url.error()));
  if (!is_line(options.token)) return fail("the token holds a line break: it must be one line");
  std::optional<TlsContext> tls;
  if (url->secure) {
    Result<TlsContext> made = TlsContext::for_client(options.ca_file);
    if (!made) return std::unexpected(std::move(made.error()));
    tls = std::move(*made);
  }
  return std::make_unique<SocketClient>(options, std::move(*url), std::move(tls));
}

}  // namespace gw::http
