// OutputFile: writes a file that appears under its name only when it is whole.
#pragma once

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gw::report {

/// Buffers, writes to `FILE.partial` and renames that to FILE on commit(), so that a full disk or a crash
/// never leaves half a file in the place of a good one. The first error is kept and told by commit(); writes
/// after it do nothing. Destroyed without commit(), it removes the partial file.
class OutputFile {
 public:
  static constexpr std::size_t kBufferBytes = 1 << 18;

  /// Makes the folder that the file lies in, too.
  static Result<OutputFile> open(const std::filesystem::path& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  void write(std::string_view text) {
    if (text.size() > kBufferBytes - used_) [[unlikely]] {
      write_large(text);
      return;
    }
    std::memcpy(buffer_.data() + used_, text.data(), text.size());
    used_ += text.size();
  }

  /// Room for `bytes` <= kBufferBytes to be written in place; `advance_to` says how far it was used.
  char* reserve(std::size_t bytes) {
    if (bytes > kBufferBytes - used_) [[unlikely]]
      flush();
    return buffer_.data() + used_;
  }
  void advance_to(const char* end) { used_ = static_cast<std::size_t>(end - buffer_.data()); }

  /// Writes the rest and gives the file its name.
  Result<void> commit();

 private:
  OutputFile(std::filesystem::path path, std::filesystem::path partial, int descriptor);
  void write_large(std::string_view text);
  void flush();
  void write_out(std::string_view text);

  std::filesystem::path path_;
  std::filesystem::path partial_;
  int descriptor_;  ///< -1 once committed or moved from.
  std::vector<char> buffer_;
  std::size_t used_ = 0;
  std::string error_;
};

/// One whole file at once.
Result<void> write_file(const std::filesystem::path& path, std::string_view text);
/// The whole of a file; the Error names it.
Result<std::string> read_file(const std::filesystem::path& path);

}  // namespace gw::report
