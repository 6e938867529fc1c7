// Hashes by OpenSSL; the lines of decisions files.
#include "audit/chain.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace gw::audit {
namespace {

constexpr std::string_view kLineBegin = R"({"hash":")";
constexpr std::string_view kLineMiddle = R"(","record":)";
constexpr std::size_t kHexDigits = 64;

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
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

std::optional<std::string> unhex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t at = 0; at < digits.size(); at += 2) {
    const int high = digit(digits[at]), low = digit(digits[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::string head_text(const Head& head) { return fmt::format("{}:{}", head.sequence, hex(head.hash)); }

Result<Head> parse_head(std::string_view text) {
  Head head;
  const std::size_t colon = text.find(':');
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), head.sequence);
  std::optional<std::string> hash;
  if (colon != std::string_view::npos) hash = unhex(text.substr(colon + 1));
  if (error != std::errc() || end != text.data() + std::min(colon, text.size()) || !hash ||
      hash->size() != 32)
    return fail(fmt::format("\"{}\" is no head; write what gw audit head has printed: NUMBER:HASH", text));
  head.hash = std::move(*hash);
  return head;
}

Head next(const Head& before, std::string_view record) {
  std::string bytes = before.hash;
  bytes += record;
  return {before.sequence + 1, sha256(bytes)};
}

std::string ChainVerifier::take(const Link& link) {
  if (link.sequence != head_.sequence + 1)
    return fmt::format("record {} follows record {}: {}", link.sequence, head_.sequence,
                       link.sequence > head_.sequence + 1 ? "records between them are missing"
                                                          : "it stands twice or in the wrong place");
  const nlohmann::json json = nlohmann::json::parse(link.record, nullptr, false);
  if (!json.is_object() || json.value("sequence", std::uint64_t{0}) != link.sequence)
    return fmt::format("record {} says of itself that it is another", link.sequence);
  Head after = next(head_, link.record);
  if (after.hash != link.hash)
    return fmt::format("record {} is not what was written: its hash is {}, not {}", link.sequence,
                       hex(after.hash), hex(link.hash));
  head_ = std::move(after);
  if (anchor_ && anchor_->sequence == head_.sequence && anchor_->hash != head_.hash)
    return fmt::format(
        "record {} has not the hash of the head that was kept: the chain up to it was written anew",
        head_.sequence);
  return {};
}

std::string ChainVerifier::finish() const {
  if (anchor_ && anchor_->sequence > head_.sequence)
    return fmt::format(
        "the chain ends at record {}, but the head that was kept is of record {}: its end is missing",
        head_.sequence, anchor_->sequence);
  return {};
}

std::string chain_line(std::string_view record, std::string_view hash) {
  return fmt::format("{}{}{}{}}}", kLineBegin, hex(hash), kLineMiddle, record);
}

Result<Link> parse_chain_line(std::string_view line) {
  const auto bad = [] {
    return fail("this is no line of a decisions file: {\"hash\":\"...\",\"record\":{...}}");
  };
  const std::size_t record = kLineBegin.size() + kHexDigits + kLineMiddle.size();
  if (line.size() < record + 3 || !line.starts_with(kLineBegin) ||
      line.substr(kLineBegin.size() + kHexDigits, kLineMiddle.size()) != kLineMiddle || line.back() != '}')
    return bad();
  const std::optional<std::string> hash = unhex(line.substr(kLineBegin.size(), kHexDigits));
  if (!hash) return bad();
  Link link{0, std::string(line.substr(record, line.size() - record - 1)), *hash};
  const nlohmann::json json = nlohmann::json::parse(link.record, nullptr, false);
  if (!json.is_object() || !json.contains("sequence") || !json["sequence"].is_number_unsigned()) return bad();
  link.sequence = json["sequence"].get<std::uint64_t>();
  return link;
}

}  // namespace gw::audit
