// `gw version`: which gw this is, for bug reports and for scripts.
#include "cli/version.h"

#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/app.h"
#include "cli/commands.h"
#include "gw_build_info.h"  // Written by the build: GW_VERSION, GW_COMMIT, GW_BUILD_TYPE.

namespace gw {

std::string version_number() { return GW_VERSION; }

std::string version_line() {
  const std::string commit = GW_COMMIT;
  return commit.empty() ? fmt::format("gw {}", GW_VERSION) : fmt::format("gw {} ({})", GW_VERSION, commit);
}

void add_version_command(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("version", "Print the release, the commit and the build");
  command->group(kGroupTool);
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON");
  set_action(*command, context, [json]() -> Result<ExitCode> {
    if (*json) {
      const nlohmann::ordered_json build = {{"version", GW_VERSION},
                                            {"commit", GW_COMMIT},
                                            {"build_type", GW_BUILD_TYPE},
                                            {"compiler", __VERSION__}};
      fmt::print("{}\n", build.dump(2));
    } else {
      fmt::print("{}\nbuild: {}, compiler: {}\n", version_line(), GW_BUILD_TYPE, __VERSION__);
    }
    return ExitCode::ok;
  });
}

}  // namespace gw
