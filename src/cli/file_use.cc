// Compares files by device and inode, or by path where there is no file yet.
#include "cli/file_use.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <system_error>
#include <utility>

#include "cli/share.h"

namespace gw {
namespace {

namespace fs = std::filesystem;

using FileId = std::pair<dev_t, ino_t>;

/// None for what is no regular file, or not there.
std::optional<FileId> id_of(const std::string& path) {
  struct stat status{};
  const int result = path == "-" ? ::fstat(STDIN_FILENO, &status) : ::stat(path.c_str(), &status);
  if (result != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return FileId{status.st_dev, status.st_ino};
}

/// The files of gw's own catalog, which every scenario is read with.
std::vector<std::string> catalog_files() {
  std::vector<std::string> files;
  if (const Result<fs::path> folder = find_share("catalog")) {
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(*folder, ignored))
      files.push_back(entry.path().string());
  }
  return files;
}

}  // namespace

void FileUse::writes_run(const std::string& folder) {
  if (folder.empty()) return;
  for (const char* name : {"report.json", "report.html", "jobs.csv"}) writes(fs::path(folder) / name);
}

Result<void> FileUse::check() const {
  std::vector<std::string> inputs = inputs_;
  const std::vector<std::string> catalog = catalog_files();
  inputs.insert(inputs.end(), catalog.begin(), catalog.end());
  std::vector<std::pair<fs::path, std::string>> places;  // Outputs by path, links followed.
  for (const std::string& output : outputs_) {
    if (output == "-") continue;
    if (const std::optional<FileId> id = id_of(output)) {
      for (const std::string& input : inputs) {
        if (id_of(input) == id)
          return fail(fmt::format("{}: this output would replace the input {}; choose another file for it",
                                  output, input == "-" ? "(standard input)" : input));
      }
    }
    std::error_code error;
    if (fs::exists(output, error) && !fs::is_regular_file(output, error)) continue;
    const fs::path place = fs::weakly_canonical(output, error);
    for (const auto& [other_place, other] : places) {
      if (!error && place == other_place)
        return fail(fmt::format(
            "{}: two outputs, this and {}, would be the same file; choose another for one", output, other));
    }
    places.emplace_back(place, output);
  }
  return {};
}

}  // namespace gw
