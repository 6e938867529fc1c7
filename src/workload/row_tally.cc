// RowTally's slow paths: first occurrences and the message under strict.
#include "workload/row_tally.h"

#include <fmt/format.h>

namespace gw::workload {

std::string excerpt(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  std::string shown(text.substr(0, kLongest));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text.size() > kLongest ? shown + "..." : shown;
}

Result<void> RowTally::senseless(std::string_view reason, std::uint64_t line, std::string_view text) {
  if (strict_) {
    return fail(
        fmt::format("{}:{}: {}; correct or remove the row `{}`, or read without --strict to count such rows "
                    "and leave them out",
                    file_, line, reason, excerpt(text)));
  }
  left_out(reason, line);
  return {};
}

void RowTally::count_new(Map& map, Slot* slot, std::string_view reason, std::uint64_t line) {
  RowCounts::Skipped& entry = map[std::string(reason)];
  if (entry.count++ == 0) entry.first = fmt::format("{}:{}", file_, line);
  if (slot != nullptr) *slot = {reason.data(), &entry};
}

void RowTally::clear() {
  counts_ = {};
  skipped_ = {};
  adjusted_ = {};
}

}  // namespace gw::workload
