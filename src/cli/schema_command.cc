// `gw schema`: the JSON Schema and the reference of the YAML files, and the table of sbatch's options.
#include <fmt/core.h>

#include <memory>
#include <string>

#include "cli/app.h"
#include "cli/commands.h"
#include "spec/sbatch.h"
#include "spec/schema.h"

namespace gw {

void add_schema_command(CLI::App& app, AppContext& context) {
  struct Options {
    std::string kind = "scenario";
    bool markdown = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("schema", "Print the JSON Schema of scenario, fleet, catalog or job files");
  command->group(kGroupTool);
  command
      ->add_option("KIND", options->kind,
                   "Which files: scenario (also holds a fleet), fleet, catalog, job, or sbatch scripts "
                   "(--markdown only)")
      ->check(CLI::IsMember({"scenario", "fleet", "catalog", "job", "sbatch"}))
      ->capture_default_str();
  command->add_flag("--markdown", options->markdown, "Print the reference of all keys instead, as Markdown");
  command->footer(
      "Editors with a YAML language server complete and check a file that begins with\n"
      "  # yaml-language-server: $schema=PATH/scenario.schema.json");
  set_action(*command, context, [options]() -> Result<ExitCode> {
    if (options->kind == "sbatch") {
      if (!options->markdown)
        return fail("sbatch scripts have no JSON Schema; ask for the table of their options with --markdown");
      fmt::print("{}", spec::sbatch_markdown());
      return ExitCode::ok;
    }
    const spec::FileKind kind = options->kind == "fleet"     ? spec::FileKind::kFleet
                                : options->kind == "catalog" ? spec::FileKind::kCatalog
                                : options->kind == "job"     ? spec::FileKind::kJob
                                                             : spec::FileKind::kScenario;
    fmt::print("{}", options->markdown ? spec::reference_markdown(kind) : spec::json_schema(kind));
    return ExitCode::ok;
  });
}

}  // namespace gw
