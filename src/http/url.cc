// Reading of server addresses.
#include "http/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "http/text.h"

namespace gw::http {
namespace {

constexpr std::string_view kUnix = "unix:";

std::unexpected<Error> refuse(std::string_view text, std::string_view what) {
  return fail(fmt::format(
      "'{}' is no server address: {}; write http://host:port, https://host:port or unix:/path", text, what));
}

bool is_host(std::string_view host) {
  constexpr std::string_view kPunctuation = "-._:%";
  return !host.empty() && std::ranges::all_of(host, [&](char byte) {
    return is_letter_or_digit(byte) || kPunctuation.find(byte) != std::string_view::npos;
  });
}

}  // namespace

Result<ServerUrl> parse_server_url(std::string_view text) {
  ServerUrl url;
  url.text = text;
  if (text.starts_with(kUnix)) {
    url.socket_file = text.substr(kUnix.size());
    url.authority = "localhost";
    if (!url.socket_file.starts_with('/')) return refuse(text, "the path of a socket file begins with '/'");
    return url;
  }
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.secure = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return refuse(text, "it does not begin with http:// or https://");
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view authority = rest.substr(0, slash);
  std::string_view prefix = rest.substr(slash);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  const bool plain = std::ranges::all_of(prefix, [](char byte) { return byte > ' ' && byte < 0x7f; });
  if (!plain || prefix.find_first_of("?#") != std::string_view::npos)
    return refuse(text, "what follows the port must be a path");
  url.prefix = prefix;
  url.authority = authority;

  std::optional<std::string_view> port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return refuse(text, "the ']' is missing");
    url.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
    if (authority.starts_with(':')) {
      port = authority.substr(1);
    } else if (!authority.empty()) {
      return refuse(text, "after the ']' comes the port");
    }
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    if (colon < authority.size()) port = authority.substr(colon + 1);
  }
  if (!is_host(url.host)) return refuse(text, "the host is missing or malformed");
  url.port = url.secure ? 443 : 80;
  if (port) {
    const std::optional<std::uint64_t> number = parse_decimal(*port);
    if (!number || *number == 0 || *number > 65535) return refuse(text, "the port must be 1 to 65535");
    url.port = static_cast<std::uint16_t>(*number);
  }
  return url;
}

}  // namespace gw::http
