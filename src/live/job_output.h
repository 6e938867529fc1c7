// What an attempt printed: read by offset while it runs and after, and waited for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "live/engine.h"

namespace gw::live {

/// The folder of an attempt below `jobs`, the engine's folder. Made of numbers alone.
std::filesystem::path attempt_folder(const std::filesystem::path& jobs, AttemptId id);

/// Where the attempt of an older job of the same number is kept: the `number`th, from 1.
std::filesystem::path set_aside_attempt(const std::filesystem::path& attempt, int number);

enum class OutputStream : std::uint8_t {
  kOutput,  ///< Standard output, and error where it is not kept by itself.
  kError,
};

/// Offsets count the bytes that the attempt printed, from 0; they stay valid when old output is dropped.
struct OutputPart {
  std::string bytes;
  std::uint64_t offset = 0;  ///< Of bytes[0]: larger than was asked for where what stood there is not kept.
  std::uint64_t next = 0;    ///< Offset to ask for next.
  std::uint64_t first = 0;   ///< The first offset that is kept.
  std::uint64_t end = 0;     ///< Behind the last byte that is kept now.
  bool ended = false;        ///< The attempt has ended: behind `end` nothing will come.
};

/// At most `most` bytes from `offset` on. An attempt of which nothing is known has printed nothing; nor has
/// one whose folder is another job's than that of `identity` (as in Launch; 0: whoever's). An Error where
/// files cannot be read.
Result<OutputPart> read_output(const std::filesystem::path& attempt, OutputStream stream,
                               std::uint64_t offset, std::size_t most, std::uint64_t identity = 0);

/// Removes all that is kept of an attempt, its working folder with it, and of older jobs' of its number; for
/// what has been forgotten long ago.
Result<void> remove_attempt(const std::filesystem::path& jobs, AttemptId id);

/// Tells which attempts have printed more, or ended, since they were last looked at. One object serves any
/// number of attempts; not for several threads at a time.
class OutputWatch {
 public:
  static Result<OutputWatch> open();
  OutputWatch(OutputWatch&& other) noexcept;
  OutputWatch& operator=(OutputWatch&&) = delete;
  ~OutputWatch();

  /// Watch first, then read: what comes in between is told. Watching twice counts once. An Error where the
  /// folder does not exist or the system watches as much as it may.
  Result<void> watch(const std::filesystem::path& jobs, AttemptId id);
  void unwatch(AttemptId id);

  /// Becomes readable when `take` has something to give.
  [[nodiscard]] int descriptor() const { return descriptor_; }
  /// The attempts that have something new, each once; waits up to `milliseconds` (-1: for ever) for the
  /// first.
  std::vector<AttemptId> take(int milliseconds = 0);

 private:
  explicit OutputWatch(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
  std::map<int, AttemptId> attempts_;  ///< By watch descriptor.
  std::map<AttemptId, int> watches_;
};

}  // namespace gw::live
