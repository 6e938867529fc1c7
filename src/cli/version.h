// Which gw this is: release, commit and how it was built.
#pragma once

#include <string>

namespace gw {

/// One line, as `gw --version` prints it: "gw 0.1.0 (1a2b3c4d5e6f)".
std::string version_line();

/// The release alone: "0.1.0".
std::string version_number();

}  // namespace gw
