// Answers: their exact bytes, and what may not become one.
#include "http/response_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "http/response_head.h"

namespace gw::http {
namespace {

using testing::HasSubstr;

std::string head(const Response& response, BodyEnd end, std::size_t size, std::string_view connection = "") {
  std::string text;
  append_head(text, response, end, size, connection, "Sun, 06 Nov 1994 08:49:37 GMT");
  return text;
}

TEST(ResponseText, WritesHeads) {
  EXPECT_EQ(head({200, "text/plain", {{"X-Job", "1"}}, {}}, BodyEnd::kLength, 12),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 12\r\n"
            "Content-Type: text/plain\r\nX-Job: 1\r\n\r\n");
  EXPECT_EQ(head({200, "text/event-stream", {}, {}}, BodyEnd::kChunked, 0, "close"),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nTransfer-Encoding: chunked\r\n"
            "Connection: close\r\nContent-Type: text/event-stream\r\n\r\n");
  EXPECT_EQ(head({204, "text/plain", {{"Connection", "close"}}, {}}, BodyEnd::kNone, 0, "close"),
            "HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(head({299, "", {}, {}}, BodyEnd::kLength, 0), HasSubstr("HTTP/1.1 299 \r\n"));
}

TEST(ResponseText, WritesDates) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(ResponseText, RefusesWhatBreaksTheFraming) {
  EXPECT_EQ(check_response({200, "text/plain; charset=utf-8", {{"Location", "/v1/jobs/1\xC3\xA4\t"}}, "x"}),
            "");
  EXPECT_THAT(check_response({200, "text/plain", {{"Location", "/a\r\nSet-Cookie: x"}}, {}}),
              HasSubstr("Location"));
  for (const char* value : {"a\nb", "a\rb", "a\x01", "a\x7f"})
    EXPECT_NE(check_response({200, "text/plain", {{"X", value}}, {}}), "") << value;
  EXPECT_NE(check_response({200, "text/plain", {{"X", std::string(1, '\0')}}, {}}), "");
  for (const char* name : {"", "X Y", "X:", "X\r\n", "X\xC3"})
    EXPECT_NE(check_response({200, "text/plain", {{name, "1"}}, {}}), "") << name;
  for (const char* name : {"Content-Length", "transfer-encoding", "DATE", "Keep-Alive", "Trailer", "Upgrade"})
    EXPECT_THAT(check_response({200, "text/plain", {{name, "1"}}, {}}), HasSubstr("server's to set")) << name;
  EXPECT_NE(check_response({200, "text/plain\r\nX: 1", {}, {}}), "");
  for (const unsigned status : {0U, 100U, 199U, 600U})
    EXPECT_NE(check_response({status, "", {}, {}}), "") << status;
}

TEST(ResponseText, WritesProblems) {
  const Response response = problem(404, "no \"job\"\\\n");
  EXPECT_EQ(response.status, 404U);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body,
            "{\"title\":\"Not Found\",\"status\":404,\"detail\":\"no \\\"job\\\"\\\\\\u000a\"}\n");
}

RC_GTEST_PROP(ResponseText, WhatPassesTheCheckIsReadBackAsItIs,
              (const std::vector<std::pair<std::string, std::string>>& headers)) {
  Response response;
  for (const auto& header : headers) {
    response.headers.push_back(header);
    if (!check_response(response).empty()) response.headers.pop_back();
  }
  response.headers.emplace_back("X-Last", "1");
  const Result<ResponseHead> read = read_response_head(head(response, BodyEnd::kLength, 5));
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->header("x-last") == "1");
  RC_ASSERT(read->content_length == 5U);
}

TEST(ResponseHead, ReadsFraming) {
  const Result<ResponseHead> read =
      read_response_head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n");
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->chunked && read->keep_alive);
  EXPECT_EQ(read->header("x-a"), "b");
  EXPECT_FALSE(read_response_head("HTTP/1.0 200 OK\r\n\r\n")->keep_alive);
  EXPECT_FALSE(read_response_head("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")->keep_alive);
  for (const char* text :
       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/2 200\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\nX: y\n\r\n\r\n", "HTTP/1.1 2xx OK\r\n\r\n"})
    EXPECT_FALSE(read_response_head(text).has_value()) << text;
}

}  // namespace
}  // namespace gw::http
