// Chain: decision records joined by hashes, so that none can be altered, left out or put elsewhere unseen.
//
// hash(n) = SHA-256(hash(n - 1) || record(n)), with 32 zero bytes before the first. Whoever keeps one hash, a
// head, outside of the store can later prove that nothing up to it has changed, and that nothing is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gw::audit {

/// 32 bytes.
std::string sha256(std::string_view bytes);
std::string hex(std::string_view bytes);
/// The bytes of an even number of hexadecimal digits.
std::optional<std::string> unhex(std::string_view digits);

/// Where a chain ends: how many records, and the hash of the last.
struct Head {
  std::uint64_t sequence = 0;
  std::string hash = std::string(32, '\0');
  friend bool operator==(const Head&, const Head&) = default;
};

/// `12:6b86b2...`, to be kept by a third party.
std::string head_text(const Head& head);
Result<Head> parse_head(std::string_view text);

/// The head after one more record.
Head next(const Head& before, std::string_view record);

/// A record as it is kept.
struct Link {
  std::uint64_t sequence = 0;
  std::string record;
  std::string hash;
};

/// Proves a chain link by link, in the order in which they are kept.
class ChainVerifier {
 public:
  /// `anchor`: a head that was kept elsewhere and must be on this chain.
  explicit ChainVerifier(std::optional<Head> anchor = {}) : anchor_(std::move(anchor)) {}

  /// Empty, or where and how the chain breaks; nothing may be taken after that.
  [[nodiscard]] std::string take(const Link& link);
  /// After the last link.
  [[nodiscard]] std::string finish() const;
  [[nodiscard]] const Head& head() const { return head_; }

 private:
  Head head_;
  std::optional<Head> anchor_;
};

/// One line of a decisions file, without its end: `{"hash":"...","record":{...}}`.
std::string chain_line(std::string_view record, std::string_view hash);
/// What a line says; the record is byte for byte what was hashed.
Result<Link> parse_chain_line(std::string_view line);

}  // namespace gw::audit
