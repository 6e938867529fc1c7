// The server on loopback, spoken to in raw bytes: answers, their order, and what handlers do wrong.
#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
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
  for (int number = 0; number < 100; ++number) text += get_request("/");
  std::jthread writer([&] { peer.say(text); });
  ASSERT_TRUE(eventually([&] { return handled > 0; }));
  std::this_thread::sleep_for(Milliseconds(200));
  EXPECT_LT(handled, 30);  // What the system itself holds back, and one more.
  for (int number = 0; number < 100; ++number) ASSERT_EQ(body_of(peer.hear_answer()).size(), 1'000'000U);
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

}  // namespace
}  // namespace gw::http
