// ByteSource: bytes that can be read twice, from a file, a pipe (spooled first) or memory.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gw::workload {

/// Readers need two passes (order first, rows second), so every source can go back to its first byte.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills up to `into.size()` bytes; 0 only at the end.
  virtual Result<std::size_t> read(std::span<char> into) = 0;
  virtual Result<void> rewind() = 0;
  [[nodiscard]] virtual const std::string& name() const = 0;  ///< For messages: the path as given.
};

/// A regular file is read in place, and one whose size differs at a later pass is an Error; `-` (standard
/// input), a FIFO or a device is first copied to a temporary file that vanishes with the source.
Result<std::unique_ptr<ByteSource>> open_file(const std::string& path);

/// Bytes at hand; `bytes` must outlive the source.
std::unique_ptr<ByteSource> memory_source(std::string_view bytes, std::string name);

/// An open file descriptor without a name, in $TMPDIR or /tmp. The caller closes it.
Result<int> unnamed_temporary_file();

}  // namespace gw::workload
