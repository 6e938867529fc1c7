// Edit distance and the wording of suggestions.
#include "spec/near_miss.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace gw::spec {

unsigned edit_distance(std::string_view a, std::string_view b) {
  constexpr std::size_t kLongest = 64;
  if (a.size() > kLongest || b.size() > kLongest) return kLongest;
  std::array<std::array<unsigned, kLongest + 1>, kLongest + 1> cost{};
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = static_cast<unsigned>(i);
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = static_cast<unsigned>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const unsigned replace = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({replace, cost[i - 1][j] + 1, cost[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

namespace {

std::string lower(std::string_view text) {
  std::string small(text);
  for (char& c : small) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return small;
}

}  // namespace

std::optional<std::size_t> nearest_name(std::string_view written, std::span<const std::string_view> known) {
  std::optional<std::size_t> best;
  unsigned best_distance = static_cast<unsigned>(std::max<std::size_t>(1, written.size() / 3)) + 1;
  for (std::size_t index = 0; index < known.size(); ++index) {
    const unsigned distance = edit_distance(written, known[index]);
    if (distance < best_distance) {
      best = index;
      best_distance = distance;
    }
  }
  return best;
}

std::string suggestion(std::string_view written, std::span<const std::string_view> known,
                       std::string_view hint) {
  for (const std::string_view name : known) {
    if (lower(name) == lower(written)) return fmt::format("; did you mean \"{}\"?", name);
  }
  const std::optional<std::size_t> nearest = nearest_name(written, known);
  std::string_view best = nearest ? known[*nearest] : std::string_view();
  if (best.empty()) {  // `hopper-h100` for `h100`, `b200` for `dgx-b200`: one holds the other.
    for (const std::string_view name : known) {
      const bool inside = name.find(written) != name.npos || written.find(name) != written.npos;
      if (inside && written.size() >= 3 && name.size() >= 3 && best.size() < name.size()) best = name;
    }
  }
  if (!best.empty()) return fmt::format("; did you mean \"{}\"?", best);
  if (!known.empty() && known.size() <= 16) return fmt::format("; one of: {}", fmt::join(known, ", "));
  return hint.empty() ? std::string() : fmt::format("; {}", hint);
}

std::string suggestion(std::string_view written, const std::vector<std::string>& known,
                       std::string_view hint) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  return suggestion(written, std::span<const std::string_view>(views), hint);
}

}  // namespace gw::spec
