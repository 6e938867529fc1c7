// What drawing leaves on a canvas.
#include "top/canvas.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "top/columns.h"

namespace gw::top {
namespace {

std::string put_in(std::size_t width, std::string_view text, Align align = Align::kLeft, Cut cut = Cut::kEnd,
                   bool unicode = true) {
  Canvas canvas(20, 1, unicode);
  canvas.put(0, 0, "--------------------");
  canvas.put_in(0, 2, width, text, {}, align, cut);
  return canvas.row_text(0).substr(0, canvas.row_text(0).rfind("--") + 2);
}

TEST(Canvas, FillsExactlyTheWidth) {
  EXPECT_EQ(put_in(6, "abc"), "--abc   ------------");
  EXPECT_EQ(put_in(6, "abc", Align::kRight), "--   abc------------");
  EXPECT_EQ(put_in(6, "abcdef"), "--abcdef------------");
}

TEST(Canvas, AnEllipsisStandsForWhatIsLeftOut) {
  EXPECT_EQ(put_in(6, "abcdefgh"), "--abcde…------------");
  EXPECT_EQ(put_in(6, "abcdefgh", Align::kLeft, Cut::kBegin), "--…defgh------------");
  EXPECT_EQ(put_in(6, "abcdefgh", Align::kLeft, Cut::kEnd, false), "--abcde~------------");
  EXPECT_EQ(put_in(1, "abc"), "--…-----------------");
}

TEST(Canvas, WideGlyphsAreNotHalved) {
  EXPECT_EQ(put_in(4, "日本語"), "--日… --------------");
  EXPECT_EQ(put_in(5, "日本語"), "--日本…-------------");
  EXPECT_EQ(put_in(4, "日本語", Align::kLeft, Cut::kBegin), "--…語 --------------");
  Canvas canvas(4, 1, true);
  canvas.put(0, 0, "日本");
  canvas.put(0, 1, "x");  // Over the right half of the first.
  EXPECT_EQ(canvas.row_text(0), " x本");
}

TEST(Canvas, NothingIsDrawnOutside) {
  Canvas canvas(4, 1, true);
  EXPECT_EQ(canvas.put(0, 2, "abcdef"), 4U);
  canvas.put(7, 0, "x");
  EXPECT_EQ(canvas.text(), "  ab\n");
}

std::string bar(std::vector<Canvas::Part> parts, double mark = -1, bool unicode = true) {
  Canvas canvas(10, 1, unicode);
  canvas.bar(0, 0, 10, parts, mark);
  return canvas.row_text(0);
}

TEST(Canvas, BarsSayHowMuch) {
  EXPECT_EQ(bar({{0.5, Hue::kGreen, false}}), "█████·····");
  EXPECT_EQ(bar({{0.55, Hue::kGreen, false}}), "█████▌····");
  EXPECT_EQ(bar({{0.5, Hue::kGreen, false}}, -1, false), "#####.....");
  EXPECT_EQ(bar({{0.5, Hue::kGreen, false}, {0.2, Hue::kRed, true}}), "█████▒▒···");
  EXPECT_EQ(bar({{0.5, Hue::kGreen, false}, {0.2, Hue::kRed, true}}, -1, false), "#####xx...");
  EXPECT_EQ(bar({{0.2, Hue::kGreen, false}}, 0.5), "██···┃····");
  EXPECT_EQ(bar({{0.2, Hue::kGreen, false}}, 1, false), "##.......|");
}

TEST(Canvas, ALittleIsNotNothingAndTooMuchIsAll) {
  EXPECT_EQ(bar({{0.0001, Hue::kGreen, false}}), "▏·········");
  EXPECT_EQ(bar({{0, Hue::kGreen, false}}), "··········");
  EXPECT_EQ(bar({{7, Hue::kGreen, false}}), "██████████");
  EXPECT_EQ(bar({{0.0 / 0.0, Hue::kGreen, false}}), "··········");
}

RC_GTEST_PROP(Canvas, AnyTextFillsAnyWidth, (std::string text, bool unicode, bool begin, bool right)) {
  const auto width = *rc::gen::inRange<std::size_t>(0, 30);
  Canvas canvas(40, 1, unicode);
  canvas.put_in(0, 5, width, text, {Hue::kRed, false, false, false}, right ? Align::kRight : Align::kLeft,
                begin ? Cut::kBegin : Cut::kEnd);
  for (std::size_t column = 0; column < 40; ++column) {
    const bool inside = column >= 5 && column < 5 + width;
    RC_ASSERT((canvas.at(0, column).look.hue == Hue::kRed) == inside);
    if (canvas.at(0, column).text.empty()) RC_ASSERT(cells_of(canvas.at(0, column - 1).text, unicode) == 2U);
  }
}

TEST(Columns, TheImportantOnesStay) {
  const Column columns[] = {{"A", 4, 4, 4, 90}, {"B", 4, 8, 20, 80}, {"C", 4, 4, 4, 85}};
  EXPECT_EQ(fit_columns(columns, 30), (std::vector<std::size_t>{4, 20, 4}));
  EXPECT_EQ(fit_columns(columns, 14), (std::vector<std::size_t>{4, 4, 4}));
  EXPECT_EQ(fit_columns(columns, 13), (std::vector<std::size_t>{4, 0, 8}));
  EXPECT_EQ(fit_columns(columns, 4), (std::vector<std::size_t>{4, 0, 0}));
  EXPECT_EQ(fit_columns(columns, 2), (std::vector<std::size_t>{2, 0, 0}));
}

TEST(Columns, ExtrasWaitUntilTheOthersAreComfortable) {
  const Column columns[] = {{"A", 4, 8, 20, 90}, {"B", 4, 4, 4, 10}};
  EXPECT_EQ(fit_columns(columns, 12), (std::vector<std::size_t>{12, 0}));
  EXPECT_EQ(fit_columns(columns, 13), (std::vector<std::size_t>{8, 4}));
  EXPECT_EQ(fit_columns(columns, 30), (std::vector<std::size_t>{20, 9}));
}

RC_GTEST_PROP(Columns, TheWidthIsUsedAndNotMore, ()) {
  std::vector<Column> columns;
  for (int i = *rc::gen::inRange(1, 12); i > 0; --i) {
    Column column;
    column.least = *rc::gen::inRange<std::size_t>(1, 20);
    column.good = column.least + *rc::gen::inRange<std::size_t>(0, 20);
    column.most = column.good + *rc::gen::inRange<std::size_t>(0, 20);
    column.importance = *rc::gen::inRange(0U, 100U);
    columns.push_back(column);
  }
  const auto width = *rc::gen::inRange<std::size_t>(1, 250);
  const std::vector<std::size_t> widths = fit_columns(columns, width);
  std::size_t used = 0, shown = 0;
  for (const std::size_t each : widths) {
    used += each;
    shown += each > 0;
  }
  RC_ASSERT(shown > 0U);
  RC_ASSERT(used + shown - 1 == width);
}

}  // namespace
}  // namespace gw::top
