// Server-sent events: writing them as text/event-stream, and reading them back from any pieces of it.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gw::http {

/// One event of `text/event-stream`.
struct ServerEvent {
  std::string id;
  std::string event;
  std::string data;
  friend bool operator==(const ServerEvent&, const ServerEvent&) = default;
};

/// The event as bytes of a stream. Each line of `data` becomes a `data:` line of its own, so no text in it
/// can end the event or begin another; CR, LF and CRLF all reach the reader as LF. `event` and `id` are one
/// line each: line breaks and NUL in them become spaces. Empty ones are left out.
std::string format_event(std::string_view data, std::string_view event = {}, std::string_view id = {});
/// A comment, which readers pass over: keeps a connection alive through proxies.
std::string format_comment(std::string_view text = {});
/// An id and nothing else: where a reader stands that has had no event yet.
std::string format_id(std::string_view id);
/// Tells the reader how long to wait before it connects again.
std::string format_retry(std::uint32_t milliseconds);

/// Reads a stream in pieces of any size.
class EventParser {
 public:
  /// A line or an event of more than `event_bytes` is an Error.
  explicit EventParser(std::size_t event_bytes = std::size_t{64} << 20) : event_bytes_(event_bytes) {}

  /// Calls `event` for each that is complete, until it gives false: then the rest is dropped and the result
  /// is false. An event's id is the last one sent, in it or before; an empty `event` means "message".
  Result<bool> feed(std::string_view bytes, const std::function<bool(const ServerEvent&)>& event);

  /// Of the last that is complete: an event, or an id alone.
  [[nodiscard]] const std::string& last_id() const { return complete_id_; }

 private:
  bool end_line(std::string_view line, const std::function<bool(const ServerEvent&)>& event);
  void field(std::string_view name, std::string_view value);

  std::size_t event_bytes_;
  std::string line_;  ///< The beginning of a line whose end has not come.
  ServerEvent next_;
  std::string last_id_, complete_id_;
  bool begun_ = false;     ///< A byte order mark may only be the first.
  bool after_cr_ = false;  ///< An LF now belongs to the line end before.
};

}  // namespace gw::http
