// LineReader's slow paths: refilling the buffer, lines that are too long, the last line.
#include "workload/line_reader.h"

#include <cstring>

namespace gw::workload {

LineReader::LineReader(ByteSource& source)
    : source_(source), buffer_(std::make_unique_for_overwrite<char[]>(kBuffer + kDigitSlack)) {}

const char* LineReader::find_end(const char* from, const char* to) {
  return static_cast<const char*>(std::memchr(from, '\n', static_cast<std::size_t>(to - from)));
}

void LineReader::strip_mark(std::string_view& line) {
  if (line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
}

Result<bool> LineReader::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const Result<std::size_t> got = source_.read({buffer_.get() + end_, kBuffer - end_});
  if (!got) return fail(got.error().message);
  end_ += *got;
  return *got > 0;
}

Result<bool> LineReader::next_slowly(std::string_view& line) {
  for (;;) {
    const char* start = buffer_.get() + begin_;
    const char* found = begin_ < end_ ? find_end(start, buffer_.get() + end_) : nullptr;
    const std::size_t size = found != nullptr ? static_cast<std::size_t>(found - start) : end_ - begin_;
    if (size > kLongestLine) break;
    if (found != nullptr) {
      give(line, found);
      return true;
    }
    const Result<bool> more = fill();
    if (!more) return more;
    if (*more) continue;
    if (begin_ == end_) return false;
    line = {buffer_.get() + begin_, end_ - begin_};  // The last line has no end.
    begin_ = end_;
    cut_ = false;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (++number_ == 1) strip_mark(line);
    return true;
  }
  std::memcpy(kept_.data(), buffer_.get() + begin_, kKept);  // Too long: the rest is dropped.
  for (;;) {
    const char* found = begin_ < end_ ? find_end(buffer_.get() + begin_, buffer_.get() + end_) : nullptr;
    if (found != nullptr) {
      begin_ = static_cast<std::size_t>(found - buffer_.get()) + 1;
      break;
    }
    begin_ = end_ = 0;
    const Result<bool> more = fill();
    if (!more) return more;
    if (!*more) break;
  }
  line = {kept_.data(), kKept};
  cut_ = true;
  if (++number_ == 1) strip_mark(line);
  return true;
}

Result<void> LineReader::rewind() {
  begin_ = end_ = 0;
  number_ = 0;
  cut_ = false;
  return source_.rewind();
}

}  // namespace gw::workload
