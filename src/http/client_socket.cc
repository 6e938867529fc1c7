// Waiting and moving bytes, as poll and OpenSSL want it.
#include "http/client_socket.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/check.h"

namespace gw::http {
namespace {

using Kind = SocketFailure::Kind;

std::string reason(int error) { return std::generic_category().message(error); }

std::unexpected<SocketFailure> failure(Kind kind, std::string message) {
  return std::unexpected(SocketFailure{kind, std::move(message)});
}

/// Waits for `events` of the socket; gives those that came.
SocketResult<short> wait_for(int socket, short events, const Interruption& interruption, Deadline deadline) {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    std::array<pollfd, 2> polled = {pollfd{interruption.descriptor(), POLLIN, 0}, pollfd{socket, events, 0}};
    constexpr std::int64_t kMostMilliseconds = 1'000'000'000;
    const int timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, kMostMilliseconds));
    const int ready = ::poll(polled.data(), polled.size(), timeout);
    if (ready < 0 && errno != EINTR) return failure(Kind::kClosed, reason(errno));
    if (ready > 0 && polled[0].revents != 0) {
      interruption.lower();
      return failure(Kind::kInterrupted, "interrupted");
    }
    if (ready > 0) return polled[1].revents;
    if (ready == 0 && timeout < kMostMilliseconds) return failure(Kind::kTimeout, "no answer in time");
  }
}

}  // namespace

Interruption::Interruption() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { GW_CHECK(event_.valid()); }

void Interruption::raise() const {
  const int before = errno;
  const std::uint64_t one = 1;
  if (::write(event_.get(), &one, sizeof one) < 0) {
    // It is raised already.
  }
  errno = before;
}

void Interruption::lower() const {
  std::uint64_t count = 0;
  if (::read(event_.get(), &count, sizeof count) < 0) {
    // Somebody else has.
  }
}

SocketResult<Descriptor> ClientSocket::connect_to(int family, const void* address, std::size_t size,
                                                  const Interruption& interruption, Deadline deadline) {
  Descriptor descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int socket = descriptor.get();
  if (!descriptor.valid()) return failure(Kind::kUnreachable, reason(errno));
  if (family != AF_UNIX) {
    const int yes = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  }
  if (::connect(socket, static_cast<const sockaddr*>(address), static_cast<socklen_t>(size)) == 0)
    return descriptor;
  if (errno != EINPROGRESS) return failure(Kind::kUnreachable, reason(errno));
  if (const SocketResult<short> ready = wait_for(socket, POLLOUT, interruption, deadline); !ready)
    return std::unexpected(ready.error());
  int error = 0;
  socklen_t error_size = sizeof error;
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &error_size) != 0) error = errno;
  if (error != 0) return failure(Kind::kUnreachable, reason(error));
  return descriptor;
}

SocketResult<std::unique_ptr<ClientSocket>> ClientSocket::connect(const ServerUrl& url, const TlsContext* tls,
                                                                  const Interruption& interruption,
                                                                  Deadline deadline) {
  SocketResult<Descriptor> connected = failure(Kind::kUnreachable, "no address");
  if (!url.socket_file.empty()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (url.socket_file.size() >= sizeof address.sun_path)
      return failure(Kind::kUnreachable, "the path of the socket file is too long");
    url.socket_file.copy(address.sun_path, url.socket_file.size());
    connected = connect_to(AF_UNIX, &address, sizeof address, interruption, deadline);
  } else {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(url.port);
    // An address needs no resolver, and so does the name that every machine has: those take milliseconds.
    const char* host = url.host == "localhost" ? "127.0.0.1" : url.host.c_str();
    int failed = ::getaddrinfo(host, port.c_str(), &wanted, &found);
    if (failed == EAI_NONAME) {
      wanted.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
      failed = ::getaddrinfo(host, port.c_str(), &wanted, &found);
    }
    if (failed != 0)
      return failure(Kind::kUnreachable, fmt::format("no such host: {}", ::gai_strerror(failed)));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
    for (const addrinfo* next = found; next != nullptr && !connected; next = next->ai_next) {
      connected = connect_to(next->ai_family, next->ai_addr, next->ai_addrlen, interruption, deadline);
      if (!connected && connected.error().kind != Kind::kUnreachable) break;
    }
  }
  if (!connected) return std::unexpected(std::move(connected.error()));
  std::unique_ptr<ClientSocket> made(new ClientSocket(std::move(*connected), interruption));
  if (tls != nullptr) {
    if (SocketResult<void> done = made->shake_hands(url, *tls, deadline); !done)
      return std::unexpected(std::move(done.error()));
  }
  return made;
}

SocketResult<void> ClientSocket::shake_hands(const ServerUrl& url, const TlsContext& tls, Deadline deadline) {
  TlsSession& session = tls_.emplace(tls, url.host);
  std::string plain;
  session.receive({}, plain);
  while (session.state() == TlsSession::State::kHandshake) {
    if (SocketResult<void> flushed = flush(session, deadline); !flushed) return flushed;
    if (const auto ready = wait_for(descriptor_.get(), POLLIN, interruption_, deadline); !ready)
      return std::unexpected(ready.error());
    const SocketResult<bool> more = take_bytes(plain);
    if (!more) return std::unexpected(more.error());
    if (!*more) return failure(Kind::kTls, "it closed the connection during the TLS handshake");
  }
  return flush(session, deadline);
}

SocketResult<void> ClientSocket::flush(TlsSession& tls, Deadline deadline) {
  std::string& sealed = tls.outgoing();
  while (!sealed.empty()) {
    const ssize_t done = ::send(descriptor_.get(), sealed.data(), sealed.size(), MSG_NOSIGNAL);
    if (done >= 0) {
      sealed.erase(0, static_cast<std::size_t>(done));
    } else if (errno == EAGAIN) {
      if (const auto ready = wait_for(descriptor_.get(), POLLOUT, interruption_, deadline); !ready)
        return std::unexpected(ready.error());
    } else if (errno != EINTR) {
      return failure(Kind::kClosed, reason(errno));
    }
  }
  return {};
}

/// Reads what is there without waiting; false at the end.
SocketResult<bool> ClientSocket::take_bytes(std::string& received) {
  std::array<char, std::size_t{64} << 10> buffer;
  const ssize_t got = ::recv(descriptor_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return true;
    return failure(Kind::kClosed, reason(errno));
  }
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  if (!tls_) {
    received += bytes;
    return got > 0;
  }
  if (tls_->state() == TlsSession::State::kClosed) return false;
  if (got == 0) return failure(Kind::kClosed, "it closed the connection in the middle of TLS");
  if (tls_->receive(bytes, received) == TlsSession::State::kFailed) {
    // The alert tells the server why; it need not arrive.
    [[maybe_unused]] const SocketResult<void> told = flush(*tls_, std::chrono::steady_clock::now());
    return failure(Kind::kTls, tls_->problem());
  }
  return tls_->state() != TlsSession::State::kClosed || !received.empty();
}

SocketResult<void> ClientSocket::send(std::string_view bytes, std::string& received, Deadline deadline) {
  while (true) {
    std::string_view next = bytes;
    if (tls_) {
      if (tls_->outgoing().empty() && !bytes.empty()) {
        const std::string_view part = bytes.substr(0, std::size_t{64} << 10);
        tls_->seal(part);
        bytes.remove_prefix(part.size());
      }
      next = tls_->outgoing();
    }
    if (next.empty()) return {};
    const ssize_t done = ::send(descriptor_.get(), next.data(), next.size(), MSG_NOSIGNAL);
    if (done >= 0) {
      sent_ += static_cast<std::size_t>(done);
      if (tls_) {
        tls_->outgoing().erase(0, static_cast<std::size_t>(done));
      } else {
        bytes.remove_prefix(static_cast<std::size_t>(done));
      }
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      // It may have answered before it closed.
      const int error = errno;
      if (const SocketResult<bool> more = take_bytes(received); more && !received.empty()) return {};
      return failure(Kind::kClosed, reason(error));
    }
    const auto ready = wait_for(descriptor_.get(), POLLIN | POLLOUT, interruption_, deadline);
    if (!ready) return std::unexpected(ready.error());
    if ((*ready & POLLIN) != 0) {
      const SocketResult<bool> more = take_bytes(received);
      if (!more) return std::unexpected(more.error());
      if (!received.empty()) return {};
      if (!*more) return failure(Kind::kClosed, "it closed the connection");
    }
  }
}

SocketResult<bool> ClientSocket::receive(std::string& received, Deadline deadline) {
  const std::size_t before = received.size();
  if (tls_ && tls_->state() == TlsSession::State::kClosed) return false;
  while (true) {
    const auto ready = wait_for(descriptor_.get(), POLLIN, interruption_, deadline);
    if (!ready) return std::unexpected(ready.error());
    const SocketResult<bool> more = take_bytes(received);
    if (!more) return more;
    if (tls_ && !tls_->outgoing().empty()) {
      if (SocketResult<void> flushed = flush(*tls_, deadline); !flushed)
        return std::unexpected(flushed.error());
    }
    if (received.size() > before) return true;
    if (!*more) return false;
  }
}

bool ClientSocket::is_stale() {
  pollfd polled{descriptor_.get(), POLLIN, 0};
  while (::poll(&polled, 1, 0) > 0) {
    // Nothing is expected but, of TLS, tickets.
    std::string received;
    const SocketResult<bool> more = take_bytes(received);
    if (!more || !*more || !received.empty()) return true;
  }
  return false;
}

}  // namespace gw::http
