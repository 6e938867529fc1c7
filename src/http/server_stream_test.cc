// Streams: what readers get, and what becomes of streams whose readers are slow, gone, or many.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>

#include "http/sse.h"
#include "http/test_peer.h"

namespace gw::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::shared_ptr<const std::string> bytes(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

/// Keeps the streams that are opened.
class Streams {
 public:
  explicit Streams(std::string type = "text/event-stream", std::string first = "")
      : type_(std::move(type)), first_(std::move(first)) {}

  void operator()(const Request& /*request*/, const std::shared_ptr<Responder>& responder) {
    std::shared_ptr<Stream> stream = responder->stream({200, type_, {}, first_});
    stream->on_close([this] { ++closed; });
    const std::lock_guard lock(mutex_);
    streams_.push_back(std::move(stream));
    opened_.notify_all();
  }
  /// The number-th, when it has come.
  std::shared_ptr<Stream> get(std::size_t number) {
    std::unique_lock lock(mutex_);
    opened_.wait_for(lock, std::chrono::seconds(10), [&] { return streams_.size() > number; });
    return streams_.at(number);
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    streams_.clear();
  }
  std::atomic<int> closed{0};

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  std::vector<std::shared_ptr<Stream>> streams_;
  std::string type_;
  std::string first_;
};

TEST(ServerStream, SendsWhatIsWritten) {
  Streams streams("text/event-stream", ": hello\n\n");
  TestServer server(std::ref(streams));
  TestPeer peer(server.port());
  peer.say(get_request("/"));
  const std::string head = peer.hear_to("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(head, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Content-Length")));
  EXPECT_EQ(peer.hear_to("hello\n\n\r\n"), "9\r\n: hello\n\n\r\n");
  const std::shared_ptr<Stream> stream = streams.get(0);
  EXPECT_TRUE(stream->open());
  EXPECT_TRUE(stream->write(bytes(format_event("1"))));
  EXPECT_EQ(peer.hear_to("\n\n\r\n"), "9\r\ndata: 1\n\n\r\n");
  EXPECT_TRUE(stream->write(bytes("")));  // Is not the end.
  EXPECT_TRUE(stream->write(bytes("last")));
  stream->close();
  EXPECT_FALSE(stream->open());
  EXPECT_FALSE(stream->write(bytes("too late")));
  EXPECT_EQ(peer.hear_to("0\r\n\r\n"), "4\r\nlast\r\n0\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return streams.closed == 1; }));
  EXPECT_EQ(server->counters().streams_open, 0U);
  // The connection goes on.
  peer.say(get_request("/"));
  EXPECT_THAT(peer.hear_to("\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  streams.get(1)->close();
  EXPECT_THAT(peer.hear_to("0\r\n\r\n"), EndsWith("0\r\n\r\n"));
}

TEST(ServerStream, RequestsBehindAStreamWaitForItsEnd) {
  Streams streams("text/plain");
  TestServer server(std::ref(streams));
  TestPeer peer(server.port());
  peer.say(get_request("/") + get_request("/"));
  streams.get(0)->write(bytes("one"));
  EXPECT_THAT(peer.hear_to("one\r\n"), EndsWith("3\r\none\r\n"));
  streams.get(0)->close();
  streams.get(1)->write(bytes("two"));
  const std::string second = peer.hear_to("two\r\n");
  EXPECT_THAT(second, StartsWith("0\r\n\r\nHTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(second, EndsWith("3\r\ntwo\r\n"));
}

TEST(ServerStream, ServesHttp10AndHead) {
  Streams streams("text/plain", "first ");
  TestServer server(std::ref(streams));
  TestPeer old(server.port());
  old.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  streams.get(0)->write(bytes("last"));
  streams.get(0)->close();
  const std::string answer = old.hear_all();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("Transfer-Encoding")));
  EXPECT_EQ(body_of(answer), "first last");
  TestPeer head(server.port());
  head.say("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + get_request("/"));
  EXPECT_THAT(head.hear_to("\r\n\r\n"), HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(head.hear_to("\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(eventually([&] { return streams.closed == 2; }));
  EXPECT_FALSE(streams.get(1)->write(bytes("nobody reads this")));
}

TEST(ServerStream, NoticesThatAPeerHasGone) {
  Streams streams;
  TestServer server(std::ref(streams));
  {
    TestPeer closing(server.port());
    closing.say(get_request("/"));
    closing.hear_to("\r\n\r\n");
  }
  EXPECT_TRUE(eventually([&] { return streams.closed == 1; }, Milliseconds(2000)));
  EXPECT_FALSE(streams.get(0)->open());
  EXPECT_FALSE(streams.get(0)->write(bytes("x")));
  TestPeer resetting(server.port());
  resetting.say(get_request("/"));
  resetting.hear_to("\r\n\r\n");
  resetting.reset();
  EXPECT_TRUE(eventually([&] { return streams.closed == 2; }, Milliseconds(2000)));
  EXPECT_FALSE(streams.get(1)->open());
  EXPECT_TRUE(eventually([&] { return server->counters().connections_open == 0; }));
  // It is told at once to those who ask late.
  std::atomic<bool> told{false};
  streams.get(0)->on_close([&] { told = true; });
  EXPECT_TRUE(eventually([&] { return told.load(); }));
}

TEST(ServerStream, CutsAPeerThatTalksIntoAStream) {
  Streams streams;
  TestServer server(std::ref(streams));
  TestPeer peer(server.port());
  peer.say(get_request("/"));
  peer.hear_to("\r\n\r\n");
  peer.say(std::string(100'000, 'x'));
  EXPECT_TRUE(eventually([&] { return streams.closed == 1; }));
}

TEST(ServerStream, CutsASlowReader) {
  ServerOptions options;
  options.stream_buffer_bytes = 100'000;
  Streams streams("application/octet-stream");
  TestServer server(std::ref(streams), options);
  TestPeer peer(server.port(), 4096);
  peer.say(get_request("/"));
  const std::shared_ptr<Stream> stream = streams.get(0);
  const auto piece = bytes(std::string(10'000, 'x'));
  std::size_t written = 0;
  while (written < 1'000'000'000 && stream->write(piece)) {
    written += piece->size();
    EXPECT_LE(stream->waiting_bytes(), options.stream_buffer_bytes);
    if (stream->waiting_bytes() > 50'000) std::this_thread::sleep_for(Milliseconds(1));
  }
  EXPECT_LT(written, 100'000'000U);
  EXPECT_FALSE(stream->open());
  EXPECT_TRUE(eventually([&] { return streams.closed == 1; }));
  EXPECT_THAT(peer.hear_all(), Not(EndsWith("0\r\n\r\n")));  // Nothing says that this was all.
  // One piece that could never fit.
  TestPeer other(server.port());
  other.say(get_request("/"));
  EXPECT_FALSE(streams.get(1)->write(bytes(std::string(100'001, 'x'))));
}

TEST(ServerStream, TheFirstBodyMayBeLarge) {
  ServerOptions options;
  options.stream_buffer_bytes = 1000;
  Streams streams("text/plain", std::string(5'000'000, 'x'));
  TestServer server(std::ref(streams), options);
  TestPeer peer(server.port(), 4096);
  peer.say("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(streams.get(0)->write(bytes("last")));
  streams.get(0)->close();
  EXPECT_THAT(body_of(peer.hear_all()), EndsWith("xlast"));
}

TEST(ServerStream, CutsAReaderThatStops) {
  ServerOptions options;
  options.write_seconds = 1;
  options.stream_buffer_bytes = std::size_t{64} << 20;
  Streams streams("application/octet-stream");
  TestServer server(std::ref(streams), options);
  TestPeer peer(server.port(), 4096);
  peer.say(get_request("/"));
  streams.get(0)->write(bytes(std::string(std::size_t{20} << 20, 'x')));
  EXPECT_TRUE(eventually([&] { return streams.closed == 1; }, Milliseconds(5000)));
}

TEST(ServerStream, AProducerCanFollowItsReader) {
  // Ten times what may wait goes through, because the producer stops at a mark and goes on when told.
  ServerOptions options;
  options.stream_buffer_bytes = 200'000;
  std::jthread feeder;
  TestServer server(
      [&](const Request& /*request*/, const std::shared_ptr<Responder>& responder) {
        std::shared_ptr<Stream> stream = responder->stream({200, "application/octet-stream", {}, {}});
        feeder = std::jthread([stream] {
          struct Mark {
            std::mutex mutex;
            std::condition_variable reached;
          };
          const auto mark = std::make_shared<Mark>();
          stream->on_drained([mark] {
            const std::lock_guard lock(mark->mutex);
            mark->reached.notify_one();
          });
          for (int piece = 0; piece < 200; ++piece) {
            std::unique_lock lock(mark->mutex);
            if (stream->waiting_bytes() > 100'000)
              mark->reached.wait_for(lock, std::chrono::seconds(5),
                                     [&] { return stream->waiting_bytes() == 0; });
            lock.unlock();
            if (!stream->write(bytes(std::string(10'000, static_cast<char>('a' + piece % 26))))) return;
          }
          stream->close();
        });
      },
      options);
  TestPeer peer(server.port(), 16384);
  peer.say("GET / HTTP/1.0\r\n\r\n");
  std::string all;
  while (true) {
    const std::string more = peer.hear_all(Milliseconds(50));
    all += more;
    if (more.empty()) break;
  }
  EXPECT_EQ(body_of(all).size(), 2'000'000U);
}

TEST(ServerStream, EndsWhenItsHandleIsDropped) {
  Streams streams;
  TestServer server(std::ref(streams));
  TestPeer peer(server.port());
  peer.say(get_request("/"));
  streams.get(0);
  streams.forget();
  EXPECT_THAT(peer.hear_to("0\r\n\r\n"), EndsWith("0\r\n\r\n"));
  EXPECT_TRUE(eventually([&] { return streams.closed == 1; }));
}

TEST(ServerStream, OpensFromAnotherThread) {
  std::vector<std::jthread> threads;
  TestServer server([&](const Request& request, std::shared_ptr<Responder> responder) {
    threads.emplace_back([path = request.path, responder = std::move(responder)]() mutable {
      std::this_thread::sleep_for(Milliseconds(5));
      const std::shared_ptr<Stream> stream = responder->stream({200, "text/plain", {}, {}});
      responder.reset();
      stream->write(bytes(path));
    });
  });
  TestPeer peer(server.port());
  for (const char* path : {"/one", "/two"}) {
    peer.say(get_request(path));
    EXPECT_THAT(peer.hear_to("0\r\n\r\n"), EndsWith(fmt::format("4\r\n{}\r\n0\r\n\r\n", path)));
  }
}

TEST(ServerStream, ABadHeadIsAnAnswerOf500) {
  std::shared_ptr<Stream> kept;
  TestServer server([&](const Request& /*request*/, const std::shared_ptr<Responder>& responder) {
    kept = responder->stream({200, "text/plain\r\nX: y", {}, {}});
  });
  TestPeer peer(server.port());
  peer.say(get_request("/"));
  EXPECT_THAT(peer.hear_answer(), StartsWith("HTTP/1.1 500"));
  EXPECT_FALSE(kept->write(bytes("x")));
}

TEST(ServerStream, ManyStreamsGetOneText) {
  constexpr std::size_t kStreams = 1000;
  Streams streams;
  ServerOptions options;
  options.threads = 2;
  TestServer server(std::ref(streams), options);
  std::vector<TestPeer> peers;
  peers.reserve(kStreams);
  for (std::size_t number = 0; number < kStreams; ++number) {
    peers.emplace_back(server.port());
    ASSERT_TRUE(peers.back().say(get_request("/")));
  }
  for (std::size_t number = 0; number < kStreams; ++number) streams.get(number);
  EXPECT_EQ(server->counters().streams_open, kStreams);
  const auto text = bytes(format_event("to all", "news", "1"));
  for (int round = 0; round < 3; ++round) {
    for (std::size_t number = 0; number < kStreams; ++number) ASSERT_TRUE(streams.get(number)->write(text));
  }
  for (TestPeer& peer : peers) {
    peer.hear_to("\r\n\r\n");
    for (int round = 0; round < 3; ++round) {
      const std::string heard = peer.hear_to("\n\n\r\n");
      ASSERT_EQ(heard, fmt::format("{:x}\r\n{}\r\n", text->size(), *text));
    }
  }
  EXPECT_TRUE(eventually([&] { return text.use_count() == 1; }));  // Nobody keeps it, nobody copied it.
  for (TestPeer& peer : peers) peer.close();
  EXPECT_TRUE(eventually([&] { return streams.closed == kStreams; }));
  EXPECT_EQ(server->counters().streams_open, 0U);
}

TEST(ServerStream, WritersOfManyThreadsEachKeepTheirOrder) {
  Streams streams("text/plain");
  TestServer server(std::ref(streams));
  TestPeer peer(server.port());
  peer.say("GET / HTTP/1.0\r\n\r\n");
  const std::shared_ptr<Stream> stream = streams.get(0);
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&, thread] {
        for (int number = 0; number < 500; ++number)
          stream->write(bytes(fmt::format("{}:{}\n", thread, number)));
      });
    }
  }
  stream->close();
  const std::string text = body_of(peer.hear_all());
  std::vector<int> next(4, 0);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    const int thread = text[at] - '0';
    ASSERT_EQ(text.substr(at, end - at),
              fmt::format("{}:{}", thread, next.at(static_cast<std::size_t>(thread))++));
    at = end + 1;
  }
  EXPECT_THAT(next, testing::Each(500));
}

}  // namespace
}  // namespace gw::http
