// `gw completion SHELL`: prints the completion script of a shell.
#include "cli/completion.h"

#include <fmt/core.h>

#include <memory>

#include "cli/app.h"
#include "cli/commands.h"

namespace gw {

std::string shell_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

void add_completion_command(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("completion", "Print the completion script of a shell");
  command->group(kGroupTool);
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "The shell to print it for")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  set_action(*command, context, [&app, shell]() -> Result<ExitCode> {
    const CommandEntry tree = describe_app(app);
    const std::string script = *shell == "bash"  ? bash_completion(tree)
                               : *shell == "zsh" ? zsh_completion(tree)
                                                 : fish_completion(tree);
    fmt::print("{}", script);
    return ExitCode::ok;
  });
}

}  // namespace gw
