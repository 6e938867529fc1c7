// Keys and signatures by OpenSSL's EVP interface.
#include "api/public_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <array>

#include "base/check.h"

namespace gw::api {
namespace {

constexpr std::size_t kLeastModulusBytes = 256;  // 2048 bits: RFC 7518, section 3.3.
constexpr std::size_t kMostModulusBytes = 1024;  // What takes longer to verify is no issuer's choice.
constexpr std::size_t kMostExponentBytes = 8;

template <auto free>
struct Free {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
template <class T, auto free>
using Owned = std::unique_ptr<T, Free<free>>;

using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using Number = Owned<BIGNUM, BN_free>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string_view without_zeros(std::string_view number) {
  while (number.starts_with('\0')) number.remove_prefix(1);
  return number;
}

/// The key that the parameters describe, checked; nullptr if they describe none.
EVP_PKEY* key_from(const char* type, OSSL_PARAM* parameters) {
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  GW_CHECK(context != nullptr);
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  return key;
}

const EVP_MD* digest_of(JwsAlgorithm algorithm) {
  switch (algorithm) {
    case JwsAlgorithm::kRs256:
    case JwsAlgorithm::kPs256:
    case JwsAlgorithm::kEs256:
      return EVP_sha256();
    case JwsAlgorithm::kRs384:
    case JwsAlgorithm::kEs384:
      return EVP_sha384();
    case JwsAlgorithm::kRs512:
      return EVP_sha512();
    case JwsAlgorithm::kEdDsa:
      break;
  }
  return nullptr;  // It has its own.
}

/// Two numbers side by side (RFC 7518, section 3.4) as the DER that OpenSSL takes; empty if the length is
/// wrong.
std::string der_of(std::string_view signature, std::size_t number_bytes) {
  if (signature.size() != 2 * number_bytes) return {};
  const Owned<ECDSA_SIG, ECDSA_SIG_free> numbers(ECDSA_SIG_new());
  const int size = static_cast<int>(number_bytes);
  BIGNUM* r = BN_bin2bn(bytes_of(signature), size, nullptr);
  BIGNUM* s = BN_bin2bn(bytes_of(signature.substr(number_bytes)), size, nullptr);
  GW_CHECK(numbers != nullptr && r != nullptr && s != nullptr);
  GW_CHECK(ECDSA_SIG_set0(numbers.get(), r, s) == 1);
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(numbers.get(), &der);
  if (length <= 0) return {};
  std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  return text;
}

}  // namespace

Result<PublicKey> PublicKey::make(Kind kind, EVP_PKEY* key) {
  if (key == nullptr) return fail("the members describe no key");
  PublicKey made(kind, key);
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  // A point on its curve, a number that can be a modulus.
  if (context == nullptr || EVP_PKEY_public_check(context.get()) != 1) {
    ERR_clear_error();
    return fail("the key is not sound");
  }
  return made;
}

Result<PublicKey> PublicKey::rsa(std::string_view modulus, std::string_view exponent) {
  modulus = without_zeros(modulus);
  exponent = without_zeros(exponent);
  if (modulus.size() < kLeastModulusBytes) return fail("an RSA key of less than 2048 bits is too weak");
  if (modulus.size() > kMostModulusBytes || exponent.size() > kMostExponentBytes)
    return fail("the RSA key is too large");
  if (exponent.empty() || (exponent.size() == 1 && static_cast<unsigned char>(exponent[0]) < 3))
    return fail("the RSA key has no sound exponent");
  const Number n(BN_bin2bn(bytes_of(modulus), static_cast<int>(modulus.size()), nullptr));
  const Number e(BN_bin2bn(bytes_of(exponent), static_cast<int>(exponent.size()), nullptr));
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> build(OSSL_PARAM_BLD_new());
  GW_CHECK(n != nullptr && e != nullptr && build != nullptr);
  GW_CHECK(OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
           OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1);
  const Owned<OSSL_PARAM, OSSL_PARAM_free> parameters(OSSL_PARAM_BLD_to_param(build.get()));
  GW_CHECK(parameters != nullptr);
  return make(Kind::kRsa, key_from("RSA", parameters.get()));
}

Result<PublicKey> PublicKey::ec(Kind kind, std::string_view x, std::string_view y) {
  GW_CHECK(kind == Kind::kP256 || kind == Kind::kP384);
  const std::size_t size = kind == Kind::kP256 ? 32 : 48;
  if (x.size() != size || y.size() != size) return fail("a coordinate is not as long as its curve's field");
  std::string point = "\x04";  // Uncompressed.
  point += x;
  point += y;
  std::string group = kind == Kind::kP256 ? "P-256" : "P-384";
  std::array<OSSL_PARAM, 3> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size()),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  return make(kind, key_from("EC", parameters.data()));
}

Result<PublicKey> PublicKey::ed25519(std::string_view bytes) {
  if (bytes.size() != 32) return fail("an Ed25519 key has 32 bytes");
  EVP_PKEY* key = EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, bytes_of(bytes), bytes.size());
  if (key == nullptr) ERR_clear_error();
  return make(Kind::kEd25519, key);
}

bool PublicKey::fits(JwsAlgorithm algorithm) const {
  switch (algorithm) {
    case JwsAlgorithm::kRs256:
    case JwsAlgorithm::kRs384:
    case JwsAlgorithm::kRs512:
    case JwsAlgorithm::kPs256:
      return kind_ == Kind::kRsa;
    case JwsAlgorithm::kEs256:
      return kind_ == Kind::kP256;
    case JwsAlgorithm::kEs384:
      return kind_ == Kind::kP384;
    case JwsAlgorithm::kEdDsa:
      return kind_ == Kind::kEd25519;
  }
  return false;
}

bool PublicKey::verify(JwsAlgorithm algorithm, std::string_view text, std::string_view signature) const {
  if (!fits(algorithm)) return false;
  std::string der;
  if (kind_ == Kind::kP256 || kind_ == Kind::kP384) {
    der = der_of(signature, kind_ == Kind::kP256 ? 32 : 48);
    if (der.empty()) return false;
    signature = der;
  }
  const DigestContext context(EVP_MD_CTX_new());
  GW_CHECK(context != nullptr);
  EVP_PKEY_CTX* settings = nullptr;  // The context's.
  bool good = EVP_DigestVerifyInit(context.get(), &settings, digest_of(algorithm), nullptr, key_.get()) == 1;
  if (good && algorithm == JwsAlgorithm::kPs256) {
    good = EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(settings, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  good = good && EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text),
                                  text.size()) == 1;
  ERR_clear_error();  // What is left of a refused signature is nobody's error.
  return good;
}

}  // namespace gw::api
