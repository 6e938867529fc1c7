// The text/event-stream format.
#include "http/sse.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gw::http {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Appends `field: line` for each line of `text`; one for an empty text.
void append_lines(std::string& out, std::string_view field, std::string_view text) {
  while (true) {
    const std::size_t end = text.find_first_of("\r\n");
    out += field;
    out += ": ";
    out += text.substr(0, end);
    out += '\n';
    if (end == std::string_view::npos) return;
    const bool two = text[end] == '\r' && end + 1 < text.size() && text[end + 1] == '\n';
    text.remove_prefix(end + (two ? 2 : 1));
  }
}

void append_one_line(std::string& out, std::string_view field, std::string_view text) {
  out += field;
  out += ": ";
  const std::size_t begin = out.size();
  out += text;
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(),
      [](char byte) { return byte == '\r' || byte == '\n' || byte == '\0'; }, ' ');
  out += '\n';
}

}  // namespace

std::string format_event(std::string_view data, std::string_view event, std::string_view id) {
  std::string out;
  out.reserve(data.size() + event.size() + id.size() + 32);
  if (!event.empty()) append_one_line(out, "event", event);
  if (!id.empty()) append_one_line(out, "id", id);
  append_lines(out, "data", data);
  out += '\n';
  return out;
}

std::string format_comment(std::string_view text) {
  std::string out;
  append_lines(out, "", text);
  out += '\n';
  return out;
}

std::string format_id(std::string_view id) {
  std::string out;
  append_one_line(out, "id", id);
  out += '\n';
  return out;
}

std::string format_retry(std::uint32_t milliseconds) { return fmt::format("retry: {}\n\n", milliseconds); }

Result<bool> EventParser::feed(std::string_view bytes, const std::function<bool(const ServerEvent&)>& event) {
  const auto too_large = [&] {
    return fail(fmt::format("an event of the stream is larger than {} bytes", event_bytes_));
  };
  if (!begun_) {
    // The mark may come in pieces.
    const std::size_t take = std::min(kByteOrderMark.size() - line_.size(), bytes.size());
    line_ += bytes.substr(0, take);
    if (line_ != kByteOrderMark.substr(0, line_.size())) {
      std::string both = std::exchange(line_, {});
      both += bytes.substr(take);
      begun_ = true;
      return feed(both, event);
    }
    bytes.remove_prefix(take);
    if (line_.size() < kByteOrderMark.size()) return true;
    line_.clear();
    begun_ = true;
  }
  while (!bytes.empty()) {
    if (std::exchange(after_cr_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    if (line_.size() + std::min(end, bytes.size()) + next_.data.size() > event_bytes_) return too_large();
    if (end == std::string_view::npos) {
      line_ += bytes;
      return true;
    }
    after_cr_ = bytes[end] == '\r';
    std::string_view line = bytes.substr(0, end);
    if (!line_.empty()) {
      line_ += line;
      line = line_;
    }
    const bool go_on = end_line(line, event);
    line_.clear();
    if (!go_on) return false;
    bytes.remove_prefix(end + 1);
  }
  return true;
}

bool EventParser::end_line(std::string_view line, const std::function<bool(const ServerEvent&)>& event) {
  if (!line.empty()) {
    const std::size_t colon = line.find(':');
    if (colon == 0) return true;  // A comment.
    std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    field(line.substr(0, colon), value);
    return true;
  }
  complete_id_ = last_id_;
  ServerEvent complete = std::exchange(next_, {});
  if (complete.data.empty()) return true;
  complete.data.pop_back();  // Each line brought a line feed.
  complete.id = last_id_;
  return event(complete);
}

void EventParser::field(std::string_view name, std::string_view value) {
  if (name == "data") {
    next_.data += value;
    next_.data += '\n';
  } else if (name == "event") {
    next_.event = value;
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) last_id_ = value;
  }
}

}  // namespace gw::http
