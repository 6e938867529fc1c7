// Listening sockets: opened with errors that say what to change, and what is known of those who connect.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace gw::http {

/// An open descriptor, closed at the end.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }

  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] bool valid() const { return number_ >= 0; }
  [[nodiscard]] int release();
  void reset();

 private:
  int number_ = -1;
};

struct ListenSocket {
  Descriptor descriptor;   ///< Does not block.
  std::uint16_t port = 0;  ///< 0 for a socket file.
  std::string socket_file;
};

/// `address` and `port` as in ServerOptions.
Result<ListenSocket> open_listen_socket(const std::string& address, std::uint16_t port);

/// Removes the socket file of `listening`, if it is still its own.
void remove_socket_file(const ListenSocket& listening);

/// Who is at the other end of a connection.
struct Peer {
  std::string text;  ///< As Request::remote.
  std::string
      host;  ///< What connections are counted by: an IPv4 address or an IPv6 /64; empty for socket files.
};

struct Accepted {
  Descriptor descriptor;  ///< Does not block.
  int family = 0;
  Peer peer;
};

/// The next connection that waits. If there is none, or on a failure, the descriptor is not valid and errno
/// tells which.
Accepted accept_connection(int listening);

}  // namespace gw::http
