// Completion for fish: one `complete` line per command, option and argument.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/completion.h"

namespace gw {
namespace {

/// `text` in fish's single quotes, where only the quote and the backslash are special.
std::string fish_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

/// What follows `complete -c gw -n CONDITION ...` so that the value is offered.
std::string offer(const CommandEntry& app, const OptionEntry& entry) {
  switch (entry.kind) {
    case ValueKind::none:
      return "";
    case ValueKind::text:
      return " -x";
    case ValueKind::file:
      return " -r -F";
    case ValueKind::folder:
      return " -x -a '(__fish_complete_directories)'";
    case ValueKind::words:
      return " -x -a " + fish_quoted(fmt::format("{}", fmt::join(entry.words, " ")));
    case ValueKind::command: {
      std::string names;
      for (const CommandEntry& command : app.commands) names += (names.empty() ? "" : " ") + command.name();
      return " -x -a " + fish_quoted(names);
    }
    case ValueKind::asked:
      return fmt::format(" -x -a '(__gw_asked {})'", entry.asked);
  }
  return "";
}

std::string option_line(const CommandEntry& app, const CommandEntry& command, const OptionEntry& option) {
  std::string text = fmt::format("complete -c gw -n '__gw_at \"{}\"'", command.path_text());
  for (const std::string& name : option.names) {
    text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  return text + offer(app, option) + " -d " + fish_quoted(option.description) + "\n";
}

std::string command_lines(const CommandEntry& app, const CommandEntry& command) {
  std::string text;
  for (const CommandEntry& child : command.commands) {
    text += fmt::format("complete -c gw -n '__gw_at \"{}\"' -f -a {} -d {}\n", command.path_text(),
                        child.name(), fish_quoted(child.description));
  }
  for (const OptionEntry& option : command.options) text += option_line(app, command, option);
  for (const OptionEntry& argument : command.arguments) {
    if (argument.kind == ValueKind::text) continue;
    text += fmt::format("complete -c gw -n '__gw_at \"{}\"'{}\n", command.path_text(),
                        argument.kind == ValueKind::file ? " -F" : offer(app, argument));
  }
  return text;
}

}  // namespace

std::string fish_completion(const CommandEntry& app) {
  std::string text =
      "# fish completion for gw, made by `gw completion fish`.\n"
      "function __gw_at --description 'Is the command typed so far this one?'\n"
      "    set -l path ''\n"
      "    for word in (commandline -opc)[2..-1]\n"
      "        switch \"$path|$word\"\n";
  for (const CommandEntry* command : all_commands(app)) {
    for (const CommandEntry& child : command->commands) {
      text += fmt::format("            case '{}|{}'\n                set path '{}'\n", command->path_text(),
                          child.name(), child.path_text());
    }
  }
  text += "        end\n    end\n    test \"$path\" = \"$argv[1]\"\nend\n\n";
  text +=
      "function __gw_asked --description 'What the server has'\n"
      "    command gw __complete $argv[1] (commandline -cp) 2>/dev/null\nend\n\n"
      "complete -c gw -f\n";
  for (const CommandEntry* command : all_commands(app)) text += command_lines(app, *command);
  return text;
}

}  // namespace gw
