// Base64url without padding (RFC 4648, section 5; RFC 7515, appendix C), as tokens are written in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gw::api {

std::string base64url(std::string_view bytes);

/// None if `text` is not exactly what `base64url` gives for some bytes: a character that is not of the
/// alphabet, padding, a length that no bytes have, or bits behind the last byte that are not zero.
std::optional<std::string> read_base64url(std::string_view text);

}  // namespace gw::api
