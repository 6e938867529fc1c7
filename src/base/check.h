// GW_CHECK: an assertion that stays on in production; a bug crashes where it is, not later.
#pragma once

namespace gw {

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace gw

#define GW_CHECK(condition)                               \
  do {                                                    \
    if (!(condition)) [[unlikely]]                        \
      ::gw::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
