// LineReader: the lines of a ByteSource, one at a time, in a fixed buffer, with their numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "workload/byte_source.h"
#include "workload/number_text.h"

namespace gw::workload {

class LineReader {
 public:
  /// Longer lines are cut: no recorded workload comes near, and memory must not follow the input.
  static constexpr std::size_t kLongestLine = std::size_t{64} * 1024;

  /// `source` must outlive the reader and stand at its first byte.
  explicit LineReader(ByteSource& source);

  /// Gives the next line without its end (`\n` or `\r\n`) and without a leading byte order mark in the first
  /// one; false at the end. `line` stays valid until the next call. Of a line longer than kLongestLine only
  /// the beginning comes, and `cut()` is true.
  Result<bool> next(std::string_view& line) {
    if (begin_ < end_) [[likely]] {
      const char* found = find_end(buffer_.get() + begin_, buffer_.get() + end_);
      if (found != nullptr && found - (buffer_.get() + begin_) <= static_cast<std::ptrdiff_t>(kLongestLine)) {
        give(line, found);
        return true;
      }
    }
    return next_slowly(line);
  }
  Result<void> rewind();

  [[nodiscard]] std::uint64_t number() const { return number_; }  ///< Of the line last given, from 1.
  [[nodiscard]] bool cut() const { return cut_; }
  [[nodiscard]] const std::string& name() const { return source_.name(); }

 private:
  static constexpr std::size_t kBuffer = std::size_t{256} * 1024;
  static constexpr std::size_t kKept = 128;

  static const char* find_end(const char* from, const char* to);
  void give(std::string_view& line, const char* found) {
    const char* start = buffer_.get() + begin_;
    std::size_t size = static_cast<std::size_t>(found - start);
    begin_ += size + 1;
    if (size > 0 && start[size - 1] == '\r') --size;
    line = {start, size};
    cut_ = false;
    if (++number_ == 1) strip_mark(line);
  }
  static void strip_mark(std::string_view& line);
  Result<bool> next_slowly(std::string_view& line);
  Result<bool> fill();  // False at the end of the source.

  ByteSource& source_;
  std::unique_ptr<char[]> buffer_;  // kBuffer + kDigitSlack bytes; pages are touched as they are needed.
  std::array<char, kKept + kDigitSlack> kept_{};  // The beginning of a line that was cut.
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t number_ = 0;
  bool cut_ = false;
};

}  // namespace gw::workload
