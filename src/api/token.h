// Tokens: how they are made, read and compared. The secret part is known to its owner alone; the store has
// its hash.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gw::api {

/// `gw_<id>_<secret>`: 12 hexadecimal digits, then 32 random bytes as 43 characters of base64url.
struct NewToken {
  std::string id;
  std::string text;  ///< To be shown once.
  std::string hash;  ///< SHA-256 of the secret part.
};
NewToken make_token();

struct TokenParts {
  std::string id;
  std::string hash;  ///< Of the secret part.
};
/// None if it does not look like a token of ours.
std::optional<TokenParts> parse_token(std::string_view text);

/// In time that does not depend on where they differ.
bool equal_hashes(std::string_view a, std::string_view b);

/// SHA-256, 32 bytes.
std::string sha256(std::string_view bytes);
/// In hexadecimal.
std::string hex(std::string_view bytes);

}  // namespace gw::api
