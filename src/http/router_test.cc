// Which route serves what, and what is said to requests that none serves.
#include "http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "http/request_target.h"

namespace gw::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FakeResponder final : public Responder {
 public:
  void send(Response response) override { sent = std::move(response); }
  std::shared_ptr<Stream> stream(Response response) override {
    sent = std::move(response);
    return nullptr;
  }
  std::optional<Response> sent;
};

class RouterTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const Route& route : {Route{"GET", "/"},
                               {"GET", "/v1/jobs"},
                               {"POST", "/v1/jobs"},
                               {"GET", "/v1/jobs/{job}"},
                               {"DELETE", "/v1/jobs/{job}"},
                               {"POST", "/v1/jobs/queue"},
                               {"GET", "/v1/jobs/{job}/log"},
                               {"GET", "/v1/tenants/{tenant...}"},
                               {"GET", "/v1/tenants/root"},
                               {"GET", "/v1/nodes/{node}/{part...}"}}) {
      router_.add(route.method, route.pattern,
                  [this, route](Request /*request*/, PathParameters parameters,
                                const std::shared_ptr<Responder>& responder) {
                    route_ = route.method + ' ' + route.pattern;
                    parameters_ = std::move(parameters);
                    responder->send({});
                  });
    }
  }

  /// The route that served it, or the status of the router's own answer with Allow.
  std::string serve(const std::string& method, const std::string& path) {
    route_.clear();
    Request request;
    request.method = method;
    request.path = path;
    request.segments = decode_target(path)->segments;
    const auto responder = std::make_shared<FakeResponder>();
    router_.handle(std::move(request), responder);
    EXPECT_TRUE(responder->sent.has_value());
    if (!route_.empty()) return route_;
    std::string text = std::to_string(responder->sent->status);
    for (const auto& [name, value] : responder->sent->headers) text += ' ' + name + ": " + value;
    return text;
  }

  Router router_;
  std::string route_;
  PathParameters parameters_;
};

TEST_F(RouterTest, FindsTheRouteAndItsParameters) {
  EXPECT_EQ(serve("GET", "/"), "GET /");
  EXPECT_EQ(serve("POST", "/v1/jobs"), "POST /v1/jobs");
  EXPECT_EQ(serve("GET", "/v1/jobs/17"), "GET /v1/jobs/{job}");
  EXPECT_EQ(parameters_.text("job"), "17");
  EXPECT_EQ(parameters_.number("job"), 17U);
  EXPECT_EQ(serve("GET", "/v1/jobs/a%2Fb"), "GET /v1/jobs/{job}");
  EXPECT_EQ(parameters_.text("job"), "a/b");
  const Result<std::uint64_t> number = parameters_.number("job");
  ASSERT_FALSE(number.has_value());
  EXPECT_THAT(number.error().message, HasSubstr("'a/b' is no number for 'job'"));
  EXPECT_EQ(serve("GET", "/v1/jobs/17/log"), "GET /v1/jobs/{job}/log");
  EXPECT_EQ(serve("GET", "/v1/nodes/n1/gpus/3"), "GET /v1/nodes/{node}/{part...}");
  EXPECT_EQ(parameters_.text("node"), "n1");
  EXPECT_THAT(parameters_.tail("part"), ElementsAre("gpus", "3"));
}

TEST_F(RouterTest, PrefersTheLiteralAndComesBackFromIt) {
  EXPECT_EQ(serve("POST", "/v1/jobs/queue"), "POST /v1/jobs/queue");
  EXPECT_EQ(serve("GET", "/v1/jobs/queue"), "GET /v1/jobs/{job}");
  EXPECT_EQ(serve("GET", "/v1/tenants/root"), "GET /v1/tenants/root");
  EXPECT_EQ(serve("GET", "/v1/tenants/root/child"), "GET /v1/tenants/{tenant...}");
  EXPECT_THAT(parameters_.tail("tenant"), ElementsAre("root", "child"));
}

TEST_F(RouterTest, TellsAWrongMethodFromAWrongPath) {
  EXPECT_EQ(serve("GET", "/v2"), "404");
  EXPECT_EQ(serve("GET", "/v1"), "404");
  EXPECT_EQ(serve("GET", "/v1/jobs/"), "404");
  EXPECT_EQ(serve("GET", "/v1//jobs"), "404");
  EXPECT_EQ(serve("GET", "/v1/tenants"), "404");
  EXPECT_EQ(serve("GET", "/v1/tenants/a/"), "404");
  EXPECT_EQ(serve("PUT", "/v1/jobs"), "405 Allow: GET, HEAD, OPTIONS, POST");
  EXPECT_EQ(serve("PUT", "/v1/jobs/queue"), "405 Allow: DELETE, GET, HEAD, OPTIONS, POST");
  EXPECT_EQ(serve("OPTIONS", "/v1/jobs/17"), "204 Allow: DELETE, GET, HEAD, OPTIONS");
  EXPECT_EQ(serve("OPTIONS", "/v2"), "404");
  EXPECT_EQ(serve("HEAD", "/v1/jobs"), "GET /v1/jobs");
}

TEST_F(RouterTest, ListsItsRoutes) {
  EXPECT_EQ(router_.routes().size(), 10U);
  EXPECT_EQ(router_.routes()[3].pattern, "/v1/jobs/{job}");
  const Router::Match match = router_.match("GET", {"v1", "jobs", "1"});
  EXPECT_EQ(std::get<Router::Found>(match).route, &router_.routes()[3]);
}

TEST_F(RouterTest, RefusesRoutesThatCannotBeMeant) {
  const auto add = [this](const char* method, const char* pattern) {
    router_.add(method, pattern,
                [](Request /*request*/, const PathParameters& /*parameters*/,
                   const std::shared_ptr<Responder>& /*responder*/) {});
  };
  EXPECT_DEATH(add("GET", "/v1/jobs"), "");
  EXPECT_DEATH(add("GET", "/v1/jobs/{other}"), "");
  EXPECT_DEATH(add("GET", "v1"), "");
  EXPECT_DEATH(add("GET", "/{a...}/b"), "");
  EXPECT_DEATH(add("GET", "/{a}/{a}"), "");
  EXPECT_DEATH(add("GET", "/{}"), "");
  EXPECT_DEATH(add("GET", "/x{a}"), "");
  EXPECT_DEATH(add("G T", "/x"), "");
  add("DELETE", "/v1/jobs");
  EXPECT_DEATH(static_cast<void>(parameters_.text("none")), "");
}

}  // namespace
}  // namespace gw::http
