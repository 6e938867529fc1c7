// Rows: RFC 4180, places of rows, and rows that are spoiled.
#include "workload/rows.h"

#include <gmock/gmock.h>
#include <rapidcheck.h>

namespace gw::workload {
namespace {

using testing::ElementsAre;

struct Read {
  std::vector<std::string> fields;
  std::uint64_t line = 0;
  std::string problem;
};

std::vector<Read> read_rows(std::string_view text, bool pipes = false) {
  const std::unique_ptr<ByteSource> source = memory_source(text, "table");
  const std::unique_ptr<RowSource> rows = pipes ? pipe_rows(*source) : csv_rows(*source);
  std::vector<Read> all;
  Row row;
  for (;;) {
    const Result<bool> there = rows->next(row);
    EXPECT_TRUE(there.has_value());
    if (!there || !*there) return all;
    all.push_back(
        {{row.fields.begin(), row.fields.end()}, row.line, row.problem == nullptr ? "" : row.problem});
  }
}

TEST(CsvRows, ReadsQuotesCommasAndLineEndsInFields) {
  const std::vector<Read> rows =
      read_rows("a,b\r\n\"1,2\",\"say \"\"hi\"\"\"\n\n\"two\nlines\",x\n ,\n\"\",last");
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_THAT(rows[0].fields, ElementsAre("a", "b"));
  EXPECT_THAT(rows[1].fields, ElementsAre("1,2", "say \"hi\""));
  EXPECT_THAT(rows[2].fields, ElementsAre("two\nlines", "x"));
  EXPECT_EQ(rows[2].line, 4U);
  EXPECT_THAT(rows[3].fields, ElementsAre("", ""));
  EXPECT_EQ(rows[3].line, 6U);
  EXPECT_THAT(rows[4].fields, ElementsAre("", "last"));
}

TEST(CsvRows, ASpoiledRowSpoilsNoOther) {
  using namespace std::string_view_literals;
  const std::vector<Read> rows = read_rows("1,a\"b,2\n3,4\n5,\0\n6,7\n\"x\"y,8\n9,10\n"sv);
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(rows[0].problem, "quotes are not as CSV wants them");
  EXPECT_THAT(rows[1].fields, ElementsAre("3", "4"));
  EXPECT_EQ(rows[2].problem, "row holds a NUL byte");
  EXPECT_THAT(rows[3].fields, ElementsAre("6", "7"));
  EXPECT_EQ(rows[4].problem, "quotes are not as CSV wants them");
  EXPECT_THAT(rows[5].fields, ElementsAre("9", "10"));
}

TEST(CsvRows, AQuoteThatIsNeverClosedIsNoEndlessRow) {
  std::string text = "1,\"open\n";
  for (int i = 0; i < 20'000; ++i) text += "2,3\n";
  const std::vector<Read> rows = read_rows(text);
  ASSERT_GT(rows.size(), 2U);
  EXPECT_EQ(rows[0].problem, "a quote is not closed within 64 KiB");
  EXPECT_THAT(rows[1].fields, ElementsAre("2", "3"));
  EXPECT_EQ(read_rows("1,\"open\n2,3\n")[0].problem, "a quote is never closed");
}

TEST(CsvRows, WhatIsQuotedIsReadBack) {
  rc::check([] {
    const auto fields = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(
        rc::gen::container<std::string>(rc::gen::element('a', '"', ',', '\n', ' ', '|', '\xc3'))));
    std::string text = "first\n";
    for (const std::string& field : fields) {
      text += text.back() == '\n' && &field == fields.data() ? "\"" : ",\"";
      for (const char c : field) text += c == '"' ? std::string("\"\"") : std::string(1, c);
      text += '"';
    }
    text += "\nlast\n";
    const std::vector<Read> rows = read_rows(text);
    RC_ASSERT(rows.size() == 3U);
    RC_ASSERT(rows[1].fields == fields);
    RC_ASSERT(rows[2].fields == std::vector<std::string>{"last"});
  });
}

TEST(PipeRows, TakesFieldsAsTheyAre) {
  const std::vector<Read> rows = read_rows("JobID|JobName|\n1|say \"x|\n\n2||\n", true);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_THAT(rows[1].fields, ElementsAre("1", "say \"x", ""));
  EXPECT_EQ(rows[2].line, 4U);
}

}  // namespace
}  // namespace gw::workload
