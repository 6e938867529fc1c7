// ClientSocket: a connection to a server that blocks until a deadline or an interruption, with or without
// TLS.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/listener.h"
#include "http/tls.h"
#include "http/url.h"

namespace gw::http {

/// Why a connection is of no use any more. `message` says what happened, not to whom.
struct SocketFailure {
  enum class Kind : std::uint8_t { kUnreachable, kClosed, kTimeout, kInterrupted, kTls, kBadAnswer };
  Kind kind = Kind::kClosed;
  std::string message;
};
template <class T>
using SocketResult = std::expected<T, SocketFailure>;

using Deadline = std::chrono::steady_clock::time_point;

/// A flag that a signal handler may raise and that ends the waits of a socket.
class Interruption {
 public:
  Interruption();
  /// Stays until a wait has ended because of it.
  void raise() const;
  [[nodiscard]] int descriptor() const { return event_.get(); }
  void lower() const;

 private:
  Descriptor event_;
};

class ClientSocket {
 public:
  /// `tls` is null for a plain connection; `interruption` must outlive the socket.
  static SocketResult<std::unique_ptr<ClientSocket>> connect(const ServerUrl& url, const TlsContext* tls,
                                                             const Interruption& interruption,
                                                             Deadline deadline);
  ClientSocket(const ClientSocket&) = delete;
  ClientSocket& operator=(const ClientSocket&) = delete;

  /// Sends all of `bytes`, or stops early because the server already answers: then `received` is not empty.
  /// `sent` counts what the system has taken.
  SocketResult<void> send(std::string_view bytes, std::string& received, Deadline deadline);
  [[nodiscard]] std::size_t sent() const { return sent_; }
  void forget_sent() { sent_ = 0; }
  /// Appends at least a byte to `received`; false at the end of what the server sends.
  SocketResult<bool> receive(std::string& received, Deadline deadline);
  /// Whether the server has closed it, or said something that nobody asked for.
  [[nodiscard]] bool is_stale();

 private:
  ClientSocket(Descriptor descriptor, const Interruption& interruption)
      : descriptor_(std::move(descriptor)), interruption_(interruption) {}
  static SocketResult<Descriptor> connect_to(int family, const void* address, std::size_t size,
                                             const Interruption& interruption, Deadline deadline);
  SocketResult<void> shake_hands(const ServerUrl& url, const TlsContext& tls, Deadline deadline);
  SocketResult<bool> take_bytes(std::string& received);
  SocketResult<void> flush(TlsSession& tls, Deadline deadline);

  Descriptor descriptor_;
  const Interruption& interruption_;
  std::optional<TlsSession> tls_;
  std::size_t sent_ = 0;
};

}  // namespace gw::http
