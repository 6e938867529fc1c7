// JsonObjects: the objects of a JSON array (or of JSON lines), one at a time, without holding the whole file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "workload/byte_source.h"

namespace gw::workload {

class JsonObjects {
 public:
  /// Longer objects are dropped (`cut`): no job's record comes near.
  static constexpr std::size_t kLongestObject = 16 * 1024 * 1024;

  /// `source` must outlive this and stand at its first byte.
  explicit JsonObjects(ByteSource& source);

  /// The text of the next outermost `{...}`, braces balanced outside of strings; false at the end. What
  /// stands between objects (`[`, `,`, blanks) is passed over; anything else there is an Error, as is an
  /// object or an array without its end.
  Result<bool> next(std::string_view& object);
  Result<void> rewind();

  [[nodiscard]] std::uint64_t line() const { return first_line_; }  ///< Where the object begins.
  [[nodiscard]] bool cut() const { return cut_; }

 private:
  static constexpr std::size_t kBuffer = 256 * 1024;
  Result<int> get();  // -1 at the end.

  ByteSource& source_;
  std::unique_ptr<char[]> buffer_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::string object_;
  std::uint64_t line_ = 1;
  std::uint64_t first_line_ = 1;
  std::uint64_t array_line_ = 0;  // Where the array begins that is open; 0 = none.
  bool cut_ = false;
};

}  // namespace gw::workload
