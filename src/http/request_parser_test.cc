// Requests from bytes: what is read, what is refused and with which status, in whatever pieces it comes.
#include "http/request_parser.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace gw::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using Stage = RequestParser::Stage;

struct Parsed {
  std::vector<Request> requests;
  unsigned refused = 0;  ///< Status, or 0.
  std::string detail;
  Stage stage = Stage::kStart;
  std::size_t used = 0;
};

Parsed parse(std::string_view text, std::size_t step = 1 << 20, const RequestLimits& limits = {}) {
  RequestParser parser(limits);
  Parsed parsed;
  while (parsed.used < text.size() && parser.stage() != Stage::kRefused) {
    // What was not taken comes again, with more behind it, as a connection does it.
    const std::size_t used = parser.feed(text.substr(parsed.used, step));
    parsed.used += used;
    if (parser.stage() == Stage::kDone) parsed.requests.push_back(parser.take());
  }
  parsed.stage = parser.stage();
  if (parsed.stage == Stage::kRefused) {
    parsed.refused = parser.refusal().status;
    parsed.detail = parser.refusal().detail;
  }
  return parsed;
}

/// The status with which one request is refused; 0 if it is read whole. The same in pieces of any size.
unsigned refusal_of(std::string_view text, const RequestLimits& limits = {}) {
  const Parsed whole = parse(text, 1 << 20, limits);
  const std::string_view shown = text.substr(0, 200);
  EXPECT_TRUE(whole.refused != 0 || whole.requests.size() == 1) << shown;
  for (const std::size_t step : {1, 2, 3, 7})
    EXPECT_EQ(parse(text, step, limits).refused, whole.refused) << shown;
  return whole.refused;
}

std::string get(std::string_view headers, std::string_view target = "/") {
  return fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n{}\r\n", target, headers);
}
std::string post(std::string_view headers, std::string_view body = "") {
  return fmt::format("POST / HTTP/1.1\r\nHost: a\r\n{}\r\n{}", headers, body);
}

TEST(RequestParser, ReadsARequest) {
  const std::string text =
      "POST /v1/jobs/a%2Fb?x=1 HTTP/1.1\r\nHost: localhost:7411\r\nContent-Type:application/json\r\n"
      "X-Two-Words: \t two  words \t\r\nX-Empty:\r\ncontent-length: 5\r\n\r\nhello";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    const Parsed parsed = parse(text, step);
    ASSERT_EQ(parsed.requests.size(), 1U) << step << parsed.detail;
    const Request& request = parsed.requests.front();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.target, "/v1/jobs/a%2Fb?x=1");
    EXPECT_EQ(request.path, "/v1/jobs/a%2Fb");
    EXPECT_THAT(request.segments, ElementsAre("v1", "jobs", "a/b"));
    EXPECT_THAT(request.query, ElementsAre(Pair("x", "1")));
    EXPECT_THAT(
        request.headers,
        ElementsAre(Pair("host", "localhost:7411"), Pair("content-type", "application/json"),
                    Pair("x-two-words", "two  words"), Pair("x-empty", ""), Pair("content-length", "5")));
    EXPECT_EQ(request.header("content-type"), "application/json");
    EXPECT_EQ(request.header("absent"), "");
    EXPECT_EQ(*request.parameter("x"), "1");
    EXPECT_EQ(request.parameter("y"), nullptr);
    EXPECT_EQ(request.body, "hello");
  }
}

TEST(RequestParser, ReadsOneAfterTheOther) {
  const std::string text = get("", "/1") + "\r\n" + post("Content-Length: 2\r\n", "ab") +
                           post("Transfer-Encoding: chunked\r\n", "1\r\nc\r\n2\r\nde\r\n0\r\n\r\n") +
                           get("", "/4") + "GET";
  for (std::size_t step = 1; step < 40; ++step) {
    const Parsed parsed = parse(text, step);
    ASSERT_EQ(parsed.requests.size(), 4U) << step << parsed.detail;
    EXPECT_EQ(parsed.requests[0].path, "/1");
    EXPECT_EQ(parsed.requests[1].body, "ab");
    EXPECT_EQ(parsed.requests[2].body, "cde");
    EXPECT_EQ(parsed.requests[3].path, "/4");
    EXPECT_EQ(parsed.stage, Stage::kHead);
  }
}

TEST(RequestParser, KnowsWhetherTheConnectionGoesOn) {
  const auto goes_on = [](std::string_view text) {
    const RequestLimits limits;
    RequestParser parser(limits);
    parser.feed(text);
    EXPECT_EQ(parser.stage(), Stage::kDone) << text;
    return parser.head().keep_alive;
  };
  EXPECT_TRUE(goes_on(get("")));
  EXPECT_FALSE(goes_on(get("Connection: close\r\n")));
  EXPECT_FALSE(goes_on(get("Connection: foo, Close\r\n")));
  EXPECT_TRUE(goes_on(get("Connection: keep-alive\r\n")));
  EXPECT_FALSE(goes_on("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(goes_on("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
}

TEST(RequestParser, RefusesTwoWaysToEndABody) {
  EXPECT_EQ(refusal_of(post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")), 400U);
  EXPECT_EQ(refusal_of(post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")), 400U);
  EXPECT_EQ(refusal_of(post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")), 400U);
  EXPECT_EQ(refusal_of(post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")), 400U);
  EXPECT_EQ(refusal_of(post("Content-Length: 5, 5\r\n", "hello")), 400U);
  EXPECT_EQ(refusal_of(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
            400U);
  for (const char* length :
       {"", "+5", "-5", "0x5", "5 5", "5a", "5.0", "99999999999999999999", "18446744073709551621"})
    EXPECT_EQ(refusal_of(post(fmt::format("Content-Length: {}\r\n", length), "hello")), 400U) << length;
  for (const char* coding : {"gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity",
                             "xchunked", "\"chunked\"", "chunked;q=1", ""}) {
    const unsigned status = refusal_of(post(fmt::format("Transfer-Encoding: {}\r\n", coding), "0\r\n\r\n"));
    EXPECT_TRUE(status == 501 || status == 400) << coding << status;
  }
  EXPECT_EQ(refusal_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400U);
  EXPECT_EQ(refusal_of(post("Transfer-Encoding: Chunked\r\n", "0\r\n\r\n")), 0U);
}

TEST(RequestParser, RefusesMalformedHeads) {
  for (const char* text : {
           "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\tfolded\r\n\r\n",
           "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
           "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX\t: 1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX: 1\n\r\n\r\n",
           "GET / HTTP/1.1\nHost: a\n\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01z\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fz\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX(: 1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX\xC3\xA4: 1\r\n\r\n",
           "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
           "GET / b HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /\tb HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /\r\nHost: a\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",                        // No Host.
           "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",  // Two.
           "GET / HTTP/1.1\r\nHost:\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nAuthorization: y\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nContent-Type: x\r\nContent-Type: y\r\n\r\n",
           "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n",
           "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /\xC3\xA4 HTTP/1.1\r\nHost: a\r\n\r\n",
           "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
           "\x16\x03\x01\x02\x00\x01\x00",  // The beginning of a TLS handshake.
           "{\"json\": 1}\r\n\r\n",
           "G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET / http/1.1\r\nHost: a\r\n\r\n",
           "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
       }) {
    EXPECT_EQ(refusal_of(text), 400U) << text;
  }
  EXPECT_EQ(refusal_of(std::string_view("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 36)), 400U);
  EXPECT_THAT(parse("\x16\x03\x01").detail, HasSubstr("TLS"));
}

TEST(RequestParser, RefusesWhatItDoesNotServe) {
  EXPECT_EQ(refusal_of("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"), 405U);
  EXPECT_EQ(refusal_of("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"), 405U);
  EXPECT_EQ(refusal_of("BREW / HTTP/1.1\r\nHost: a\r\n\r\n"), 501U);
  EXPECT_EQ(refusal_of("get / HTTP/1.1\r\nHost: a\r\n\r\n"), 501U);
  EXPECT_EQ(refusal_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505U);
  EXPECT_EQ(refusal_of("PRI * HTTP/2.0\r\n\r\n"), 505U);
  EXPECT_EQ(refusal_of("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505U);
  EXPECT_EQ(refusal_of("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505U);
  EXPECT_EQ(refusal_of(post("Expect: something\r\nContent-Length: 1\r\n", "x")), 417U);
}

TEST(RequestParser, TakesTheSaneForms) {
  EXPECT_EQ(refusal_of("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 0U);
  EXPECT_EQ(refusal_of("GET / HTTP/1.0\r\n\r\n"), 0U);
  EXPECT_EQ(refusal_of(get("X: \xC3\xA4 \x80\r\n")), 0U);
  EXPECT_EQ(refusal_of("\r\n" + get("")), 0U);
  const Parsed absolute = parse("GET HTTP://Example.org:80?a=b HTTP/1.1\r\nHost: example.org:80\r\n\r\n");
  ASSERT_EQ(absolute.requests.size(), 1U) << absolute.detail;
  EXPECT_EQ(absolute.requests.front().path, "/");
  EXPECT_EQ(*absolute.requests.front().parameter("a"), "b");
  EXPECT_EQ(refusal_of("GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n"), 0U);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: [::1]:7411\r\n\r\n"), 0U);
}

TEST(RequestParser, KeepsItsLimitsToTheByte) {
  RequestLimits limits{.header_bytes = 200, .target_bytes = 50, .header_count = 5, .body_bytes = 10};
  const auto head_of = [](std::size_t size) {
    std::string text = get("X: ");
    const std::size_t fill = size - text.size() - 2;
    return get(fmt::format("X: {}\r\n", std::string(fill, 'x')));
  };
  ASSERT_EQ(head_of(200).size(), 200U);
  EXPECT_EQ(refusal_of(head_of(200), limits), 0U);
  EXPECT_EQ(refusal_of(head_of(201), limits), 431U);
  EXPECT_EQ(refusal_of("\r\n" + head_of(200), limits), 0U);
  EXPECT_EQ(refusal_of("\r\n" + head_of(201), limits), 431U);
  EXPECT_EQ(refusal_of(head_of(5000), limits), 431U);
  EXPECT_EQ(refusal_of(get("", "/" + std::string(49, 'x')), limits), 0U);
  EXPECT_EQ(refusal_of(get("", "/" + std::string(50, 'x')), limits), 414U);
  EXPECT_EQ(refusal_of(get("", "/" + std::string(5000, 'x')), limits), 414U);
  EXPECT_EQ(refusal_of(get("A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n"), limits), 0U);
  EXPECT_EQ(refusal_of(get("A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n"), limits), 431U);
  EXPECT_EQ(refusal_of(post("Content-Length: 10\r\n", "0123456789"), limits), 0U);
  EXPECT_EQ(refusal_of(post("Content-Length: 11\r\n", "0123456789a"), limits), 413U);
  EXPECT_EQ(
      refusal_of(post("Transfer-Encoding: chunked\r\n", "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"), limits),
      0U);
  EXPECT_EQ(
      refusal_of(post("Transfer-Encoding: chunked\r\n", "5\r\n01234\r\n6\r\n56789a\r\n0\r\n\r\n"), limits),
      413U);
}

TEST(RequestParser, SaysWhenAClientWaitsToBeAskedForItsBody) {
  const RequestLimits limits;
  RequestParser parser(limits);
  parser.feed(post("Expect: 100-Continue\r\nContent-Length: 5\r\n"));
  EXPECT_EQ(parser.stage(), Stage::kBody);
  EXPECT_TRUE(parser.head().expects_continue);
  RequestParser old(limits);
  old.feed("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(old.stage(), Stage::kBody);
  EXPECT_FALSE(old.head().expects_continue);
}

TEST(RequestParser, RefusesBadChunks) {
  for (const char* body :
       {"5\nhello\r\n0\r\n\r\n", "5;a=b\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\nX: y\r\n\r\n"})
    EXPECT_EQ(refusal_of(post("Transfer-Encoding: chunked\r\n", body)), 400U) << body;
}

RC_GTEST_PROP(RequestParser, PiecesMakeNoDifference, ()) {
  const auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "GET / HTTP/1.1\r\n", "POST /a?b=c HTTP/1.1\r\n", "Host: a\r\n", "Content-Length: 3\r\n", "\r\n", "abc",
      "\n", "\r", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n", "0\r\n\r\n", "X: y\r\n", " ", "\t", ":"));
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  const Parsed whole = parse(text);
  const Parsed split = parse(text, *rc::gen::inRange<std::size_t>(1, 9));
  RC_ASSERT(whole.requests.size() == split.requests.size());
  for (std::size_t index = 0; index < whole.requests.size(); ++index) {
    RC_ASSERT(whole.requests[index].target == split.requests[index].target);
    RC_ASSERT(whole.requests[index].headers == split.requests[index].headers);
    RC_ASSERT(whole.requests[index].body == split.requests[index].body);
  }
  RC_ASSERT((whole.refused == 0) == (split.refused == 0));
}

}  // namespace
}  // namespace gw::http
