// For tests: a raw TCP client that says exactly what a test wants, and a server with handlers to talk to.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "http/listener.h"
#include "http/server.h"

namespace gw::http {

using Milliseconds = std::chrono::milliseconds;

/// Waits until `holds`; false after `most`.
inline bool eventually(const std::function<bool()>& holds, Milliseconds most = Milliseconds(10'000)) {
  const auto end = std::chrono::steady_clock::now() + most;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(Milliseconds(1));
  }
  return true;
}

class TestPeer {
 public:
  explicit TestPeer(std::uint16_t port, int receive_buffer = 0) {
    socket_ = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0)
      ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  explicit TestPeer(const std::string& socket_file) {
    socket_ = Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_file.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int descriptor() const { return socket_.get(); }

  /// False if the server does not take it.
  bool say(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void say_no_more() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.reset(); }
  /// So that the server gets an error and not an end.
  void reset() {
    const ::linger now{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }

  /// Everything up to the end, or up to what `most` allows.
  std::string hear_all(Milliseconds most = Milliseconds(10'000)) {
    hear_until([](std::string_view /*text*/) { return false; }, most);
    return std::exchange(heard_, {});
  }
  /// One answer with a Content-Length (or none at all).
  std::string hear_answer(bool with_body = true) {
    std::size_t size = 0;
    hear_until([&](std::string_view text) {
      const std::size_t head = text.find("\r\n\r\n");
      if (head == std::string_view::npos) return false;
      constexpr std::string_view kLength = "Content-Length: ";
      const std::size_t at = text.find(kLength);
      size = head + 4;
      if (with_body && at < head) size += std::stoul(std::string(text.substr(at + kLength.size(), 20)));
      return text.size() >= size;
    });
    std::string answer = heard_.substr(0, size);
    heard_.erase(0, size);
    return answer;
  }
  /// Up to and with `end`.
  std::string hear_to(std::string_view end, Milliseconds most = Milliseconds(10'000)) {
    std::size_t size = 0;
    hear_until(
        [&](std::string_view text) {
          const std::size_t at = text.find(end);
          size = at == std::string_view::npos ? text.size() : at + end.size();
          return at != std::string_view::npos;
        },
        most);
    std::string text = heard_.substr(0, size);
    heard_.erase(0, size);
    return text;
  }
  /// Nothing more came, and the server has closed.
  bool hears_the_end(Milliseconds most = Milliseconds(10'000)) {
    hear_until([](std::string_view text) { return !text.empty(); }, most);
    return ended_ && heard_.empty();
  }

 private:
  void hear_until(const std::function<bool(std::string_view)>& enough,
                  Milliseconds most = Milliseconds(10'000)) {
    const auto end = std::chrono::steady_clock::now() + most;
    while (!enough(heard_) && !ended_) {
      const auto left = std::chrono::duration_cast<Milliseconds>(end - std::chrono::steady_clock::now());
      pollfd polled{socket_.get(), POLLIN, 0};
      if (left.count() <= 0 || ::poll(&polled, 1, static_cast<int>(left.count())) <= 0) return;
      std::array<char, 16384> buffer;
      const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) ended_ = true;
      if (got > 0) heard_.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  Descriptor socket_;
  bool connected_ = false;
  bool ended_ = false;
  std::string heard_;
};

/// A running server, whose log is kept.
class TestServer {
 public:
  explicit TestServer(Handler handler, ServerOptions options = {}) {
    options.port = 0;
    options.log = [this](std::string_view text) {
      const std::lock_guard lock(mutex_);
      log_ += text;
      log_ += '\n';
    };
    Result<std::unique_ptr<Server>> started = Server::start(options, std::move(handler));
    EXPECT_TRUE(started.has_value()) << started.error().message;
    if (started) server_ = std::move(*started);
  }

  Server* operator->() { return server_.get(); }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  void stop() { server_.reset(); }
  [[nodiscard]] std::string log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  /// What comes back for `text`, up to the end of the connection.
  [[nodiscard]] std::string ask(std::string_view text) const {
    TestPeer peer(port());
    EXPECT_TRUE(peer.connected());
    peer.say(text);
    return peer.hear_all();
  }

 private:
  mutable std::mutex mutex_;
  std::string log_;
  std::unique_ptr<Server> server_;  ///< Ends before the log.
};

/// Answers with what it understood.
inline void echo(const Request& request, const std::shared_ptr<Responder>& responder) {
  responder->send(
      {200, "text/plain", {}, fmt::format("{} {} [{}]", request.method, request.path, request.body)});
}

inline std::string get_request(std::string_view path, std::string_view headers = "") {
  return fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", path, headers);
}

inline std::string body_of(std::string_view answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string_view::npos ? "" : std::string(answer.substr(end + 4));
}

}  // namespace gw::http
