// What targets decode to, and which are refused.
#include "http/request_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "base/utf8.h"

namespace gw::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(RequestTarget, SplitsAndDecodes) {
  const Result<RequestTarget> target =
      decode_target("/v1/jobs/a%20b/%C3%A4?state=running&q=x%2By+z&flag&=&e=");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->path, "/v1/jobs/a b/ä");
  EXPECT_THAT(target->segments, ElementsAre("v1", "jobs", "a b", "ä"));
  EXPECT_THAT(target->query, ElementsAre(Pair("state", "running"), Pair("q", "x+y z"), Pair("flag", ""),
                                         Pair("", ""), Pair("e", "")));
}

TEST(RequestTarget, KeepsEmptySegments) {
  EXPECT_THAT(decode_target("/")->segments, IsEmpty());
  EXPECT_THAT(decode_target("/?")->segments, IsEmpty());
  EXPECT_THAT(decode_target("/a/")->segments, ElementsAre("a", ""));
  EXPECT_THAT(decode_target("//a")->segments, ElementsAre("", "a"));
  EXPECT_EQ(decode_target("//a/")->path, "//a/");
}

TEST(RequestTarget, AnEncodedSlashMakesNoSegment) {
  const Result<RequestTarget> target = decode_target("/v1/jobs/a%2Fb%2fc");
  ASSERT_TRUE(target.has_value());
  EXPECT_THAT(target->segments, ElementsAre("v1", "jobs", "a/b/c"));
  EXPECT_EQ(target->path, "/v1/jobs/a%2Fb%2Fc");
}

TEST(RequestTarget, RefusesWhatCouldBeMisread) {
  for (const char* text : {"",
                           "a",
                           "*",
                           "/a%",
                           "/a%2",
                           "/a%2g",
                           "/%zz",
                           "/%00",
                           "/a%0Ab",
                           "/a%7f",
                           "/a?b=%00",
                           "/a?b=%",
                           "/a?%4",
                           "/..",
                           "/../a",
                           "/a/..",
                           "/a/../b",
                           "/./a",
                           "/%2e%2e/a",
                           "/.%2E/a",
                           "/a%2F..%2Fb",
                           "/..%2Fa",
                           "/a%5C..%5Cb",
                           "/a b",
                           "/a\tb",
                           "/a#b",
                           "/a\"b",
                           "/<a>",
                           "/a\\b",
                           "/a`",
                           "/{a}",
                           "/a|b",
                           "/\xC3\xA4",
                           "/%C3",
                           "/%FF",
                           "/%C0%AF",
                           "/%ED%A0%80",
                           "/%F5%80%80%80",
                           "/a?b=%FF",
                           "/a?b=\xC3\xA4"}) {
    EXPECT_FALSE(decode_target(text).has_value()) << text;
  }
  EXPECT_THAT(decode_target("/%2e%2e/a").error().message, HasSubstr("'..'"));
  // Names that only look like them, and what browsers send as it is.
  for (const char* text : {"/...", "/..a", "/a..", "/.well-known/x", "/a?b={c}|d^e", "/a?b=%0A", "/a?b=../c"})
    EXPECT_TRUE(decode_target(text).has_value()) << text;
}

RC_GTEST_PROP(RequestTarget, WhatIsEncodedComesBack, ()) {
  std::vector<std::string> segments;
  std::string text;
  for (const std::string& piece :
       *rc::gen::container<std::vector<std::string>>(rc::gen::string<std::string>())) {
    if (!is_utf8(piece) || piece.empty() || piece.find_first_of("./\\") != std::string::npos ||
        std::ranges::any_of(piece, [](char byte) { return (byte >= 0 && byte < 0x20) || byte == 0x7f; }))
      continue;
    segments.push_back(piece);
    text += '/' + percent_encode(piece);
  }
  if (text.empty()) text = "/";
  const std::string value = *rc::gen::suchThat(rc::gen::string<std::string>(), [](const std::string& any) {
    return is_utf8(any) && any.find('\0') == std::string::npos;
  });
  const Result<RequestTarget> target = decode_target(text + "?v=" + percent_encode(value));
  RC_ASSERT(target.has_value());
  RC_ASSERT(target->segments == segments);
  RC_ASSERT(target->query.front().second == value);
}

RC_GTEST_PROP(RequestTarget, NothingClimbs, ()) {
  const auto pieces = *rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("/", ".", "..", "%2e", "%2F", "%5c", "a", "%", "25", "?", "&", "="));
  std::string text = "/";
  for (const std::string& piece : pieces) text += piece;
  const Result<RequestTarget> target = decode_target(text);
  if (!target) return;
  std::string joined;
  for (const std::string& segment : target->segments) joined += '/' + segment;
  RC_ASSERT((joined + '/').find("/../") == std::string::npos);
  RC_ASSERT(std::ranges::count(target->path, '/') == std::ranges::count(text.substr(0, text.find('?')), '/'));
}

}  // namespace
}  // namespace gw::http
