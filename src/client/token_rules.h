// Where a token may go: the one that lies beside a server's data to that server alone, and none in the clear
// to another machine.
#pragma once

#include <string_view>

namespace gw::client {

/// Whether both are the same server: scheme, host and port, or socket file. Texts that are no addresses never
/// are.
bool same_server(std::string_view one_url, std::string_view other_url);

/// Whether what is sent there can be read on the way: plain http to a host that is not this machine.
bool in_the_clear(std::string_view url);

}  // namespace gw::client
