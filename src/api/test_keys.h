// For tests: key pairs made by OpenSSL, tokens signed with them, and the JWK Sets that publish them.
#pragma once

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/base64url.h"
#include "api/public_key.h"
#include "base/check.h"

namespace gw::api {

using TestJson = nlohmann::ordered_json;

/// A private key; it signs and says its public half.
class SigningKey {
 public:
  static SigningKey rsa(std::string id, unsigned bits = 2048) {
    return SigningKey(std::move(id), EVP_RSA_gen(bits), PublicKey::Kind::kRsa);
  }
  static SigningKey p256(std::string id) {
    return SigningKey(std::move(id), EVP_EC_gen("P-256"), PublicKey::Kind::kP256);
  }
  static SigningKey p384(std::string id) {
    return SigningKey(std::move(id), EVP_EC_gen("P-384"), PublicKey::Kind::kP384);
  }
  static SigningKey ed25519(std::string id) {
    return SigningKey(std::move(id), EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"),
                      PublicKey::Kind::kEd25519);
  }

  [[nodiscard]] const std::string& id() const { return id_; }

  /// The public half as a JWK; `more` is added to its members.
  [[nodiscard]] TestJson jwk(TestJson more = TestJson::object()) const {
    TestJson json;
    switch (kind_) {
      case PublicKey::Kind::kRsa:
        json = {{"kty", "RSA"},
                {"n", base64url(number(OSSL_PKEY_PARAM_RSA_N))},
                {"e", base64url(number(OSSL_PKEY_PARAM_RSA_E))}};
        break;
      case PublicKey::Kind::kP256:
      case PublicKey::Kind::kP384: {
        const int size = kind_ == PublicKey::Kind::kP256 ? 32 : 48;
        json = {{"kty", "EC"},
                {"crv", kind_ == PublicKey::Kind::kP256 ? "P-256" : "P-384"},
                {"x", base64url(number(OSSL_PKEY_PARAM_EC_PUB_X, size))},
                {"y", base64url(number(OSSL_PKEY_PARAM_EC_PUB_Y, size))}};
        break;
      }
      case PublicKey::Kind::kEd25519: {
        std::string bytes(32, '\0');
        std::size_t size = bytes.size();
        GW_CHECK(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(bytes.data()),
                                             &size) == 1);
        json = {{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", base64url(bytes)}};
        break;
      }
    }
    if (!id_.empty()) json["kid"] = id_;
    json.update(more);
    return json;
  }

  /// The public half as PEM: what attackers take for a shared secret.
  [[nodiscard]] std::string pem() const {
    BIO* out = BIO_new(BIO_s_mem());
    GW_CHECK(PEM_write_bio_PUBKEY(out, key_.get()) == 1);
    char* text = nullptr;
    const long size = BIO_get_mem_data(out, &text);
    std::string pem(text, static_cast<std::size_t>(size));
    BIO_free(out);
    return pem;
  }

  /// A signature in the form of RFC 7518; `pss_salt`: of PS256, -1 for the digest's length.
  [[nodiscard]] std::string sign(JwsAlgorithm algorithm, std::string_view text, int pss_salt = -1) const {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_PKEY_CTX* settings = nullptr;
    const std::string_view name = name_of(algorithm);
    const EVP_MD* digest = algorithm == JwsAlgorithm::kEdDsa ? nullptr
                           : name.ends_with("384")           ? EVP_sha384()
                           : name.ends_with("512")           ? EVP_sha512()
                                                             : EVP_sha256();
    GW_CHECK(EVP_DigestSignInit(context, &settings, digest, nullptr, key_.get()) == 1);
    if (algorithm == JwsAlgorithm::kPs256) {
      GW_CHECK(EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1);
      GW_CHECK(EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, pss_salt) == 1);
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t size = 0;
    GW_CHECK(EVP_DigestSign(context, nullptr, &size, bytes, text.size()) == 1);
    std::string signature(size, '\0');
    GW_CHECK(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                            text.size()) == 1);
    signature.resize(size);
    EVP_MD_CTX_free(context);
    if (kind_ == PublicKey::Kind::kP256 || kind_ == PublicKey::Kind::kP384) return raw(signature);
    return signature;
  }

  /// A signed token of these claims; `header` is put over what the header would be.
  [[nodiscard]] std::string token(JwsAlgorithm algorithm, const TestJson& claims,
                                  TestJson header = TestJson::object()) const {
    TestJson head{{"alg", name_of(algorithm)}, {"typ", "JWT"}};
    if (!id_.empty()) head["kid"] = id_;
    head.update(header);
    return token_of_texts(algorithm, head.dump(), claims.dump());
  }
  [[nodiscard]] std::string token_of_texts(JwsAlgorithm algorithm, std::string_view header,
                                           std::string_view payload) const {
    const std::string text = base64url(header) + '.' + base64url(payload);
    return text + '.' + base64url(sign(algorithm, text));
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };

  SigningKey(std::string id, EVP_PKEY* key, PublicKey::Kind kind)
      : id_(std::move(id)), key_(key), kind_(kind) {
    GW_CHECK(key != nullptr);
  }

  [[nodiscard]] std::string number(const char* name, int size = 0) const {
    BIGNUM* value = nullptr;
    GW_CHECK(EVP_PKEY_get_bn_param(key_.get(), name, &value) == 1);
    std::string bytes(static_cast<std::size_t>(size != 0 ? size : BN_num_bytes(value)), '\0');
    GW_CHECK(BN_bn2binpad(value, reinterpret_cast<unsigned char*>(bytes.data()),
                          static_cast<int>(bytes.size())) > 0);
    BN_free(value);
    return bytes;
  }

  /// DER to two numbers side by side.
  [[nodiscard]] std::string raw(const std::string& der) const {
    const int size = kind_ == PublicKey::Kind::kP256 ? 32 : 48;
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* numbers = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    GW_CHECK(numbers != nullptr);
    std::string bytes(static_cast<std::size_t>(2 * size), '\0');
    auto* to = reinterpret_cast<unsigned char*>(bytes.data());
    GW_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(numbers), to, size) == size);
    GW_CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(numbers), to + size, size) == size);
    ECDSA_SIG_free(numbers);
    return bytes;
  }

  std::string id_;
  std::unique_ptr<EVP_PKEY, Free> key_;
  PublicKey::Kind kind_;
};

/// A JWK Set of these members.
inline std::string jwk_set(const std::vector<TestJson>& keys) { return TestJson{{"keys", keys}}.dump(); }

/// A token with an HMAC of `secret`, as HS256 has it.
inline std::string hmac_token(const TestJson& claims, const std::string& key_id, const std::string& secret,
                              std::string_view algorithm = "HS256") {
  const TestJson header{{"alg", algorithm}, {"typ", "JWT"}, {"kid", key_id}};
  const std::string text = base64url(header.dump()) + '.' + base64url(claims.dump());
  std::string digest(32, '\0');
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(digest.data()), &size);
  return text + '.' + base64url(digest);
}

}  // namespace gw::api
