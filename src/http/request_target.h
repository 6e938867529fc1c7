// What a request's target means: path, segments and query, decoded strictly, so that no two readers of a path
// can understand it differently.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace gw::http {

struct RequestTarget {
  std::string path;                   ///< See Request::path.
  std::vector<std::string> segments;  ///< See Request::segments.
  std::vector<std::pair<std::string, std::string>> query;
};

/// Decodes `/path?query`. Refused with an Error for the client: characters that a URL may not hold, broken or
/// control-character escapes, text that is not UTF-8, and `.` and `..` as segments or, behind an encoded
/// slash or a backslash, inside one. In the query, `+` is a space; a parameter without `=` has an empty
/// value.
Result<RequestTarget> decode_target(std::string_view target);

/// `text` percent-encoded, so that it can stand as one segment or as one name or value of a query.
std::string percent_encode(std::string_view text);

}  // namespace gw::http
