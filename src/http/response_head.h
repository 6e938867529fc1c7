// The head of an answer, as a client reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace gw::http {

struct ResponseHead {
  unsigned status = 0;
  bool keep_alive = false;  ///< As far as the head says.
  bool chunked = false;
  std::optional<std::uint64_t> content_length;
  std::vector<std::pair<std::string, std::string>> headers;  ///< Names in lower case.

  /// The first of that (lower-case) name, or empty.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

/// Reads a head from its status line to its empty line.
Result<ResponseHead> read_response_head(std::string_view text);

}  // namespace gw::http
