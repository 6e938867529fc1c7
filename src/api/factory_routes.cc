// Nodes, tenants and tokens.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "api/api.h"
#include "api/bodies.h"
#include "api/tenant_names.h"
#include "api/token.h"
#include "live/node_names.h"
#include "live/time_text.h"
#include "spec/json_record.h"

namespace gw::api {
namespace {

/// Listed at once; lists of larger fleets are made on the readers' threads.
constexpr std::uint32_t kFewNodes = 256;
constexpr std::uint64_t kNodesALook = 256;

template <class Body>
std::optional<Body> read_body(const Call& call, std::string_view what) {
  spec::Checked<Body> body = spec::parse_json<Body>(call.request.body, what);
  if (body) return std::move(*body);
  call.refuse({422, "bad_body", spec::diagnostics_text(body.error())});
  return std::nullopt;
}

std::string joined(const std::vector<std::string>& segments) {
  return fmt::format("{}", fmt::join(segments, "/"));
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 100) return false;
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return plain(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
           return plain(c) || c == '.' || c == '_' || c == '-' || c == '@';
         });
}

/// What a list is of: all, or what `name` stands for.
std::expected<std::vector<NodeId>, live::Refusal> listed(const live::Book& book, const std::string& name) {
  if (!name.empty()) {
    std::expected<live::NamedNodes, live::Refusal> named = live::nodes_named(book, name);
    if (!named) return std::unexpected(named.error());
    return std::move(named->nodes);
  }
  std::vector<NodeId> nodes;
  nodes.reserve(book.fleet.nodes());
  for (std::uint32_t node = 0; node < book.fleet.nodes(); ++node) nodes.emplace_back(node);
  return nodes;
}

/// The node that has been changed; of several, how many are in which state.
Json changed_json(const live::Book& book, const std::string& name) {
  const std::expected<live::NamedNodes, live::Refusal> named = live::nodes_named(book, name);
  if (!named) return {{"name", name}, {"count", 0}};  // The fleet has been read anew meanwhile, without it.
  Json json = named->nodes.size() == 1 ? node_json(book, named->nodes.front()) : Json{{"name", named->name}};
  json["count"] = named->nodes.size();
  if (named->nodes.size() == 1) return json;
  json["states"] = {{"up", 0}, {"down", 0}, {"draining", 0}, {"drained", 0}};
  for (const NodeId node : named->nodes) {
    Json& count = json["states"][std::string(node_state(book, node))];
    count = count.get<std::uint64_t>() + 1;
  }
  return json;
}

}  // namespace

void Api::list_nodes(Call call) {
  const std::optional<std::uint64_t> limit = call.number("limit", 1000, 1, 10'000);
  if (!limit) return;
  const std::optional<std::uint64_t> after = call.number("after", 0, 0, UINT32_MAX);
  if (!after) return;
  const bool search = !call.text("sort").empty() || !call.text("text").empty();
  const std::string name = call.text("node");
  const auto answer = [this, search, name, after = *after, limit = *limit](const Call& each) {
    const std::expected<std::vector<NodeId>, live::Refusal> nodes =
        options_.factory->read([&](const live::Book& book) { return listed(book, name); });
    if (!nodes) return each.refuse(nodes.error());
    search ? search_nodes(each, *nodes, after, limit) : page_nodes(each, *nodes, after, limit);
  };
  const std::uint32_t nodes =
      options_.factory->read([](const live::Book& book) { return book.fleet.nodes(); });
  if (nodes <= kFewNodes) return answer(call);
  post(std::move(call), Readers::Size::kShort, [answer](const Call& each, live::Archive&) { answer(each); });
}

/// In the fleet's order, a few at a look: no reader keeps the factory waiting for long. The fleet may be read
/// anew between two looks: then a page has some of both.
void Api::page_nodes(const Call& call, const std::vector<NodeId>& nodes, std::uint64_t after,
                     std::uint64_t limit) {
  const std::string state = call.text("state");
  Json json;
  Json found = Json::array();
  std::uint64_t at = after;
  for (bool more = true; more;) {
    options_.factory->read([&](const live::Book& book) {
      const std::uint64_t end = std::min<std::uint64_t>(nodes.size(), at + kNodesALook);
      for (; at < end && found.size() < limit; ++at) {
        if (nodes[at].value() >= book.fleet.nodes()) continue;
        Json each = node_json(book, nodes[at]);
        if (state.empty() || each["state"] == state) found.push_back(std::move(each));
      }
      more = at < nodes.size() && found.size() < limit;
      json["next"] = at < nodes.size() ? Json(fmt::format("{}", at)) : Json(nullptr);
      json["total"] = book.fleet.nodes();
      if (state.empty()) json["found"] = nodes.size();
    });
  }
  json["nodes"] = std::move(found);
  call.answer(json);
}

void Api::show_node(Call call) {
  const std::string name = joined(call.parameters.tail("node"));
  std::optional<Json> json;
  live::Refusal refusal;
  options_.factory->read([&](const live::Book& book) {
    const std::expected<live::NamedNodes, live::Refusal> named = live::nodes_named(book, name);
    if (!named) {
      refusal = named.error();
      return;
    }
    if (named->nodes.size() > 1) {
      refusal = {404, "unknown_node",
                 fmt::format("{} is no node but {} of them: ask for the list of nodes "
                             "with `node={}`",
                             named->name, named->nodes.size(), name)};
      return;
    }
    const NodeId node = named->nodes.front();
    json = node_json(book, node);
    Json jobs = Json::array();
    for (const auto& [number, job] : book.jobs) {
      if (job.record.state != live::JobState::kRunning ||
          !book.is_within(job.record.tenant, call.actor.tenant))
        continue;
      bool there = false;
      book.for_each_node(*book.core->job(job.record.core),
                         [&](NodeId each, std::uint64_t) { there = there || each == node; });
      if (there) jobs.push_back(job_id(job.record));
    }
    (*json)["jobs"] = std::move(jobs);
  });
  if (!json) return call.refuse(std::move(refusal));
  call.answer(*json);
}

void Api::change_node(Call call) {
  const std::optional<NodeBody> body = read_body<NodeBody>(call, "node");
  if (!body) return;
  const std::string name = joined(call.parameters.tail("node"));
  ask(std::move(call), live::NodeOrder{name, body->drained, body->reason},
      [this, name](const Call& each, const live::Reply&) {
        each.answer(options_.factory->read([&](const live::Book& book) { return changed_json(book, name); }));
      });
}

void Api::what_if(Call call) {
  std::optional<WhatIfBody> body = read_body<WhatIfBody>(call, "what-if");
  if (!body) return;
  if (!options_.what_if) return call.refuse({501, "no_forecast", "this server makes no forecasts"});
  post(std::move(call), Readers::Size::kShort, [this, body = std::move(*body)](Call each, live::Archive&) {
    options_.what_if(body, std::move(each));
  });
}

void Api::list_tenants(Call call) {
  const std::optional<std::vector<TenantId>> tenants = visible(call, call.text("tenant"));
  if (!tenants) return;
  Json json;
  json["tenants"] = Json::array();
  options_.factory->read([&](const live::Book& book) {
    for (const live::LiveTenant& tenant : book.tenants) {
      if (tenant.record.id == TenantTree::root()) continue;
      if (!tenants->empty() &&
          std::find(tenants->begin(), tenants->end(), tenant.record.id) == tenants->end())
        continue;
      json["tenants"].push_back(tenant_json(book, tenant));
    }
  });
  call.answer(json);
}

void Api::show_tenant(Call call) {
  const std::string path = joined(call.parameters.tail("tenant"));
  if (!visible(call, path)) return;
  call.answer(options_.factory->read(
      [&](const live::Book& book) { return tenant_json(book, book.tenants[book.tenant(path).value()]); }));
}

namespace {

live::TenantOrder order_of(const TenantBody& body, std::string path, bool create) {
  live::TenantOrder order;
  order.path = std::move(path);
  order.create = create;
  order.weight = body.weight;
  order.kind = body.kind;
  order.home = body.home;
  order.owners = body.ownership;
  order.unix_user = body.unix_user;
  order.price_plan = body.price_plan;
  if (body.gpus) order.gpu_milli = std::llround(*body.gpus * 1000);
  order.jobs = body.jobs;
  return order;
}

/// Who it is before the law, as whom its jobs run and what it is charged is not for a tenant to say of
/// itself.
bool fixed_above(const TenantBody& body) {
  return body.unix_user || body.price_plan || body.home || body.ownership || body.kind;
}
constexpr std::string_view kFixedAbove =
    "only an admin of the whole factory sets Unix users, price plans, kind, home and ownership";

}  // namespace

std::optional<live::Refusal> Api::unknown_account(const TenantBody& body) const {
  if (!options_.account_exists || !body.unix_user || body.unix_user->empty() ||
      options_.account_exists(*body.unix_user))
    return std::nullopt;
  return live::Refusal{422, "unknown_account",
                       fmt::format("there is no account {} on the server's machine", *body.unix_user)};
}

void Api::add_tenant(Call call) {
  const std::optional<TenantBody> body = read_body<TenantBody>(call, "tenant");
  if (!body) return;
  const std::string path = body->path;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    if (!is_name(std::string_view(path).substr(at, slash - at)))
      return call.refuse(
          {422, "bad_path",
           "a tenant's path is names joined by `/`; a name has letters, digits, `.`, `_`, `-`, `@` "
           "(at most 100) and begins with a letter or digit"});
    at = slash + 1;
  }
  // What stands above must be theirs; that it may make siblings of its own tenant would be a right above it.
  const std::size_t slash = path.rfind('/');
  const std::string above = slash == std::string::npos ? "" : path.substr(0, slash);
  const bool allowed = options_.factory->read([&](const live::Book& book) {
    const TenantId parent = book.tenant(above);
    return parent.valid() && book.is_within(parent, call.actor.tenant);
  });
  if (!allowed)
    return call.refuse(
        {404, "unknown_tenant",
         fmt::format("there is no tenant {} to make it in", above.empty() ? "(the root)" : above)});
  if (fixed_above(*body) && call.actor.tenant != TenantTree::root())
    return call.refuse({403, "forbidden", std::string(kFixedAbove)});
  if (std::optional<live::Refusal> unknown = unknown_account(*body)) return call.refuse(*unknown);
  ask(std::move(call), order_of(*body, path, true), [this, path](const Call& each, const live::Reply&) {
    each.answer(options_.factory->read([&](const live::Book& book) {
      return tenant_json(book, book.tenants[book.tenant(path).value()]);
    }),
                201);
  });
}

void Api::change_tenant(Call call) {
  const std::string path = joined(call.parameters.tail("tenant"));
  const std::optional<TenantBody> body = read_body<TenantBody>(call, "tenant");
  if (!body || !visible(call, path)) return;
  if (!body->path.empty() && body->path != path)
    return call.refuse({422, "bad_body", "a tenant cannot be renamed; leave \"path\" out"});
  // Nobody widens the bounds that hold for themselves.
  const bool own =
      options_.factory->read([&](const live::Book& book) { return book.tenant(path) == call.actor.tenant; });
  if (call.actor.tenant != TenantTree::root() && own)
    return call.refuse(
        {403, "forbidden", "a tenant's own limits, weight and settings are set by an admin above it"});
  // As whom its jobs run, and what it is charged, is not for the tenant to say, nor for what is below it.
  if (call.actor.tenant != TenantTree::root() && fixed_above(*body))
    return call.refuse({403, "forbidden", std::string(kFixedAbove)});
  if (std::optional<live::Refusal> unknown = unknown_account(*body)) return call.refuse(*unknown);
  ask(std::move(call), order_of(*body, path, false), [this, path](const Call& each, const live::Reply&) {
    each.answer(options_.factory->read(
        [&](const live::Book& book) { return tenant_json(book, book.tenants[book.tenant(path).value()]); }));
  });
}

void Api::list_tokens(Call call) {
  Json json;
  json["tokens"] = Json::array();
  options_.factory->read([&](const live::Book& book) {
    for (const auto& [id, token] : book.tokens) {
      if (book.is_within(token.tenant, call.actor.tenant)) json["tokens"].push_back(token_json(book, token));
    }
  });
  call.answer(json);
}

void Api::add_token(Call call) {
  const std::optional<TokenBody> body = read_body<TokenBody>(call, "token");
  if (!body) return;
  live::TokenRecord record;
  record.role = live::role_by_name(body->role).value_or(live::Role::kViewer);
  record.user = body->user;
  record.label = body->label;
  const std::expected<TenantId, live::Refusal> tenant = options_.factory->read(
      [&](const live::Book& book) { return tenant_called(book, body->tenant, call.actor.tenant); });
  if (!tenant) return call.refuse(tenant.error());
  record.tenant = *tenant;
  if (body->expires_in > Nanoseconds{0}) record.expires = options_.factory->now() + body->expires_in;
  const NewToken token = make_token();
  record.id = token.id;
  record.hash = token.hash;
  live::TokenOrder order;
  order.add = record;
  ask(std::move(call), std::move(order), [this, token](const Call& each, const live::Reply&) {
    Json json = options_.factory->read(
        [&](const live::Book& book) { return token_json(book, book.tokens.find(token.id)->second); });
    json["token"] = token.text;  // Shown this once.
    each.answer(json, 201);
  });
}

void Api::revoke_token(Call call) {
  live::TokenOrder order;
  order.revoke = call.parameters.text("token");
  ask(std::move(call), std::move(order), [this](const Call& each, const live::Reply&) {
    beat();  // Its streams end at once.
    each.answer({{"count", 1}});
  });
}

}  // namespace gw::api
