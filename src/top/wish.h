// What a screen wants to know of the server, and what came of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/connection.h"
#include "top/screen.h"

namespace gw::top {

/// A question to the server.
struct Ask {
  enum class Kind : std::uint8_t { kSummary, kJobs, kNodes, kTenants, kJob, kExplain, kNode, kOutput };
  Kind kind = Kind::kSummary;
  std::string target;
  friend bool operator==(const Ask&, const Ask&) = default;
};

/// What the screen wants now, and to have anew every second: the summary and what its front shows. Of long
/// lists only the rows in sight, and half a screen above and below.
std::vector<Ask> wish_of(const Screen& screen);

/// The rows [first, first + count) that are asked for when a list of `height` rows is looked at from `top`.
/// They stay the same while `top` moves a little.
struct Window {
  std::size_t first = 0, count = 0;
  friend bool operator==(const Window&, const Window&) = default;
};
Window window_of(std::size_t top, std::size_t height);

/// An answer, or why there is none.
struct Answer {
  Ask ask;
  Json json;
  struct Output {
    std::string bytes;
    std::uint64_t attempt = 0, offset = 0, next = 0, first = 0, end = 0;
    bool ended = false;
  } output;
  std::optional<client::Failure> failure;
};

struct OrderResult {
  Order order;
  std::optional<client::Failure> failure;
};

}  // namespace gw::top
