// CRC-32C (Castagnoli) of bytes, for records that must show damage.
#pragma once

#include <cstdint>
#include <string_view>

namespace gw {

/// The checksum of `bytes`, or of what `seed` is the checksum of followed by `bytes`.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

}  // namespace gw
