// The kinds of texts: what is one, and how it is called.
#include "spec/described.h"

#include <algorithm>

#include "model/country.h"

namespace gw::spec {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 100 || !(is_letter(text.front()) || is_digit(text.front()))) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_tenant_path(std::string_view text) {
  constexpr std::size_t kDeepest = 16;
  for (std::size_t depth = 1; depth <= kDeepest; ++depth) {
    const std::size_t slash = text.find('/');
    if (!is_name(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
  return false;
}

}  // namespace

bool is_text(Text kind, std::string_view text) {
  switch (kind) {
    case Text::kAny:
      return text.find('\0') == std::string_view::npos;
    case Text::kName:
      return is_name(text);
    case Text::kCountry:
      return is_country(text);
    case Text::kLine:
      return std::none_of(text.begin(), text.end(),
                          [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    case Text::kTenantPath:
      return is_tenant_path(text);
    case Text::kVariable:
      return !text.empty() && !is_digit(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '_';
      });
  }
  return false;
}

std::string_view text_wanted(Text kind) {
  switch (kind) {
    case Text::kAny:
      return "must be a text without zero bytes";
    case Text::kName:
      return "must be a name of letters, digits, `.`, `_` and `-` that begins with a letter or digit (at "
             "most "
             "100)";
    case Text::kCountry:
      return "must be a country's two capital letters of ISO 3166-1 (such as DE; GB, not UK)";
    case Text::kLine:
      return "must be a text without line breaks and other control characters";
    case Text::kTenantPath:
      return "must be a tenant's path such as acme/vision: at most 16 names of letters, digits, `.`, `_` and "
             "`-`";
    case Text::kVariable:
      return "must be a variable's name: letters, digits and `_`, not beginning with a digit";
  }
  return {};
}

}  // namespace gw::spec
