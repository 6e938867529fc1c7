// PublicKey: one key of an issuer and the algorithms that it may be used with; KeySet: all of them, from a
// JWK Set (RFC 7517, RFC 7518 section 6, RFC 8037).
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/jws.h"
#include "base/result.h"

namespace gw::api {

class PublicKey {
 public:
  enum class Kind : std::uint8_t { kRsa, kP256, kP384, kEd25519 };

  /// From the members of an RSA key: modulus and exponent, big-endian.
  static Result<PublicKey> rsa(std::string_view modulus, std::string_view exponent);
  /// From the coordinates of a point, each as long as the curve's field.
  static Result<PublicKey> ec(Kind kind, std::string_view x, std::string_view y);
  static Result<PublicKey> ed25519(std::string_view bytes);

  [[nodiscard]] Kind kind() const { return kind_; }
  /// The kind of key decides which algorithms may be asked for: an RSA key takes RS256, RS384, RS512 and
  /// PS256, a P-256 key ES256 alone, and so on.
  [[nodiscard]] bool fits(JwsAlgorithm algorithm) const;
  /// Whether its holder signed `text`. False, too, where the algorithm does not fit.
  [[nodiscard]] bool verify(JwsAlgorithm algorithm, std::string_view text, std::string_view signature) const;

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  PublicKey(Kind kind, EVP_PKEY* key) : kind_(kind), key_(key) {}
  static Result<PublicKey> make(Kind kind, EVP_PKEY* key);

  Kind kind_;
  std::unique_ptr<EVP_PKEY, Free> key_;
};

struct NamedKey {
  std::string id;                         ///< Empty: it has none.
  std::optional<JwsAlgorithm> algorithm;  ///< The only one, where the set says so.
  PublicKey key;
};

class KeySet {
 public:
  /// Reads a JWK Set. Keys of other kinds, for encryption, or too weak are passed over; an Error where none
  /// is left, or the text is no JWK Set.
  static Result<KeySet> parse(std::string_view text);

  /// The key of that id which takes the algorithm. With an empty id: the only key that takes it; none if
  /// there are several, for guessing among keys is not for us.
  [[nodiscard]] const PublicKey* find(std::string_view id, JwsAlgorithm algorithm) const;
  [[nodiscard]] bool has(std::string_view id) const;
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] std::size_t passed_over() const { return passed_over_; }

 private:
  std::vector<NamedKey> keys_;
  std::size_t passed_over_ = 0;
};

}  // namespace gw::api
