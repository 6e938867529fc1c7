// OutputLog: keeps what a job prints in a chain of files, the newest part of it up to a cap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "supervise/system.h"

namespace gw::supervise {

/// Writes STEM.OFFSET files in the working folder; OFFSET, 16 digits, is how many bytes came before the
/// file's first. A file is never changed once the next one exists, so an offset once read stays what it is.
/// Old files go when all together would pass the cap. A write that fails (a full disk) loses its bytes, never
/// the job: the next file then begins behind the gap.
class OutputLog {
 public:
  OutputLog(const char* stem, std::uint64_t segment_bytes, std::uint64_t cap_bytes);

  void append(std::string_view bytes);

  [[nodiscard]] std::uint64_t bytes() const { return offset_; }           ///< All that came.
  [[nodiscard]] std::uint64_t dropped_bytes() const { return dropped_; }  ///< In old files that have gone.
  [[nodiscard]] std::uint64_t lost_bytes() const { return lost_; }        ///< Never written.
  [[nodiscard]] int error() const { return error_; }                      ///< Of the last write that failed.

 private:
  struct Segment {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };
  [[nodiscard]] std::string name_of(std::uint64_t offset) const;
  bool open_segment();
  void close_segment();

  const char* stem_;
  std::uint64_t segment_bytes_;
  std::uint64_t cap_bytes_;
  Descriptor file_;                ///< The last segment, while it can take more.
  std::vector<Segment> segments_;  ///< That exist, oldest first.
  std::uint64_t kept_ = 0;         ///< Bytes in them.
  std::uint64_t offset_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t lost_ = 0;
  int error_ = 0;
};

}  // namespace gw::supervise
