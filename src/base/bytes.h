// ByteWriter and ByteReader: integers, doubles and strings as bytes, for journals and snapshots.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace gw {

/// Unsigned numbers are LEB128, signed ones zigzag LEB128, doubles 8 bytes little-endian, strings length
/// first.
class ByteWriter {
 public:
  void u64(std::uint64_t value) {
    while (value >= 0x80) {
      bytes_.push_back(static_cast<char>((value & 0x7f) | 0x80));
      value >>= 7;
    }
    bytes_.push_back(static_cast<char>(value));
  }
  void i64(std::int64_t value) {
    u64((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void f64(double value) { fixed64(std::bit_cast<std::uint64_t>(value)); }
  void fixed64(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<char>(value >> shift));
  }
  void fixed32(std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) bytes_.push_back(static_cast<char>(value >> shift));
  }
  void text(std::string_view value) {
    u64(value.size());
    bytes_.append(value);
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::string take() { return std::move(bytes_); }
  void clear() { bytes_.clear(); }

 private:
  std::string bytes_;
};

/// Reads what ByteWriter wrote. Past the end or on a malformed number it gives zeros and `ok()` turns false
/// for good, so that a reader checks once at the end; counts must be checked against `left()` before memory
/// is made.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t u64() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ >= bytes_.size()) break;
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      if (shift == 63 && byte > 1) break;
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::uint32_t u32() {
    const std::uint64_t value = u64();
    if (value > 0xffffffffU) ok_ = false;
    return ok_ ? static_cast<std::uint32_t>(value) : 0;
  }
  std::uint8_t u8() {
    const std::uint64_t value = u64();
    if (value > 0xff) ok_ = false;
    return ok_ ? static_cast<std::uint8_t>(value) : std::uint8_t{0};
  }
  std::int64_t i64() {
    const std::uint64_t value = u64();
    return static_cast<std::int64_t>((value >> 1) ^ (0 - (value & 1)));
  }
  double f64() { return std::bit_cast<double>(fixed64()); }
  std::uint64_t fixed64() {
    if (left() < 8) return fail();
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 8)
      value |= std::uint64_t{static_cast<unsigned char>(bytes_[at_++])} << shift;
    return value;
  }
  std::uint32_t fixed32() {
    if (left() < 4) return static_cast<std::uint32_t>(fail());
    std::uint32_t value = 0;
    for (int shift = 0; shift < 32; shift += 8)
      value |= std::uint32_t{static_cast<unsigned char>(bytes_[at_++])} << shift;
    return value;
  }
  std::string_view text() {
    const std::uint64_t size = u64();
    if (size > left()) {
      fail();
      return {};
    }
    const std::string_view value = bytes_.substr(at_, size);
    at_ += size;
    return value;
  }
  /// A count of items that take at least one byte each; 0 and not ok if there cannot be that many.
  std::size_t count() {
    const std::uint64_t value = u64();
    if (value > left()) fail();
    return ok_ ? static_cast<std::size_t>(value) : 0;
  }
  /// For decoders that find a value out of range.
  void refuse() { fail(); }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool done() const { return ok_ && left() == 0; }

 private:
  std::uint64_t fail() {
    ok_ = false;
    at_ = bytes_.size();
    return 0;
  }
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace gw
