// One thread that polls all links.
#include "sql/testing/tcp_proxy.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <string_view>
#include <vector>

namespace gw::sql::testing {

struct TcpProxy::Link {
  int client = -1;
  int server = -1;
  bool answer_is_last = false;
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() {
    if (client >= 0) ::close(client);
    if (server >= 0) ::close(server);
  }
};

namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

bool pass_on(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string_view take(int from, std::array<char, 65536>& buffer) {
  const ssize_t got = ::recv(from, buffer.data(), buffer.size(), 0);
  return {buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

}  // namespace

Result<std::unique_ptr<TcpProxy>> TcpProxy::start(std::uint16_t to_port) {
  std::unique_ptr<TcpProxy> proxy(new TcpProxy());
  proxy->to_port_ = to_port;
  proxy->listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(proxy->listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(proxy->listener_, 16) != 0 ||
      ::getsockname(proxy->listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return fail(fmt::format("cannot listen: {}", std::strerror(errno)));
  proxy->port_ = ntohs(address.sin_port);
  proxy->thread_ = std::thread([raw = proxy.get()] { raw->serve(); });
  return proxy;
}

TcpProxy::~TcpProxy() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  if (listener_ >= 0) ::close(listener_);
}

/// False: the link is over.
bool TcpProxy::client_sent(Link& link) {
  std::array<char, 65536> buffer;
  const std::string_view bytes = take(link.client, buffer);
  if (bytes.empty()) return false;
  const Fault fault = fault_;
  if (fault == Fault::kSwallow) return true;
  const bool met = fault != Fault::kNone && bytes.find(trigger_) != std::string_view::npos;
  if (!met) return pass_on(link.server, bytes);
  ++triggered_;
  if (fault == Fault::kCutBefore) return false;
  link.answer_is_last = true;
  return pass_on(link.server, bytes);
}

bool TcpProxy::server_sent(Link& link) {
  std::array<char, 65536> buffer;
  const std::string_view bytes = take(link.server, buffer);
  if (bytes.empty() || link.answer_is_last) return false;
  return fault_ == Fault::kSwallow || pass_on(link.client, bytes);
}

void TcpProxy::serve() {
  std::list<Link> links;
  while (!stop_) {
    std::vector<pollfd> sockets = {{listener_, POLLIN, 0}};
    for (const Link& link : links) {
      sockets.push_back({link.client, POLLIN, 0});
      sockets.push_back({link.server, POLLIN, 0});
    }
    if (::poll(sockets.data(), sockets.size(), 20) <= 0) continue;
    std::size_t index = 1;
    for (auto link = links.begin(); link != links.end(); index += 2) {
      bool open = true;
      if (sockets[index].revents != 0) open = client_sent(*link);
      if (open && sockets[index + 1].revents != 0) open = server_sent(*link);
      link = open ? std::next(link) : links.erase(link);
    }
    if (sockets[0].revents == 0) continue;
    Link& link = links.emplace_back();
    link.client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    link.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(to_port_);
    if (link.client < 0 ||
        ::connect(link.server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      links.pop_back();
  }
}

}  // namespace gw::sql::testing
