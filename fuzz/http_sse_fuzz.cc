// Any bytes as text/event-stream: pieces must make no difference, and each event that is read can be written
// and read again.
//
// The first byte is the size of the pieces.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/sse.h"

namespace {

constexpr std::size_t kMostBytes = 4096;

/// Nothing, if an event was too large.
std::optional<std::vector<gw::http::ServerEvent>> parse(std::string_view text, std::size_t step) {
  gw::http::EventParser parser(kMostBytes);
  std::vector<gw::http::ServerEvent> events;
  for (std::size_t at = 0; at < text.size(); at += step) {
    const gw::Result<bool> fed = parser.feed(text.substr(at, step), [&](const gw::http::ServerEvent& event) {
      events.push_back(event);
      return true;
    });
    if (!fed) {
      GW_CHECK(!fed.error().message.empty());
      return std::nullopt;
    }
    GW_CHECK(*fed);
  }
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = parse(text, text.size() + 1);
  const auto pieces = parse(text, std::size_t{data[0]} + 1);
  GW_CHECK(whole.has_value() == pieces.has_value());
  if (!whole) return 0;
  GW_CHECK(*whole == *pieces);
  for (const gw::http::ServerEvent& event : *whole) {
    GW_CHECK(event.data.size() <= kMostBytes && event.data.find('\r') == std::string::npos);
    GW_CHECK((event.id + event.event).find_first_of("\r\n") == std::string::npos);
    // One that carries NUL cannot be written as it is, and an empty id not at all.
    if (event.event.find('\0') != std::string::npos) continue;
    const auto again = parse(gw::http::format_event(event.data, event.event, event.id), kMostBytes * 4);
    if (!again) continue;  // "data: " before each line made it too large.
    GW_CHECK(again->size() == 1 && again->front() == event);
  }
  return 0;
}
