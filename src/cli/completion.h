// Completion scripts for the shells, made from what commands and options gw has.
#pragma once

#include <string>
#include <string_view>

#include "cli/app_tree.h"

namespace gw {

std::string bash_completion(const CommandEntry& app);
std::string zsh_completion(const CommandEntry& app);
std::string fish_completion(const CommandEntry& app);

/// `text` as one word of a POSIX shell: in single quotes, those inside it escaped.
std::string shell_quoted(std::string_view text);

}  // namespace gw
