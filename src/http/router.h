// Router: which handler serves a request, by method and a pattern for the path.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "http/server.h"

namespace gw::http {

/// What the path gave for the `{names}` of a pattern.
class PathParameters {
 public:
  /// The decoded text; the pattern must have that name. It may hold a `/` that was sent encoded.
  [[nodiscard]] const std::string& text(std::string_view name) const;
  /// A decimal number without sign. The Error is for the client.
  [[nodiscard]] Result<std::uint64_t> number(std::string_view name) const;
  /// The segments of a `{name...}` tail.
  [[nodiscard]] const std::vector<std::string>& tail(std::string_view name) const;

 private:
  friend class Router;
  std::vector<std::pair<std::string_view, std::string>> values_;
  std::string_view tail_name_;
  std::vector<std::string> tail_;
};

using RouteHandler =
    std::function<void(Request request, PathParameters parameters, std::shared_ptr<Responder> responder)>;

struct Route {
  std::string method;
  std::string pattern;
};

/// Patterns are `/v1/jobs/{job}` and, with a tail of one or more segments, `/v1/tenants/{tenant...}`; a
/// parameter is never empty. Where several serve the method, literal text goes before a parameter, and a
/// parameter before a tail, from left to right. GET serves HEAD too, and OPTIONS is answered with what there
/// is, unless routes say otherwise.
///
/// Built before the server starts, then only read: any thread may use it.
class Router {
 public:
  Router();
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  /// A malformed pattern, or a second handler for the same paths and method, is a bug.
  void add(std::string method, std::string pattern, RouteHandler handler);

  struct Found {
    const Route* route = nullptr;
    const RouteHandler* handler = nullptr;
    PathParameters parameters;
  };
  struct WrongMethod {
    std::string allow;  ///< For the header Allow.
  };
  struct NoSuchPath {};
  using Match = std::variant<Found, WrongMethod, NoSuchPath>;
  [[nodiscard]] Match match(std::string_view method, const std::vector<std::string>& segments) const;

  /// Calls the handler that matches, or answers 404, 405 (with Allow), or OPTIONS.
  void handle(Request request, std::shared_ptr<Responder> responder) const;

  /// In the order they were added.
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  struct Node;
  struct Search;

  std::vector<Route> routes_;
  std::unique_ptr<Node> root_;
};

}  // namespace gw::http
