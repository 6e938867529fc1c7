// Three parts, a header with few keys.
#include "api/jws.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/base64url.h"
#include "api/claims.h"

namespace gw::api {
namespace {

constexpr std::array<std::pair<JwsAlgorithm, std::string_view>, 7> kAlgorithms = {{
    {JwsAlgorithm::kRs256, "RS256"},
    {JwsAlgorithm::kRs384, "RS384"},
    {JwsAlgorithm::kRs512, "RS512"},
    {JwsAlgorithm::kPs256, "PS256"},
    {JwsAlgorithm::kEs256, "ES256"},
    {JwsAlgorithm::kEs384, "ES384"},
    {JwsAlgorithm::kEdDsa, "EdDSA"},
}};

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/// Tokens of other kinds by the same issuer (logout tokens, proofs of possession) have types of their own.
bool is_wanted_type(std::string_view type) {
  std::string lower(type);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  std::string_view rest = lower;
  if (rest.starts_with("application/")) rest.remove_prefix(12);
  return rest == "jwt" || rest == "at+jwt";
}

}  // namespace

std::string_view name_of(JwsAlgorithm algorithm) {
  return kAlgorithms[static_cast<std::size_t>(algorithm)].second;
}

std::optional<JwsAlgorithm> jws_algorithm_by_name(std::string_view name) {
  for (const auto& [algorithm, its_name] : kAlgorithms) {
    if (its_name == name) return algorithm;
  }
  return std::nullopt;
}

bool looks_like_jws(std::string_view token) {
  std::size_t dots = 0;
  for (const char c : token) {
    if (c == '.') {
      ++dots;
    } else if (!is_letter(c)) {
      return false;
    }
  }
  return dots == 2;
}

Result<Jws> read_jws(std::string_view token) {
  if (token.size() > kMostTokenBytes) return fail("the token is too long");
  if (!looks_like_jws(token)) return fail("the token is no signed token in compact form");
  const std::size_t first = token.find('.'), second = token.rfind('.');
  const std::optional<std::string> header = read_base64url(token.substr(0, first));
  std::optional<std::string> payload = read_base64url(token.substr(first + 1, second - first - 1));
  std::optional<std::string> signature = read_base64url(token.substr(second + 1));
  if (!header || !payload || !signature) return fail("a part of the token is not base64url");
  if (signature->empty()) return fail("the token is not signed");

  const Result<Claims> fields = Claims::parse(*header);
  if (!fields) return fail("the token's header: " + fields.error().message);
  // Whatever must be understood (RFC 7515, section 4.1.11) is not understood here.
  if (fields->has("crit")) return fail("the token's header names extensions that must be understood");
  if (fields->has("typ")) {
    const std::optional<std::string_view> type = fields->text("typ");
    if (!type || !is_wanted_type(*type)) return fail("the token is of another type");
  }
  Jws jws;
  const std::optional<std::string_view> algorithm = fields->text("alg");
  if (!algorithm) return fail("the token's header names no algorithm");
  const std::optional<JwsAlgorithm> known = jws_algorithm_by_name(*algorithm);
  if (!known) return fail("the token's algorithm is not accepted");
  jws.algorithm = *known;
  if (fields->has("kid")) {
    const std::optional<std::string_view> key_id = fields->text("kid");
    if (!key_id) return fail("the token's key id is no text");
    jws.key_id = *key_id;
  }
  jws.signed_part = token.substr(0, second);
  jws.payload = std::move(*payload);
  jws.signature = std::move(*signature);
  return jws;
}

}  // namespace gw::api
