// Countries: which codes there are.
#pragma once

#include <string_view>

namespace gw {

/// A code of ISO 3166-1 alpha-2, or XK, which stands for Kosovo where the European Union and banks need a
/// code (the standard leaves it to users).
[[nodiscard]] bool is_country(std::string_view code);

}  // namespace gw
