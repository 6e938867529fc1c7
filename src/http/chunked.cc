// The chunked transfer coding, byte by byte outside the data.
#include "http/chunked.h"

#include <algorithm>

namespace gw::http {

ChunkedDecoder::Step ChunkedDecoder::next(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && state_ != State::kBad && state_ != State::kDone) {
    if (state_ == State::kData) {
      const std::size_t take = static_cast<std::size_t>(std::min<std::uint64_t>(size_, bytes.size() - at));
      size_ -= take;
      if (size_ == 0) state_ = State::kDataCr;
      return {Status::kPiece, at + take, bytes.substr(at, take)};
    }
    state_ = take(bytes[at++]);
  }
  if (state_ == State::kBad) return {Status::kBad, at, {}};
  return {state_ == State::kDone ? Status::kDone : Status::kMore, at, {}};
}

ChunkedDecoder::State ChunkedDecoder::take(char byte) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  const bool is_text = byte == '\t' || (static_cast<unsigned char>(byte) >= 0x20 && byte != 0x7f);
  if (++line_bytes_ > kMostLineBytes) return State::kBad;
  switch (state_) {
    case State::kSizeFirst:
      size_ = 0;
      line_bytes_ = 1;
      if (digit(byte) < 0) return State::kBad;
      [[fallthrough]];
    case State::kSize:
      if (const int value = digit(byte); value >= 0) {
        if (line_bytes_ > kMostSizeDigits) return State::kBad;
        size_ = size_ << 4U | static_cast<unsigned>(value);
        return State::kSize;
      }
      if (byte == '\r') return State::kSizeEnd;
      if (extras_ == Extras::kPassOver && (byte == ';' || byte == ' ' || byte == '\t'))
        return State::kExtension;
      return State::kBad;
    case State::kExtension:
      if (byte == '\r') return State::kSizeEnd;
      return is_text ? State::kExtension : State::kBad;
    case State::kSizeEnd:
      return byte == '\n' ? begin_data_or_trailer() : State::kBad;
    case State::kDataCr:
      return byte == '\r' ? State::kDataEnd : State::kBad;
    case State::kDataEnd:
      return byte == '\n' ? State::kSizeFirst : State::kBad;
    case State::kTrailerFirst:
      line_bytes_ = 1;
      if (byte == '\r') return State::kLastEnd;
      return extras_ == Extras::kPassOver && is_text ? State::kTrailer : State::kBad;
    case State::kTrailer:
      if (++trailer_bytes_ > 4 * kMostLineBytes) return State::kBad;
      if (byte == '\r') return State::kTrailerEnd;
      return is_text ? State::kTrailer : State::kBad;
    case State::kTrailerEnd:
      return byte == '\n' ? State::kTrailerFirst : State::kBad;
    case State::kLastEnd:
      return byte == '\n' ? State::kDone : State::kBad;
    case State::kData:
    case State::kDone:
    case State::kBad:
      break;
  }
  return State::kBad;
}

}  // namespace gw::http
