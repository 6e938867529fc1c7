// Authority: who sends a request, by its bearer token, and whom to turn away for guessing.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "http/server.h"
#include "live/book.h"
#include "live/commands.h"

namespace gw::api {

/// Accepts a bearer token that is none of ours (a JWT). None: not its kind; a Refusal: its kind, and bad.
using ForeignTokens = std::function<std::optional<std::expected<live::Actor, live::Refusal>>(
    std::string_view token, const live::Book& book)>;

/// Counts failures by address; nothing here is kept for good.
class GuessLimit {
 public:
  GuessLimit(std::uint32_t failures, std::int64_t window_s) : failures_(failures), window_s_(window_s) {}
  /// Notes a failure of `address` at `now_s`; true if it has failed too often in the window.
  bool fail(const std::string& address, std::int64_t now_s);

 private:
  struct Count {
    std::int64_t since_s = 0;
    std::uint32_t failures = 0;
  };
  std::uint32_t failures_;
  std::int64_t window_s_;
  std::mutex mutex_;
  std::map<std::string, Count> counts_;
};

class Authority {
 public:
  explicit Authority(ForeignTokens foreign) : foreign_(std::move(foreign)), guesses_(60, 60) {}

  /// The book must not change meanwhile. `now` is the factory's time.
  std::expected<live::Actor, live::Refusal> identify(const http::Request& request, const live::Book& book,
                                                     Instant now);
  /// Whether what identified the actor then still does: its token is neither revoked nor over. For streams,
  /// which outlast the request that was checked.
  [[nodiscard]] bool holds(const live::Actor& actor, const live::Book& book, Instant now) const;
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  std::expected<live::Actor, live::Refusal> check(const http::Request& request, const live::Book& book,
                                                  Instant now);

  ForeignTokens foreign_;
  GuessLimit guesses_;
  std::atomic<std::uint64_t> refused_{0};
};

/// The address without its port.
std::string address_of(std::string_view remote);

}  // namespace gw::api
