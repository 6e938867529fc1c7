// Boost.Beast reads the head of a request; what it is lenient about is refused before and after.
#include "http/request_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "http/beast_parser.h"
#include "http/request_target.h"
#include "http/text.h"

namespace gw::http {
namespace {

using beast::http::field;

constexpr std::array<std::string_view, 7> kServedMethods = {"GET",    "POST", "PUT",    "PATCH",
                                                            "DELETE", "HEAD", "OPTIONS"};

std::unexpected<Refusal> refuse(unsigned status, std::string detail) {
  return std::unexpected(Refusal{status, std::move(detail)});
}

/// Letters, digits and what stands in names, addresses, ports and their encodings; not empty.
bool is_authority(std::string_view text) {
  constexpr std::string_view kPunctuation = "-._~!$&'()*+,;=:[]%";
  return !text.empty() && std::ranges::all_of(text, [&](char byte) {
    return is_letter_or_digit(byte) || kPunctuation.find(byte) != std::string_view::npos;
  });
}

/// Collects what Beast finds. Its callbacks report a refusal through `refusal` and an error code.
class HeadReader final : public BeastHeadParser<true> {
 public:
  explicit HeadReader(const RequestLimits& limits) : limits_(limits) {}

  RequestHead head;
  std::optional<Refusal> refusal;
  std::string_view host;
  bool has_length = false;

 private:
  void refuse_with(unsigned status, std::string detail, beast::error_code& error) {
    if (!refusal) refusal = Refusal{status, std::move(detail)};
    error = beast::http::error::bad_field;
  }

  void on_request_impl(beast::http::verb /*known*/, beast::string_view method, beast::string_view target,
                       int version, beast::error_code& /*error*/) override {
    head.request.method.assign(method.data(), method.size());
    head.request.target.assign(target.data(), target.size());
    head.request.headers.reserve(8);
    head.http_1_0 = version == 10;
  }

  void on_field_impl(field known, beast::string_view name, beast::string_view value,
                     beast::error_code& error) override {
    auto& headers = head.request.headers;
    if (headers.size() == limits_.header_count)
      return refuse_with(431, fmt::format("the request has more than {} headers", limits_.header_count),
                         error);
    const std::string_view text(value.data(), value.size());
    if (const int index = single_index(known); index >= 0) {
      const std::uint32_t bit = 1U << static_cast<unsigned>(index);
      if ((seen_ & bit) != 0)
        return refuse_with(
            400,
            fmt::format("the request has the header '{}' twice", std::string_view(name.data(), name.size())),
            error);
      seen_ |= bit;
    }
    switch (known) {
      case field::host:
        host = text;
        if (!is_authority(text)) return refuse_with(400, "the Host header is empty or malformed", error);
        break;
      case field::content_length:
        if (const std::optional<std::uint64_t> length = parse_decimal(text)) {
          head.content_length = *length;
          has_length = true;
        } else {
          return refuse_with(400, "Content-Length is not one number", error);
        }
        break;
      case field::transfer_encoding:
        head.chunked = true;
        if (!equals_ignoring_case(text, "chunked"))
          return refuse_with(501, "the only transfer coding served is 'chunked'", error);
        break;
      case field::expect:
        head.expects_continue = true;
        if (!equals_ignoring_case(text, "100-continue"))
          return refuse_with(417, "the only expectation served is '100-continue'", error);
        break;
      default:
        break;
    }
    auto& [lower, kept] = headers.emplace_back();
    lower.resize(name.size());
    std::ranges::transform(name, lower.begin(), to_lower);
    kept.assign(text);
  }

  /// Among the headers that may come only once, or -1.
  static int single_index(field known) {
    constexpr std::array kSingle = {field::host,   field::content_length, field::transfer_encoding,
                                    field::expect, field::authorization,  field::content_type};
    const auto* found = std::ranges::find(kSingle, known);
    return found == kSingle.end() ? -1 : static_cast<int>(found - kSingle.begin());
  }

  const RequestLimits& limits_;
  std::uint32_t seen_ = 0;  ///< A bit for each of the headers that may come only once.
};

/// The part of an absolute target behind its authority, which must be the Host; others as they are.
std::expected<std::string, Refusal> origin_form(std::string_view target, std::string_view host) {
  if (target.starts_with('/')) return std::string(target);
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (target.size() < scheme.size() || !equals_ignoring_case(target.substr(0, scheme.size()), scheme))
      continue;
    target.remove_prefix(scheme.size());
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    if (!equals_ignoring_case(target.substr(0, end), host))
      return refuse(400, "the authority of the request target is not the Host");
    std::string origin(target.substr(end));
    if (!origin.starts_with('/')) origin.insert(origin.begin(), '/');
    return origin;
  }
  return refuse(400, "the request target does not begin with '/'");
}

/// The version at the end of a request line: what Beast calls malformed may be one that is only not served.
bool is_other_version(std::string_view line) {
  const std::size_t space = line.rfind(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view version = line.substr(space + 1);
  return version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) && version[6] == '.' &&
         is_digit(version[7]) && version != "HTTP/1.1" && version != "HTTP/1.0";
}

std::optional<Refusal> check_method(const std::string& method) {
  if (std::ranges::find(kServedMethods, method) != kServedMethods.end()) return std::nullopt;
  if (method == "CONNECT" || method == "TRACE") return Refusal{405, method + " is not served"};
  return Refusal{501, "this method is not known"};
}

}  // namespace

std::string_view check_head_lines(std::string_view text) {
  while (!text.empty()) {
    std::size_t at = 0;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) >= 0x20 || text[at] == '\t') &&
           text[at] != 0x7f)
      ++at;
    if (at == text.size() || text[at] != '\r') {
      return at < text.size() && text[at] == '\n' ? "a line ends with a bare LF"
                                                  : "a line holds a control character";
    }
    if (at + 1 == text.size() || text[at + 1] != '\n') return "a line holds a bare CR";
    if (text.front() == ' ' || text.front() == '\t')
      return "a line begins with a space: headers may not be folded";
    text.remove_prefix(at + 2);
  }
  return {};
}

std::expected<RequestHead, Refusal> read_request_head(std::string_view text, const RequestLimits& limits) {
  const std::string_view line = text.substr(0, text.find("\r\n"));
  if (const std::string_view problem = check_head_lines(text); !problem.empty())
    return refuse(400, fmt::format("malformed request: {}", problem));
  if (is_other_version(line)) return refuse(505, "only HTTP/1.1 and HTTP/1.0 are served");

  HeadReader reader(limits);
  beast::error_code error;
  const std::size_t used = reader.put({text.data(), text.size()}, error);
  if (reader.refusal) return std::unexpected(std::move(*reader.refusal));
  if (reader.head.request.target.size() > limits.target_bytes)
    return refuse(414, fmt::format("the request target is longer than {} bytes", limits.target_bytes));
  if (error || used != text.size() || !reader.is_done()) {
    return refuse(400,
                  fmt::format("malformed request: {}", error ? error.message() : "bytes behind the head"));
  }

  RequestHead& head = reader.head;
  if (std::optional<Refusal> refusal = check_method(head.request.method))
    return std::unexpected(std::move(*refusal));
  if (head.chunked && reader.has_length)
    return refuse(400, "the request has both Content-Length and Transfer-Encoding");
  if (head.http_1_0) {
    if (head.chunked) return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
    head.expects_continue = false;
  } else if (reader.host.data() == nullptr) {
    return refuse(400, "the request has no Host header");
  }
  if (head.content_length > limits.body_bytes)
    return refuse(413, fmt::format("the body is larger than {} bytes", limits.body_bytes));
  head.keep_alive = reader.keep_alive();

  if (head.request.target == "*" && head.request.method == "OPTIONS") {
    head.request.path = "*";
    return std::move(head);
  }
  std::expected<std::string, Refusal> origin = origin_form(head.request.target, reader.host);
  if (!origin) return std::unexpected(std::move(origin.error()));
  Result<RequestTarget> target = decode_target(*origin);
  if (!target) return refuse(400, std::move(target.error().message));
  head.request.path = std::move(target->path);
  head.request.segments = std::move(target->segments);
  head.request.query = std::move(target->query);
  return std::move(head);
}

}  // namespace gw::http
