// Near misses: which known word a person most likely meant.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gw {

/// The number of insertions, deletions, substitutions and swaps of neighbours that turn `left` into `right`
/// (optimal string alignment distance).
int edit_distance(std::string_view left, std::string_view right);

/// The word nearest to `typed`, if it is near enough to be worth saying: at most one edit per three letters,
/// or `typed` starts it. Of equally near words the first.
std::optional<std::string> nearest_word(std::string_view typed, std::span<const std::string> words);

}  // namespace gw
