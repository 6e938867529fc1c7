// The client against the real server, and against servers that misbehave in raw bytes.
#include "http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <filesystem>

#include "http/sse.h"
#include "http/test_peer.h"

namespace gw::http {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

/// A server of one connection at a time that answers each request with the next of given texts.
class ScriptedServer {
 public:
  /// A text ends with closing where it ends with '!', which is not sent.
  explicit ScriptedServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
    listening_ = std::move(*open_listen_socket("127.0.0.1", 0));
    thread_ = std::jthread([this] { run(); });
  }
  ~ScriptedServer() { ::shutdown(listening_.descriptor.get(), SHUT_RDWR); }
  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}", listening_.port); }
  std::atomic<int> connections{0};
  std::atomic<int> requests{0};

 private:
  void run() {
    while (true) {
      pollfd polled{listening_.descriptor.get(), POLLIN, 0};
      ::poll(&polled, 1, -1);
      const Descriptor peer(::accept(listening_.descriptor.get(), nullptr, nullptr));
      if (!peer.valid()) return;
      ++connections;
      std::string heard;
      std::array<char, 65536> buffer;
      for (bool open = true; open && next_ < answers_.size();) {
        const ssize_t got = ::recv(peer.get(), buffer.data(), buffer.size(), 0);
        if (got <= 0) break;
        heard.append(buffer.data(), static_cast<std::size_t>(got));
        if (heard.find("\r\n\r\n") == std::string::npos) continue;
        heard.clear();
        ++requests;
        std::string answer = answers_[next_++];
        open = !answer.ends_with('!');
        if (!open) answer.pop_back();
        ::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    }
  }
  std::vector<std::string> answers_;
  std::size_t next_ = 0;
  ListenSocket listening_;
  std::jthread thread_;
};

ClientOptions options_for(const std::string& url) {
  ClientOptions options;
  options.url = url;
  options.answer_seconds = 5;
  return options;
}

std::unique_ptr<Client> client_of(const std::string& url) {
  return std::move(*Client::make(options_for(url)));
}
std::unique_ptr<Client> client_of(const TestServer& server) {
  return client_of(fmt::format("http://127.0.0.1:{}", server.port()));
}

/// The body, or what went wrong.
std::string text_of(const Result<Answer>& answer) {
  return answer ? answer->body : "error: " + answer.error().message;
}

TEST(Client, SendsAndReceives) {
  Request seen;
  TestServer server([&](Request request, const std::shared_ptr<Responder>& responder) {
    seen = request;
    responder->send({201, "text/plain", {{"X-Job", "7"}}, request.method + " " + request.body});
  });
  ClientOptions options = options_for(fmt::format("http://localhost:{}/", server.port()));
  options.token = "secret";
  const auto client = std::move(*Client::make(options));
  const Result<Answer> answer = client->send("POST", "/v1/jobs?x=1", "{}", {{"X-Mine", "yes"}});
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->status, 201U);
  EXPECT_EQ(answer->content_type, "text/plain");
  EXPECT_THAT(answer->headers, Contains(Pair("x-job", "7")));
  EXPECT_EQ(answer->body, "POST {}");
  EXPECT_EQ(seen.target, "/v1/jobs?x=1");
  EXPECT_EQ(seen.header("host"), fmt::format("localhost:{}", server.port()));
  EXPECT_EQ(seen.header("authorization"), "Bearer secret");
  EXPECT_EQ(seen.header("content-type"), "application/json");
  EXPECT_EQ(seen.header("x-mine"), "yes");
  EXPECT_EQ(client->send("HEAD", "/")->body, "");
  EXPECT_EQ(text_of(client->send("GET", "/")), "GET ");
  EXPECT_EQ(text_of(client->send("DELETE", "/")), "DELETE ");
  EXPECT_EQ(seen.header("content-type"), "");
  EXPECT_EQ(server->counters().connections_total, 1U);
}

TEST(Client, PutsAPrefixBeforeTargets) {
  TestServer server(echo);
  EXPECT_EQ(text_of(client_of(fmt::format("http://127.0.0.1:{}/gw/", server.port()))->send("GET", "/v1")),
            "GET /gw/v1 []");
}

TEST(Client, TalksThroughASocketFile) {
  std::string folder = testing::TempDir() + "gigawerk-client-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  ServerOptions options;
  options.address = "unix:" + folder + "/s";
  {
    TestServer server(echo, options);
    EXPECT_EQ(text_of(client_of(options.address)->send("GET", "/a")), "GET /a []");
  }
  EXPECT_THAT(text_of(client_of(options.address)->send("GET", "/a")),
              HasSubstr("is gw serve running there?"));
  std::filesystem::remove_all(folder);
}

TEST(Client, RefusesRequestsThatAreNone) {
  TestServer server(echo);
  const auto client = client_of(server);
  EXPECT_FALSE(client->send("GET", "no-slash").has_value());
  EXPECT_FALSE(client->send("GET", "/a b").has_value());
  EXPECT_FALSE(client->send("GET", "/a\r\nX: y").has_value());
  EXPECT_FALSE(client->send("G T", "/").has_value());
  EXPECT_FALSE(client->send("GET", "/", "", {{"X", "a\r\nY: b"}}).has_value());
  EXPECT_FALSE(client->send("GET", "/", "", {{"X Y", "a"}}).has_value());
  ClientOptions options = options_for("http://localhost");
  options.token = "a\nb";
  EXPECT_FALSE(Client::make(options).has_value());
  EXPECT_FALSE(Client::make(options_for("localhost:7411")).has_value());
  EXPECT_EQ(server->counters().connections_total, 0U);
}

TEST(Client, SaysWhoIsNotThere) {
  std::uint16_t port = 0;
  {
    TestServer server(echo);
    port = server.port();
  }
  EXPECT_EQ(
      text_of(client_of(fmt::format("http://127.0.0.1:{}", port))->send("GET", "/")),
      fmt::format("error: cannot reach http://127.0.0.1:{}: connection refused; is gw serve running there?",
                  port));
}

TEST(Client, ReadsEveryFraming) {
  ScriptedServer server({
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
      "OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n",
      "HTTP/1.1 204 No Content\r\n\r\n",
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n!",
      "HTTP/1.0 200 OK\r\n\r\nto the end!",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  });
  const auto client = client_of(server.url());
  for (const char* expected : {"hello", "abcde", "", "", "", "to the end", "ok"})
    EXPECT_EQ(text_of(client->send("GET", "/")), expected);
  EXPECT_EQ(server.connections, 3);
}

TEST(Client, RefusesAnswersThatAreNone) {
  for (const char* text : {
           "SSH-2.0-OpenSSH_9\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
           "HTTP/1.1 101 Switching Protocols\r\n\r\n",
           "HTTP/1.1 200 OK\r\nX: y\n\r\n\r\n",
       }) {
    ScriptedServer server({text});
    EXPECT_THAT(text_of(client_of(server.url())->send("GET", "/")), StartsWith("error: " + server.url()))
        << text;
  }
  ScriptedServer endless({"HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x')});
  EXPECT_THAT(text_of(client_of(endless.url())->send("GET", "/")), HasSubstr("its head does not end"));
  ScriptedServer cut({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc!"});
  EXPECT_THAT(text_of(client_of(cut.url())->send("GET", "/")), HasSubstr("in the middle of its answer"));
  ScriptedServer cut_chunk({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n!"});
  EXPECT_THAT(text_of(client_of(cut_chunk.url())->send("GET", "/")),
              HasSubstr("in the middle of its answer"));
}

TEST(Client, BoundsTheAnswer) {
  TestServer server([](const Request& request, const std::shared_ptr<Responder>& responder) {
    responder->send({200, "text/plain", {}, std::string(std::stoul(*request.parameter("size")), 'x')});
  });
  ClientOptions options = options_for(fmt::format("http://127.0.0.1:{}", server.port()));
  options.answer_bytes = 100'000;
  const auto client = std::move(*Client::make(options));
  EXPECT_EQ(text_of(client->send("GET", "/?size=100000")).size(), 100'000U);
  EXPECT_THAT(text_of(client->send("GET", "/?size=100001")), HasSubstr("larger than 100000 bytes"));
  EXPECT_EQ(text_of(client->send("GET", "/?size=10")).size(), 10U);
}

TEST(Client, TimesOut) {
  std::vector<std::shared_ptr<Responder>> kept;
  TestServer server([&](const Request& /*request*/, std::shared_ptr<Responder> responder) {
    kept.push_back(std::move(responder));
  });
  ClientOptions options = options_for(fmt::format("http://127.0.0.1:{}", server.port()));
  options.answer_seconds = 1;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(text_of((*Client::make(options))->send("GET", "/")),
              HasSubstr("did not answer within 1 seconds"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, Milliseconds(8000));
  // A whole answer has one time, not each of its bytes.
  TestServer trickle([](const Request& /*request*/, const std::shared_ptr<Responder>& responder) {
    std::thread([stream = responder->stream({200, "text/plain", {}, {}})] {
      while (stream->write(std::make_shared<const std::string>("x")))
        std::this_thread::sleep_for(Milliseconds(50));
    }).detach();
  });
  options.url = fmt::format("http://127.0.0.1:{}", trickle.port());
  EXPECT_THAT(text_of((*Client::make(options))->send("GET", "/")),
              HasSubstr("did not answer within 1 seconds"));
  // A stream may take longer, if only it goes on.
  int pieces = 0;
  const Result<Answer> stream =
      (*Client::make(options))->stream("/", [&](std::string_view /*bytes*/) { return ++pieces < 30; });
  EXPECT_TRUE(stream.has_value()) << stream.error().message;
}

TEST(Client, TakesANewConnectionForAStaleOne) {
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  {  // Closed in between: seen before anything is sent, so any method may go.
    ScriptedServer server({ok + "!", ok + "!", ok});
    const auto client = client_of(server.url());
    for (const char* method : {"GET", "POST", "POST"}) {
      EXPECT_EQ(text_of(client->send(method, "/", "x")), "ok");
      std::this_thread::sleep_for(Milliseconds(30));
    }
    EXPECT_EQ(server.connections, 3);
  }
  {  // Closed after the request came, without an answer: sent again if that does no harm.
    ScriptedServer server({ok, "!", ok});
    const auto client = client_of(server.url());
    EXPECT_EQ(text_of(client->send("GET", "/")), "ok");
    EXPECT_EQ(text_of(client->send("GET", "/")), "ok");
    EXPECT_EQ(server.requests, 3);
  }
  {  // The same with POST, which may have been carried out.
    ScriptedServer server({ok, "!", ok});
    const auto client = client_of(server.url());
    EXPECT_EQ(text_of(client->send("POST", "/", "x")), "ok");
    EXPECT_THAT(text_of(client->send("POST", "/", "x")),
                HasSubstr("whether it did what was asked is not known"));
    EXPECT_EQ(server.requests, 2);
  }
  {  // Once, not for ever; and not on a fresh connection.
    ScriptedServer server({ok, "!", "!", ok});
    const auto client = client_of(server.url());
    EXPECT_EQ(text_of(client->send("GET", "/")), "ok");
    EXPECT_THAT(text_of(client->send("GET", "/")), HasSubstr("closed the connection"));
    EXPECT_EQ(server.requests, 3);
  }
  {  // Not when an answer has begun.
    ScriptedServer server({ok, "HTTP/1.1 2!", ok});
    const auto client = client_of(server.url());
    EXPECT_EQ(text_of(client->send("GET", "/")), "ok");
    EXPECT_THAT(text_of(client->send("GET", "/")), StartsWith("error: "));
    EXPECT_EQ(server.requests, 2);
  }
  {  // What nobody asked for is no answer to the next request.
    ScriptedServer server({ok + "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", ok});
    const auto client = client_of(server.url());
    EXPECT_EQ(text_of(client->send("GET", "/")), "ok");
    EXPECT_EQ(text_of(client->send("GET", "/")), "ok");
    EXPECT_EQ(server.connections, 2);
  }
}

TEST(Client, HearsARefusalWhileItStillSends) {
  ServerOptions options;
  options.body_bytes = 1000;
  TestServer server(echo, options);
  const auto client = client_of(server);
  const Result<Answer> answer = client->send("POST", "/", std::string(std::size_t{20} << 20, 'x'));
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->status, 413U);
  EXPECT_EQ(text_of(client->send("POST", "/", "x")), "POST / [x]");
}

TEST(Client, ReadsStreams) {
  TestServer server([](const Request& request, const std::shared_ptr<Responder>& responder) {
    if (request.path == "/none") return responder->send(Response{404, "text/plain", {}, "no such log"});
    const auto stream = responder->stream({200, "text/plain", {}, "first\n"});
    for (int number = 0; number < 3; ++number)
      stream->write(std::make_shared<const std::string>(fmt::format("line {}\n", number)));
  });
  const auto client = client_of(server);
  std::string all;
  const Result<Answer> whole = client->stream("/log", [&](std::string_view bytes) {
    all += bytes;
    return true;
  });
  ASSERT_TRUE(whole.has_value()) << whole.error().message;
  EXPECT_EQ(whole->status, 200U);
  EXPECT_EQ(whole->body, "");
  EXPECT_EQ(all, "first\nline 0\nline 1\nline 2\n");
  const Result<Answer> none = client->stream("/none", [&](std::string_view /*bytes*/) {
    ADD_FAILURE();
    return true;
  });
  EXPECT_EQ(none->status, 404U);
  EXPECT_EQ(none->body, "no such log");
  EXPECT_EQ(server->counters().connections_total, 1U);
  int calls = 0;
  EXPECT_TRUE(client->stream("/log", [&](std::string_view /*bytes*/) { return ++calls < 1; }).has_value());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(client->stream("/none", [](std::string_view /*bytes*/) { return true; })->status, 404U);
}

TEST(Client, ReadsEvents) {
  TestServer server([](const Request& request, const std::shared_ptr<Responder>& responder) {
    EXPECT_EQ(request.header("accept"), "text/event-stream");
    if (request.path == "/json") return responder->send({200, "application/json", {}, "{}"});
    const auto stream = responder->stream({200, "text/event-stream; charset=utf-8", {}, format_retry(100)});
    stream->write(std::make_shared<const std::string>(format_comment("keep-alive")));
    stream->write(std::make_shared<const std::string>(format_event("one\ntwo", "job", "1")));
    const std::string split = format_event("split");
    stream->write(std::make_shared<const std::string>(split.substr(0, 4)));
    stream->write(std::make_shared<const std::string>(split.substr(4)));
  });
  const auto client = client_of(server);
  std::vector<ServerEvent> events;
  const Result<Answer> answer = client->events("/", [&](const ServerEvent& event) {
    events.push_back(event);
    return true;
  });
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_THAT(events, ElementsAre(ServerEvent{"1", "job", "one\ntwo"}, ServerEvent{"1", "", "split"}));
  EXPECT_THAT(text_of(client->events("/json", [](const ServerEvent& /*event*/) { return true; })),
              HasSubstr("'application/json', not text/event-stream"));
}

TEST(Client, AnInterruptionEndsAWait) {
  std::vector<std::shared_ptr<Responder>> kept;
  TestServer server([&](const Request& request, std::shared_ptr<Responder> responder) {
    if (request.path == "/") return echo(request, responder);
    kept.push_back(std::move(responder));
  });
  const auto client = client_of(server);
  {
    std::jthread other([&] {
      std::this_thread::sleep_for(Milliseconds(50));
      client->interrupt();
    });
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(text_of(client->send("GET", "/wait")),
              fmt::format("error: http://127.0.0.1:{}: interrupted", server.port()));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, Milliseconds(4000));
  }
  EXPECT_EQ(text_of(client->send("GET", "/")), "GET / []");
  client->interrupt();  // Between two calls: the next one ends.
  EXPECT_THAT(text_of(client->send("GET", "/")), HasSubstr("interrupted"));
  EXPECT_EQ(text_of(client->send("GET", "/")), "GET / []");
}

Client* interrupted_client = nullptr;

TEST(Client, ASignalHandlerMayInterrupt) {
  TestServer server([](const Request& /*request*/, const std::shared_ptr<Responder>& responder) {
    std::thread([stream = responder->stream({200, "text/event-stream", {}, {}})] {
      while (stream->write(std::make_shared<const std::string>(format_comment())))
        std::this_thread::sleep_for(Milliseconds(5));
    }).detach();
  });
  const auto client = client_of(server);
  interrupted_client = client.get();
  struct sigaction action{};
  struct sigaction before{};
  action.sa_handler = [](int /*signal*/) { interrupted_client->interrupt(); };
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  const pthread_t here = ::pthread_self();
  std::jthread other([&] {
    std::this_thread::sleep_for(Milliseconds(50));
    ::pthread_kill(here, SIGUSR1);
  });
  EXPECT_THAT(text_of(client->events("/", [](const ServerEvent& /*event*/) { return true; })),
              HasSubstr("interrupted"));
  ::sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace
}  // namespace gw::http
