// OutputFile: writes a file that appears under its name only when it is whole.
#pragma once

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gw::files {

enum class Folder : bool { kMustExist, kMake };

/// Buffers, writes to a partial file of its own beside FILE and renames that to FILE on commit(), so that a
/// full disk, a failed run or a crash never leaves half a file in the place of a good one, and two writers of
/// one FILE never mix. The first error is kept and told by commit(); writes after it do nothing. Destroyed
/// before it is published, it removes the partial file; remove_partial_files() does so on a signal.
///
/// Links are written through: what they point to is replaced. What is no regular file (a device, a pipe,
/// /dev/stdout) is written in place.
class OutputFile {
 public:
  static constexpr std::size_t kBufferBytes = 1 << 18;

  static Result<OutputFile> open(const std::filesystem::path& path, Folder folder = Folder::kMake);
  /// Standard output, in place.
  static Result<OutputFile> standard_output();
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
  [[nodiscard]] std::size_t buffered() const { return used_; }
  void flush();

  /// Whether what is written can be changed later; ask before the first write.
  [[nodiscard]] bool can_overwrite() const;
  /// Changes bytes that are written already.
  void overwrite(std::size_t at, std::string_view text);

  /// The first error so far, for writers that should stop then.
  [[nodiscard]] Result<void> status() const;
  /// Writes the rest and closes; the file waits under its partial name.
  Result<void> finish();
  /// Gives the finished file its name.
  Result<void> publish();
  /// finish() and publish().
  Result<void> commit();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  OutputFile(std::filesystem::path path, int descriptor);
  Result<void> make_partial();
  void write_large(std::string_view text);
  void write_out(std::string_view text);
  void fail_to_write(int error);
  void forget_partial();
  void drop_partial();

  std::filesystem::path path_;       ///< As given, for messages.
  std::filesystem::path target_;     ///< What is replaced: `path_` with its links followed.
  std::unique_ptr<char[]> partial_;  ///< Null where the file is written in place, and once it is published.
  int slot_ = -1;                    ///< Of the partial file among those that a signal removes.
  int descriptor_;                   ///< -1 once finished or moved from.
  std::vector<char> buffer_;
  std::size_t used_ = 0;
  std::string error_;
};

/// Files that belong together: none gets its name before all are finished. Null pointers are passed over.
Result<void> commit_all(std::span<OutputFile* const> files);

/// Unlinks every partial file of this process. May be called from a signal handler.
void remove_partial_files() noexcept;

/// One whole file at once.
Result<void> write_file(const std::filesystem::path& path, std::string_view text);
/// The whole of a file; the Error names it.
Result<std::string> read_file(const std::filesystem::path& path);

}  // namespace gw::files
