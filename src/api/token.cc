// Random bytes, hashes and their texts, by OpenSSL.
#include "api/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>

#include "api/base64url.h"
#include "base/check.h"

namespace gw::api {
namespace {

constexpr std::string_view kPrefix = "gw_";
constexpr std::size_t kIdDigits = 12;
constexpr std::size_t kSecretChars = 43;

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  GW_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) == 1);
  return bytes;
}

}  // namespace

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  GW_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1 &&
           size == digest.size());
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4U];
    text += kDigits[static_cast<unsigned char>(byte) & 15U];
  }
  return text;
}

NewToken make_token() {
  NewToken token;
  token.id = hex(random_bytes(kIdDigits / 2));
  const std::string secret = base64url(random_bytes(32));
  token.text = std::string(kPrefix) + token.id + '_' + secret;
  token.hash = sha256(secret);
  return token;
}

std::optional<TokenParts> parse_token(std::string_view text) {
  if (!text.starts_with(kPrefix) || text.size() != kPrefix.size() + kIdDigits + 1 + kSecretChars ||
      text[kPrefix.size() + kIdDigits] != '_')
    return std::nullopt;
  return TokenParts{std::string(text.substr(kPrefix.size(), kIdDigits)),
                    sha256(text.substr(kPrefix.size() + kIdDigits + 1))};
}

bool equal_hashes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace gw::api
