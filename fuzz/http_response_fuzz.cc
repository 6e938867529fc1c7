// Any bytes as what a server sends to our client: heads, chunked bodies and addresses must be read or
// refused, and pieces must make no difference.
//
// The first byte is the size of the pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/chunked.h"
#include "http/response_head.h"
#include "http/url.h"

namespace {

using gw::http::ChunkedDecoder;

/// The body, if it ends in `text`.
std::optional<std::string> decode(std::string_view text, ChunkedDecoder::Extras extras, std::size_t step) {
  ChunkedDecoder decoder(extras);
  std::string body;
  while (!text.empty()) {
    const ChunkedDecoder::Step next = decoder.next(text.substr(0, step));
    GW_CHECK(next.used > 0 && next.used <= text.size());
    text.remove_prefix(next.used);
    body += next.piece;
    if (next.status == ChunkedDecoder::Status::kBad) return std::nullopt;
    if (next.status == ChunkedDecoder::Status::kDone) return body;
  }
  return std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t step = std::size_t{data[0]} + 1;

  const std::size_t end = text.find("\r\n\r\n");
  const std::string_view head = end == std::string_view::npos ? text : text.substr(0, end + 4);
  if (const gw::Result<gw::http::ResponseHead> read = gw::http::read_response_head(head)) {
    GW_CHECK(end != std::string_view::npos && read->status <= 999);
    GW_CHECK(!read->chunked || !read->content_length);
  } else {
    GW_CHECK(!read.error().message.empty());
  }
  const std::string_view body = end == std::string_view::npos ? text : text.substr(end + 4);
  const auto strict = decode(body, ChunkedDecoder::Extras::kNone, body.size());
  const auto lenient = decode(body, ChunkedDecoder::Extras::kPassOver, body.size());
  GW_CHECK(strict == decode(body, ChunkedDecoder::Extras::kNone, step));
  GW_CHECK(lenient == decode(body, ChunkedDecoder::Extras::kPassOver, step));
  GW_CHECK(!strict || strict == lenient);

  if (const gw::Result<gw::http::ServerUrl> url = gw::http::parse_server_url(text))
    GW_CHECK(url->socket_file.empty() ? !url->host.empty() && url->port > 0
                                      : url->socket_file.starts_with('/'));
  return 0;
}
