// The frame that every command of gw stands in: exit codes, errors, colour, and how a command is run.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gw {

/// What gw tells the shell.
enum class ExitCode : int {
  ok = 0,         ///< Done.
  failed = 1,     ///< The input or the run failed; standard error says where, what, and what to do.
  usage = 2,      ///< The command line is wrong.
  internal = 70,  ///< A bug in gw (EX_SOFTWARE of sysexits.h).
};

/// What every command may ask of its surroundings. Filled before the command line is read.
struct AppContext {
  bool colour_out = false;  ///< Standard output is a terminal that shows colour, and NO_COLOR is unset.
  bool colour_error = false;
  bool shown_out = false;  ///< Standard output is a terminal: somebody reads it, no script does.
  bool progress = false;   ///< Standard error is a terminal: a line that redraws itself is welcome.
  /// What the chosen command does; set by set_action once the whole command line is known to be right.
  std::function<Result<ExitCode>()> action;
};

/// Looks at the terminal and the environment.
AppContext make_context();

/// Makes `action` what `command` does. An Error is printed as `gw: MESSAGE` and ends with ExitCode::failed; a
/// command that has printed its own errors returns ExitCode::failed.
void set_action(CLI::App& command, AppContext& context, std::function<Result<ExitCode>()> action);

/// Settings of the application itself: its name, --version, how help looks.
void set_up_app(CLI::App& app, const AppContext& context);

/// Reads the command line, runs the chosen command, and returns what main must.
int run_app(CLI::App& app, AppContext& context, int argc, const char* const* argv);

/// Prints `gw: MESSAGE` to standard error; the prefix in red where colour is shown.
void print_error(const AppContext& context, std::string_view message);

/// "gw catalog gpus" for the command of that name.
std::string full_name(const CLI::App& command);

/// The text of `gw COMMAND --help`.
std::string help_of(const CLI::App& command);

/// Checks of values whose messages say what stands there and what may.
CLI::Validator whole_number(std::uint64_t least, std::uint64_t most);
CLI::Validator number(double least, double most);
inline constexpr std::uint64_t kAnyWhole = std::numeric_limits<std::uint64_t>::max();

/// Whether a value follows the option: false for a flag.
bool takes_value(const CLI::Option& option);

/// What stands for an option's value in help: "FILE", "INT", "{fifo,easy}"; empty for a flag.
std::string value_name(const CLI::Option& option);

}  // namespace gw
