// RowTally: counts what a reader did with each row, by reason, with the place of the first.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "workload/job_stream.h"

namespace gw::workload {

class RowTally {
 public:
  /// Under `strict` the first senseless row is an Error.
  RowTally(std::string file, bool strict) : file_(std::move(file)), strict_(strict) {}

  void seen() { ++counts_.rows; }
  void accepted() { ++counts_.accepted; }
  /// The row is left out because it makes no sense; `text` is the row itself (for the message under strict).
  /// Reasons are literals, in the words of a report: `requested time is not a number`.
  Result<void> senseless(std::string_view reason, std::uint64_t line, std::string_view text);
  /// The row is left out as the format's definition wants it (a job step, a job cancelled before its start).
  void left_out(std::string_view reason, std::uint64_t line) {
    count(counts_.skipped, skipped_, reason, line);
  }
  /// The row is taken after a repair.
  void adjusted(std::string_view reason, std::uint64_t line) {
    count(counts_.adjusted, adjusted_, reason, line);
  }

  void clear();
  [[nodiscard]] const RowCounts& counts() const { return counts_; }
  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  using Map = std::map<std::string, RowCounts::Skipped>;
  struct Slot {  // Finds a reason's entry without building a string.
    const char* reason = nullptr;
    RowCounts::Skipped* entry = nullptr;
  };
  using Slots = std::array<Slot, 16>;
  void count(Map& map, Slots& slots, std::string_view reason, std::uint64_t line) {
    for (Slot& slot : slots) {
      if (slot.reason == reason.data()) {
        ++slot.entry->count;
        return;
      }
      if (slot.reason == nullptr) return count_new(map, &slot, reason, line);
    }
    count_new(map, nullptr, reason, line);
  }
  void count_new(Map& map, Slot* slot, std::string_view reason, std::uint64_t line);

  std::string file_;
  bool strict_;
  RowCounts counts_;
  Slots skipped_;
  Slots adjusted_;
};

/// `text` as it may stand in a message: at most 80 characters, without control characters.
std::string excerpt(std::string_view text);

}  // namespace gw::workload
