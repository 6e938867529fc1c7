// Any bytes as what a peer of the HTTP server sends: the server's own parser must end in requests that keep
// their promises or in a refusal, and pieces must make no difference.
//
// The first byte is the size of the pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "http/request_parser.h"
#include "http/request_target.h"
#include "http/response_head.h"
#include "http/response_text.h"
#include "http/text.h"

namespace {

using gw::http::Request;
using gw::http::RequestParser;

const gw::http::RequestLimits kLimits{
    .header_bytes = 2048, .target_bytes = 512, .header_count = 20, .body_bytes = 1000};

struct Outcome {
  std::vector<Request> requests;
  bool refused = false;
};

Outcome parse(std::string_view text, std::size_t step) {
  RequestParser parser(kLimits);
  Outcome outcome;
  while (!text.empty()) {
    const RequestParser::Stage before = parser.stage();
    const std::size_t used = parser.feed(text.substr(0, step));
    GW_CHECK(used <= std::min(step, text.size()));
    text.remove_prefix(used);
    if (parser.stage() == RequestParser::Stage::kRefused) {
      const unsigned status = parser.refusal().status;
      GW_CHECK(status >= 400 && status <= 599 && !gw::http::status_name(status).empty());
      GW_CHECK(gw::http::check_response(gw::http::problem(status, parser.refusal().detail)).empty());
      outcome.refused = true;
      return outcome;
    }
    GW_CHECK(used > 0 || parser.stage() != before);
    if (parser.stage() == RequestParser::Stage::kDone) outcome.requests.push_back(parser.take());
  }
  return outcome;
}

bool is_clean(std::string_view text) {
  return std::ranges::none_of(text, [](char byte) {
    return (static_cast<unsigned char>(byte) < 0x20 && byte != '\t') || byte == 0x7f;
  });
}

void check(const Request& request) {
  GW_CHECK(gw::http::is_token(request.method));
  GW_CHECK(request.target.size() <= kLimits.target_bytes && request.headers.size() <= kLimits.header_count);
  GW_CHECK(request.body.size() <= kLimits.body_bytes);
  GW_CHECK(gw::is_utf8(request.path) && is_clean(request.path));
  if (request.path != "*") {
    GW_CHECK(request.path.starts_with('/'));
    const auto slashes = static_cast<std::size_t>(std::ranges::count(request.path, '/'));
    GW_CHECK(request.path == "/" ? request.segments.empty() : slashes == request.segments.size());
  }
  for (const std::string& segment : request.segments) {
    GW_CHECK(segment != "." && segment != ".." && gw::is_utf8(segment) && is_clean(segment));
    GW_CHECK(("/" + segment + "/").find("/../") == std::string::npos);
  }
  for (const auto& [name, value] : request.query) {
    GW_CHECK(gw::is_utf8(name) && gw::is_utf8(value));
    GW_CHECK((name + value).find('\0') == std::string::npos);
  }
  std::size_t lengths = 0;
  std::size_t codings = 0;
  for (const auto& [name, value] : request.headers) {
    GW_CHECK(gw::http::is_token(name) &&
             std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; }));
    GW_CHECK(is_clean(value) && gw::http::trim(value) == value);
    lengths += name == "content-length" ? 1 : 0;
    codings += name == "transfer-encoding" ? 1 : 0;
  }
  GW_CHECK(lengths + codings <= 1);
}

/// A handler that sends back what it got, as values of headers, makes no answer that reads otherwise.
void check_echo(const Request& request) {
  gw::http::Response response;
  for (const auto& header : request.headers)
    response.headers.emplace_back("X-" + header.first, header.second);
  for (const auto& [name, value] : request.query) response.headers.emplace_back(name, value);
  response.headers.emplace_back("X-Path", request.path);
  if (!gw::http::check_response(response).empty()) return;
  std::string head;
  gw::http::append_head(head, response, gw::http::BodyEnd::kLength, 7, "close",
                        "Thu, 01 Jan 1970 00:00:00 GMT");
  const gw::Result<gw::http::ResponseHead> read = gw::http::read_response_head(head);
  GW_CHECK(read.has_value() && read->content_length == 7U && !read->keep_alive);
  GW_CHECK(read->header("x-path") == gw::http::trim(request.path));
}

/// The request written out again; parsed, it must be the same.
std::string write(const Request& request) {
  std::string text = request.method + " " + request.target + " HTTP/1.1\r\n";
  bool host = false;
  for (const auto& [name, value] : request.headers) {
    host = host || name == "host";
    if (name != "transfer-encoding" && name != "content-length" && name != "expect")
      text += name + ": " + value + "\r\n";
  }
  if (!host) text += "Host: a\r\n";  // It came by HTTP/1.0.
  return text + "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" + request.body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = parse(text, text.size() + 1);
  const Outcome pieces = parse(text, std::size_t{data[0]} + 1);
  GW_CHECK(whole.refused == pieces.refused && whole.requests.size() == pieces.requests.size());
  for (std::size_t index = 0; index < whole.requests.size(); ++index) {
    const Request& request = whole.requests[index];
    const Request& same = pieces.requests[index];
    GW_CHECK(request.method == same.method && request.target == same.target && request.body == same.body);
    GW_CHECK(request.headers == same.headers && request.query == same.query);
    GW_CHECK(request.segments == same.segments && request.path == same.path);
    check(request);
    check_echo(request);
    const std::string rewritten = write(request);
    // What grew by headers that it had not may be over the limits.
    if (rewritten.size() > kLimits.header_bytes || request.headers.size() + 2 > kLimits.header_count)
      continue;
    const Outcome again = parse(rewritten, rewritten.size());
    GW_CHECK(again.requests.size() == 1 && again.requests.front().segments == request.segments);
    GW_CHECK(again.requests.front().body == request.body && again.requests.front().query == request.query);
  }
  return 0;
}
