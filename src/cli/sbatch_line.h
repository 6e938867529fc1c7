// The options of sbatch's command line that gw submit does not have itself.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/app.h"
#include "spec/sbatch_options.h"

namespace gw {

struct SbatchLine {
  std::vector<std::pair<const spec::SbatchOption*, const CLI::Option*>> options;
};

/// Adds what `command` has no option for yet; call it last. -e stays gw's (a variable), and so do -d, -m and
/// -c.
void add_sbatch_options(CLI::App& command, SbatchLine& line);

/// What was given, in the order of the table, as words that spec::parse_sbatch takes: `--output=x.log`.
std::vector<std::string> sbatch_words(const SbatchLine& line);

}  // namespace gw
