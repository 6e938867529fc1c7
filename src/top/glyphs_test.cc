// Text from anywhere, as cells of a terminal.
#include "top/glyphs.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "base/utf8.h"

namespace gw::top {
namespace {

std::string shown(std::string_view text, bool unicode = true) {
  std::string all;
  for_each_glyph(text, unicode, [&](const Glyph& glyph) {
    all += glyph.text;
    return true;
  });
  return all;
}

TEST(Glyphs, PlainTextIsItself) {
  EXPECT_EQ(shown("train-llm 7"), "train-llm 7");
  EXPECT_EQ(cells_of("train-llm 7", true), 11U);
}

TEST(Glyphs, ControlCharactersAreShownNotObeyed) {
  EXPECT_EQ(shown("a\033[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(shown("a\nb\tc\x7f"), "a\\x0ab\\x09c\\x7f");
  EXPECT_EQ(shown("\u009b2J"), "\\x9b2J");  // A C1 control, two bytes of UTF-8.
}

TEST(Glyphs, BytesThatAreNoTextAreShown) {
  EXPECT_EQ(shown("a\xff\x80z"), "a\\xff\\x80z");
  EXPECT_EQ(shown("\xc0\xaf"), "\\xc0\\xaf");           // Overlong.
  EXPECT_EQ(shown("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // A surrogate.
  EXPECT_EQ(shown("\xe4\xb8"), "\\xe4\\xb8");           // Cut off.
}

TEST(Glyphs, WideOnesTakeTwoCells) {
  EXPECT_EQ(cells_of("日本", true), 4U);
  EXPECT_EQ(cells_of("ä", true), 1U);
  EXPECT_EQ(cells_of("🙂", true), 2U);
}

TEST(Glyphs, MarksJoinTheirLetterAndHeapsOfThemAreCut) {
  EXPECT_EQ(shown("e\u0301x"), "e\u0301x");
  EXPECT_EQ(cells_of("e\u0301x", true), 2U);
  std::string heap = "e";
  for (int i = 0; i < 50; ++i) heap += "\u0301";
  EXPECT_EQ(shown(heap).size(), 1U + 4 * 2);
  EXPECT_EQ(shown("\u0301x"), "x");  // Without a letter to stand on.
}

TEST(Glyphs, WhatSteersTextIsReplaced) {
  EXPECT_EQ(shown("a\u202eb"), "a\uFFFDb");
  EXPECT_EQ(shown("a\u200db"), "a\uFFFDb");
}

TEST(Glyphs, AsciiTerminalsGetQuestionMarks) {
  EXPECT_EQ(shown("käse 日本 e\u0301", false), "k?se ?? e");
  EXPECT_EQ(cells_of("日本", false), 2U);
}

RC_GTEST_PROP(Glyphs, NoBytesReachTheTerminalThatItObeys, (std::string text, bool unicode)) {
  std::size_t cells = 0;
  for_each_glyph(text, unicode, [&](const Glyph& glyph) {
    RC_ASSERT(glyph.cells == 1 || glyph.cells == 2);
    RC_ASSERT(!glyph.text.empty());
    for (std::string_view rest = glyph.text; !rest.empty();) {
      const CodePoint code = first_code_point(rest);
      RC_ASSERT(code.length > 0);
      RC_ASSERT(code.value >= 0x20 && code.value != 0x7f && !(code.value >= 0x80 && code.value < 0xa0));
      if (!unicode) RC_ASSERT(code.value < 0x80);
      rest.remove_prefix(code.length);
    }
    cells += glyph.cells;
    return true;
  });
  RC_ASSERT(cells == cells_of(text, unicode));
}

}  // namespace
}  // namespace gw::top
