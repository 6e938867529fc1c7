// Where the server listens, what it says when it cannot, and what it does when descriptors run out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>

#include "http/server.h"
#include "http/test_peer.h"

namespace gw::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

constexpr std::string_view kClose = "Connection: close\r\n";

ServerOptions options_for(const std::string& address, std::uint16_t port = 0) {
  ServerOptions options;
  options.address = address;
  options.port = port;
  return options;
}

TEST(ServerListen, ListensWhereItIsTold) {
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

TEST(ServerListen, ListensOnASocketFile) {
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

TEST(ServerListen, WaitsWhenDescriptorsRunOut) {
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
