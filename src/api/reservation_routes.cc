// Reservations: which there are, the nearest that could be, and those that are asked for.
#include <fmt/format.h>

#include <algorithm>

#include "api/api.h"
#include "api/bodies.h"
#include "api/body_times.h"
#include "api/explain_reservations.h"
#include "api/tenant_names.h"
#include "live/node_names.h"
#include "live/time_text.h"
#include "sched/window_search.h"
#include "spec/json_record.h"

namespace gw::api {
namespace {

Json node_names(const live::Book& book, const std::vector<NodeRun>& runs) {
  Json names = Json::array();
  for (const NodeRun& run : runs) {
    for (std::uint32_t node = run.first.value(); node < run.first.value() + run.count; ++node)
      names.push_back(book.node_name(NodeId{node}));
  }
  return names;
}

Json when_json(const live::Book& book, Instant when) { return live::time_text(book.unix_ns(when)); }

Json reservation_json(const live::Book& book, const live::ReservationRecord& record, const WindowTerms& terms,
                      Instant now) {
  const sched::State& state = book.core->state();
  std::int64_t gpus = 0;
  for (const NodeRun& run : terms.nodes) {
    for (std::uint32_t node = run.first.value(); node < run.first.value() + run.count; ++node)
      gpus += state.pools[state.place_of(NodeId{node}).first]->gpus_per_node();
  }
  Json job = nullptr;
  if (const auto at = book.by_core.find(terms.job.value()); terms.job.valid() && at != book.by_core.end())
    job = fmt::format("{}", at->second);
  const sched::Windows::Time time =
      sched::Windows::time_at(terms, now)
          .value_or(sched::Windows::Time{terms.from, terms.from + terms.length});
  Json json;
  json["name"] = record.name;
  json["tenant"] = terms.tenant.valid() ? Json(book.path(terms.tenant)) : Json(nullptr);
  json["job"] = std::move(job);
  json["from"] = when_json(book, time.from);
  json["to"] = when_json(book, time.to);
  json["every_s"] =
      terms.every > Nanoseconds{0} ? Json(terms.every.count() / kNanosecondsPerSecond) : Json(nullptr);
  json["until"] = terms.every > Nanoseconds{0} && terms.until != Instant::max() ? when_json(book, terms.until)
                                                                                : Json(nullptr);
  json["active"] = time.from <= now && now < time.to;
  json["preempt"] = terms.preempt;
  json["nodes"] = node_names(book, terms.nodes);
  json["gpus"] = gpus;
  json["by"] = record.by;
  json["note"] = record.note;
  return json;
}

/// Names of the body in terms of the factory; what is wrong otherwise.
std::expected<live::ReserveOrder, live::Refusal> order_of(const live::Book& book, const ReservationBody& body,
                                                          const live::Actor& actor, Instant now) {
  const auto refuse = [](std::string message) {
    return std::unexpected(live::Refusal{422, "bad_reservation", std::move(message)});
  };
  const auto unknown = [](std::string_view what, std::string message) {
    return std::unexpected(live::Refusal{404, fmt::format("unknown_{}", what), std::move(message)});
  };
  live::ReserveOrder order;
  order.name = body.name;
  order.note = body.note;
  WindowWish& wish = order.wish;
  WindowTerms& terms = wish.terms;
  if (body.job != 0) {
    if (!body.tenant.empty() || body.maintenance || !body.named.empty() || body.nodes > 0 || body.gpus > 0 ||
        !body.from.empty() || body.every > Nanoseconds{0})
      return refuse("for a job, nodes and times follow from the job: give only `job` and `for`");
    const live::LiveJob* job = book.job(body.job);
    if (job == nullptr || !book.is_within(job->record.tenant, actor.tenant))
      return std::unexpected(
          live::Refusal{404, "unknown_job", fmt::format("there is no waiting job {}", body.job)});
    order.job = body.job;
    order.slack = body.length;
    return order;
  }
  if (body.maintenance != body.tenant.empty())
    return refuse("a reservation is for a `tenant`, for a `job`, or `maintenance`: give one of them");
  if (!body.tenant.empty()) {
    terms.tenant = book.tenant(body.tenant);
    if (!terms.tenant.valid() || !book.is_within(terms.tenant, actor.tenant))
      return std::unexpected(unknown_tenant(book, body.tenant, actor.tenant));
  }
  if ((body.nodes > 0) + (body.gpus > 0) + !body.named.empty() != 1)
    return refuse("a reservation is of `nodes`, of `gpus`, or of `named` nodes: give one of them");
  wish.nodes = body.nodes;
  wish.gpus = body.gpus;
  std::vector<std::uint32_t> named;
  for (const std::string& name : body.named) {
    const std::expected<live::NamedNodes, live::Refusal> nodes = live::nodes_named(book, name);
    if (!nodes) return std::unexpected(nodes.error());
    for (const NodeId node : nodes->nodes) named.push_back(node.value());
  }
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  terms.nodes = node_runs(named);
  if (!body.gpu_type.empty()) {
    for (std::size_t type = 0; type < book.fleet.gpu_types.size(); ++type) {
      if (book.fleet.gpu_types[type].name == body.gpu_type) wish.gpu_types = std::uint64_t{1} << type;
    }
    if (wish.gpu_types == 0)
      return unknown("gpu_type", fmt::format("this factory has no GPU type {}", body.gpu_type));
  }
  if (!body.level.empty()) {
    const int level = book.fleet.fabric_level(body.level);
    if (level < 0) return unknown("level", fmt::format("this factory has no fabric level {}", body.level));
    wish.level = static_cast<std::uint8_t>(level);
  }
  const std::expected<Instant, std::string> from = begin_in_body(book, body.from, now);
  if (!from) return refuse(from.error());
  terms.from = *from;
  if (body.length <= Nanoseconds{0}) return refuse("`for`: say how long it lasts");
  terms.length = body.length;
  terms.every = body.every;
  if (!body.until.empty()) {
    const std::expected<Instant, std::string> until = time_in_body(book, "until", body.until, now);
    if (!until) return refuse(until.error());
    if (terms.every == Nanoseconds{0}) return refuse("`until` makes sense with `every` only");
    terms.until = *until;
  }
  terms.preempt = body.preempt;
  WindowTerms whole = terms;
  if (whole.nodes.empty()) whole.nodes = {NodeRun{NodeId{0}, 1}};
  if (const std::string_view problem = sched::window_problem(whole, book.fleet.nodes()); !problem.empty())
    return refuse(std::string(problem));
  return order;
}

}  // namespace

void Api::list_reservations(Call call) {
  Json json;
  json["reservations"] = Json::array();
  options_.factory->read([&](const live::Book& book) {
    const Instant now = std::max(book.now, options_.factory->now());
    std::vector<std::pair<Instant, Json>> rows;
    for (const auto& [name, record] : book.reservations) {
      const WindowTerms* terms = book.core->state().windows.find(record.id);
      if (terms == nullptr || !may_see(book, *terms, call.actor.tenant)) continue;
      const std::optional<sched::Windows::Time> time = sched::Windows::time_at(*terms, now);
      rows.emplace_back(time ? time->from : terms->from, reservation_json(book, record, *terms, now));
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [when, row] : rows) json["reservations"].push_back(std::move(row));
  });
  call.answer(json);
}

void Api::make_reservation(Call call) {
  spec::Checked<ReservationBody> body = spec::parse_json<ReservationBody>(call.request.body, "reservation");
  if (!body) return call.refuse({422, "bad_body", spec::diagnostics_text(body.error())});
  std::expected<live::ReserveOrder, live::Refusal> order =
      options_.factory->read([&](const live::Book& book) {
        return order_of(book, *body, call.actor, std::max(book.now, options_.factory->now()));
      });
  if (!order) return call.refuse(order.error());
  ask(std::move(call), std::move(*order),
      [this, name = body->name](const Call& each, const live::Reply& reply) {
        each.answer(options_.factory->read([&](const live::Book& book) {
          const auto at = book.reservations.find(name);
          const WindowTerms* terms =
              at == book.reservations.end() ? nullptr : book.core->state().windows.find(at->second.id);
          Json json =
              terms == nullptr ? Json{{"name", name}} : reservation_json(book, at->second, *terms, book.now);
          json["leaving"] = reply.count;
          return json;
        }),
                    201);
      });
}

void Api::find_reservation(Call call) {
  spec::Checked<ReservationBody> body = spec::parse_json<ReservationBody>(call.request.body, "reservation");
  if (!body) return call.refuse({422, "bad_body", spec::diagnostics_text(body.error())});
  if (body->job != 0)
    return call.refuse({422, "bad_reservation", "when a job can start says its forecast: gw eta"});
  std::optional<live::Refusal> refusal;
  Json json;
  options_.factory->read([&](const live::Book& book) {
    const std::expected<live::ReserveOrder, live::Refusal> order =
        order_of(book, *body, call.actor, std::max(book.now, options_.factory->now()));
    if (!order) {
      refusal = order.error();
      return;
    }
    using Bar = sched::WindowAnswer::Bar;
    const sched::WindowAnswer answer = sched::find_window(book.core->state(), order->wish, book.now);
    json["possible"] = answer.bar == Bar::kNone;
    json["reason"] = answer.bar == Bar::kNone       ? Json(nullptr)
                     : answer.bar == Bar::kNodes    ? Json("too_few_nodes")
                     : answer.bar == Bar::kReserved ? Json("reserved")
                                                    : Json("in_use");
    json["from"] = answer.found ? when_json(book, answer.terms.from) : Json(nullptr);
    json["to"] = answer.found ? when_json(book, answer.terms.from + answer.terms.length) : Json(nullptr);
    json["nodes"] = answer.found ? node_names(book, answer.terms.nodes) : Json::array();
  });
  if (refusal) return call.refuse(*refusal);
  call.answer(json);
}

void Api::delete_reservation(Call call) {
  live::ReserveOrder order;
  order.name = call.parameters.text("reservation");
  order.remove = true;
  ask(std::move(call), std::move(order),
      [](const Call& each, const live::Reply&) { each.answer({{"count", 1}}); });
}

}  // namespace gw::api
