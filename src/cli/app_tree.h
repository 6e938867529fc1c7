// What commands and options gw has, as plain data: the source of shell completion and of the manual page.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gw {

/// What a shell may offer where a value is expected.
enum class ValueKind {
  none,     ///< A flag: no value.
  text,     ///< Nothing is known about it: numbers, names.
  file,     ///< A file that exists.
  folder,   ///< A folder.
  words,    ///< One of a few words.
  command,  ///< The name of a command of gw.
  asked,    ///< Something that the server has: a job, a node, a tenant, a token.
};

/// An option, or an argument without a name.
struct OptionEntry {
  std::vector<std::string> names;  ///< "-o", "--out"; of an argument its name in help, "TRACE".
  std::string value;               ///< What stands for the value in help: "FILE", "N"; empty for a flag.
  ValueKind kind = ValueKind::none;
  std::vector<std::string> words;  ///< For ValueKind::words.
  std::string asked;               ///< For ValueKind::asked: what `gw __complete` is asked for.
  std::string description;
  std::string default_value;
  bool required = false;
  bool repeated = false;  ///< Takes any number of values.
};

struct CommandEntry {
  std::vector<std::string> path;  ///< {"catalog", "gpus"}; empty for gw itself.
  std::string group;              ///< The heading it stands under.
  std::string description;
  std::string usage;  ///< "gw replay [OPTIONS] TRACE"
  std::vector<OptionEntry> options;
  std::vector<OptionEntry> arguments;
  std::vector<CommandEntry> commands;  ///< In the order of their addition, hidden ones left out.

  std::string name() const { return path.empty() ? "gw" : path.back(); }
  std::string path_text() const;  ///< "catalog gpus"
};

/// The tree under `app`. A value's kind follows from its name in help: FILE
/// (`->type_name("FILE")`) is a file, DIR a folder, "{a,b}" (CLI::IsMember) words; JOB, NODE, PATH (of a
/// tenant) and ID (of a token) are what the server has.
CommandEntry describe_app(const CLI::App& app);

/// `root` and everything below it, parents first.
std::vector<const CommandEntry*> all_commands(const CommandEntry& root);

}  // namespace gw
