// Strict decoding of request targets (RFC 3986; for the query, the form encoding of the URL standard).
#include "http/request_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/utf8.h"

namespace gw::http {
namespace {

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

bool is_control(char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f; }

/// Browsers send some characters of a query as they are that RFC 3986 wants encoded; no harm is in them.
bool allowed(char byte, bool in_query) {
  if (byte <= 0x20 || byte >= 0x7f) return false;
  constexpr std::string_view kNever = "\"<>#\\`";
  constexpr std::string_view kNotInPaths = "{}|^";
  return kNever.find(byte) == std::string_view::npos &&
         (in_query || kNotInPaths.find(byte) == std::string_view::npos);
}

enum class Part : bool { kSegment, kQuery };

/// Appends `text` decoded.
Result<void> decode(std::string_view text, Part part, std::string& out) {
  out.reserve(out.size() + text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    char byte = text[at];
    if (byte == '%') {
      const int high = at + 2 < text.size() ? hex_value(text[at + 1]) : -1;
      const int low = at + 2 < text.size() ? hex_value(text[at + 2]) : -1;
      if (high < 0 || low < 0) return fail("the request target has a '%' without two hexadecimal digits");
      byte = static_cast<char>(high * 16 + low);
      // A query may carry text of several lines; a path names things.
      if (byte == '\0' || (part == Part::kSegment && is_control(byte)))
        return fail("the request target has an encoded control character");
      at += 2;
    } else if (!allowed(byte, part == Part::kQuery)) {
      return fail("the request target has a character that must be percent-encoded");
    } else if (byte == '+' && part == Part::kQuery) {
      byte = ' ';
    }
    out += byte;
  }
  return {};
}

/// Whether somebody who took the segment for a piece of a file name would climb.
bool climbs(std::string_view segment) {
  while (true) {
    const std::size_t end = segment.find_first_of("/\\");
    const std::string_view piece = segment.substr(0, end);
    if (piece == "." || piece == "..") return true;
    if (end == std::string_view::npos) return false;
    segment.remove_prefix(end + 1);
  }
}

Result<void> decode_query(std::string_view text, std::vector<std::pair<std::string, std::string>>& query) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto& [name, value] = query.emplace_back();
    if (Result<void> done = decode(pair.substr(0, equals), Part::kQuery, name); !done) return done;
    if (equals < pair.size()) {
      if (Result<void> done = decode(pair.substr(equals + 1), Part::kQuery, value); !done) return done;
    }
    if (!is_utf8(name) || !is_utf8(value)) return fail("the query of the request target is not UTF-8");
  }
  return {};
}

}  // namespace

Result<RequestTarget> decode_target(std::string_view target) {
  RequestTarget decoded;
  const std::size_t question = std::min(target.find('?'), target.size());
  std::string_view path = target.substr(0, question);
  if (!path.starts_with('/')) return fail("the request target does not begin with '/'");
  decoded.path.reserve(path.size());
  decoded.segments.reserve(static_cast<std::size_t>(std::ranges::count(path, '/')));
  while (!path.empty()) {
    path.remove_prefix(1);  // The slash.
    const std::size_t end = std::min(path.find('/'), path.size());
    decoded.path += '/';
    if (end == 0 && path.empty() && decoded.segments.empty()) break;  // `/` alone.
    std::string& segment = decoded.segments.emplace_back();
    if (Result<void> done = decode(path.substr(0, end), Part::kSegment, segment); !done)
      return std::unexpected(std::move(done.error()));
    if (!is_utf8(segment)) return fail("the path of the request target is not UTF-8");
    if (climbs(segment)) return fail("the request target has a segment '.' or '..'");
    for (const char byte : segment) {
      if (byte == '/') {
        decoded.path += "%2F";
      } else {
        decoded.path += byte;
      }
    }
    path.remove_prefix(end);
  }
  if (question < target.size()) {
    if (Result<void> done = decode_query(target.substr(question + 1), decoded.query); !done)
      return std::unexpected(std::move(done.error()));
  }
  return decoded;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' ||
                       byte == '~';
    if (plain) {
      out += byte;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(byte));
    }
  }
  return out;
}

}  // namespace gw::http
