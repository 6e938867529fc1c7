// RequestParser: turns the bytes of a connection into requests, one after the other, within limits; it needs
// no socket.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/chunked.h"
#include "http/request_head.h"

namespace gw::http {

class RequestParser {
 public:
  enum class Stage : std::uint8_t {
    kStart,    ///< Between requests: no byte of the next one has come.
    kHead,     ///< A part of a head has come.
    kBody,     ///< The head is read; its body is awaited.
    kDone,     ///< A whole request: `take` it.
    kRefused,  ///< See `refusal`; no more is read.
  };

  /// `limits` must outlive it.
  explicit RequestParser(const RequestLimits& limits) : limits_(limits) {}

  /// Takes bytes until the request is complete or refused, and says how many.
  std::size_t feed(std::string_view bytes);
  [[nodiscard]] Stage stage() const { return stage_; }
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }
  /// What is known of the request from kBody on.
  [[nodiscard]] const RequestHead& head() const { return head_; }
  /// The request of stage kDone; the parser is at kStart again.
  Request take();

 private:
  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  void finish_head(std::string_view text);
  void refuse(unsigned status, std::string detail);

  const RequestLimits& limits_;
  Stage stage_ = Stage::kStart;
  std::string partial_;     ///< Of a head that comes in pieces.
  std::uint64_t left_ = 0;  ///< Of a body with a Content-Length.
  ChunkedDecoder chunked_{ChunkedDecoder::Extras::kNone};
  RequestHead head_;
  Refusal refusal_;
};

}  // namespace gw::http
