// Times in the body of an order, by the factory's clock, and what is wrong with one.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "live/book.h"

namespace gw::api {

/// What the body's `key` says, by a date or from `now` on; a message if it is no time.
[[nodiscard]] std::expected<Instant, std::string> time_in_body(const live::Book& book, std::string_view key,
                                                               std::string_view text, Instant now);

/// The same of its `from`, which must not be over; empty: the factory's present.
[[nodiscard]] std::expected<Instant, std::string> begin_in_body(const live::Book& book, std::string_view text,
                                                                Instant now);

}  // namespace gw::api
