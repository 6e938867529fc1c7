// Completion for zsh: one function per command, by _arguments and _describe.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/completion.h"

namespace gw {
namespace {

/// `text` inside the brackets or after the colon of an _arguments specification.
std::string specification_text(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string function_name(const CommandEntry& command) {
  std::string name = "_gw";
  for (const std::string& word : command.path) name += "_" + word;
  return name;
}

std::string action(const OptionEntry& entry) {
  switch (entry.kind) {
    case ValueKind::none:
    case ValueKind::text:
      return " ";
    case ValueKind::file:
      return "_files";
    case ValueKind::folder:
      return "_files -/";
    case ValueKind::words:
      return fmt::format("({})", fmt::join(entry.words, " "));
    case ValueKind::command:
      return "_gw_command_names";
    case ValueKind::asked:
      return " _gw_asked " + entry.asked;  // The blank: called as it is, without options of compadd.
  }
  return " ";
}

std::string value_specification(const OptionEntry& entry, const std::string& label) {
  return fmt::format(":{}:{}", specification_text(label), action(entry));
}

std::string option_specifications(const OptionEntry& option) {
  std::string text;
  for (const std::string& name : option.names) {
    // "(-o --out)": once one of the names is typed, none is offered again; "*" where a repetition means
    // something.
    const std::string once = option.repeated ? "*" : fmt::format("({})", fmt::join(option.names, " "));
    const bool flag = option.kind == ValueKind::none;
    const std::string assign = flag ? "" : name.starts_with("--") ? "=" : "+";
    text += " \\\n    " + shell_quoted(fmt::format("{}{}{}[{}]{}", once, name, assign,
                                                   specification_text(option.description),
                                                   flag ? "" : value_specification(option, option.value)));
  }
  return text;
}

std::string describe_children(const CommandEntry& command, const std::string& function) {
  std::string text = fmt::format("{}() {{\n  local -a commands=(\n", function);
  for (const CommandEntry& child : command.commands) {
    text += "    " + shell_quoted(fmt::format("{}:{}", child.name(), specification_text(child.description))) +
            "\n";
  }
  return text + "  )\n  _describe -t commands 'command of gw' commands\n}\n\n";
}

std::string command_function(const CommandEntry& command) {
  const std::string function = function_name(command);
  std::string text;
  if (!command.commands.empty()) text += describe_children(command, function + "_command_names");
  text += function +
          "() {\n  local context state state_descr line curcontext=$curcontext\n  typeset -A opt_args\n";
  text += "  _arguments -C -s";
  for (const OptionEntry& option : command.options) text += option_specifications(option);
  for (std::size_t i = 0; i < command.arguments.size(); ++i) {
    const OptionEntry& argument = command.arguments[i];
    const std::string place = argument.repeated ? "*" : std::to_string(i + 1);
    text += " \\\n    " + shell_quoted(place + value_specification(argument, argument.names.front()));
  }
  if (command.commands.empty()) return text + "\n}\n\n";
  text += fmt::format(" \\\n    '1: :{}_command_names' '*:: :->rest'\n", function);
  text += "  [[ $state == rest ]] || return 0\n  case $words[1] in\n";
  for (const CommandEntry& child : command.commands) {
    text += fmt::format("    {}) {} ;;\n", child.name(), function_name(child));
  }
  return text + "  esac\n}\n\n";
}

constexpr const char* kAsked = R"zsh(_gw_asked() {
  local -a found
  local line
  for line in ${(f)"$(command gw __complete $argv[1] "${(j: :)words}" 2>/dev/null)"}; do
    found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  _describe -t $argv[1] $argv[1] found
}

)zsh";

}  // namespace

std::string zsh_completion(const CommandEntry& app) {
  std::string text = "#compdef gw\n# zsh completion for gw, made by `gw completion zsh`.\n\n";
  text += kAsked;
  for (const CommandEntry* command : all_commands(app)) text += command_function(*command);
  // Autoloaded as _gw the file is the body of that function; sourced it registers itself.
  return text + "if [[ $funcstack[1] == _gw ]]; then\n  _gw \"$@\"\nelse\n  compdef _gw gw\nfi\n";
}

}  // namespace gw
