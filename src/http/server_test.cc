// The server on loopback, spoken to in raw bytes: answers, order, refusals, limits and deadlines.
#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <stdexcept>

#include "http/test_peer.h"

namespace gw::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kClose = "Connection: close\r\n";

TEST(Server, AnswersARequest) {
  TestServer server(echo);
  const std::string answer = server.ask(get_request("/v1/jobs?x=1", kClose));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nDate: "));
  EXPECT_THAT(answer,
              HasSubstr("\r\nContent-Length: 15\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n"));
  EXPECT_EQ(body_of(answer), "GET /v1/jobs []");
}

TEST(Server, AsksBeforeItTakesALargeBody) {
  std::atomic<int> asked{0};
  ServerOptions options;
  options.small_body_bytes = 10;
  options.admit_large_body = [&](const Request& head) -> std::optional<Response> {
    ++asked;
    EXPECT_THAT(head.body, IsEmpty());
    EXPECT_THAT(head.remote, StartsWith("127.0.0.1:"));
    if (head.header("authorization") == "good") return std::nullopt;
    return Response{401, "text/plain", {{"X-Why", "no token"}}, "who are you?"};
  };
  TestServer server(echo, options);
  const auto post = [](std::string_view headers, std::string_view body) {
    return fmt::format("POST / HTTP/1.1\r\nHost: x\r\n{}\r\n{}", headers, body);
  };
  constexpr std::string_view kGood = "Authorization: good\r\n";
  const std::string long_chunks = "5\r\n12345\r\n6\r\n678901\r\n";
  {  // Before any of it has come, and before 100 (Continue).
    TestPeer peer(server.port());
    peer.say(post("Content-Length: 11\r\nExpect: 100-continue\r\n", ""));
    const std::string answer = peer.hear_all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 401"));
    EXPECT_THAT(answer, HasSubstr("X-Why: no token"));
  }
  {  // A body of chunks once it has grown.
    TestPeer peer(server.port());
    peer.say(post("Transfer-Encoding: chunked\r\n", long_chunks));
    EXPECT_THAT(peer.hear_all(), StartsWith("HTTP/1.1 401"));
  }
  EXPECT_EQ(asked, 2);
  TestPeer peer(server.port());
  peer.say(post("Content-Length: 10\r\n", "1234567890"));  // Small: nobody is asked.
  EXPECT_THAT(peer.hear_answer(), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(asked, 2);
  peer.say(post(fmt::format("{}Content-Length: 11\r\n", kGood), "12345"));
  peer.say("678901");
  EXPECT_EQ(body_of(peer.hear_answer()), "POST / [12345678901]");
  EXPECT_EQ(asked, 3);  // Once a request.
  peer.say(post(fmt::format("{}Transfer-Encoding: chunked\r\n", kGood), long_chunks));
  peer.say("0\r\n\r\n");
  EXPECT_EQ(body_of(peer.hear_answer()), "POST / [12345678901]");
  EXPECT_EQ(asked, 4);
}

TEST(Server, KeepsTheConnection) {
  TestServer server(echo);
  TestPeer peer(server.port());
  for (int turn = 0; turn < 3; ++turn) {
    peer.say(get_request(fmt::format("/{}", turn)));
    const std::string answer = peer.hear_answer();
    EXPECT_EQ(body_of(answer), fmt::format("GET /{} []", turn));
    EXPECT_THAT(answer, Not(HasSubstr("Connection:")));
  }
  peer.say(get_request("/last", kClose));
  EXPECT_EQ(body_of(peer.hear_answer()), "GET /last []");
  EXPECT_TRUE(peer.hears_the_end());
  EXPECT_EQ(server->counters().connections_total, 1U);
  EXPECT_EQ(server->counters().requests_total, 4U);
}

TEST(Server, AnswersPipelinedRequestsInTheirOrder) {
  // Every second one is answered later and by another thread.
  std::vector<std::jthread> threads;
  std::atomic<int> count{0};
  TestServer server([&](Request request, std::shared_ptr<Responder> responder) {
    if (count++ % 2 == 0) return echo(request, responder);
    threads.emplace_back([request = std::move(request), responder = std::move(responder)] {
      std::this_thread::sleep_for(Milliseconds(3));
      echo(request, responder);
    });
  });
  std::string text;
  for (int number = 0; number < 30; ++number) {
    text += number % 3 == 0 ? fmt::format("POST /{} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{:03}",
                                          number, number)
                            : get_request(fmt::format("/{}", number));
  }
  TestPeer peer(server.port());
  peer.say(text);
  for (int number = 0; number < 30; ++number) {
    const std::string expected =
        number % 3 == 0 ? fmt::format("POST /{} [{:03}]", number, number) : fmt::format("GET /{} []", number);
    ASSERT_EQ(body_of(peer.hear_answer()), expected);
  }
  // All at once, byte for byte, with an end behind them.
  TestPeer other(server.port());
  for (const char byte : text) ASSERT_TRUE(other.say({&byte, 1}));
  other.say_no_more();
  const std::string all = other.hear_all();
  std::size_t answers = 0;
  for (std::size_t at = all.find("HTTP/1.1 200"); at != std::string::npos;
       at = all.find("HTTP/1.1 200", at + 1))
    ++answers;
  EXPECT_EQ(answers, 30U);
}

TEST(Server, ManySmallPipelinedRequestsNeedLittleMemoryAndOrder) {
  TestServer server(echo);
  TestPeer peer(server.port());
  std::jthread writer([&] {
    std::string text;
    for (int number = 0; number < 20'000; ++number) text += get_request(fmt::format("/{}", number));
    peer.say(text);
  });
  for (int number = 0; number < 20'000; ++number)
    ASSERT_EQ(body_of(peer.hear_answer()), fmt::format("GET /{} []", number));
}

TEST(Server, WhoAsksForMuchAtOnceMustTakeIt) {
  std::atomic<int> handled{0};
  TestServer server([&](const Request& /*request*/, const std::shared_ptr<Responder>& responder) {
    ++handled;
    responder->send({200, "text/plain", {}, std::string(1'000'000, 'x')});
  });
  TestPeer peer(server.port(), 4096);
  std::string text;
  for (int number = 0; number < 300; ++number) text += get_request("/");
  std::jthread writer([&] { peer.say(text); });
  ASSERT_TRUE(eventually([&] { return handled > 0; }));
  std::this_thread::sleep_for(Milliseconds(200));
  EXPECT_LT(handled, 30);  // What the system itself holds back, and one more.
  for (int number = 0; number < 300; ++number) ASSERT_EQ(body_of(peer.hear_answer()).size(), 1'000'000U);
}

TEST(Server, ServesHeadOptionsAndHttp10) {
  TestServer server(echo);
  TestPeer peer(server.port());
  peer.say("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(peer.hear_answer(false), HasSubstr("Content-Length: 10\r\n"));
  peer.say("OPTIONS /x HTTP/1.1\r\nHost: a\r\n\r\n");  // Behind the head of before comes no body.
  EXPECT_EQ(body_of(peer.hear_answer()), "OPTIONS /x []");
  peer.say("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string star = peer.hear_answer();
  EXPECT_THAT(star, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(star, HasSubstr("Allow: DELETE, GET"));
  EXPECT_THAT(star, Not(HasSubstr("Content-Length")));

  const std::string old = server.ask("GET /old HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old, HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(body_of(old), "GET /old []");
  TestPeer kept(server.port());
  kept.say("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(kept.hear_answer(), HasSubstr("Connection: keep-alive\r\n"));
  kept.say("GET /2 HTTP/1.0\r\n\r\n");
  EXPECT_THAT(kept.hear_all(), EndsWith("GET /2 []"));
}

TEST(Server, AsksForABodyThatWaits) {
  TestServer server(echo);
  TestPeer peer(server.port());
  peer.say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(peer.hear_to("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.say("hello");
  EXPECT_EQ(body_of(peer.hear_answer()), "POST / [hello]");
  // Not, if the body is there already, or would be refused.
  peer.say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_THAT(peer.hear_answer(), StartsWith("HTTP/1.1 200"));
  peer.say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 50000000\r\n\r\n");
  EXPECT_THAT(peer.hear_all(), StartsWith("HTTP/1.1 413"));
}

TEST(Server, TakesLargeBodiesAndGivesThem) {
  ServerOptions options;
  options.body_bytes = std::size_t{8} << 20;
  TestServer server(
      [](Request request, const std::shared_ptr<Responder>& responder) {
        responder->send({200, "application/octet-stream", {}, std::move(request.body)});
      },
      options);
  std::string body(options.body_bytes, 'x');
  for (std::size_t at = 0; at < body.size(); at += 1000) body[at] = static_cast<char>('a' + at / 1000 % 26);
  TestPeer peer(server.port());
  std::jthread writer([&] {
    peer.say(fmt::format("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.size()) + body);
    peer.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (std::size_t at = 0; at < body.size(); at += 50'000) {
      const std::string piece = body.substr(at, 50'000);
      peer.say(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece));
    }
    peer.say("0\r\n\r\n");
  });
  EXPECT_TRUE(body_of(peer.hear_answer()) == body);
  EXPECT_TRUE(body_of(peer.hear_answer()) == body);
}

TEST(Server, TellsTheHandlerWhoAsks) {
  std::string remote;
  TestServer server([&](const Request& request, const std::shared_ptr<Responder>& responder) {
    remote = request.remote;
    EXPECT_FALSE(request.secure);
    responder->send({});
  });
  TestPeer peer(server.port());
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ASSERT_EQ(::getsockname(peer.descriptor(), reinterpret_cast<sockaddr*>(&own), &size), 0);
  peer.say(get_request("/"));
  peer.hear_answer();
  EXPECT_EQ(remote, fmt::format("127.0.0.1:{}", ntohs(own.sin_port)));
}

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

TEST(Server, RefusesWhatIsTooLarge) {
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

TEST(Server, HasOnlySoManyConnections) {
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

TEST(Server, HasOnlySoManyConnectionsOfOneAddress) {
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

TEST(Server, SlowHeadsAndBodiesEndInTotalTime) {
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

TEST(Server, ClosesIdleConnections) {
  ServerOptions options;
  options.idle_seconds = 1;
  TestServer server(echo, options);
  TestPeer peer(server.port());
  peer.say(get_request("/"));
  peer.hear_answer();
  EXPECT_TRUE(peer.hears_the_end());
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
}

TEST(Server, CutsPeersThatDoNotRead) {
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

TEST(Server, AnswersAPeerThatHasClosedItsSide) {
  std::vector<std::jthread> threads;
  TestServer server([&](const Request& request, const std::shared_ptr<Responder>& responder) {
    threads.emplace_back([request, responder] {
      std::this_thread::sleep_for(Milliseconds(20));
      echo(request, responder);
    });
  });
  TestPeer peer(server.port());
  peer.say(get_request("/a"));
  peer.say_no_more();
  EXPECT_THAT(peer.hear_all(), EndsWith("GET /a []"));
  TestPeer half(server.port());
  half.say("GET /b HT");
  half.say_no_more();
  EXPECT_THAT(half.hear_all(), IsEmpty());
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
}

TEST(Server, SurvivesPeersThatVanish) {
  std::vector<std::shared_ptr<Responder>> kept;
  std::mutex mutex;
  TestServer server([&](const Request& request, const std::shared_ptr<Responder>& responder) {
    if (request.path == "/now") return echo(request, responder);
    const std::lock_guard lock(mutex);
    kept.push_back(responder);
  });
  for (int turn = 0; turn < 20; ++turn) {
    TestPeer peer(server.port());
    peer.say(get_request("/later"));
    ASSERT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex);
      return static_cast<int>(kept.size()) == turn + 1;
    }));
    if (turn % 2 == 0) peer.reset();
  }
  ASSERT_TRUE(eventually([&] { return server->counters().connections_open <= 10; }));
  for (const auto& responder : kept) responder->send({200, "text/plain", {}, "too late"});
  EXPECT_THAT(server.ask(get_request("/now", kClose)), EndsWith("GET /now []"));
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
}

TEST(Server, AHandlerThatThrowsIsAnswered500) {
  TestServer server([](const Request& request, const std::shared_ptr<Responder>& responder) {
    if (request.path == "/late") {
      echo(request, responder);
      throw std::runtime_error("late");
    }
    if (request.path == "/odd") throw 7;
    if (request.path == "/throw") throw std::runtime_error("no such thing");
    echo(request, responder);
  });
  TestPeer peer(server.port());
  peer.say(get_request("/throw"));
  EXPECT_THAT(peer.hear_answer(), StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(server.log(), HasSubstr("the handler of /throw threw: no such thing"));
  peer.say(get_request("/odd"));
  EXPECT_THAT(peer.hear_answer(), StartsWith("HTTP/1.1 500"));
  peer.say(get_request("/late"));
  EXPECT_EQ(body_of(peer.hear_answer()), "GET /late []");
  peer.say(get_request("/fine"));
  EXPECT_EQ(body_of(peer.hear_answer()), "GET /fine []");
}

TEST(Server, AHandlerThatForgetsIsAnswered500) {
  TestServer server([](const Request& /*request*/, const std::shared_ptr<Responder>& /*responder*/) {});
  TestPeer peer(server.port());
  for (int turn = 0; turn < 2; ++turn) {
    peer.say(get_request("/"));
    EXPECT_THAT(peer.hear_answer(), StartsWith("HTTP/1.1 500"));
  }
}

TEST(Server, NoResponseBreaksOutOfItsHead) {
  TestServer server([](const Request& request, const std::shared_ptr<Responder>& responder) {
    responder->send({200, "text/plain", {{"Location", *request.parameter("to")}}, "moved"});
  });
  TestPeer peer(server.port());
  peer.say(get_request("/?to=/a%0D%0ASet-Cookie:%20x"));
  const std::string answer = peer.hear_answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(answer, Not(HasSubstr("Set-Cookie")));
  EXPECT_THAT(server.log(), HasSubstr("Location holds a control character"));
  peer.say(get_request("/?to=/b"));
  EXPECT_THAT(peer.hear_answer(), HasSubstr("Location: /b\r\n"));
}

ServerOptions options_for(const std::string& address, std::uint16_t port = 0) {
  ServerOptions options;
  options.address = address;
  options.port = port;
  return options;
}

TEST(Server, ListensWhereItIsTold) {
  Result<std::unique_ptr<Server>> v6 = Server::start(options_for("::1"), echo);
  EXPECT_TRUE(!v6 || (*v6)->port() != 0);  // A machine may have no IPv6.
  const Result<std::unique_ptr<Server>> named = Server::start(options_for("localhost"), echo);
  EXPECT_TRUE(named.has_value());

  TestServer first(echo);
  const Result<std::unique_ptr<Server>> second = Server::start(options_for("127.0.0.1", first.port()), echo);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().message,
            fmt::format("cannot listen on 127.0.0.1:{}: Address already in use; another gw "
                        "serve? choose another port with --port",
                        first.port()));
  const Result<std::unique_ptr<Server>> nowhere = Server::start(options_for("192.0.2.1"), echo);
  ASSERT_FALSE(nowhere.has_value());
  EXPECT_THAT(nowhere.error().message, HasSubstr("no interface of this machine has that address"));
  EXPECT_FALSE(Server::start(options_for("no such host"), echo).has_value());
}

TEST(Server, ListensOnASocketFile) {
  namespace fs = std::filesystem;
  std::string folder = testing::TempDir() + "gigawerk-http-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/gw.sock";
  ServerOptions options;
  options.address = "unix:" + path;
  std::string remote;
  {
    TestServer server(
        [&](const Request& request, const std::shared_ptr<Responder>& responder) {
          remote = request.remote;
          echo(request, responder);
        },
        options);
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
    TestPeer peer(path);
    peer.say(get_request("/a", kClose));
    EXPECT_THAT(peer.hear_all(), EndsWith("GET /a []"));
    EXPECT_EQ(remote, fmt::format("unix:{}", ::getuid()));
    const Result<std::unique_ptr<Server>> second = Server::start(options, echo);
    ASSERT_FALSE(second.has_value());
    EXPECT_THAT(second.error().message, HasSubstr("address in use"));
  }
  EXPECT_FALSE(fs::exists(path));
  // The file of a server that was killed is no hindrance; another file is.
  {
    const Descriptor killed(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(killed.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_TRUE(fs::exists(path));
  EXPECT_TRUE(Server::start(options, echo).has_value());
  options.address = "unix:" + folder;
  EXPECT_FALSE(Server::start(options, echo).has_value());
  options.address = "unix:/" + std::string(200, 'x');
  EXPECT_FALSE(Server::start(options, echo).has_value());
  fs::remove_all(folder);
}

TEST(Server, WaitsWhenDescriptorsRunOut) {
  TestServer server(echo);
  TestPeer early(server.port());
  early.say(get_request("/"));
  early.hear_answer();
  // All that are left are taken; then one connection more is asked for.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const Descriptor waiting(::socket(AF_INET, SOCK_STREAM, 0));
  std::vector<Descriptor> taken;
  rlimit low = before;
  low.rlim_cur = 200;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  while (taken.empty() || taken.back().valid()) taken.emplace_back(::dup(waiting.get()));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(waiting.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(eventually([&] { return !server.log().empty(); }));
  rusage begin{};
  rusage end{};
  ASSERT_EQ(::getrusage(RUSAGE_SELF, &begin), 0);
  std::this_thread::sleep_for(Milliseconds(1000));
  ASSERT_EQ(::getrusage(RUSAGE_SELF, &end), 0);
  const auto busy =
      (end.ru_utime.tv_sec - begin.ru_utime.tv_sec + end.ru_stime.tv_sec - begin.ru_stime.tv_sec) *
          1'000'000 +
      end.ru_utime.tv_usec - begin.ru_utime.tv_usec + end.ru_stime.tv_usec - begin.ru_stime.tv_usec;
  EXPECT_LT(busy, 50'000) << "microseconds of work in a second of waiting";
  EXPECT_THAT(server.log(), HasSubstr("raise the limit of open files"));
  EXPECT_EQ(server.log().find("cannot accept"),
            server.log().rfind("cannot accept"));  // Not ten times a second.
  taken.clear();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  const std::string request = get_request("/", kClose);
  ASSERT_GT(::send(waiting.get(), request.data(), request.size(), MSG_NOSIGNAL), 0);
  std::array<char, 12> answer{};
  EXPECT_EQ(::recv(waiting.get(), answer.data(), answer.size(), MSG_WAITALL), 12);
  EXPECT_EQ(std::string_view(answer.data(), answer.size()), "HTTP/1.1 200");
}

}  // namespace
}  // namespace gw::http
