// Texts and numbers as the screen shows them.
#include <gtest/gtest.h>

#include "top/figures.h"
#include "top/output_text.h"

namespace gw::top {
namespace {

using Lines = std::deque<std::string>;

TEST(Figures, SpansStayNarrow) {
  EXPECT_EQ(short_span(0), "0s");
  EXPECT_EQ(short_span(59), "59s");
  EXPECT_EQ(short_span(134), "2m14s");
  EXPECT_EQ(short_span(120), "2m");
  EXPECT_EQ(short_span(3599), "59m");
  EXPECT_EQ(short_span(11520), "3h12m");
  EXPECT_EQ(short_span(36000), "10h");
  EXPECT_EQ(short_span(86400 * 4 + 3600 * 3), "4d3h");
  EXPECT_EQ(short_span(86400 * 9 + 3600 * 23), "9d23h");
  EXPECT_EQ(short_span(86400 * 365), "365d");
  EXPECT_EQ(short_span(-5), "0s");
}

TEST(Figures, AmountsStayNarrow) {
  EXPECT_EQ(short_amount(0), "0");
  EXPECT_EQ(short_amount(0.5), "0.5");
  EXPECT_EQ(short_amount(0.125), "0.125");
  EXPECT_EQ(short_amount(12.5), "12.5");
  EXPECT_EQ(short_amount(1024), "1024");
  EXPECT_EQ(short_amount(99999), "99999");
  EXPECT_EQ(short_amount(100000), "100k");
  EXPECT_EQ(short_amount(1234567), "1.23M");
  EXPECT_EQ(short_amount(-8), "-8");
}

TEST(Figures, MemoryStaysNarrow) {
  EXPECT_EQ(short_memory(512), "512M");
  EXPECT_EQ(short_memory(1024), "1G");
  EXPECT_EQ(short_memory(1536), "1.5G");
  EXPECT_EQ(short_memory(2 * 1024 * 1024), "2T");
  EXPECT_EQ(short_memory(120 * 1024 + 300), "120G");
}

TEST(Figures, TimesAreUtc) {
  EXPECT_EQ(clock_text(1'795'694'625'000'000'000), "12:03:45");
  EXPECT_EQ(date_text(1'795'694'625'000'000'000), "2026-11-26 12:03:45");
}

Lines lines_of(std::initializer_list<std::string_view> pieces) {
  OutputText text;
  for (const std::string_view piece : pieces) text.feed(piece);
  return text.lines();
}

TEST(OutputText, LinesComeInPieces) {
  EXPECT_EQ(lines_of({"on", "e\ntw", "o\n\nfour"}), (Lines{"one", "two", "", "four"}));
  EXPECT_TRUE(lines_of({""}).empty());
}

TEST(OutputText, AProgressBarIsOneLine) {
  EXPECT_EQ(lines_of({"10 %\r20 %", "\r", "30 %\rdone\n"}), (Lines{"done"}));
  EXPECT_EQ(lines_of({"dos\r\nunix\n"}), (Lines{"dos", "unix"}));
}

TEST(OutputText, EscapeSequencesAreLeftOut) {
  EXPECT_EQ(lines_of({"\033[1;31mred\033", "[0m plain"}), (Lines{"red plain"}));
  EXPECT_EQ(lines_of({"\033]0;a title\atext"}), (Lines{"text"}));
  EXPECT_EQ(lines_of({"\033]8;;http://x\033\\link\033]8;;\033\\"}), (Lines{"link"}));
  EXPECT_EQ(lines_of({"\033(Bset\033=mode"}),
            (Lines{"setmode"}));  // One with an intermediate byte; a short one.
  EXPECT_EQ(lines_of({"\033[31\nnot ended"}), (Lines{"", "not ended"}));
}

TEST(OutputText, TabsBecomeBlanks) { EXPECT_EQ(lines_of({"a\tb"}), (Lines{"a       b"})); }

TEST(OutputText, OnlyTheEndIsKept) {
  OutputText text;
  for (int i = 0; i < 6000; ++i) text.feed("x" + std::to_string(i) + "\n");
  EXPECT_EQ(text.lines().size(), 5000U);
  EXPECT_EQ(text.lines().back(), "x5999");
  const std::vector<std::string> dropped = text.take_dropped();
  ASSERT_EQ(dropped.size(), 1000U);
  EXPECT_EQ(dropped.back(), "x999");
  EXPECT_TRUE(text.take_dropped().empty());
  OutputText endless;
  endless.feed(std::string(100'000, 'y'));
  EXPECT_GT(endless.lines().size(), 5U);
}

TEST(Broken, AtBlanksNearTheEndElseAnywhere) {
  EXPECT_EQ(broken("the quick brown fox", 11, true), (std::vector<std::string>{"the quick", "brown fox"}));
  EXPECT_EQ(broken("abcdefgh", 3, true), (std::vector<std::string>{"abc", "def", "gh"}));
  EXPECT_EQ(broken("", 3, true), (std::vector<std::string>{""}));
  EXPECT_EQ(broken("日本語", 4, true), (std::vector<std::string>{"日本", "語"}));
  EXPECT_EQ(broken("a\033b", 3, true), (std::vector<std::string>{"a\\x", "1bb"}));
}

}  // namespace
}  // namespace gw::top
