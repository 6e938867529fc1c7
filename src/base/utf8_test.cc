// Any text becomes a line that a database takes.
#include "base/utf8.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gw {
namespace {

TEST(CleanLine, WhatIsCleanStays) {
  EXPECT_EQ(clean_line("", 10), "");
  EXPECT_EQ(clean_line("Straße 漢字 🚂", 100), "Straße 漢字 🚂");
}

TEST(CleanLine, ControlCharactersAndWhatIsNoUtf8AreReplaced) {
  EXPECT_EQ(clean_line(std::string_view("a\0b\n\x7f\x1b[c", 8), 100), "a b   [c");
  EXPECT_EQ(clean_line("a\xc2\x85z", 100), "a z");  // U+0085, a line feed elsewhere.
  EXPECT_EQ(clean_line("a\xffz", 100), "a\xef\xbf\xbdz");
  EXPECT_EQ(clean_line("\xed\xa0\x80", 100), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // A surrogate.
  EXPECT_EQ(clean_line("\xe6\xbc", 100), "\xef\xbf\xbd\xef\xbf\xbd");  // Cut within a character.
}

TEST(CleanLine, IsCutAtWholeCharacters) {
  EXPECT_EQ(clean_line("漢字", 6), "漢字");
  EXPECT_EQ(clean_line("漢字", 5), "漢");
  EXPECT_EQ(clean_line("漢字", 2), "");
  EXPECT_EQ(clean_line("\xff\xff", 5), "\xef\xbf\xbd");
}

RC_GTEST_PROP(CleanLine, IsALineOfUtf8WhateverComes, ()) {
  const auto text = *rc::gen::arbitrary<std::string>();
  const auto bytes = *rc::gen::inRange<std::size_t>(0, 40);
  const std::string line = clean_line(text, bytes);
  RC_ASSERT(is_utf8(line));
  RC_ASSERT(line.size() <= bytes);
  RC_ASSERT(clean_line(line, bytes) == line);
  for (const char c : line) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20);
}

}  // namespace
}  // namespace gw
