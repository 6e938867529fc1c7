// The head of a request, read so strictly that no proxy in front can have understood it differently.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "http/server.h"

namespace gw::http {

/// Why the server does not serve a request; `detail` is for the client.
struct Refusal {
  unsigned status = 400;
  std::string detail;
};

struct RequestLimits {
  std::size_t header_bytes = std::size_t{16} << 10;  ///< Of the whole head, its empty line included.
  std::size_t target_bytes = std::size_t{8} << 10;
  std::size_t header_count = 100;
  std::size_t body_bytes = std::size_t{1} << 20;
};

struct RequestHead {
  Request request;  ///< Without a body.
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;
  bool chunked = false;
  std::uint64_t content_length = 0;
};

/// Reads a head from its request line to its empty line.
///
/// Refused are, beside what RFC 9112 forbids: both Content-Length and Transfer-Encoding; either of them,
/// Host, Authorization, Content-Type or Expect twice; a transfer coding other than `chunked`; folded lines;
/// bare CR or LF; control characters; a space before a colon; a Host that is none; an absolute target whose
/// authority is not the Host. A refused head ends the connection: where the next request begins is then a
/// guess.
std::expected<RequestHead, Refusal> read_request_head(std::string_view text, const RequestLimits& limits);

/// What is wrong with the lines of a head (of a request or an answer) that Beast's parser would let pass, or
/// empty. Each line must end with CRLF.
std::string_view check_head_lines(std::string_view text);

}  // namespace gw::http
