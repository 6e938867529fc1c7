// Where the data that gw brings along lies: catalog/, scenarios/, report/.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gw {

/// Folders that may hold gw's data, in the order they are asked. GIGAWERK_SHARE, when set, is the only one;
/// else ../share/gigawerk beside the program's own folder, then the tree that gw was built from.
std::vector<std::filesystem::path> share_folders();

/// The first of share_folders() that has `relative` ("catalog", "report/template.html"), joined with it.
/// The Error names every folder that was asked.
Result<std::filesystem::path> find_share(std::string_view relative);

}  // namespace gw
