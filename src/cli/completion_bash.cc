// Completion for bash 4 and later; needs nothing of the bash-completion package.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/completion.h"

namespace gw {
namespace {

// What is typed is walked word by word: `command` is the command so far, `position` counts its arguments,
// `pending` is an option that still wants its value. bash splits --out=DIR at the '=', which therefore is
// skipped.
constexpr const char* kHead = R"(# bash completion for gw, made by `gw completion bash`.
_gw() {
  local current=${COMP_WORDS[COMP_CWORD]} command='' pending='' position=0 options='' words='' kind='' word i
  COMPREPLY=()
  [[ $current == '=' ]] && current=''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    [[ $word == '=' ]] && continue
    if [[ -n $pending ]]; then
      pending=''
      continue
    fi
    case "$command|$word" in
)";

constexpr const char* kMiddle = R"(      *"|-"*) ;;
      *) ((++position)) ;;
    esac
  done
)";

constexpr const char* kTail = R"(  if [[ -z $pending && $current == -* ]]; then
    words=$options kind=words
  fi
  case $kind in
    asked)
      # Names from the server are compared, never evaluated.
      while IFS=$'\t' read -r word _; do
        [[ $word == "$current"* ]] && COMPREPLY+=("$word")
      done < <("${COMP_WORDS[0]}" __complete "$words" "${COMP_LINE:-${COMP_WORDS[*]}}" 2>/dev/null)
      ;;
    words) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
    file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      ;;
    folder)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      ;;
  esac
}
complete -F _gw gw
)";

std::vector<std::string> names_of(const std::vector<CommandEntry>& commands) {
  std::vector<std::string> names;
  for (const CommandEntry& command : commands) names.push_back(command.name());
  return names;
}

/// The assignments that tell the tail of the script what to offer for this value.
std::string offer(const CommandEntry& app, const OptionEntry& entry) {
  switch (entry.kind) {
    case ValueKind::none:
    case ValueKind::text:
      return "kind=''";
    case ValueKind::file:
      return "kind=file";
    case ValueKind::folder:
      return "kind=folder";
    case ValueKind::words:
      return fmt::format("kind=words words={}", shell_quoted(fmt::format("{}", fmt::join(entry.words, " "))));
    case ValueKind::command:
      return fmt::format("kind=words words='{}'", fmt::join(names_of(app.commands), " "));
    case ValueKind::asked:
      return "kind=asked words=" + entry.asked;
  }
  return "kind=''";
}

std::string walk_cases(const CommandEntry& command) {
  std::string text;
  for (const CommandEntry& child : command.commands) {
    text += fmt::format("      '{}|{}') command='{}' position=0 ;;\n", command.path_text(), child.name(),
                        child.path_text());
  }
  std::vector<std::string> with_value;
  for (const OptionEntry& option : command.options) {
    if (option.kind == ValueKind::none) continue;
    for (const std::string& name : option.names)
      with_value.push_back(fmt::format("'{}|{}'", command.path_text(), name));
  }
  if (!with_value.empty()) text += fmt::format("      {}) pending=$word ;;\n", fmt::join(with_value, " | "));
  return text;
}

std::string offer_cases(const CommandEntry& app, const CommandEntry& command) {
  std::vector<std::string> options;
  std::string values, arguments;
  for (const OptionEntry& option : command.options) {
    options.insert(options.end(), option.names.begin(), option.names.end());
    if (option.kind == ValueKind::none) continue;
    values += fmt::format("        {}) {} ;;\n", fmt::join(option.names, " | "), offer(app, option));
  }
  for (std::size_t i = 0; i < command.arguments.size(); ++i) {
    const OptionEntry& argument = command.arguments[i];
    arguments += fmt::format("        \"|{}\") {} ;;\n", argument.repeated ? "\"*\"" : std::to_string(i),
                             offer(app, argument));
  }
  if (!command.commands.empty()) {
    arguments +=
        fmt::format("        \"|0\") kind=words words='{}' ;;\n", fmt::join(names_of(command.commands), " "));
  }
  std::string text =
      fmt::format("    '{}')\n      options='{}'\n", command.path_text(), fmt::join(options, " "));
  if (!values.empty()) text += "      case $pending in\n" + values + "      esac\n";
  if (!arguments.empty()) text += "      case \"$pending|$position\" in\n" + arguments + "      esac\n";
  return text + "      ;;\n";
}

}  // namespace

std::string bash_completion(const CommandEntry& app) {
  std::string text = kHead;
  for (const CommandEntry* command : all_commands(app)) text += walk_cases(*command);
  text += kMiddle;
  text += "  case $command in\n";
  for (const CommandEntry* command : all_commands(app)) text += offer_cases(app, *command);
  return text + "  esac\n" + kTail;
}

}  // namespace gw
