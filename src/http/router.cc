// A tree of path segments.
#include "http/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "base/check.h"
#include "http/response_text.h"
#include "http/text.h"

namespace gw::http {

struct Router::Node {
  /// What serves one method at the path that leads here.
  struct Entry {
    std::size_t route = 0;  ///< Index of routes_.
    RouteHandler handler;
    std::vector<std::string> names;  ///< Of the parameters, from left to right; the tail's is the last.
  };

  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> parameter;
  std::unique_ptr<Node> tail;
  std::map<std::string, Entry, std::less<>> methods;
};

/// Walks every node that a path matches, the best first, until one serves the method.
struct Router::Search {
  std::string_view method;
  const std::vector<std::string>& segments;
  std::vector<std::size_t> captured;  ///< Positions of parameters; a tail's beginning is the last.
  const Node::Entry* entry = nullptr;
  bool by_tail = false;
  std::vector<std::string_view> allowed;  ///< By the nodes that do not serve the method.

  void visit(const Node& node, std::size_t at) {
    if (at == segments.size()) {
      offer(node, false);
      return;
    }
    const std::string& segment = segments[at];
    if (const auto found = node.literals.find(segment); found != node.literals.end())
      visit(*found->second, at + 1);
    if (entry != nullptr || segment.empty()) return;
    captured.push_back(at);
    if (node.parameter) visit(*node.parameter, at + 1);
    if (entry == nullptr && node.tail &&
        std::ranges::none_of(segments.begin() + static_cast<std::ptrdiff_t>(at), segments.end(),
                             &std::string::empty))
      offer(*node.tail, true);
    if (entry == nullptr) captured.pop_back();
  }

  void offer(const Node& node, bool tail) {
    auto found = node.methods.find(method);
    if (found == node.methods.end() && method == "HEAD") found = node.methods.find("GET");
    if (found != node.methods.end()) {
      entry = &found->second;
      by_tail = tail;
      return;
    }
    for (const auto& [name, served] : node.methods) allowed.push_back(name);
  }
};

const std::string& PathParameters::text(std::string_view name) const {
  const auto found = std::ranges::find(values_, name, &std::pair<std::string_view, std::string>::first);
  GW_CHECK(found != values_.end());
  return found->second;
}

Result<std::uint64_t> PathParameters::number(std::string_view name) const {
  const std::string& value = text(name);
  if (const std::optional<std::uint64_t> number = parse_decimal(value)) return *number;
  return fail(fmt::format("'{}' is no number for '{}' of the path", value, name));
}

const std::vector<std::string>& PathParameters::tail(std::string_view name) const {
  GW_CHECK(!tail_.empty() && name == tail_name_);
  return tail_;
}

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::add(std::string method, std::string pattern, RouteHandler handler) {
  GW_CHECK(is_token(method) && pattern.starts_with('/') && handler != nullptr);
  Node* node = root_.get();
  Node::Entry entry{routes_.size(), std::move(handler), {}};
  bool in_tail = false;
  std::string_view rest = std::string_view(pattern).substr(1);
  while (pattern.size() > 1) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, end);
    GW_CHECK(!in_tail);  // A tail is the last.
    std::unique_ptr<Node>* next;
    if (segment.starts_with('{')) {
      GW_CHECK(segment.ends_with('}'));
      std::string_view name = segment.substr(1, segment.size() - 2);
      in_tail = name.ends_with("...");
      if (in_tail) name.remove_suffix(3);
      GW_CHECK(!name.empty() && name.find_first_of("{}.") == std::string_view::npos);
      GW_CHECK(std::ranges::find(entry.names, name) == entry.names.end());
      entry.names.emplace_back(name);
      next = in_tail ? &node->tail : &node->parameter;
    } else {
      GW_CHECK(segment.find_first_of("{}%?#") == std::string_view::npos);
      GW_CHECK(!segment.empty() || end == rest.size());
      next = &node->literals[std::string(segment)];
    }
    if (!*next) *next = std::make_unique<Node>();
    node = next->get();
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  GW_CHECK(node->methods.emplace(method, std::move(entry)).second);
  routes_.push_back({std::move(method), std::move(pattern)});
}

Router::Match Router::match(std::string_view method, const std::vector<std::string>& segments) const {
  Search search{method, segments, {}, nullptr, false, {}};
  search.visit(*root_, 0);
  if (search.entry == nullptr) {
    if (search.allowed.empty()) return NoSuchPath{};
    if (std::ranges::find(search.allowed, "GET") != search.allowed.end()) search.allowed.emplace_back("HEAD");
    search.allowed.emplace_back("OPTIONS");
    std::ranges::sort(search.allowed);
    const auto repeated = std::ranges::unique(search.allowed);
    search.allowed.erase(repeated.begin(), repeated.end());
    return WrongMethod{fmt::format("{}", fmt::join(search.allowed, ", "))};
  }
  const Node::Entry& entry = *search.entry;
  Found found{&routes_[entry.route], &entry.handler, {}};
  for (std::size_t index = 0; index < entry.names.size(); ++index) {
    const std::size_t at = search.captured[index];
    if (search.by_tail && index + 1 == entry.names.size()) {
      found.parameters.tail_name_ = entry.names[index];
      found.parameters.tail_.assign(segments.begin() + static_cast<std::ptrdiff_t>(at), segments.end());
    } else {
      found.parameters.values_.emplace_back(entry.names[index], segments[at]);
    }
  }
  return found;
}

void Router::handle(Request request, std::shared_ptr<Responder> responder) const {
  Match match = this->match(request.method, request.segments);
  if (auto* found = std::get_if<Found>(&match)) {
    (*found->handler)(std::move(request), std::move(found->parameters), std::move(responder));
    return;
  }
  Response answer;
  if (const auto* wrong = std::get_if<WrongMethod>(&match)) {
    if (request.method == "OPTIONS") {
      answer.status = 204;
    } else {
      answer = problem(405, fmt::format("{} does not serve {}", request.path, request.method));
    }
    answer.headers.emplace_back("Allow", wrong->allow);
  } else {
    answer = problem(404, fmt::format("there is no {}", request.path));
  }
  responder->send(std::move(answer));
}

}  // namespace gw::http
