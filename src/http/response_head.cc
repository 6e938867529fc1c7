// Boost.Beast reads the head of an answer.
#include "http/response_head.h"

#include <fmt/format.h>

#include <algorithm>

#include "http/beast_parser.h"
#include "http/request_head.h"
#include "http/text.h"

namespace gw::http {
namespace {

using beast::http::field;

class HeadReader final : public BeastHeadParser<false> {
 public:
  ResponseHead head;
  bool other_coding = false;

 private:
  void on_response_impl(int status, beast::string_view /*reason*/, int /*version*/,
                        beast::error_code& /*error*/) override {
    head.status = static_cast<unsigned>(status);
  }
  void on_field_impl(field known, beast::string_view name, beast::string_view value,
                     beast::error_code& /*error*/) override {
    auto& [lower, kept] = head.headers.emplace_back();
    lower.resize(name.size());
    std::ranges::transform(name, lower.begin(), to_lower);
    kept.assign(value.data(), value.size());
    if (known == field::transfer_encoding) {
      head.chunked = true;
      other_coding = other_coding || !equals_ignoring_case(kept, "chunked");
    } else if (known == field::content_length) {
      head.content_length = parse_decimal(kept);
    }
  }
};

}  // namespace

std::string_view ResponseHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

Result<ResponseHead> read_response_head(std::string_view text) {
  if (const std::string_view problem = check_head_lines(text); !problem.empty())
    return fail(fmt::format("malformed answer: {}", problem));
  HeadReader reader;
  beast::error_code error;
  const std::size_t used = reader.put({text.data(), text.size()}, error);
  if (error || used != text.size() || !reader.is_done())
    return fail(fmt::format("malformed answer: {}", error ? error.message() : "bytes behind the head"));
  if (reader.other_coding) return fail("malformed answer: its transfer coding is not 'chunked'");
  if (!reader.head.content_length && !reader.head.header("content-length").empty())
    return fail("malformed answer: its Content-Length is no number");
  reader.head.keep_alive = reader.keep_alive();
  return std::move(reader.head);
}

}  // namespace gw::http
