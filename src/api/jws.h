// Jws: a signed token in its compact form (RFC 7515), read strictly; the signature is checked elsewhere.
//
// What a token's own header says decides nothing: of the algorithm it can only name one that is known here,
// and a key takes no other than its own kind. Keys, links to keys and certificates in a header are not looked
// at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gw::api {

/// Of RFC 7518 and RFC 8037; signatures by keys whose other half is public. `none` and those by a shared
/// secret (HS256, ...) have no place here.
enum class JwsAlgorithm : std::uint8_t { kRs256, kRs384, kRs512, kPs256, kEs256, kEs384, kEdDsa };

std::string_view name_of(JwsAlgorithm algorithm);
std::optional<JwsAlgorithm> jws_algorithm_by_name(std::string_view name);

struct Jws {
  JwsAlgorithm algorithm = JwsAlgorithm::kRs256;
  std::string key_id;            ///< Empty: the token names no key.
  std::string_view signed_part;  ///< Of the token's text: header, dot, payload.
  std::string payload;           ///< As bytes, not yet known to be what its issuer wrote.
  std::string signature;
};

inline constexpr std::size_t kMostTokenBytes = std::size_t{16} << 10;

/// Whether a text has the form of a compact JWS at all: three parts of base64url's letters, joined by dots.
bool looks_like_jws(std::string_view token);

/// `token` must outlive the result. The Error names no part of the token.
Result<Jws> read_jws(std::string_view token);

}  // namespace gw::api
