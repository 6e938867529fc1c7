// What the server refuses, and what ends when its time or its room is over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "http/server.h"
#include "http/test_peer.h"

namespace gw::http {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kClose = "Connection: close\r\n";

struct Refused {
  const char* request;
  unsigned status;
};

class ServerRefuses : public testing::TestWithParam<Refused> {};

TEST_P(ServerRefuses, AndClosesWithoutAskingTheHandler) {
  std::atomic<int> handled{0};
  TestServer server([&](const Request& request, const std::shared_ptr<Responder>& responder) {
    ++handled;
    echo(request, responder);
  });
  // What follows a refused request is no request, whatever it looks like.
  const std::string answer = server.ask(GetParam().request + get_request("/smuggled"));
  EXPECT_THAT(answer, StartsWith(fmt::format("HTTP/1.1 {} ", GetParam().status)));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/problem+json\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("smuggled")));
  EXPECT_EQ(answer.find("\nHTTP/1.1"), std::string::npos);
  EXPECT_EQ(handled, 0);
  EXPECT_EQ(server->counters().requests_refused, 1U);
  EXPECT_EQ(server->counters().requests_total, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Each, ServerRefuses,
    testing::Values(
        Refused{
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400},
        Refused{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400},
        Refused{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
        Refused{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400},
        Refused{"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", 400},
        Refused{"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", 400},
        Refused{"GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n", 400},
        Refused{"GET / HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n", 400},
        Refused{"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400}, Refused{"GET / HTTP/1.1\r\n\r\n", 400},
        Refused{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        Refused{"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET /a/%2e%2e/b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405},
        Refused{"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
        Refused{"POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417},
        Refused{"GET / HTTP/3.0\r\n\r\n", 505}, Refused{"\x16\x03\x01", 400}));

TEST(ServerLimits, RefusesWhatIsTooLarge) {
  ServerOptions options;
  options.body_bytes = 1000;
  options.header_bytes = 2000;
  options.target_bytes = 100;
  TestServer server(echo, options);
  EXPECT_THAT(server.ask(get_request("/", fmt::format("X: {}\r\n", std::string(2000, 'x')))),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(server.ask(get_request("/" + std::string(100, 'x'))), StartsWith("HTTP/1.1 414"));
  EXPECT_THAT(server.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n" +
                         std::string(1000, 'x')),
              StartsWith("HTTP/1.1 200"));
  // The client hears of it although it has more to say than anybody reads.
  TestPeer peer(server.port());
  peer.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n");
  std::jthread writer([&] { peer.say(std::string(5'000'000, 'x')); });
  EXPECT_THAT(peer.hear_all(), StartsWith("HTTP/1.1 413"));
}

TEST(ServerLimits, HasOnlySoManyConnections) {
  ServerOptions options;
  options.connections = 2;
  TestServer server(echo, options);
  TestPeer one(server.port());
  TestPeer two(server.port());
  one.say(get_request("/"));
  two.say(get_request("/"));
  EXPECT_EQ(body_of(one.hear_answer()), "GET / []");
  EXPECT_EQ(body_of(two.hear_answer()), "GET / []");
  const std::string third = server.ask(get_request("/"));
  EXPECT_THAT(third, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(third, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_EQ(server->counters().connections_refused, 1U);
  EXPECT_EQ(server->counters().connections_open, 2U);
  one.close();
  ASSERT_TRUE(eventually([&] { return server->counters().connections_open == 1; }));
  EXPECT_THAT(server.ask(get_request("/", kClose)), StartsWith("HTTP/1.1 200"));
}

TEST(ServerLimits, HasOnlySoManyConnectionsOfOneAddress) {
  ServerOptions options;
  options.connections_per_address = 1;
  TestServer server(echo, options);
  {
    TestPeer one(server.port());
    one.say(get_request("/"));
    EXPECT_EQ(body_of(one.hear_answer()), "GET / []");
    EXPECT_THAT(server.ask(get_request("/")), StartsWith("HTTP/1.1 503"));
  }
  ASSERT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
  EXPECT_THAT(server.ask(get_request("/", kClose)), StartsWith("HTTP/1.1 200"));
}

/// How long the server lets `peer` send `text` byte by byte, 20 ms between two; 20 seconds at most.
double seconds_of_trickling(TestPeer& peer, std::string_view text) {
  const auto begin = std::chrono::steady_clock::now();
  const auto end = begin + std::chrono::seconds(20);
  for (std::size_t at = 0; std::chrono::steady_clock::now() < end; at = (at + 1) % text.size()) {
    if (!peer.say(text.substr(at, 1))) break;
    pollfd polled{peer.descriptor(), POLLIN, 0};
    if (::poll(&polled, 1, 20) > 0) break;
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

TEST(ServerLimits, SlowHeadsAndBodiesEndInTotalTime) {
  ServerOptions options;
  options.header_seconds = 1;
  options.body_seconds = 1;
  options.idle_seconds = 60;
  TestServer server(echo, options);
  TestPeer head(server.port());
  TestPeer later(server.port());
  TestPeer body(server.port());
  TestPeer chunks(server.port());
  TestPeer silent(server.port());
  later.say(get_request("/"));
  EXPECT_EQ(body_of(later.hear_answer()), "GET / []");
  body.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  chunks.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  head.say("GET / HTTP/1.1\r\n");
  later.say("GET / HTTP/1.1\r\n");
  std::vector<double> seconds(4);
  {
    std::vector<std::jthread> threads;
    threads.emplace_back([&] { seconds[0] = seconds_of_trickling(head, "X: y\r\n"); });
    threads.emplace_back([&] { seconds[1] = seconds_of_trickling(later, "X: y\r\n"); });
    threads.emplace_back([&] { seconds[2] = seconds_of_trickling(body, "x"); });
    threads.emplace_back([&] { seconds[3] = seconds_of_trickling(chunks, "1\r\nx\r\n"); });
  }
  for (const double second : seconds) {
    EXPECT_GT(second, 0.8);
    EXPECT_LT(second, 10.0);
  }
  for (TestPeer* peer : {&head, &later, &body, &chunks})
    EXPECT_THAT(peer->hear_all(), StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
  EXPECT_TRUE(silent.hears_the_end());  // Nothing was asked, so nothing is answered.
  EXPECT_EQ(server->counters().requests_refused, 4U);
}

TEST(ServerLimits, ClosesIdleConnections) {
  ServerOptions options;
  options.idle_seconds = 1;
  TestServer server(echo, options);
  TestPeer peer(server.port());
  peer.say(get_request("/"));
  peer.hear_answer();
  EXPECT_TRUE(peer.hears_the_end());
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
}

TEST(ServerLimits, CutsPeersThatDoNotRead) {
  ServerOptions options;
  options.write_seconds = 1;
  TestServer server(
      [](const Request& /*request*/, const std::shared_ptr<Responder>& responder) {
        responder->send({200, "text/plain", {}, std::string(std::size_t{20} << 20, 'x')});
      },
      options);
  TestPeer peer(server.port(), 4096);
  peer.say(get_request("/"));
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 1; }));
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
  // One that reads slowly but steadily gets all of it.
  TestPeer steady(server.port(), 1 << 16);
  steady.say(get_request("/", kClose));
  std::string all;
  while (true) {
    std::array<char, 400'000> buffer;
    const ssize_t got = ::recv(steady.descriptor(), buffer.data(), buffer.size(), MSG_WAITALL);
    if (got <= 0) break;
    all.append(buffer.data(), static_cast<std::size_t>(got));
    std::this_thread::sleep_for(Milliseconds(30));
  }
  EXPECT_EQ(body_of(all).size(), std::size_t{20} << 20);
}

}  // namespace
}  // namespace gw::http
