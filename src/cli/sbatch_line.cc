// Takes sbatch's options from the table that reads scripts.
#include "cli/sbatch_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace gw {
namespace {

using spec::SbatchArgument;
using spec::SbatchId;
using spec::SbatchOption;

/// Shown in help; all are taken.
constexpr std::array<std::string_view, 8> kShown = {"dependency", "error",    "gres",      "ntasks",
                                                    "output",     "parsable", "test-only", "wrap"};
/// Whose words gw has for itself.
constexpr std::array<std::string_view, 3> kLeftOut = {"help", "usage", "version"};

bool stands_in(auto& names, std::string_view name) {
  return std::ranges::find(names, name) != std::end(names);
}

/// In capitals: FILE, N. Others say more than help has room for.
std::string value_of(const SbatchOption& option) {
  const bool plain = std::ranges::all_of(option.form, [](char c) { return c >= 'A' && c <= 'Z'; });
  return plain && !option.form.empty() ? std::string(option.form) : "VALUE";
}

bool is_new(const CLI::App& command, const std::string& name) {
  return command.get_option_no_throw(name) == nullptr;
}

}  // namespace

void add_sbatch_options(CLI::App& command, SbatchLine& line) {
  for (const SbatchOption& option : spec::sbatch_options()) {
    if (stands_in(kLeftOut, option.name)) continue;
    std::string names;
    if (is_new(command, fmt::format("--{}", option.name))) names = fmt::format("--{}", option.name);
    if (option.letter != 0 && is_new(command, fmt::format("-{}", option.letter)))
      names = fmt::format("-{}{}{}", option.letter, names.empty() ? "" : ",", names);
    if (names.empty()) continue;
    CLI::Option* added = nullptr;
    if (option.argument == SbatchArgument::kRequired) {
      added = command.add_option(names)->expected(1)->take_all()->type_name(value_of(option));
    } else {
      added = command.add_flag(names)->take_all();
    }
    added->description(std::string(option.note));
    added->group(stands_in(kShown, option.name) ? "Options of sbatch" : "");
    line.options.emplace_back(&option, added);
  }
}

std::vector<std::string> sbatch_words(const SbatchLine& line) {
  std::vector<std::string> words;
  for (const auto& [option, given] : line.options) {
    for (const std::string& value : given->results()) {
      const bool none = option->argument == SbatchArgument::kNone ||
                        (option->argument == SbatchArgument::kOptional && value == "true");
      words.push_back(none ? fmt::format("--{}", option->name) : fmt::format("--{}={}", option->name, value));
    }
  }
  return words;
}

}  // namespace gw
