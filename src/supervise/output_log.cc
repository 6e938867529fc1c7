// Segment files of a job's output.
#include "supervise/output_log.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace gw::supervise {

OutputLog::OutputLog(const char* stem, std::uint64_t segment_bytes, std::uint64_t cap_bytes)
    : stem_(stem),
      segment_bytes_(std::max<std::uint64_t>(segment_bytes, 1)),
      cap_bytes_(std::max(cap_bytes, segment_bytes_)) {}

std::string OutputLog::name_of(std::uint64_t offset) const {
  constexpr std::size_t kDigits = 16;
  std::string digits;
  append_number(digits, offset);
  std::string name = stem_;
  name += '.';
  if (digits.size() < kDigits) name.append(kDigits - digits.size(), '0');
  return name + digits;
}

bool OutputLog::open_segment() {
  while (!segments_.empty() && kept_ + segment_bytes_ > cap_bytes_) {
    ::unlink(name_of(segments_.front().offset).c_str());
    dropped_ += segments_.front().size;
    kept_ -= segments_.front().size;
    segments_.erase(segments_.begin());
  }
  file_ = Descriptor(::open(name_of(offset_).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  if (!file_) return false;
  segments_.push_back({offset_, 0});
  return true;
}

void OutputLog::close_segment() {
  file_.close();
  if (!segments_.empty() && segments_.back().size == 0) {  // The next one may begin at the same offset.
    ::unlink(name_of(segments_.back().offset).c_str());
    segments_.pop_back();
  }
}

void OutputLog::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (file_ && segments_.back().size >= segment_bytes_) close_segment();
    if (!file_ && !open_segment()) {
      error_ = errno;
      lost_ += bytes.size();
      offset_ += bytes.size();
      return;
    }
    Segment& segment = segments_.back();
    const std::size_t room = std::min<std::uint64_t>(bytes.size(), segment_bytes_ - segment.size);
    const ssize_t written = ::write(file_.get(), bytes.data(), room);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      error_ = errno;
      close_segment();
      lost_ += bytes.size();
      offset_ += bytes.size();
      return;
    }
    const auto done = static_cast<std::uint64_t>(written);
    segment.size += done;
    kept_ += done;
    offset_ += done;
    bytes.remove_prefix(done);
  }
}

}  // namespace gw::supervise
