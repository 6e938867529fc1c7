// What readers of published tables share: columns that must be there, words in fields, notes of what was
// assumed.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "physics/published.h"

namespace gw::physics {

/// An Error that names the file and the columns of `wanted` that the table lacks.
[[nodiscard]] inline Result<void> require_columns(const PublishedTable& table, std::string_view file,
                                                  std::initializer_list<std::string_view> wanted) {
  std::string missing;
  for (const std::string_view column : wanted) {
    if (!table.has(column)) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", column);
  }
  if (missing.empty()) return {};
  return fail(fmt::format("{}: its first row does not name {}", file, missing));
}

[[nodiscard]] inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

[[nodiscard]] inline std::string lower(std::string_view text) {
  std::string result;
  for (const char letter : text)
    result += static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
  return result;
}

/// Adds to what a row does not say and was assumed.
template <class PublishedRow>
void assume(PublishedRow& row, std::string_view what) {
  row.assumed += fmt::format("{}{}", row.assumed.empty() ? "" : ", ", what);
}

}  // namespace gw::physics
