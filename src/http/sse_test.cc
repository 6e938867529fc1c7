// Server-sent events: what is written reads back, and what others write is read as the standard says.
#include "http/sse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gw::http {

void PrintTo(const ServerEvent& event, std::ostream* out) {
  *out << "{id '" << event.id << "', event '" << event.event << "', data '" << event.data << "'}";
}

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<ServerEvent> parse(std::string_view text, std::size_t step) {
  EventParser parser;
  std::vector<ServerEvent> events;
  for (std::size_t at = 0; at < text.size(); at += step) {
    const Result<bool> fed = parser.feed(text.substr(at, step), [&](const ServerEvent& event) {
      events.push_back(event);
      return true;
    });
    EXPECT_TRUE(fed.has_value() && *fed);
  }
  return events;
}

/// The same whatever the pieces.
std::vector<ServerEvent> parse(std::string_view text) {
  const std::vector<ServerEvent> whole = parse(text, std::max<std::size_t>(text.size(), 1));
  for (std::size_t step = 1; step < std::min<std::size_t>(text.size(), 8); ++step)
    EXPECT_EQ(parse(text, step), whole) << "in pieces of " << step << ": " << text;
  return whole;
}

TEST(EventParser, ReadsTheExamplesOfTheStandard) {
  EXPECT_THAT(parse("data: YHOO\ndata: +2\ndata: 10\n\n"), ElementsAre(ServerEvent{"", "", "YHOO\n+2\n10"}));
  EXPECT_THAT(
      parse(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n"),
      ElementsAre(ServerEvent{"1", "", "first event"}, ServerEvent{"", "", "second event"}));
  EXPECT_THAT(parse("data\n\ndata\ndata\n\ndata:"),
              ElementsAre(ServerEvent{"", "", ""}, ServerEvent{"", "", "\n"}));
  EXPECT_THAT(parse("data:test\n\ndata: test\n\n"),
              ElementsAre(ServerEvent{"", "", "test"}, ServerEvent{"", "", "test"}));
}

TEST(EventParser, TakesEveryLineEnd) {
  for (const std::string end : {"\n", "\r", "\r\n"}) {
    const std::string text = "event: job" + end + "data: a" + end + "data: b" + end + "id: 7" + end + end +
                             "data: next" + end + end;
    EXPECT_THAT(parse(text), ElementsAre(ServerEvent{"7", "job", "a\nb"}, ServerEvent{"7", "", "next"}));
  }
  EXPECT_THAT(parse("data: a\r\rdata: b\n\n"),
              ElementsAre(ServerEvent{"", "", "a"}, ServerEvent{"", "", "b"}));
}

TEST(EventParser, PassesOverWhatItNeedNotKnow) {
  EXPECT_THAT(parse(":\n: keep-alive\nretry: 1000\nretry: x\nfoo: bar\nevent: gone\n\ndata: a\n\n"),
              ElementsAre(ServerEvent{"", "", "a"}));
  EXPECT_THAT(parse(std::string_view("id: 1\0\ndata: a\n\n", 16)), ElementsAre(ServerEvent{"", "", "a"}));
  EXPECT_THAT(parse("\xEF\xBB\xBF"
                    "data: a\n\n"),
              ElementsAre(ServerEvent{"", "", "a"}));
  EXPECT_THAT(parse("\xEF\xBB"
                    "data: a\n\ndata: b\n\n"),
              ElementsAre(ServerEvent{"", "", "b"}));
  EXPECT_THAT(parse("data: a\n\n\xEF\xBB\xBF"
                    "data: b\n\n"),
              ElementsAre(ServerEvent{"", "", "a"}));
  EXPECT_THAT(parse("data: never ended"), IsEmpty());
  EXPECT_THAT(parse(""), IsEmpty());
}

TEST(EventParser, StopsWhenTold) {
  EventParser parser;
  int calls = 0;
  const Result<bool> fed = parser.feed("data: a\n\ndata: b\n\n", [&](const ServerEvent& /*event*/) {
    ++calls;
    return false;
  });
  ASSERT_TRUE(fed.has_value());
  EXPECT_FALSE(*fed);
  EXPECT_EQ(calls, 1);
}

TEST(EventParser, BoundsAnEvent) {
  const auto ignore = [](const ServerEvent& /*event*/) { return true; };
  EventParser line(100);
  Result<bool> fed = true;
  for (int count = 0; count < 20 && fed; ++count) fed = line.feed("data: 123456789", ignore);
  ASSERT_FALSE(fed.has_value());
  EXPECT_THAT(fed.error().message, HasSubstr("100 bytes"));
  EventParser lines(100);
  fed = true;
  for (int count = 0; count < 20 && fed; ++count) fed = lines.feed("data: 123456789\n", ignore);
  EXPECT_FALSE(fed.has_value());
  EventParser events(100);  // Many small ones are none.
  for (int count = 0; count < 100; ++count)
    EXPECT_TRUE(events.feed("data: 123456789\n\n", ignore).has_value());
}

TEST(FormatEvent, WritesTheFields) {
  EXPECT_EQ(format_event("a\nb", "job", "7"), "event: job\nid: 7\ndata: a\ndata: b\n\n");
  EXPECT_EQ(format_event(""), "data: \n\n");
  EXPECT_EQ(format_comment(), ": \n\n");
  EXPECT_EQ(format_comment("x\ndata: y"), ": x\n: data: y\n\n");
  EXPECT_EQ(format_retry(1500), "retry: 1500\n\n");
  EXPECT_EQ(format_event("d", "a\r\ndata: b", std::string_view("1\n\0", 3)),
            "event: a  data: b\nid: 1  \ndata: d\n\n");
}

RC_GTEST_PROP(FormatEvent, AnyTextIsOneEvent, (std::string data)) {
  const std::string stream = format_comment(data) + format_event(data, "e", "1") + format_event("last");
  // The three line ends are one to the reader.
  std::string expected;
  for (std::size_t at = 0; at < data.size(); ++at) {
    if (data[at] == '\r' && at + 1 < data.size() && data[at + 1] == '\n') continue;
    expected += data[at] == '\r' ? '\n' : data[at];
  }
  const std::vector<ServerEvent> events = parse(stream, *rc::gen::inRange<std::size_t>(1, 30));
  RC_ASSERT(events == (std::vector<ServerEvent>{{"1", "e", expected}, {"1", "", "last"}}));
}

TEST(Sse, AnIdAloneIsNoEventAndIsRemembered) {
  EventParser parser;
  const auto none = [](const ServerEvent&) {
    ADD_FAILURE() << "an event";
    return true;
  };
  EXPECT_TRUE(parser.feed(format_comment("hello") + format_id("7"), none));
  EXPECT_EQ(parser.last_id(), "7");
  std::string id;
  EXPECT_TRUE(parser.feed(format_event("data"), [&](const ServerEvent& event) {
    id = event.id;
    return true;
  }));
  EXPECT_EQ(id, "7");
  EXPECT_TRUE(parser.feed("id: 8\ndata: ha", none));
  EXPECT_EQ(parser.last_id(), "7") << "an event that is cut off has not been seen";
  EXPECT_EQ(format_id("1\n2"), "id: 1 2\n\n");
}

}  // namespace
}  // namespace gw::http
