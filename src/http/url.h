// Where a client's server is, from what people write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gw::http {

struct ServerUrl {
  bool secure = false;
  std::string host;  ///< A name or an address, without brackets.
  std::uint16_t port = 0;
  std::string socket_file;  ///< Instead of host and port.
  std::string prefix;       ///< Of every target: empty, or `/gigawerk`.
  std::string authority;    ///< For the header Host.
  std::string text;         ///< As given, for messages.
};

/// `http://host[:port][/prefix]`, `https://...`, or `unix:/path`.
Result<ServerUrl> parse_server_url(std::string_view text);

}  // namespace gw::http
