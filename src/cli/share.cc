// Finds gw's data whether it is installed, unpacked anywhere, or run from its build.
#include "cli/share.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <system_error>

namespace gw {

namespace fs = std::filesystem;

std::vector<fs::path> share_folders() {
  if (const char* chosen = std::getenv("GIGAWERK_SHARE"); chosen != nullptr && *chosen != '\0')
    return {chosen};
  std::vector<fs::path> folders;
  std::error_code unreadable;
  const fs::path program = fs::read_symlink("/proc/self/exe", unreadable);
  if (!unreadable) {
    folders.push_back(program.parent_path().parent_path() / "share" / "gigawerk");
    // An installed copy that lacks something must say so, not find it where it was built.
    const fs::path built = fs::weakly_canonical(GW_BUILD_DIR, unreadable);
    const auto [end, differs] = std::mismatch(built.begin(), built.end(), program.begin(), program.end());
    if (!unreadable && end != built.end()) return folders;
  }
  // What the build itself makes (the report template) lies in the build tree, the rest in the source tree.
  folders.emplace_back(GW_BUILD_DIR "/share/gigawerk");
  folders.emplace_back(GW_SOURCE_DIR);
  return folders;
}

Result<fs::path> find_share(std::string_view relative) {
  std::string asked;
  for (const fs::path& folder : share_folders()) {
    std::error_code unreadable;
    if (fs::path found = folder / relative; fs::exists(found, unreadable)) return found;
    asked += fmt::format("{}{}", asked.empty() ? "" : ", ", folder.string());
  }
  return fail(fmt::format("cannot find {} (asked: {}); set GIGAWERK_SHARE to the folder that holds it",
                          relative, asked));
}

}  // namespace gw
