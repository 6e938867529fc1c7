// TcpProxy: stands between a client and a server of a test and lets the network fail between them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "base/result.h"

namespace gw::sql::testing {

enum class Fault : std::uint8_t {
  kNone,
  kSwallow,      ///< From now on no byte passes either way; connections stay open.
  kCutBefore,    ///< What the client sends with `trigger` in it is dropped and the connection closed.
  kCutAtAnswer,  ///< The answer is dropped once the server has given it.
};

/// Listens on a free port of 127.0.0.1 and passes bytes to and from another one.
class TcpProxy {
 public:
  static Result<std::unique_ptr<TcpProxy>> start(std::uint16_t to_port);
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;
  ~TcpProxy();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// For bytes from now on. The trigger must be set before the fault that needs it.
  void set(Fault fault) { fault_ = fault; }
  void set_trigger(std::string trigger) { trigger_ = std::move(trigger); }
  /// How often the trigger was met.
  [[nodiscard]] int triggered() const { return triggered_; }

 private:
  TcpProxy() = default;
  void serve();
  struct Link;
  bool client_sent(Link& link);
  bool server_sent(Link& link);

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::uint16_t to_port_ = 0;
  std::atomic<Fault> fault_ = Fault::kNone;
  std::atomic<int> triggered_ = 0;
  std::string trigger_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace gw::sql::testing
