// TLS: what client and server accept of each other, over a real socket.
#include "http/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "http/client.h"
#include "http/sse.h"
#include "http/test_certificate.h"
#include "http/test_peer.h"

namespace gw::http {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class TlsTest : public testing::Test {
 protected:
  void SetUp() override { certificates_.make("server", "DNS:localhost,IP:127.0.0.1"); }

  [[nodiscard]] ServerOptions server_options() const {
    ServerOptions options;
    options.tls_certificate = certificates_.path("server.pem");
    options.tls_key = certificates_.path("server.key");
    return options;
  }
  [[nodiscard]] ClientOptions client_options(std::uint16_t port,
                                             const std::string& host = "localhost") const {
    ClientOptions options;
    options.url = fmt::format("https://{}:{}", host, port);
    options.ca_file = certificates_.ca();
    return options;
  }

  TestCertificates certificates_;
};

/// A handshake by OpenSSL's own client; empty if it succeeds, else the reason.
std::string shake_hands(std::uint16_t port, const std::function<void(SSL_CTX*)>& prepare,
                        std::string* protocol) {
  TestPeer peer(port);
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  prepare(context.get());
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
  SSL_set_fd(ssl.get(), peer.descriptor());
  ERR_clear_error();
  if (SSL_connect(ssl.get()) != 1) {
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    return reason != nullptr ? reason : "closed";
  }
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl.get(), &chosen, &size);
  if (protocol != nullptr) *protocol = std::string(reinterpret_cast<const char*>(chosen), size);
  return "";
}

TEST_F(TlsTest, CarriesRequestsAndStreams) {
  TestServer server(
      [](Request request, const std::shared_ptr<Responder>& responder) {
        EXPECT_TRUE(request.secure);
        if (request.path == "/events") {
          const auto stream = responder->stream({200, "text/event-stream", {}, {}});
          for (int number = 0; number < 100; ++number)
            stream->write(std::make_shared<const std::string>(format_event(std::to_string(number))));
          return;
        }
        responder->send({200, "text/plain", {}, std::move(request.body)});
      },
      server_options());
  const auto client = Client::make(client_options(server.port()));
  ASSERT_TRUE(client.has_value()) << client.error().message;
  const std::string body(900'000, 'x');
  for (int turn = 0; turn < 3; ++turn) {
    const Result<Answer> answer = (*client)->send("POST", "/", body);
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    EXPECT_TRUE(answer->body == body);
  }
  int next = 0;
  const Result<Answer> events = (*client)->events("/events", [&](const ServerEvent& event) {
    EXPECT_EQ(event.data, std::to_string(next++));
    return true;
  });
  ASSERT_TRUE(events.has_value()) << events.error().message;
  EXPECT_EQ(next, 100);
  EXPECT_EQ(server->counters().connections_total, 1U);
}

TEST_F(TlsTest, TheClientVerifiesNameAndChain) {
  TestServer server(echo, server_options());
  EXPECT_TRUE((*Client::make(client_options(server.port(), "127.0.0.1")))->send("GET", "/").has_value());
  // A name of the same machine that is not in the certificate.
  certificates_.make("other", "DNS:other.example");
  ServerOptions other = server_options();
  other.tls_certificate = certificates_.path("other.pem");
  other.tls_key = certificates_.path("other.key");
  TestServer wrong(echo, other);
  const Result<Answer> misnamed = (*Client::make(client_options(wrong.port())))->send("GET", "/");
  ASSERT_FALSE(misnamed.has_value());
  EXPECT_THAT(misnamed.error().message, HasSubstr("hostname mismatch"));
  const Result<Answer> misplaced =
      (*Client::make(client_options(wrong.port(), "127.0.0.1")))->send("GET", "/");
  ASSERT_FALSE(misplaced.has_value());
  EXPECT_THAT(misplaced.error().message, HasSubstr("IP address mismatch"));
  // An authority that the system does not know.
  ClientOptions untrusting = client_options(server.port());
  untrusting.ca_file.clear();
  const Result<Answer> untrusted = (*Client::make(untrusting))->send("GET", "/");
  ASSERT_FALSE(untrusted.has_value());
  EXPECT_THAT(untrusted.error().message,
              StartsWith(fmt::format("cannot trust https://localhost:{}: ", server.port())));
  EXPECT_THAT(untrusted.error().message, HasSubstr("name the file of its certificate authority"));
  untrusting.ca_file = "/nowhere/ca.pem";
  const auto broken = Client::make(untrusting);
  ASSERT_FALSE(broken.has_value());
  EXPECT_THAT(broken.error().message, HasSubstr("/nowhere/ca.pem: cannot read the trusted certificates"));
}

TEST_F(TlsTest, PlainAndTlsTellEachOther) {
  TestServer secure(echo, server_options());
  EXPECT_THAT(secure.ask(get_request("/")), HasSubstr("this port speaks TLS: use https"));
  EXPECT_THAT(secure.ask("\x01\x02\x03 garbage that is neither, and long enough"),
              testing::Not(HasSubstr("200")));
  TestServer plain(echo);
  const Result<Answer> answer = (*Client::make(client_options(plain.port())))->send("GET", "/");
  ASSERT_FALSE(answer.has_value());
  EXPECT_THAT(answer.error().message, HasSubstr("check that it speaks TLS"));
  EXPECT_TRUE(eventually([&] { return secure->counters().connections_open == 0; }));
}

TEST_F(TlsTest, SpeaksOnlyWhatIsSound) {
  TestServer server(echo, server_options());
  const std::uint16_t port = server.port();
  std::string protocol;
  const auto offer = [](std::string_view protocols) {
    return [protocols](SSL_CTX* context) {
      SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(protocols.data()),
                              static_cast<unsigned>(protocols.size()));
    };
  };
  EXPECT_EQ(shake_hands(port, offer("\x02h2\x08http/1.1"), &protocol), "");
  EXPECT_EQ(protocol, "http/1.1");
  EXPECT_THAT(shake_hands(port, offer("\x02h2"), nullptr), HasSubstr("no application protocol"));
  EXPECT_EQ(shake_hands(port, [](SSL_CTX* /*context*/) {}, &protocol), "");
  EXPECT_EQ(protocol, "");
  const auto version = [](int most) {
    return [most](SSL_CTX* context) {
      SSL_CTX_set_security_level(context, 0);
      SSL_CTX_set_max_proto_version(context, most);
    };
  };
  EXPECT_EQ(shake_hands(port, version(TLS1_3_VERSION), nullptr), "");
  EXPECT_EQ(shake_hands(port, version(TLS1_2_VERSION), nullptr), "");
  EXPECT_NE(shake_hands(port, version(TLS1_1_VERSION), nullptr), "");
  EXPECT_NE(shake_hands(port, version(TLS1_VERSION), nullptr), "");
  const auto cipher = [](const char* name) {
    return [name](SSL_CTX* context) {
      SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
      SSL_CTX_set_cipher_list(context, name);
    };
  };
  EXPECT_EQ(shake_hands(port, cipher("ECDHE-ECDSA-AES128-GCM-SHA256"), nullptr), "");
  EXPECT_NE(shake_hands(port, cipher("ECDHE-ECDSA-AES128-SHA"), nullptr), "");
}

TEST_F(TlsTest, AHandshakeHasItsTime) {
  ServerOptions options = server_options();
  options.header_seconds = 1;
  TestServer server(echo, options);
  TestPeer silent(server.port());
  TestPeer slow(server.port());
  slow.say(std::string_view("\x16\x03\x01\x02\x00", 5));
  EXPECT_TRUE(silent.hears_the_end());
  EXPECT_TRUE(slow.hears_the_end());
}

TEST_F(TlsTest, CutsSlowReaders) {
  ServerOptions options = server_options();
  options.stream_buffer_bytes = 200'000;
  options.write_seconds = 1;
  std::atomic<int> closed{0};
  TestServer server(
      [&](const Request& request, const std::shared_ptr<Responder>& responder) {
        if (request.path == "/large")
          return responder->send({200, "", {}, std::string(std::size_t{30} << 20, 'x')});
        const auto stream = responder->stream({200, "text/plain", {}, {}});
        stream->on_close([&] { ++closed; });
        const auto piece = std::make_shared<const std::string>(std::string(50'000, 'x'));
        std::thread([stream, piece] {
          for (int number = 0; number < 2000 && stream->write(piece); ++number)
            std::this_thread::sleep_for(Milliseconds(1));
        }).detach();
      },
      options);
  const auto client = Client::make(client_options(server.port()));
  const Result<Answer> cut = (*client)->stream("/stream", [](std::string_view /*bytes*/) {
    std::this_thread::sleep_for(Milliseconds(300));
    return true;
  });
  EXPECT_FALSE(cut.has_value());
  EXPECT_TRUE(eventually([&] { return closed == 1; }));
  const Result<Answer> large = (*client)->send("GET", "/large");
  ASSERT_TRUE(large.has_value()) << large.error().message;
  EXPECT_EQ(large->body.size(), std::size_t{30} << 20);
}

TEST_F(TlsTest, ReadsANewCertificateWithoutEnding) {
  TestServer server(echo, server_options());
  const auto kept = Client::make(client_options(server.port()));
  EXPECT_TRUE((*kept)->send("GET", "/").has_value());
  certificates_.make("server", "DNS:renewed.example");
  EXPECT_TRUE((*Client::make(client_options(server.port())))->send("GET", "/").has_value());
  ASSERT_TRUE(server->reload_tls().has_value());
  const Result<Answer> renewed = (*Client::make(client_options(server.port())))->send("GET", "/");
  ASSERT_FALSE(renewed.has_value());
  EXPECT_THAT(renewed.error().message, HasSubstr("hostname mismatch"));
  EXPECT_TRUE((*kept)->send("GET", "/").has_value());
  // What cannot be read changes nothing.
  std::ofstream(certificates_.path("server.pem")) << "no certificate";
  const Result<void> broken = server->reload_tls();
  ASSERT_FALSE(broken.has_value());
  EXPECT_THAT(broken.error().message, HasSubstr("server.pem: cannot read the TLS certificate"));
  EXPECT_TRUE((*kept)->send("GET", "/").has_value());
  EXPECT_FALSE(TestServer(echo)->reload_tls().has_value());
}

TEST_F(TlsTest, SaysWhatIsWrongWithItsFiles) {
  const auto error_of = [this](const std::string& certificate, const std::string& key) {
    ServerOptions options = server_options();
    options.port = 0;
    options.tls_certificate = certificates_.path(certificate);
    options.tls_key = certificates_.path(key);
    const auto started = Server::start(options, echo);
    return started ? "" : started.error().message;
  };
  EXPECT_EQ(error_of("server.pem", "server.key"), "");
  EXPECT_THAT(error_of("none.pem", "server.key"), HasSubstr("none.pem: cannot read the TLS certificate"));
  EXPECT_THAT(error_of("server.pem", "none.key"), HasSubstr("none.key: cannot read the TLS key"));
  certificates_.make("other", "DNS:localhost");
  EXPECT_THAT(error_of("server.pem", "other.key"), HasSubstr("other.key: "));
  std::ofstream(certificates_.path("bad.key")) << "no key";
  ::chmod(certificates_.path("bad.key").c_str(), 0600);
  EXPECT_THAT(error_of("server.pem", "bad.key"), HasSubstr("without a passphrase"));
  for (const mode_t mode : {0644U, 0604U, 0660U, 0777U}) {
    ::chmod(certificates_.path("server.key").c_str(), mode);
    EXPECT_THAT(error_of("server.pem", "server.key"),
                HasSubstr(fmt::format("(mode {:04o}); chmod 600 it", mode)));
  }
  ::chmod(certificates_.path("server.key").c_str(), 0640);
  EXPECT_EQ(error_of("server.pem", "server.key"), "");
}

}  // namespace
}  // namespace gw::http
