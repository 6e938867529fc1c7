// Framing of requests: where heads and bodies end.
#include "http/request_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "http/text.h"

namespace gw::http {
namespace {

constexpr std::string_view kEmptyLine = "\r\n\r\n";
/// More is not reserved on the word of a Content-Length alone.
constexpr std::size_t kMostReserved = std::size_t{16} << 10;

}  // namespace

std::size_t RequestParser::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && (stage_ == Stage::kStart || stage_ == Stage::kHead))
    used += feed_head(bytes.substr(used));
  if (stage_ == Stage::kBody) used += feed_body(bytes.substr(used));
  return used;
}

std::size_t RequestParser::feed_head(std::string_view bytes) {
  if (stage_ == Stage::kStart) {
    stage_ = Stage::kHead;
    // 22: a TLS record; anything but a letter would wait for its end in vain.
    const char first = bytes.front();
    if (first == 22) {
      refuse(400, "this port speaks plain HTTP, not TLS");
      return 0;
    }
    if (first != '\r' && !is_token({&first, 1})) {
      refuse(400, "malformed request: it does not begin with a method");
      return 0;
    }
  }
  // One empty line before a request is passed over (RFC 9112, section 2.2).
  std::string_view text = bytes;
  const std::size_t before = partial_.size();
  if (before > 0) {
    partial_ += bytes.substr(0, limits_.header_bytes + 2 - std::min(before, limits_.header_bytes + 2));
    text = partial_;
  }
  const std::size_t skipped = text.starts_with("\r\n") ? 2 : 0;
  const std::size_t from = std::max(skipped, before > 3 ? before - 3 : 0);
  const std::size_t end = text.substr(0, skipped + limits_.header_bytes).find(kEmptyLine, from);
  if (end != std::string_view::npos) {
    finish_head(text.substr(skipped, end + kEmptyLine.size() - skipped));
    partial_ = {};
    return end + kEmptyLine.size() - before;
  }
  const std::string_view head = text.substr(skipped);
  for (std::size_t at = before > 0 ? before - 1 : 0; at < text.size(); ++at) {
    // Line ends are checked on the way: after a bare LF, an empty line may never come.
    if (text[at] == '\n' && (at == 0 || text[at - 1] != '\r')) {
      refuse(400, "malformed request: a line ends with a bare LF");
      return 0;
    }
  }
  if (head.starts_with('\r') && head.size() > 1) {
    refuse(400, "malformed request: it does not begin with a method");
  } else if (head.size() >= limits_.header_bytes) {
    const bool in_target = head.substr(0, limits_.header_bytes).find("\r\n") == std::string_view::npos;
    refuse(in_target ? 414 : 431,
           fmt::format("the {} longer than {} bytes", in_target ? "request line is" : "headers are",
                       limits_.header_bytes));
  } else if (before == 0) {
    partial_ = bytes;
  }
  return stage_ == Stage::kRefused ? 0 : bytes.size();
}

void RequestParser::finish_head(std::string_view text) {
  std::expected<RequestHead, Refusal> head = read_request_head(text, limits_);
  if (!head) {
    refuse(head.error().status, std::move(head.error().detail));
    return;
  }
  head_ = std::move(*head);
  left_ = head_.content_length;
  chunked_ = ChunkedDecoder(ChunkedDecoder::Extras::kNone);
  stage_ = head_.chunked || left_ > 0 ? Stage::kBody : Stage::kDone;
  if (left_ > 0) head_.request.body.reserve(std::min<std::size_t>(left_, kMostReserved));
}

std::size_t RequestParser::feed_body(std::string_view bytes) {
  std::string& body = head_.request.body;
  if (!head_.chunked) {
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    body += bytes.substr(0, take);
    left_ -= take;
    if (left_ == 0) stage_ = Stage::kDone;
    return take;
  }
  std::size_t used = 0;
  while (used < bytes.size() && stage_ == Stage::kBody) {
    const ChunkedDecoder::Step step = chunked_.next(bytes.substr(used));
    used += step.used;
    switch (step.status) {
      case ChunkedDecoder::Status::kPiece:
        if (step.piece.size() > limits_.body_bytes - body.size()) {
          refuse(413, fmt::format("the body is larger than {} bytes", limits_.body_bytes));
        } else {
          body += step.piece;
        }
        break;
      case ChunkedDecoder::Status::kDone:
        stage_ = Stage::kDone;
        break;
      case ChunkedDecoder::Status::kBad:
        refuse(400,
               "malformed request: its chunks cannot be read (extensions and trailers are not accepted)");
        break;
      case ChunkedDecoder::Status::kMore:
        break;
    }
  }
  return used;
}

Request RequestParser::take() {
  GW_CHECK(stage_ == Stage::kDone);
  stage_ = Stage::kStart;
  return std::move(head_.request);
}

void RequestParser::refuse(unsigned status, std::string detail) {
  stage_ = Stage::kRefused;
  refusal_ = Refusal{status, std::move(detail)};
  partial_ = {};
}

}  // namespace gw::http
