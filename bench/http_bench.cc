// A server to measure: small answers, answers in batches from another thread, and idle event streams. Driven
// by http_bench.sh.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "http/client.h"
#include "http/server.h"
#include "http/sse.h"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Bytes of memory that this process has in use.
std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Answers what has gathered every millisecond, as a server does that commits in batches.
class Batches {
 public:
  ~Batches() { thread_.request_stop(); }
  void add(std::shared_ptr<gw::http::Responder> responder) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(responder));
  }

 private:
  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::vector<std::shared_ptr<gw::http::Responder>> batch;
      {
        const std::lock_guard lock(mutex_);
        batch.swap(waiting_);
      }
      for (const auto& responder : batch) responder->send({201, "application/json", {}, "{\"job\":1}\n"});
    }
  }
  std::mutex mutex_;
  std::vector<std::shared_ptr<gw::http::Responder>> waiting_;
  std::jthread thread_{[this](const std::stop_token& stop) { run(stop); }};
};

gw::http::ServerOptions options_from(int argc, char** argv) {
  gw::http::ServerOptions options;
  options.port = 0;
  options.connections = 20'000;
  if (argc > 3) {
    options.tls_certificate = argv[2];
    options.tls_key = argv[3];
  }
  options.log = [](std::string_view text) { fmt::print(stderr, "{}\n", text); };
  return options;
}

/// Serves until standard input ends; prints the port.
int serve(const gw::http::ServerOptions& options) {
  Batches batches;
  const auto server = gw::http::Server::start(
      options, [&](gw::http::Request request, std::shared_ptr<gw::http::Responder> responder) {
        if (request.path == "/batch") return batches.add(std::move(responder));
        responder->send({200, "application/json", {}, "{\"status\":\"ok\"}\n"});
      });
  if (!server) {
    fmt::print(stderr, "{}\n", server.error().message);
    return 1;
  }
  fmt::print("{}\n", (*server)->port());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

int connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return -1;
  return socket;
}

/// Memory of idle streams, and how long one text takes to reach all of them.
int streams(const gw::http::ServerOptions& options, std::size_t count) {
  std::mutex mutex;
  std::vector<std::shared_ptr<gw::http::Stream>> open;
  const auto server = gw::http::Server::start(
      options, [&](gw::http::Request /*request*/, const std::shared_ptr<gw::http::Responder>& responder) {
        const std::lock_guard lock(mutex);
        open.push_back(responder->stream({200, "text/event-stream", {}, {}}));
      });
  if (!server) {
    fmt::print(stderr, "{}\n", server.error().message);
    return 1;
  }
  const auto opened = [&] {
    const std::lock_guard lock(mutex);
    return open.size();
  };
  std::vector<int> sockets;
  const auto connect_until = [&](std::size_t wanted) {
    constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    while (sockets.size() < wanted) {
      sockets.push_back(connect_to((*server)->port()));
      if (::send(sockets.back(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0) return;
    }
    while (opened() < wanted) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  connect_until(100);  // What is needed once is not counted.
  const std::size_t before = resident_bytes();
  connect_until(100 + count);
  const std::size_t after = resident_bytes();
  fmt::print("{} idle event streams: {} bytes each in the server (with this program's own list of them)\n",
             count, (after - before) / count);

  const auto text = std::make_shared<const std::string>(gw::http::format_event(std::string(1000, 'x')));
  const auto begin = Clock::now();
  constexpr int kRounds = 20;
  std::array<char, 4096> buffer;
  for (int round = 0; round < kRounds; ++round) {
    for (const auto& stream : open) stream->write(text);
    for (const int socket : sockets) {
      if (::recv(socket, buffer.data(), buffer.size(), 0) <= 0) return 1;
    }
  }
  fmt::print("one text of 1 kB to {} streams: {:.2f} ms until the last has read it\n", open.size(),
             seconds_since(begin) * 1e3 / kRounds);
  for (const int socket : sockets) ::close(socket);
  return 0;
}

/// What a command pays that asks one thing: a client made, a connection, an answer.
int first_request(const gw::http::ServerOptions& options) {
  const auto server = gw::http::Server::start(
      options, [](gw::http::Request /*request*/, const std::shared_ptr<gw::http::Responder>& responder) {
        responder->send({200, "application/json", {}, "{}"});
      });
  if (!server) return 1;
  for (int turn = 0; turn < 3; ++turn) {
    const auto begin = Clock::now();
    gw::http::ClientOptions to;
    to.url = fmt::format("http://127.0.0.1:{}", (*server)->port());
    const auto client = gw::http::Client::make(to);
    if (!client) return 1;
    const auto answer = (*client)->send("GET", "/");
    if (!answer || answer->status != 200) return 1;
    fmt::print("a client and its first request: {:.0f} us\n", seconds_since(begin) * 1e6);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  if (what == "serve") return serve(options_from(argc, argv));
  if (what == "streams") return streams(options_from(1, argv), 2000);
  if (what == "first") return first_request(options_from(1, argv));
  fmt::print(stderr, "usage: gw_http_bench serve [CERTIFICATE KEY] | streams | first\n");
  return 2;
}
