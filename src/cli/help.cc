// `gw help [COMMAND]`: the same text as `gw COMMAND --help`.
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/commands.h"
#include "cli/suggest.h"

namespace gw {
namespace {

/// The command that `words` name, one level per word.
Result<const CLI::App*> find_command(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* command = &app;
  for (const std::string& word : words) {
    const std::vector<const CLI::App*> children =
        command->get_subcommands([](const CLI::App*) { return true; });
    const auto child =
        std::ranges::find(children, word, [](const CLI::App* each) { return each->get_name(); });
    if (child == children.end()) {
      std::vector<std::string> names;
      for (const CLI::App* each : children) names.push_back(each->get_name());
      const std::optional<std::string> nearest = nearest_word(word, names);
      return fail(fmt::format(
          "'{}' is not a command of {}{}", word, command->get_name(),
          nearest ? fmt::format("; did you mean '{}'?", *nearest) : "; 'gw help' lists them all"));
    }
    command = *child;
  }
  return command;
}

}  // namespace

void add_help_command(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("help", "Print the help of a command");
  command->group(kGroupTool);
  auto words = std::make_shared<std::vector<std::string>>();
  command->add_option("COMMAND", *words, "The command, as it is typed after gw")->type_name("COMMAND");
  set_action(*command, context, [&app, &context, words]() -> Result<ExitCode> {
    const Result<const CLI::App*> found = find_command(app, *words);
    if (!found) {
      print_error(context, found.error().message);
      return ExitCode::usage;
    }
    fmt::print("{}", help_of(**found));
    return ExitCode::ok;
  });
}

}  // namespace gw
