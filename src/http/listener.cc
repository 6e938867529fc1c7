// The system calls to listen and to accept.
#include "http/listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace gw::http {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr int kBacklog = 1024;

std::string reason(int error) { return std::generic_category().message(error); }

/// `[::1]:7411`
std::string host_and_port(const std::string& host, unsigned port) {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

std::string hint(int error) {
  switch (error) {
    case EADDRINUSE:
      return "; another gw serve? choose another port with --port";
    case EACCES:
      return "; ports below 1024 are root's, choose another with --port";
    case EADDRNOTAVAIL:
      return "; no interface of this machine has that address";
    default:
      return "";
  }
}

bool set_option(int socket, int level, int name, int value) {
  return ::setsockopt(socket, level, name, &value, sizeof value) == 0;
}

Result<ListenSocket> listen_on_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(
        fmt::format("cannot listen on unix:{}: the path must have 1 to {} bytes; choose a shorter one", path,
                    sizeof address.sun_path - 1));
  }
  path.copy(address.sun_path, path.size());
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  ListenSocket made{Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), 0, path};
  if (!made.descriptor.valid()) return fail(fmt::format("cannot make a socket: {}", reason(errno)));

  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode))
      return fail(
          fmt::format("cannot listen on unix:{}: a file of that name is there; choose another", path));
    const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!probe.valid() || ::connect(probe.get(), name, sizeof address) == 0 || errno != ECONNREFUSED)
      return fail(fmt::format("cannot listen on unix:{}: address in use; another gw serve?", path));
    ::unlink(path.c_str());  // Of a server that was killed.
  }
  // Before bind, so that there is no moment in which others may connect.
  if (::fchmod(made.descriptor.get(), S_IRUSR | S_IWUSR) != 0 ||
      ::bind(made.descriptor.get(), name, sizeof address) != 0 ||
      ::listen(made.descriptor.get(), kBacklog) != 0) {
    return fail(fmt::format("cannot listen on unix:{}: {}", path, reason(errno)));
  }
  return made;
}

Result<ListenSocket> listen_on_tcp(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  int failed = ::getaddrinfo(host.c_str(), service.c_str(), &wanted, &found);
  if (failed == EAI_NONAME) {
    wanted.ai_flags &= ~AI_NUMERICHOST;
    failed = ::getaddrinfo(host.c_str(), service.c_str(), &wanted, &found);
  }
  const std::string place = host_and_port(host, port);
  if (failed != 0)
    return fail(fmt::format("cannot listen on {}: no such host: {}", place, ::gai_strerror(failed)));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);

  ListenSocket made{
      Descriptor(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), port, {}};
  const int socket = made.descriptor.get();
  if (!made.descriptor.valid()) return fail(fmt::format("cannot make a socket: {}", reason(errno)));
  if (!set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1) ||
      ::bind(socket, found->ai_addr, found->ai_addrlen) != 0 || ::listen(socket, kBacklog) != 0) {
    const int error = errno;
    return fail(fmt::format("cannot listen on {}: {}{}", place, reason(error), hint(error)));
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) == 0) {
    made.port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                                  : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  }
  return made;
}

Peer describe_tcp(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return {host_and_port(text.data(), ntohs(v4.sin_port)), text.data()};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    ::inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text.data(), text.size());
    return {host_and_port(text.data(), ntohs(v6.sin6_port)), text.data()};
  }
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  Peer peer{host_and_port(text.data(), ntohs(v6.sin6_port)), {}};
  in6_addr network = v6.sin6_addr;  // One who has an IPv6 address has 2^64 of them.
  std::memset(&network.s6_addr[8], 0, 8);
  ::inet_ntop(AF_INET6, &network, text.data(), text.size());
  peer.host = text.data();
  return peer;
}

Peer describe_unix(int socket) {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return {std::string(kUnix), {}};
  return {fmt::format("{}{}", kUnix, who.uid), {}};
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    number_ = other.release();
  }
  return *this;
}

int Descriptor::release() { return std::exchange(number_, -1); }

void Descriptor::reset() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

Result<ListenSocket> open_listen_socket(const std::string& address, std::uint16_t port) {
  if (address.starts_with(kUnix)) return listen_on_unix(address.substr(kUnix.size()));
  if (address.starts_with('[') && address.ends_with(']'))
    return listen_on_tcp(address.substr(1, address.size() - 2), port);
  return listen_on_tcp(address, port);
}

void remove_socket_file(const ListenSocket& listening) {
  if (listening.socket_file.empty()) return;
  // Another server may have taken the place of a file that somebody removed: a connection tells.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  listening.socket_file.copy(address.sun_path, sizeof address.sun_path - 1);
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (probe.valid() &&
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno == ECONNREFUSED)
    ::unlink(listening.socket_file.c_str());
}

Accepted accept_connection(int listening) {
  Accepted made;
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  made.descriptor = Descriptor(
      ::accept4(listening, reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!made.descriptor.valid()) return made;
  const int socket = made.descriptor.get();
  made.family = address.ss_family;
  if (address.ss_family == AF_UNIX) {
    made.peer = describe_unix(socket);
    return made;
  }
  made.peer = describe_tcp(address);
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  // A peer that vanished without a word is noticed after about two minutes, whether something is under way to
  // it or not.
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 4);
  set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 120'000);
  return made;
}

}  // namespace gw::http
