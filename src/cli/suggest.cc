// Near misses by edit distance.
#include "cli/suggest.h"

#include <algorithm>
#include <vector>

namespace gw {

int edit_distance(std::string_view left, std::string_view right) {
  // Three rows of the usual table: a swap of neighbours looks two rows back.
  std::vector<int> before(right.size() + 1), above(right.size() + 1), row(right.size() + 1);
  for (std::size_t j = 0; j <= right.size(); ++j) above[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= left.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const int substitution = above[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, substitution});
      const bool swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[right.size()];
}

std::optional<std::string> nearest_word(std::string_view typed, std::span<const std::string> words) {
  std::optional<std::string> nearest;
  int nearest_distance = std::max(1, static_cast<int>(typed.size()) / 3) + 1;
  for (const std::string& word : words) {
    const int distance = edit_distance(typed, word);
    if (distance < nearest_distance) {
      nearest_distance = distance;
      nearest = word;
    }
  }
  if (!nearest && typed.size() >= 2) {
    const auto longer =
        std::ranges::find_if(words, [&](const std::string& word) { return word.starts_with(typed); });
    if (longer != words.end()) nearest = *longer;
  }
  return nearest;
}

}  // namespace gw
