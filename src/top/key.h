// Key: what was pressed, whatever terminal it came from.
#pragma once

#include <cstdint>
#include <string>

namespace gw::top {

enum class KeyCode : std::uint8_t {
  kText,  ///< A character: `text` is its UTF-8.
  kEnter,
  kEscape,
  kTab,
  kBackTab,
  kUp,
  kDown,
  kLeft,
  kRight,
  kPageUp,
  kPageDown,
  kHome,
  kEnd,
  kBackspace,
  kClear,  ///< ^U: empties a line that is typed.
  kOther,
};

struct Key {
  KeyCode code = KeyCode::kOther;
  std::string text;
};

}  // namespace gw::top
