// Keys from a file and from a server, through rotations, failures and impatience.
#include "api/key_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "api/oidc.h"
#include "api/test_keys.h"
#include "http/server.h"

namespace gw::api {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

/// A server on this machine that publishes what it is told to.
class Issuer {
 public:
  Issuer() {
    http::ServerOptions options;
    options.port = 0;
    server_ =
        http::Server::start(options, [this](http::Request request, std::shared_ptr<http::Responder> to) {
          const std::lock_guard lock(mutex_);
          ++asked_;
          last_target_ = request.target;
          if (silent_) return kept_.push_back(std::move(to));
          http::Response response;
          response.status = status_;
          response.body = body_;
          to->send(std::move(response));
        }).value();
  }

  [[nodiscard]] std::string url(const std::string& target = "/keys") const {
    return fmt::format("http://127.0.0.1:{}{}", server_->port(), target);
  }
  void publish(std::string body, unsigned status = 200) {
    const std::lock_guard lock(mutex_);
    body_ = std::move(body);
    status_ = status;
  }
  void fall_silent() {
    const std::lock_guard lock(mutex_);
    silent_ = true;
  }
  [[nodiscard]] int asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  [[nodiscard]] std::string last_target() const {
    const std::lock_guard lock(mutex_);
    return last_target_;
  }

 private:
  mutable std::mutex mutex_;
  std::string body_, last_target_;
  unsigned status_ = 200;
  int asked_ = 0;
  bool silent_ = false;
  std::vector<std::shared_ptr<http::Responder>> kept_;
  std::unique_ptr<http::Server> server_;
};

class Notes {
 public:
  std::function<void(std::string_view)> taker() {
    return [this](std::string_view note) {
      const std::lock_guard lock(mutex_);
      text_ += std::string(note) + '\n';
    };
  }
  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

const SigningKey& first_key() {
  static const SigningKey key = SigningKey::p256("first");
  return key;
}
const SigningKey& second_key() {
  static const SigningKey key = SigningKey::p256("second");
  return key;
}

bool knows(const KeySource& source, const std::string& id) {
  const std::shared_ptr<const KeySet> keys = source.keys();
  return keys != nullptr && keys->has(id);
}

TEST(KeySource, FollowsARotation) {
  Issuer issuer;
  issuer.publish(jwk_set({first_key().jwk()}));
  KeySourceOptions options;
  options.url = issuer.url("/certs?policy=b2c&x=1");
  options.between = std::chrono::seconds(1);
  const std::unique_ptr<KeySource> source = KeySource::start(options).value();
  ASSERT_TRUE(eventually([&] { return knows(*source, "first"); }));
  EXPECT_EQ(issuer.last_target(), "/certs?policy=b2c&x=1");
  issuer.publish(jwk_set({second_key().jwk()}));
  source->want_newer();
  ASSERT_TRUE(eventually([&] { return knows(*source, "second"); }));
  EXPECT_FALSE(knows(*source, "first"));
  EXPECT_EQ(issuer.asked(), 2);
}

TEST(KeySource, AsksNoMoreOftenThanItMay) {
  Issuer issuer;
  issuer.publish(jwk_set({first_key().jwk()}));
  KeySourceOptions options;
  options.url = issuer.url();
  options.between = std::chrono::seconds(30);
  const std::unique_ptr<KeySource> source = KeySource::start(options).value();
  ASSERT_TRUE(eventually([&] { return knows(*source, "first"); }));
  for (int turn = 0; turn < 1000; ++turn) EXPECT_FALSE(source->want_newer());
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(issuer.asked(), 1);
}

TEST(KeySource, ReadsAnewByItself) {
  Issuer issuer;
  issuer.publish(jwk_set({first_key().jwk()}));
  KeySourceOptions options;
  options.url = issuer.url();
  options.oldest = std::chrono::seconds(1);
  const std::unique_ptr<KeySource> source = KeySource::start(options).value();
  ASSERT_TRUE(eventually([&] { return knows(*source, "first"); }));
  issuer.publish(jwk_set({second_key().jwk()}));
  EXPECT_TRUE(eventually([&] { return knows(*source, "second") && !knows(*source, "first"); }));
}

TEST(KeySource, KeepsItsKeysWhileReadingFails) {
  Issuer issuer;
  Notes notes;
  issuer.publish("not yet", 503);
  KeySourceOptions options;
  options.url = issuer.url();
  options.between = std::chrono::seconds(1);
  options.log = notes.taker();
  const std::unique_ptr<KeySource> source = KeySource::start(options).value();
  ASSERT_TRUE(eventually([&] { return notes.text().find("answered 503") != std::string::npos; }));
  EXPECT_EQ(source->keys(), nullptr);
  issuer.publish(jwk_set({first_key().jwk()}));  // It tries again by itself.
  ASSERT_TRUE(eventually([&] { return knows(*source, "first"); }));
  EXPECT_TRUE(eventually([&] { return notes.text().find("can be read again") != std::string::npos; }));
  for (const std::string& bad :
       {std::string("<html>login</html>"), std::string("{\"keys\":[]}"), std::string((1 << 20) + 100, ' ')}) {
    const int asked = issuer.asked();
    issuer.publish(bad);
    source->want_newer();
    ASSERT_TRUE(eventually([&] { return issuer.asked() > asked; }));
    EXPECT_TRUE(
        eventually([&] { return notes.text().find("those read before stay in use") != std::string::npos; }));
    EXPECT_TRUE(knows(*source, "first"));
  }
}

/// A server that is silent holds nobody up: not those who ask for keys, and not the end.
TEST(KeySource, EndsWhileItWaits) {
  Issuer issuer;
  issuer.fall_silent();
  KeySourceOptions options;
  options.url = issuer.url();
  std::unique_ptr<KeySource> source = KeySource::start(options).value();
  ASSERT_TRUE(eventually([&] { return issuer.asked() == 1; }));
  EXPECT_TRUE(source->want_newer());  // A reading is under way.
  const auto began = std::chrono::steady_clock::now();
  source.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

TEST(KeySource, Files) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("gw-keys-{}", ::getpid());
  std::filesystem::create_directory(folder);
  const std::filesystem::path path = folder / "keys.json";
  const auto write = [&](const std::string& text) { std::ofstream(path) << text; };
  KeySourceOptions options;
  options.file = path;
  options.between = std::chrono::seconds(1);
  EXPECT_THAT(KeySource::start(options).error().message, HasSubstr("cannot be read"));
  write("{}");
  EXPECT_THAT(KeySource::start(options).error().message, HasSubstr("keys.json: this is no JWK Set"));
  write(jwk_set({first_key().jwk()}));
  {
    const std::unique_ptr<KeySource> source = KeySource::start(options).value();
    EXPECT_TRUE(knows(*source, "first"));
    write(jwk_set({second_key().jwk()}));
    source->want_newer();
    EXPECT_TRUE(eventually([&] { return knows(*source, "second"); }));
  }
  std::filesystem::remove_all(folder);
}

TEST(KeySource, Urls) {
  for (const char* good : {"https://login.test/keys", "https://login.test:8443/a?b=c",
                           "http://127.0.0.1:8080/keys", "http://localhost/keys", "http://[::1]:1/keys"})
    EXPECT_TRUE(KeySource::check_url(good)) << good;
  for (const char* bad : {"", "keys.json", "https://login.test", "ftp://login.test/keys", "unix:/run/keys",
                          "https:///keys", "https://login.test/a b", "https://login.test/\r\nX: y",
                          "http://login.test/keys", "http://10.0.0.1/keys", "http://localhost.evil.test/keys",
                          "http://1270.0.0.1/keys", "http://user@login.test/keys"})
    EXPECT_FALSE(KeySource::check_url(bad)) << bad;
  EXPECT_THAT(KeySource::check_url("http://login.test/keys").error().message, HasSubstr("use https"));
}

/// The whole way: a token of a key that was published a moment ago.
TEST(Oidc, BelievesNewKeysSoon) {
  Issuer issuer;
  issuer.publish(jwk_set({first_key().jwk()}));
  OidcOptions options;
  options.issuer = "https://login.test";
  options.audience = "gigawerk";
  options.keys.url = issuer.url();
  options.keys.between = std::chrono::seconds(1);
  const std::unique_ptr<Oidc> oidc = Oidc::start(std::move(options)).value();
  live::Book book;
  live::TenantRecord root;
  root.id = TenantTree::root();
  book.add_tenant(root);
  live::TenantRecord acme;
  acme.id = TenantId{1};
  acme.parent = TenantTree::root();
  acme.name = "acme";
  book.add_tenant(acme);
  const auto token = [](const SigningKey& key, const char* tenant) {
    return key.token(JwsAlgorithm::kEs256, {{"iss", "https://login.test"},
                                            {"aud", "gigawerk"},
                                            {"sub", "7"},
                                            {"exp", 4'000'000'000},
                                            {"gigawerk_tenant", tenant}});
  };
  const auto status = [&](const std::string& text) {
    const auto actor = oidc->identify(text, book);
    return !actor ? 0 : *actor ? 200U : actor->error().status;
  };
  EXPECT_EQ(status("gw_0123456789ab_secret"), 0U);
  EXPECT_EQ(status("garbage"), 0U);
  ASSERT_TRUE(eventually([&] { return status(token(first_key(), "acme")) == 200; }));
  const auto actor = oidc->identify(token(first_key(), "acme"), book);
  EXPECT_EQ((*actor)->token, "oidc:7");
  EXPECT_EQ((*actor)->user, "7");
  EXPECT_EQ((*actor)->tenant, TenantId{1});
  EXPECT_EQ((*actor)->until_unix_s, 4'000'000'060);
  // Another's tenant, and one that there is not: the same.
  EXPECT_EQ(status(token(first_key(), "umbrella")), 403U);
  EXPECT_EQ(status(token(first_key(), "acme/vision")), 403U);
  issuer.publish(jwk_set({first_key().jwk(), second_key().jwk()}));
  EXPECT_THAT(status(token(second_key(), "acme")), testing::AnyOf(401U, 503U));
  EXPECT_TRUE(eventually([&] { return status(token(second_key(), "acme")) == 200; }));
  issuer.publish(jwk_set({second_key().jwk()}));
  oidc->reload();
  EXPECT_TRUE(eventually([&] {
    oidc->reload();
    return status(token(first_key(), "acme")) != 200;
  }));
}

}  // namespace
}  // namespace gw::api
