// Both are read as live::parse_moment reads them.
#include "api/body_times.h"

#include <fmt/format.h>

#include "live/moment.h"
#include "live/time_text.h"

namespace gw::api {

std::expected<Instant, std::string> time_in_body(const live::Book& book, std::string_view key,
                                                 std::string_view text, Instant now) {
  const std::optional<std::int64_t> unix_ns = live::parse_moment(text, book.unix_ns(now));
  if (!unix_ns)
    return std::unexpected(fmt::format("`{}`: {} is no time; write {}", key, text, live::kMomentExamples));
  return Instant{*unix_ns - book.origin_unix_ns};
}

std::expected<Instant, std::string> begin_in_body(const live::Book& book, std::string_view text,
                                                  Instant now) {
  if (text.empty()) return book.now;
  std::expected<Instant, std::string> from = time_in_body(book, "from", text, now);
  if (from && *from < book.now)
    return std::unexpected(fmt::format("its beginning, {}, is over: it is {} by the factory's clock", text,
                                       live::time_text(book.unix_ns(now))));
  return from;
}

}  // namespace gw::api
