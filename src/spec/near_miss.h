// Near misses: which known name someone meant who wrote an unknown one.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gw::spec {

/// Fewest insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string
/// alignment). Texts longer than 64 bytes count as far apart.
unsigned edit_distance(std::string_view a, std::string_view b);

/// Which of `known` is nearest, at most one edit for each three letters away (one for fewer); of equally near
/// ones the first.
std::optional<std::size_t> nearest_name(std::string_view written, std::span<const std::string_view> known);

/// `; did you mean "gpus"?` for a close known name; `; one of: a, b, c` where none is close and they are few;
/// else `hint`.
std::string suggestion(std::string_view written, std::span<const std::string_view> known,
                       std::string_view hint = {});
std::string suggestion(std::string_view written, const std::vector<std::string>& known,
                       std::string_view hint = {});

}  // namespace gw::spec
