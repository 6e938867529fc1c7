// Compares and judges addresses of servers.
#include "client/token_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <string>

#include "http/url.h"

namespace gw::client {
namespace {

std::string in_lower_case(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

/// A loopback address or its name; also the address of none, which Linux takes for one.
bool is_this_machine(const std::string& host) {
  if (in_lower_case(host) == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    const std::uint32_t address = ntohl(v4.s_addr);
    return address >> 24 == 127 || address == INADDR_ANY;
  }
  in6_addr v6{};
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6) ||
         (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

}  // namespace

bool same_server(std::string_view one_url, std::string_view other_url) {
  const Result<http::ServerUrl> one = http::parse_server_url(one_url);
  const Result<http::ServerUrl> other = http::parse_server_url(other_url);
  return one && other && one->secure == other->secure && one->port == other->port &&
         one->socket_file == other->socket_file && in_lower_case(one->host) == in_lower_case(other->host);
}

bool in_the_clear(std::string_view url) {
  const Result<http::ServerUrl> server = http::parse_server_url(url);
  return server && !server->secure && server->socket_file.empty() && !is_this_machine(server->host);
}

}  // namespace gw::client
