// Reads scenario and catalog files for commands.
#include "cli/spec_files.h"

#include "cli/share.h"

namespace gw {

Result<spec::Catalog> load_catalog() {
  const Result<std::filesystem::path> folder = find_share("catalog");
  if (!folder) return std::unexpected(folder.error());
  spec::Checked<spec::Catalog> catalog = spec::read_catalog(*folder);
  if (!catalog) return fail(spec::diagnostics_text(catalog.error()));
  return std::move(*catalog);
}

Result<spec::Scenario> load_scenario(const std::string& path) {
  const Result<std::filesystem::path> folder = find_share("catalog");
  if (!folder) return std::unexpected(folder.error());
  spec::Checked<spec::Scenario> scenario = spec::read_scenario(path, {*folder, {}});
  if (!scenario) return fail(spec::diagnostics_text(scenario.error()));
  return std::move(*scenario);
}

}  // namespace gw
