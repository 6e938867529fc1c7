// Which servers are told which token.
#include "client/token_rules.h"

#include <gtest/gtest.h>

namespace gw::client {
namespace {

TEST(TokenRules, AServerIsItsSchemeHostAndPort) {
  EXPECT_TRUE(same_server("http://127.0.0.1:7411", "http://127.0.0.1:7411/"));
  EXPECT_TRUE(same_server("https://Factory.example", "https://factory.example:443"));
  EXPECT_TRUE(same_server("unix:/run/gw.sock", "unix:/run/gw.sock"));
  EXPECT_FALSE(same_server("unix:/run/gw.sock", "unix:/tmp/gw.sock"));
  EXPECT_FALSE(same_server("http://127.0.0.1:7411", "https://127.0.0.1:7411"));
  EXPECT_FALSE(same_server("http://127.0.0.1:7411", "http://127.0.0.1:7412"));
  EXPECT_FALSE(same_server("http://127.0.0.1:7411", "http://127.0.0.1.example:7411"));
  EXPECT_FALSE(same_server("http://127.0.0.1:7411", "http://192.0.2.2:7411"));
  EXPECT_FALSE(same_server("nonsense", "nonsense"));
}

TEST(TokenRules, OnlyThisMachineIsSafeWithoutTls) {
  for (const char* url :
       {"http://127.0.0.1:7411", "http://127.1.2.3", "http://localhost:80", "http://LOCALHOST",
        "http://[::1]:7411", "http://[::ffff:127.0.0.1]:7411", "http://0.0.0.0:7411", "unix:/run/gw.sock",
        "https://192.0.2.2:7411", "https://factory.example"})
    EXPECT_FALSE(in_the_clear(url)) << url;
  for (const char* url : {"http://192.0.2.2:7411", "http://factory.example", "http://localhost.example",
                          "http://127.0.0.1.example", "http://[2001:db8::1]:7411", "http://128.0.0.1",
                          "http://[::ffff:192.0.2.2]:7411"})
    EXPECT_TRUE(in_the_clear(url)) << url;
}

}  // namespace
}  // namespace gw::client
