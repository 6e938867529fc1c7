// OpenSSL behind TlsContext and TlsSession.
#include "http/tls.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/check.h"

namespace gw::http {

/// What OpenSSL reads from and writes to in place of a socket: the session's own strings. A socket's write
/// would raise SIGPIPE, and a memory BIO keeps the largest buffer that it ever needed.
struct TlsStream {
  static int read(BIO* bio, char* out, int size) {
    auto* session = static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (session->incoming_.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t take = std::min(static_cast<std::size_t>(size), session->incoming_.size());
    std::memcpy(out, session->incoming_.data(), take);
    session->incoming_.remove_prefix(take);
    return static_cast<int>(take);
  }
  static int write(BIO* bio, const char* bytes, int size) {
    auto* session = static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    session->outgoing_.append(bytes, static_cast<std::size_t>(size));
    return size;
  }
  static long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
  static BIO* make(TlsSession* session) {
    static const BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gigawerk session");
      GW_CHECK(made != nullptr);
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    BIO* bio = BIO_new(method);
    GW_CHECK(bio != nullptr);
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    return bio;
  }
};

namespace {

/// Empties OpenSSL's queue of errors and gives the first, which is the cause.
std::string openssl_error(std::string_view otherwise) {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return std::string(otherwise);
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("{} (OpenSSL error {:x})", otherwise, code);
}

std::string system_reason(int error) { return std::generic_category().message(error); }

/// A key that others may read is no secret any more.
Result<void> check_key_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0)
    return fail(fmt::format("{}: cannot read the TLS key: {}", path, system_reason(errno)));
  if (!S_ISREG(status.st_mode)) return fail(fmt::format("{}: the TLS key is not a file", path));
  constexpr mode_t kOthersOrGroupWrite = S_IRWXO | S_IWGRP | S_IXGRP;
  if ((status.st_mode & kOthersOrGroupWrite) != 0) {
    return fail(
        fmt::format("{}: others may use the TLS key (mode {:04o}); chmod 600 it, or 640 with a group of "
                    "its own",
                    path, status.st_mode & 07777U));
  }
  return {};
}

int refuse_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }

int choose_protocol(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                    unsigned in_size, void* /*data*/) {
  constexpr std::string_view kHttp = "http/1.1";
  std::string_view offered(reinterpret_cast<const char*>(in), in_size);
  while (!offered.empty()) {
    const auto size = static_cast<unsigned char>(offered.front());
    if (offered.substr(1, size) == kHttp) {
      *out = reinterpret_cast<const unsigned char*>(offered.data()) + 1;
      *out_size = size;
      return SSL_TLSEXT_ERR_OK;
    }
    offered.remove_prefix(std::min<std::size_t>(offered.size(), std::size_t{size} + 1));
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL_CTX* new_context(const SSL_METHOD* method) {
  SSL_CTX* context = SSL_CTX_new(method);
  GW_CHECK(context != nullptr);
  GW_CHECK(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
  // TLS 1.2 with forward secrecy and authenticated encryption only; those of 1.3 all have both.
  GW_CHECK(SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL") == 1);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
  // Idle sessions hold no buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
  return context;
}

bool is_address(const std::string& host) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str());
  const bool valid = address != nullptr;
  ASN1_OCTET_STRING_free(address);
  return valid;
}

}  // namespace

TlsContext::TlsContext(ssl_ctx_st* context) : context_(context, SSL_CTX_free) {}

Result<TlsContext> TlsContext::for_server(const std::string& certificate_file, const std::string& key_file) {
  if (Result<void> checked = check_key_file(key_file); !checked) return std::unexpected(checked.error());
  ERR_clear_error();
  TlsContext made(new_context(TLS_server_method()));
  SSL_CTX* context = made.context_.get();
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    return fail(fmt::format("{}: cannot read the TLS certificate: {}; it must be PEM, the server's own first",
                            certificate_file, openssl_error("no certificate")));
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail(
        fmt::format("{}: cannot use the TLS key: {}; it must be PEM, without a passphrase, and belong to {}",
                    key_file, openssl_error("no key"), certificate_file));
  }
  if (SSL_CTX_check_private_key(context) != 1)
    return fail(fmt::format("{}: this TLS key does not belong to {}", key_file, certificate_file));
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  SSL_CTX_set_session_cache_mode(context,
                                 SSL_SESS_CACHE_OFF);  // Tickets resume sessions without memory here.
  return made;
}

Result<TlsContext> TlsContext::for_client(const std::string& ca_file) {
  ERR_clear_error();
  TlsContext made(new_context(TLS_client_method()));
  SSL_CTX* context = made.context_.get();
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (ca_file.empty()) {
    GW_CHECK(SSL_CTX_set_default_verify_paths(context) == 1);
  } else if (SSL_CTX_load_verify_file(context, ca_file.c_str()) != 1) {
    return fail(fmt::format("{}: cannot read the trusted certificates: {}; they must be PEM", ca_file,
                            openssl_error("no certificate")));
  }
  constexpr std::string_view kProtocols = "\x08http/1.1";
  GW_CHECK(SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(kProtocols.data()),
                                   kProtocols.size()) == 0);
  return made;
}

void TlsSession::Deleter::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsSession::TlsSession(const TlsContext& context) : ssl_(SSL_new(context.context_.get())) {
  GW_CHECK(ssl_ != nullptr);
  BIO* bio = TlsStream::make(this);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
}

TlsSession::TlsSession(const TlsContext& context, const std::string& host) : TlsSession(context) {
  SSL_set_connect_state(ssl_.get());
  if (is_address(host)) {
    GW_CHECK(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) == 1);
  } else {
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    GW_CHECK(SSL_set1_host(ssl_.get(), host.c_str()) == 1);
    // SSL_set_tlsext_host_name without its cast.
    std::string name = host;
    GW_CHECK(SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1);
  }
}

/// Whether a call of OpenSSL is to be repeated with the bytes there are; else notes what came of it.
bool TlsSession::go_on(int result) {
  if (result > 0) return true;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      break;
    case SSL_ERROR_ZERO_RETURN:
      state_ = State::kClosed;
      break;
    default: {
      state_ = State::kFailed;
      const long verified = SSL_get_verify_result(ssl_.get());
      plain_http_ = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
      problem_ = openssl_error("the TLS connection broke");
      if (verified != X509_V_OK) problem_ = X509_verify_cert_error_string(verified);
    }
  }
  return false;
}

TlsSession::State TlsSession::receive(std::string_view encrypted, std::string& plain) {
  if (state_ == State::kFailed || state_ == State::kClosed) return state_;
  incoming_ = encrypted;
  ERR_clear_error();
  if (state_ == State::kHandshake) {
    if (!go_on(SSL_do_handshake(ssl_.get()))) {
      incoming_ = {};
      return state_;
    }
    state_ = State::kOpen;
  }
  std::array<char, std::size_t{16} << 10> piece;
  while (true) {
    const int got = SSL_read(ssl_.get(), piece.data(), static_cast<int>(piece.size()));
    if (!go_on(got)) break;
    plain.append(piece.data(), static_cast<std::size_t>(got));
  }
  incoming_ = {};
  return state_;
}

void TlsSession::seal(std::string_view plain) {
  GW_CHECK(state_ == State::kOpen || state_ == State::kClosed);
  ERR_clear_error();
  while (!plain.empty()) {
    const int size = static_cast<int>(std::min<std::size_t>(plain.size(), std::size_t{1} << 20));
    const int written = SSL_write(ssl_.get(), plain.data(), size);
    if (!go_on(written)) {
      GW_CHECK(state_ == State::kFailed);  // There is always room in a string.
      return;
    }
    plain.remove_prefix(static_cast<std::size_t>(written));
  }
}

void TlsSession::say_goodbye() {
  if (state_ != State::kOpen && state_ != State::kClosed) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

}  // namespace gw::http
