// FileUse: refuses a command whose output would replace one of its inputs, or another of its outputs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace gw {

/// Name all files of a command, then check() before the first is written. An empty path names none; `-` is a
/// standard stream. Files are the same when device and inode are: links of either kind hide nothing. Devices
/// and pipes may be read and written at once.
class FileUse {
 public:
  void reads(const std::string& path) { add(inputs_, path); }
  void writes(const std::string& path) { add(outputs_, path); }
  /// report.json, report.html and jobs.csv in the folder of `--out`.
  void writes_run(const std::string& folder);

  /// The Error names the two files.
  [[nodiscard]] Result<void> check() const;

 private:
  static void add(std::vector<std::string>& paths, const std::string& path) {
    if (!path.empty()) paths.push_back(path);
  }

  std::vector<std::string> inputs_;
  std::vector<std::string> outputs_;
};

}  // namespace gw
