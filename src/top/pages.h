// Pages of text about one job or one node, made from what the server answers.
#pragma once

#include <cstdint>
#include <vector>

#include "top/answers.h"
#include "top/screen.h"

namespace gw::top {

/// What `gw show` and `gw explain` say of a job. `explanation` may be null; `now_ns` is the server's time.
std::vector<TextLine> job_page(const Json& job, const Json& explanation, std::int64_t now_ns);
/// A node, and the jobs there.
std::vector<TextLine> node_page(const Json& node, std::int64_t now_ns);

}  // namespace gw::top
