// The `#SBATCH` lines of a script, split into words as sbatch splits them.
#pragma once

#include <string_view>
#include <vector>

#include "spec/sbatch_options.h"

namespace gw::spec {

/// The words of each `#SBATCH` line before the first command. Quotes (`'`, `"`) and backslashes keep blanks,
/// an unquoted `#` begins a comment. What is wrong or probably not meant is reported. `text` has Unix line
/// ends.
std::vector<std::vector<SbatchWord>> sbatch_lines(std::string_view text, SbatchFindings& findings);

/// Whether one of the script's lines begins with `#PBS`.
bool has_pbs_lines(std::string_view text);

}  // namespace gw::spec
