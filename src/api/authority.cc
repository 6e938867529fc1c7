// Bearer tokens against the book.
#include "api/authority.h"

#include <chrono>

#include "api/token.h"

namespace gw::api {
namespace {

constexpr std::size_t kMostAddresses = 10'000;

live::Refusal unauthorised(std::string message) { return {401, "unauthorised", std::move(message)}; }

}  // namespace

bool GuessLimit::fail(const std::string& address, std::int64_t now_s) {
  const std::lock_guard lock(mutex_);
  if (counts_.size() >= kMostAddresses)
    std::erase_if(counts_, [&](const auto& entry) { return now_s - entry.second.since_s > window_s_; });
  if (counts_.size() >= kMostAddresses) return true;  // An attack from everywhere: nobody guesses on.
  Count& count = counts_[address];
  if (now_s - count.since_s > window_s_) count = {now_s, 0};
  return ++count.failures > failures_;
}

std::string address_of(std::string_view remote) {
  if (remote.starts_with("unix:")) return std::string(remote);
  const std::size_t colon = remote.rfind(':');
  return std::string(remote.substr(0, colon));
}

std::expected<live::Actor, live::Refusal> Authority::identify(const http::Request& request,
                                                              const live::Book& book, Instant now) {
  std::expected<live::Actor, live::Refusal> actor = check(request, book, now);
  if (actor || actor.error().status == 503) return actor;  // 503: not known yet, so no guess.
  refused_.fetch_add(1, std::memory_order_relaxed);
  if (guesses_.fail(address_of(request.remote), now.count() / kNanosecondsPerSecond))
    return std::unexpected(
        live::Refusal{429, "too_many_failures", "too many requests without a valid token; wait a minute"});
  return actor;
}

bool Authority::holds(const live::Actor& actor, const live::Book& book, Instant now) const {
  if (actor.until_unix_s != 0) {
    const auto today = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(today).count() < actor.until_unix_s;
  }
  const auto known = book.tokens.find(actor.token);
  return known != book.tokens.end() && !known->second.revoked && known->second.expires > now;
}

std::expected<live::Actor, live::Refusal> Authority::check(const http::Request& request,
                                                           const live::Book& book, Instant now) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view header = request.header("authorization");
  if (header.empty())
    return std::unexpected(unauthorised("a token is needed: `Authorization: Bearer TOKEN` (see gw token)"));
  std::string scheme(header.substr(0, kScheme.size()));
  for (char& letter : scheme)
    letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  if (scheme != kScheme)
    return std::unexpected(unauthorised("the Authorization header is not `Bearer TOKEN`"));
  const std::string_view token = header.substr(kScheme.size());
  const live::Refusal invalid = unauthorised("the token is not valid: unknown, expired or revoked");
  if (const std::optional<TokenParts> parts = parse_token(token)) {
    const auto known = book.tokens.find(parts->id);
    // Compared in any case, so that the time taken does not tell which ids there are.
    static const std::string nobody(32, '\0');
    const bool equal = equal_hashes(known != book.tokens.end() ? known->second.hash : nobody, parts->hash);
    if (known == book.tokens.end() || !equal || known->second.revoked || known->second.expires <= now)
      return std::unexpected(invalid);
    const live::TokenRecord& record = known->second;
    return live::Actor{record.id, record.user, record.role, record.tenant, request.remote};
  }
  if (foreign_) {
    if (std::optional<std::expected<live::Actor, live::Refusal>> actor = foreign_(token, book)) {
      if (*actor) (*actor)->remote = request.remote;
      return std::move(*actor);
    }
  }
  return std::unexpected(invalid);
}

}  // namespace gw::api
