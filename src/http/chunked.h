// ChunkedDecoder: takes the chunked transfer coding off a body, from pieces of any size (RFC 9112,
// section 7.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gw::http {

/// Line ends are CRLF and sizes plain hexadecimal digits: every reader of the same bytes finds the same end.
class ChunkedDecoder {
 public:
  /// What a chunk may carry beside its bytes: kNone refuses extensions and trailers, kPassOver drops them.
  enum class Extras : bool { kNone, kPassOver };
  enum class Status : std::uint8_t { kMore, kPiece, kDone, kBad };

  explicit ChunkedDecoder(Extras extras) : extras_(extras) {}

  struct Step {
    Status status = Status::kMore;
    std::size_t used = 0;    ///< Of the bytes given.
    std::string_view piece;  ///< Of the body, for kPiece: a part of the bytes given.
  };
  /// Goes on until a piece of the body is found, the body ends, or nothing is left.
  Step next(std::string_view bytes);

 private:
  enum class State : std::uint8_t {
    kSizeFirst,
    kSize,
    kExtension,
    kSizeEnd,
    kData,
    kDataCr,
    kDataEnd,
    kTrailerFirst,
    kTrailer,
    kTrailerEnd,
    kLastEnd,
    kDone,
    kBad
  };
  /// Takes one byte outside the data.
  State take(char byte);
  State begin_data_or_trailer() const { return size_ > 0 ? State::kData : State::kTrailerFirst; }

  /// Of one line with its extensions, or of one trailer: nobody needs more.
  static constexpr std::size_t kMostLineBytes = 4096;
  static constexpr std::size_t kMostSizeDigits = 15;  ///< 2^60 bytes.

  Extras extras_;
  State state_ = State::kSizeFirst;
  std::uint64_t size_ = 0;
  std::size_t line_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
};

}  // namespace gw::http
