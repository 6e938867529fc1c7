// Chunked bodies: what is taken off, in any pieces, and what is refused.
#include "http/chunked.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <optional>
#include <string>

namespace gw::http {
namespace {

/// The body and how many bytes it took, or nothing if refused or unfinished; given in pieces of `step` bytes.
std::optional<std::pair<std::string, std::size_t>> decode(std::string_view bytes,
                                                          ChunkedDecoder::Extras extras, std::size_t step) {
  ChunkedDecoder decoder(extras);
  std::string body;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ChunkedDecoder::Step next = decoder.next(bytes.substr(at, step));
    at += next.used;
    body += next.piece;
    if (next.status == ChunkedDecoder::Status::kBad) return std::nullopt;
    if (next.status == ChunkedDecoder::Status::kDone) return std::pair{body, at};
  }
  return std::nullopt;
}

constexpr auto kNone = ChunkedDecoder::Extras::kNone;
constexpr auto kPassOver = ChunkedDecoder::Extras::kPassOver;

TEST(Chunked, GivesTheBodyAndItsEnd) {
  constexpr std::string_view kText = "5\r\nhello\r\n00a\r\n, chunked \r\n1\r\n!\r\n0\r\n\r\nGET";
  for (std::size_t step = 1; step < kText.size(); ++step) {
    const auto decoded = decode(kText, kNone, step);
    ASSERT_TRUE(decoded.has_value()) << step;
    EXPECT_EQ(decoded->first, "hello, chunked !");
    EXPECT_EQ(decoded->second, kText.size() - 3);
  }
  EXPECT_EQ(decode("A\r\n0123456789\r\n0\r\n\r\n", kNone, 4)->first, "0123456789");
}

TEST(Chunked, RefusesWhatOthersReadOtherwise) {
  for (const char* text : {
           "\r\n\r\n",                   // No size.
           "5\nhello\r\n0\r\n\r\n",      // Bare LF.
           "5\r\nhello\n0\r\n\r\n",      //
           "5\r\nhello\r\n0\n\n",        //
           "5\r\nhello\r\n0\r\n\n",      //
           "5\rhello\r\n0\r\n\r\n",      // Bare CR.
           "5\r\nhello0\r\n\r\n",        // Longer than said.
           "5\r\nhellooo\r\n0\r\n\r\n",  //
           "0x5\r\nhello\r\n0\r\n\r\n",  // No plain number.
           "+5\r\nhello\r\n0\r\n\r\n",   //
           "-5\r\nhello\r\n0\r\n\r\n",   //
           " 5\r\nhello\r\n0\r\n\r\n",   //
           "5 \r\nhello\r\n0\r\n\r\n",   //
           "g\r\nhello\r\n0\r\n\r\n",    //
           "1000000000000000\r\nx",      // 2^60.
           "ffffffffffffffff0\r\nx",     // Overflows.
           "00000000000000005\r\nhello\r\n0\r\n\r\n",
           "5;a=b\r\nhello\r\n0\r\n\r\n",      // An extension.
           "5\r\nhello\r\n0;a\r\n\r\n",        //
           "5\r\nhello\r\n0\r\nX: y\r\n\r\n",  // A trailer.
       }) {
    EXPECT_FALSE(decode(text, kNone, 1).has_value()) << text;
    EXPECT_FALSE(decode(text, kNone, 100).has_value()) << text;
  }
}

TEST(Chunked, PassesOverExtrasOnRequest) {
  constexpr std::string_view kText = "5;a=\"b;c\"\r\nhello\r\n0;x\r\nDigest: 1\r\nOther: 2\r\n\r\n";
  for (std::size_t step = 1; step <= kText.size(); ++step) {
    const auto decoded = decode(kText, kPassOver, step);
    ASSERT_TRUE(decoded.has_value()) << step;
    EXPECT_EQ(*decoded, (std::pair<std::string, std::size_t>("hello", kText.size())));
  }
  EXPECT_FALSE(decode("5;a\nb\r\nhello\r\n0\r\n\r\n", kPassOver, 3).has_value());
  EXPECT_FALSE(decode("0\r\nX: y\n\r\n\r\n", kPassOver, 3).has_value());
  EXPECT_FALSE(decode("5;" + std::string(5000, 'x'), kPassOver, 100).has_value());
  std::string trailers = "0\r\n";
  for (int count = 0; count < 2000; ++count) trailers += "X: 0123456789\r\n";
  EXPECT_FALSE(decode(trailers + "\r\n", kPassOver, 100).has_value());
}

RC_GTEST_PROP(Chunked, AnyBodyInAnyChunksComesBack, (const std::vector<std::string>& chunks)) {
  std::string text;
  std::string body;
  for (const std::string& chunk : chunks) {
    if (chunk.empty()) continue;
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
    text += size + chunk + "\r\n";
    body += chunk;
  }
  text += "0\r\n\r\n";
  const auto step = *rc::gen::inRange<std::size_t>(1, 20);
  const auto decoded = decode(text, kNone, step);
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(decoded->first == body);
  RC_ASSERT(decoded->second == text.size());
}

}  // namespace
}  // namespace gw::http
