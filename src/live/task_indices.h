// TaskIndices: the indices of an array's tasks by position, as runs: an array of a million takes what its
// text takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gw::live {

class TaskIndices {
 public:
  TaskIndices() = default;
  /// `ascending`: no index twice.
  explicit TaskIndices(const std::vector<std::uint32_t>& ascending);

  [[nodiscard]] std::uint32_t size() const {
    return runs_.empty() ? 0 : runs_.back().position + runs_.back().count;
  }
  /// Of the task at that position, below size().
  [[nodiscard]] std::uint32_t at(std::uint32_t position) const;
  /// Where the task of that index stands; none if there is none.
  [[nodiscard]] std::optional<std::uint32_t> position_of(std::uint32_t index) const;
  /// Of `count` tasks from a position on, as one writes them: `7-99`, `0-98:2,101`. Of many runs the first
  /// few and the last index, with `...` between.
  [[nodiscard]] std::string text(std::uint32_t position, std::uint32_t count) const;

 private:
  struct Run {
    std::uint32_t first = 0;
    std::uint32_t step = 1;
    std::uint32_t count = 1;
    std::uint32_t position = 0;  ///< Of `first`.
  };
  [[nodiscard]] const Run& run_of(std::uint32_t position) const;

  std::vector<Run> runs_;
};

}  // namespace gw::live
