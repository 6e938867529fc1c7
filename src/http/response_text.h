// Answers as bytes: status line, headers and framing; nothing that a handler gives can break out of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "http/server.h"

namespace gw::http {

/// How a body ends.
enum class BodyEnd : std::uint8_t {
  kLength,   ///< After Content-Length bytes.
  kChunked,  ///< After the chunk of size 0.
  kClose,    ///< With the connection: HTTP/1.0.
  kNone,     ///< There is none: 204 and 304.
};

/// What of `response` may not be sent (see Response), or empty.
std::string check_response(const Response& response);

/// Appends the head. `response` must have passed the check; `date` is an HTTP date.
void append_head(std::string& out, const Response& response, BodyEnd end, std::size_t body_bytes,
                 std::string_view connection, std::string_view date);

/// Appends `size` as the line that begins a chunk.
void append_chunk_size(std::string& out, std::size_t size);

/// An answer of the server itself: `application/problem+json` (RFC 9457).
Response problem(unsigned status, std::string_view detail);

/// `Not Found`; empty for a status that has no name here.
std::string_view status_name(unsigned status);

/// As HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
std::string http_date(std::time_t time);

}  // namespace gw::http
