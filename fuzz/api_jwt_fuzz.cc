// Any bytes as a token, as a token's header and claims behind a true signature, and as an issuer's keys:
// reading must end within bounds, and nothing is believed that was not signed.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/oidc.h"
#include "api/test_keys.h"
#include "base/check.h"

namespace {

using namespace gw::api;

constexpr std::int64_t kNow = 1'800'000'000;

/// Ed25519: signing is quick and the same each time, given the key.
const SigningKey& signer() {
  static const SigningKey key = SigningKey::ed25519("k");
  return key;
}

const OidcOptions& options() {
  static const OidcOptions made = [] {
    OidcOptions fresh;
    fresh.issuer = "i";
    fresh.audience = "a";
    fresh.groups = {{"g", "t/u", false, gw::live::Role::kMember}, {"all", "", true, std::nullopt}};
    return fresh;
  }();
  return made;
}

void check(const Bearer& bearer) {
  GW_CHECK(!bearer.user.empty() && bearer.user.size() <= 200);
  GW_CHECK(!bearer.subject.empty() && bearer.subject.size() <= 255);
  for (const char c : bearer.user + bearer.subject) GW_CHECK(c > ' ' && c < 0x7f);
  GW_CHECK(bearer.role <= gw::live::Role::kOperator);
  GW_CHECK(bearer.until_unix_s > kNow);
  GW_CHECK(!bearer.everywhere || bearer.tenant.empty());
  GW_CHECK(bearer.tenant.empty() || (bearer.tenant.front() != '/' && bearer.tenant.back() != '/'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const KeySet keys = KeySet::parse(jwk_set({signer().jwk()})).value();
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:  // A token as it comes: who guesses a signature may keep it.
      GW_CHECK(!read_bearer(text, keys, options(), kNow));
      break;
    case 1: {  // Claims of the issuer's.
      const auto bearer =
          read_bearer(signer().token_of_texts(JwsAlgorithm::kEdDsa, R"({"alg":"EdDSA","kid":"k"})", text),
                      keys, options(), kNow);
      if (bearer) check(*bearer);
      break;
    }
    case 2: {  // A header of the issuer's.
      const std::string claims = R"({"iss":"i","aud":"a","sub":"s","exp":1800000300})";
      const auto bearer =
          read_bearer(signer().token_of_texts(JwsAlgorithm::kEdDsa, text, claims), keys, options(), kNow);
      if (bearer) check(*bearer);
      break;
    }
    default: {  // Keys.
      const gw::Result<KeySet> set = KeySet::parse(text);
      if (set) {
        GW_CHECK(set->size() > 0);
        // A good token of a key that the set does not have (its signature is of 64 bytes: every algorithm
        // looks).
        for (const char* algorithm : {"RS256", "RS384", "RS512", "PS256", "ES256", "EdDSA"}) {
          const std::string header = std::string(R"({"alg":")") + algorithm + R"("})";
          GW_CHECK(!read_bearer(base64url(header) + ".e30." + base64url(std::string(64, 'x')), *set,
                                options(), kNow));
        }
      } else {
        GW_CHECK(!set.error().message.empty());
      }
    }
  }
  return 0;
}
