// TLS 1.2 and 1.3 by OpenSSL, without sockets: encrypted bytes in and out of a TlsSession.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace gw::http {

/// Certificates and settings that sessions share.
class TlsContext {
 public:
  /// The certificate file holds the whole chain, the server's own first; the key file must be closed to
  /// others.
  static Result<TlsContext> for_server(const std::string& certificate_file, const std::string& key_file);
  /// Trusts the certificates of `ca_file`, or where that is empty, the system's.
  static Result<TlsContext> for_client(const std::string& ca_file);

 private:
  friend class TlsSession;
  explicit TlsContext(ssl_ctx_st* context);
  std::shared_ptr<ssl_ctx_st> context_;
};

class TlsSession {
 public:
  enum class State : std::uint8_t {
    kHandshake,
    kOpen,
    kClosed,  ///< The peer has said that it sends no more.
    kFailed,  ///< See `problem`. What is in `outgoing` (an alert) should still be sent.
  };

  explicit TlsSession(const TlsContext& context);
  /// A client's: the server must prove that it is `host`, a name or an address.
  TlsSession(const TlsContext& context, const std::string& host);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  /// Takes bytes of the peer (none, to begin as a client) and appends to `plain` what they meant.
  State receive(std::string_view encrypted, std::string& plain);
  /// Appends `plain` encrypted to `outgoing`; in state kOpen.
  void seal(std::string_view plain);
  /// Says to the peer that no more comes.
  void say_goodbye();

  /// Bytes for the peer; whoever sends them erases them.
  [[nodiscard]] std::string& outgoing() { return outgoing_; }
  [[nodiscard]] State state() const { return state_; }
  /// Why it failed, in OpenSSL's words; for certificates, in the words of the check.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// The peer began in plain HTTP.
  [[nodiscard]] bool was_plain_http() const { return plain_http_; }

 private:
  struct Deleter {
    void operator()(ssl_st* ssl) const;
  };
  friend struct TlsStream;
  bool go_on(int result);

  std::unique_ptr<ssl_st, Deleter> ssl_;
  std::string_view incoming_;
  std::string outgoing_;
  State state_ = State::kHandshake;
  std::string problem_;
  bool plain_http_ = false;
};

}  // namespace gw::http
