// Compression of host names.
#include "live/job_environment_hosts.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

namespace gw::live {
namespace {

struct NumberedName {
  std::string_view prefix;
  std::string_view digits;  ///< Empty: the name does not end in a number, or in one too long to count with.
  std::uint64_t number = 0;
};

NumberedName split(std::string_view name) {
  constexpr std::size_t kMostDigits = 18;
  std::size_t end = name.size();
  while (end > 0 && name[end - 1] >= '0' && name[end - 1] <= '9') --end;
  if (end == name.size() || name.size() - end > kMostDigits) return {name, {}, 0};
  NumberedName result{name.substr(0, end), name.substr(end), 0};
  std::from_chars(result.digits.data(), result.digits.data() + result.digits.size(), result.number);
  return result;
}

/// Whether the number of `next` is written as counting on from `last` would write it.
bool follows(const NumberedName& last, const NumberedName& next) {
  return next.number == last.number + 1 &&
         next.digits == fmt::format("{:0{}}", next.number, last.digits.size());
}

}  // namespace

std::string compressed_hosts(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t at = 0; at < names.size();) {
    const NumberedName first = split(names[at]);
    std::string ranges;
    bool several = false;
    std::size_t next = at;
    while (next < names.size()) {
      const NumberedName begin = split(names[next]);
      if (next > at && (first.digits.empty() || begin.digits.empty() || begin.prefix != first.prefix)) break;
      NumberedName end = begin;
      std::size_t after = next + 1;
      for (; after < names.size() && !begin.digits.empty(); ++after) {
        const NumberedName name = split(names[after]);
        if (name.digits.empty() || name.prefix != first.prefix || !follows(end, name)) break;
        end = name;
      }
      several = several || after - at > 1;
      if (!ranges.empty()) ranges += ',';
      ranges += begin.digits;
      if (after - next > 1) ranges += fmt::format("-{}", end.digits);
      next = after;
    }
    if (!text.empty()) text += ',';
    text += first.prefix;
    text += several ? fmt::format("[{}]", ranges) : ranges;
    at = next;
  }
  return text;
}

std::string tasks_per_node_text(std::uint32_t tasks, std::size_t nodes) {
  return nodes > 1 ? fmt::format("{}(x{})", tasks, nodes) : fmt::format("{}", tasks);
}

}  // namespace gw::live
