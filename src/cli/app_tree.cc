// Reads CLI11's own description of gw into plain data.
#include "cli/app_tree.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <sstream>
#include <utility>

#include "cli/app.h"

namespace gw {
namespace {

std::vector<std::string> split_words(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream in(list);
  for (std::string word; std::getline(in, word, ',');) words.push_back(word);
  return words;
}

/// What the server is to be asked for; empty where it has no such things. `command` is the command's name:
/// what has ended cannot be cancelled.
std::string asked_for(const std::string& value, const std::string& command) {
  if (value == "JOB") {
    for (const char* word : {"cancel", "hold", "release", "requeue", "wait"}) {
      if (command == word) return "open-jobs";
    }
    return "jobs";
  }
  if (value == "NODE") return command == "drain" ? "nodes-on" : command == "resume" ? "nodes-off" : "nodes";
  if (value == "PATH") return "tenants";
  return value == "ID" ? "tokens" : "";
}

void read_value(OptionEntry& entry, const CLI::Option& option, const std::string& command) {
  entry.value = value_name(option);
  // Of "KIND:JOB" the value's name is JOB, but not the whole value.
  if (option.get_type_name() == entry.value) entry.asked = asked_for(entry.value, command);
  const std::string& value = entry.value;
  const std::size_t open = value.find('{'), close = value.rfind('}');
  if (!entry.asked.empty()) {
    entry.kind = ValueKind::asked;
  } else if (value == "COMMAND") {
    entry.kind = ValueKind::command;
  } else if (open != std::string::npos && close != std::string::npos && open < close) {
    entry.kind = ValueKind::words;
    entry.words = split_words(value.substr(open + 1, close - open - 1));
    // CLI11 names the words of a set twice: once as the type, once as the check.
    entry.value = fmt::format("{}", fmt::join(entry.words, "|"));
  } else if (value.find("DIR") != std::string::npos) {
    entry.kind = ValueKind::folder;
  } else if (value.find("FILE") != std::string::npos) {
    entry.kind = ValueKind::file;
  } else {
    entry.kind = ValueKind::text;
  }
}

OptionEntry describe_option(const CLI::Option& option, const std::string& command) {
  OptionEntry entry;
  if (option.nonpositional()) {
    for (const std::string& name : option.get_snames()) entry.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) entry.names.push_back("--" + name);
  } else {
    entry.names.push_back(option.get_name(true));
  }
  if (takes_value(option)) read_value(entry, option, command);
  entry.description = option.get_description();
  if (takes_value(option)) entry.default_value = option.get_default_str();
  entry.required = option.get_required();
  entry.repeated = option.get_expected_max() == CLI::detail::expected_max_vector_size;
  return entry;
}

std::string usage_of(const CLI::App& app, const CommandEntry& entry) {
  std::string usage = full_name(app) + " [OPTIONS]";
  for (const OptionEntry& argument : entry.arguments) {
    const std::string name = argument.names.front() + (argument.repeated ? "..." : "");
    usage += argument.required ? " " + name : " [" + name + "]";
  }
  if (!entry.commands.empty()) usage += " COMMAND";
  return usage;
}

CommandEntry describe_command(const CLI::App& app, std::vector<std::string> path) {
  CommandEntry entry;
  entry.path = std::move(path);
  entry.group = app.get_group();
  entry.description = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    (option->nonpositional() ? entry.options : entry.arguments)
        .push_back(describe_option(*option, app.get_name()));
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_group().empty()) continue;
    std::vector<std::string> child = entry.path;
    child.push_back(command->get_name());
    entry.commands.push_back(describe_command(*command, std::move(child)));
  }
  entry.usage = usage_of(app, entry);
  return entry;
}

}  // namespace

std::string CommandEntry::path_text() const { return fmt::format("{}", fmt::join(path, " ")); }

CommandEntry describe_app(const CLI::App& app) { return describe_command(app, {}); }

std::vector<const CommandEntry*> all_commands(const CommandEntry& root) {
  std::vector<const CommandEntry*> commands = {&root};
  for (const CommandEntry& child : root.commands) {
    for (const CommandEntry* each : all_commands(child)) commands.push_back(each);
  }
  return commands;
}

}  // namespace gw
