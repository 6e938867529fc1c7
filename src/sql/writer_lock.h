// WriterLock: that one process at a time writes a database file, and who holds it is known.
#pragma once

#include <string>

#include "base/result.h"

namespace gw::sql {

/// An exclusive flock on `<path>.lock`, held until destroyed. The file stays: removing it would let two
/// processes lock two files of one name. It is kept, too, by a child that is forked without an exec.
class WriterLock {
 public:
  static Result<WriterLock> take(const std::string& path);
  WriterLock(WriterLock&& other) noexcept;
  WriterLock& operator=(WriterLock&&) = delete;
  ~WriterLock();

 private:
  explicit WriterLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace gw::sql
