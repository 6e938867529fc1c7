// Addresses of servers as people write them.
#include "http/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gw::http {
namespace {

using testing::HasSubstr;

TEST(ServerUrl, ReadsWhatPeopleWrite) {
  const ServerUrl local = *parse_server_url("http://127.0.0.1:7411");
  EXPECT_FALSE(local.secure);
  EXPECT_EQ(local.host, "127.0.0.1");
  EXPECT_EQ(local.port, 7411);
  EXPECT_EQ(local.authority, "127.0.0.1:7411");
  EXPECT_EQ(local.prefix, "");
  const ServerUrl behind = *parse_server_url("https://gpu.example.org/gigawerk/");
  EXPECT_TRUE(behind.secure);
  EXPECT_EQ(behind.host, "gpu.example.org");
  EXPECT_EQ(behind.port, 443);
  EXPECT_EQ(behind.prefix, "/gigawerk");
  EXPECT_EQ(parse_server_url("http://a")->port, 80);
  const ServerUrl v6 = *parse_server_url("http://[::1]:7411/");
  EXPECT_EQ(v6.host, "::1");
  EXPECT_EQ(v6.authority, "[::1]:7411");
  EXPECT_EQ(parse_server_url("unix:/run/gw.sock")->socket_file, "/run/gw.sock");
}

TEST(ServerUrl, SaysWhatIsWrong) {
  for (const char* text : {"",
                           "127.0.0.1:7411",
                           "ftp://a",
                           "http://",
                           "http://:80",
                           "http://a:",
                           "http://a:0",
                           "http://a:65536",
                           "http://a:80a",
                           "http://u@a",
                           "http://u:p@a",
                           "http://a b",
                           "http://a\r\n",
                           "http://a/?x",
                           "http://a/#x",
                           "http://a/b c",
                           "http://[::1",
                           "http://[::1]x",
                           "http://[]:1",
                           "unix:",
                           "unix:gw.sock"})
    EXPECT_FALSE(parse_server_url(text).has_value()) << text;
  EXPECT_THAT(parse_server_url("localhost:7411").error().message, HasSubstr("write http://host:port"));
}

}  // namespace
}  // namespace gw::http
