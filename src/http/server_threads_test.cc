// Answers from other threads, in batches and late; and how a server ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>

#include "http/stream.h"
#include "http/test_peer.h"

namespace gw::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

/// Requests that wait until a test answers them.
class Waiting {
 public:
  void operator()(Request request, std::shared_ptr<Responder> responder) {
    const std::lock_guard lock(mutex_);
    waiting_.emplace_back(std::move(request), std::move(responder));
  }
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  std::vector<std::pair<Request, std::shared_ptr<Responder>>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {});
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<Request, std::shared_ptr<Responder>>> waiting_;
};

TEST(ServerThreads, AnswersInBatches) {
  Waiting waiting;
  ServerOptions options;
  options.threads = 2;
  TestServer server(std::ref(waiting), options);
  std::vector<TestPeer> peers;
  for (int number = 0; number < 100; ++number) peers.emplace_back(server.port());
  for (int round = 0; round < 5; ++round) {
    for (std::size_t number = 0; number < peers.size(); ++number)
      peers[number].say(get_request(fmt::format("/{}/{}", round, number)));
    ASSERT_TRUE(eventually([&] { return waiting.size() == peers.size(); }));
    std::vector<std::jthread> threads;
    auto batch = waiting.take();
    for (std::size_t part = 0; part < 2; ++part) {
      threads.emplace_back([&, part] {
        for (std::size_t index = part; index < batch.size(); index += 2)
          echo(batch[index].first, batch[index].second);
      });
    }
    for (std::size_t number = 0; number < peers.size(); ++number)
      ASSERT_EQ(body_of(peers[number].hear_answer()), fmt::format("GET /{}/{} []", round, number));
  }
}

TEST(ServerThreads, AnAnswerThatNobodyGivesIs500) {
  Waiting waiting;
  TestServer server(std::ref(waiting));
  TestPeer peer(server.port());
  peer.say(get_request("/"));
  ASSERT_TRUE(eventually([&] { return waiting.size() == 1; }));
  waiting.take();
  EXPECT_THAT(peer.hear_answer(), StartsWith("HTTP/1.1 500"));
  peer.say(get_request("/"));
  ASSERT_TRUE(eventually([&] { return waiting.size() == 1; }));
  for (auto& [request, responder] : waiting.take()) echo(request, responder);
  EXPECT_EQ(body_of(peer.hear_answer()), "GET / []");
}

TEST(ServerThreads, ASecondAnswerIsABug) {
  ResponderHandle responder(std::make_shared<Mailbox>([] {}), {}, 0);
  responder.send({});
  EXPECT_DEATH(responder.send({}), "internal error");
  EXPECT_DEATH(responder.stream({}), "internal error");
  ResponderHandle late(std::make_shared<Mailbox>([] {}), {}, 0);
  late.give_up({});  // The server has answered already: the handler could not know.
  late.send({});
}

TEST(ServerThreads, RespondersAndStreamsMayOutliveTheServer) {
  Waiting waiting;
  std::vector<std::shared_ptr<Stream>> streams;
  std::atomic<int> closed{0};
  {
    TestServer server([&](const Request& request, const std::shared_ptr<Responder>& responder) {
      if (request.path == "/wait") return waiting(request, responder);
      streams.push_back(responder->stream({200, "text/plain", {}, {}}));
      streams.back()->on_close([&] { ++closed; });
    });
    TestPeer one(server.port());
    TestPeer two(server.port());
    TestPeer three(server.port());
    one.say(get_request("/wait"));
    two.say(get_request("/wait"));
    three.say(get_request("/stream"));
    ASSERT_TRUE(eventually([&] { return waiting.size() == 2 && server->counters().streams_open == 1; }));
    server.stop();
    EXPECT_EQ(closed, 1);
  }
  auto kept = waiting.take();
  kept[0].second->send({});
  const std::shared_ptr<Stream> late = kept[1].second->stream({});
  EXPECT_FALSE(late->write(std::make_shared<const std::string>("x")));
  bool told = false;
  late->on_close([&] { told = true; });
  EXPECT_TRUE(told);
  EXPECT_FALSE(streams[0]->open());
  EXPECT_FALSE(streams[0]->write(std::make_shared<const std::string>("x")));
}

TEST(ServerThreads, DrainFinishesWhatIsInWork) {
  Waiting waiting;
  std::vector<std::shared_ptr<Stream>> streams;
  TestServer server([&](const Request& request, const std::shared_ptr<Responder>& responder) {
    if (request.path == "/events") {
      streams.push_back(responder->stream({200, "text/event-stream", {}, {}}));
    } else if (request.path == "/now") {
      echo(request, responder);
    } else {
      waiting(request, responder);
    }
  });
  TestPeer idle(server.port());
  idle.say(get_request("/now"));
  idle.hear_answer();
  TestPeer events(server.port());
  events.say(get_request("/events"));
  events.hear_to("\r\n\r\n");
  TestPeer half(server.port());
  half.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  TestPeer busy(server.port());
  busy.say(get_request("/busy") + get_request("/behind"));
  ASSERT_TRUE(eventually([&] { return waiting.size() == 1; }));
  std::jthread answerer([&] {
    std::this_thread::sleep_for(Milliseconds(100));
    for (auto& [request, responder] : waiting.take()) echo(request, responder);
  });
  const auto begin = std::chrono::steady_clock::now();
  server->drain(10);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, Milliseconds(90));
  EXPECT_LT(took, Milliseconds(9000));
  const std::string answer = busy.hear_all();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("GET /busy []"));  // What was behind it is the client's to repeat.
  EXPECT_TRUE(idle.hears_the_end());
  EXPECT_EQ(events.hear_all(), "0\r\n\r\n");
  EXPECT_THAT(half.hear_all(), StartsWith("HTTP/1.1 503"));
  EXPECT_FALSE(TestPeer(server.port()).connected());
  EXPECT_FALSE(streams.front()->open());
}

TEST(ServerThreads, DrainWaitsOnlySoLong) {
  Waiting waiting;
  TestServer server(std::ref(waiting));
  TestPeer peer(server.port());
  peer.say(get_request("/"));
  ASSERT_TRUE(eventually([&] { return waiting.size() == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  server->drain(1);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, Milliseconds(8000));
  EXPECT_THAT(server.log(), HasSubstr("still in work after 1 seconds"));
  server.stop();
  EXPECT_THAT(peer.hear_all(), IsEmpty());
}

TEST(ServerThreads, StartsAndEndsUnderLoad) {
  for (int turn = 0; turn < 10; ++turn) {
    ServerOptions options;
    options.threads = 2;
    std::mutex mutex;
    std::vector<std::jthread> answerers;
    auto server = std::make_unique<TestServer>(
        [&](Request request, std::shared_ptr<Responder> responder) {
          if (request.path != "/later") return echo(request, responder);
          const std::lock_guard lock(mutex);
          answerers.emplace_back(
              [request = std::move(request), responder = std::move(responder)] { echo(request, responder); });
        },
        options);
    const std::uint16_t port = server->port();
    std::atomic<bool> stop{false};
    std::vector<std::jthread> clients;
    for (int client = 0; client < 4; ++client) {
      clients.emplace_back([&, client] {
        while (!stop) {
          TestPeer peer(port);
          if (!peer.connected()) break;
          for (int number = 0; number < 5; ++number) {
            if (!peer.say(get_request(client % 2 == 0 ? "/now" : "/later")) || peer.hear_answer().empty())
              break;
          }
        }
      });
    }
    std::this_thread::sleep_for(Milliseconds(30));
    server.reset();
    stop = true;
  }
}

}  // namespace
}  // namespace gw::http
