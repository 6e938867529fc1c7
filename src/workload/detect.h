// Finding out from its first bytes which recorded format a file has.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "workload/trace.h"

namespace gw::workload {

/// Bytes of the beginning that `detect_format` wants to see (fewer for shorter files).
inline constexpr std::size_t kDetectBytes = 16 * 1024;

/// The format that `beginning` has. The Error names what the file is instead (a compressed file, a node
/// list), or what can be named on the command line.
Result<TraceFormat> detect_format(std::string_view beginning, const std::string& name);

/// True where Philly's job log (JSON) begins, not its table.
bool begins_like_json(std::string_view beginning);

}  // namespace gw::workload
