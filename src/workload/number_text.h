// Decimal numbers in text, fast: the inner loop of reading large logs.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

namespace gw::workload {

/// Bytes that `read_digits` may look at behind the end of its text (it takes none of them into account).
inline constexpr std::size_t kDigitSlack = 8;

/// What more than 17 digits count as: beyond every limit of the readers, and still safe to add to.
inline constexpr std::int64_t kHugeNumber = std::numeric_limits<std::int64_t>::max() / 4;

/// Reads the digits at `at` into `value` and gives the place behind them; `at` itself without a digit.
/// kDigitSlack bytes behind `end` must be readable.
inline const char* read_digits(const char* at, const char* end, std::int64_t& value) {
  value = 0;
  if constexpr (std::endian::native == std::endian::little) {
    // Eight at once (Lemire, "Quickly parsing eight digits", 2018): bytes are turned into digits, cut behind
    // the first that is none, and summed pairwise.
    std::uint64_t bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    bytes ^= 0x3030303030303030U;
    const std::uint64_t others = ((bytes + 0x7676767676767676U) | bytes) & 0x8080808080808080U;
    const std::ptrdiff_t found = others == 0 ? 8 : static_cast<std::ptrdiff_t>(std::countr_zero(others)) / 8;
    const std::ptrdiff_t size = found < end - at ? found : end - at;
    if (size == 0) return at;
    bytes <<= 64 - 8 * size;
    bytes = bytes * 10 + (bytes >> 8);
    bytes = (((bytes & 0x000000ff000000ffU) * 0x000f424000000064U) +
             (((bytes >> 16) & 0x000000ff000000ffU) * 0x0000271000000001U)) >>
            32;
    value = static_cast<std::int64_t>(bytes & 0xffffffffU);
    at += size;
    if (size < 8) [[likely]]
      return at;
  }
  while (at != end && static_cast<unsigned char>(*at - '0') <= 9) {
    value = value < 100'000'000'000'000'000 ? value * 10 + (*at - '0') : kHugeNumber;
    ++at;
  }
  return at;
}

}  // namespace gw::workload
