// Bodies of requests: described once for reading, for the OpenAPI document and for the docs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "spec/described.h"

namespace gw::api {

/// Bytes of a text for people: it is kept for good, and shown in lists.
inline constexpr std::size_t kMostWords = 500;

inline constexpr std::string_view kRoles[] = {"viewer", "member", "operator", "admin"};

struct NodeBody {
  static constexpr std::string_view kRecord = "node_change";
  static constexpr std::string_view kHelp =
      "Drains a node, or all of a part of the factory, or takes them back into service.";
  bool drained = false;
  std::string reason;
};
template <class Visitor>
void describe(Visitor& visit, NodeBody& body) {
  visit.field("drained", body.drained,
              {.help = "true: what runs there goes on, nothing new starts; false: back in service.",
               .required = true});
  visit.field("reason", body.reason,
              {.help = "For people.",
               .text = spec::Text::kLine,
               .default_text = "none",
               .bytes_max = kMostWords,
               .empty_allowed = true});
}

struct TenantBody {
  static constexpr std::string_view kRecord = "tenant_change";
  static constexpr std::string_view kHelp = "A tenant to make (with its path), or what is to change of one.";
  std::string path;
  std::optional<std::uint32_t> weight;
  std::optional<std::string> kind;
  std::optional<std::string> home;
  std::optional<std::vector<std::string>> ownership;
  std::optional<std::string> unix_user;
  std::optional<std::string> price_plan;
  std::optional<double> gpus;
  std::optional<std::uint32_t> jobs;
};
template <class Visitor>
void describe(Visitor& visit, TenantBody& body) {
  visit.field("path", body.path,
              {.help = "org/project/user; only when it is made.", .default_text = "that of the URL"});
  visit.field("weight", body.weight, {.help = "Fair share relative to its siblings.", .min = 1, .max = 1e6});
  visit.field("kind", body.kind,
              {.help = "For reports and rules; empty: that of the tenant above.",
               .text = spec::Text::kName,
               .empty_allowed = true});
  visit.field("home", body.home,
              {.help = "Home jurisdiction, ISO 3166-1 alpha-2; empty: that of the tenant above.",
               .text = spec::Text::kCountry,
               .empty_allowed = true});
  visit.field("ownership", body.ownership,
              {.help = "Countries of its owners, ISO 3166-1 alpha-2; empty: those of the tenant above.",
               .text = spec::Text::kCountry,
               .items_max = 100});
  visit.field("unix_user", body.unix_user,
              {.help = "Account that its jobs run under, where the server runs as root; empty: as above it.",
               .text = spec::Text::kName,
               .empty_allowed = true});
  visit.field("price_plan", body.price_plan,
              {.help = "Plan of the price table; empty: as above it.",
               .text = spec::Text::kName,
               .empty_allowed = true});
  visit.field("gpus", body.gpus,
              {.help = "GPUs in use at a time: the limit of its quota; 0 = no limit.", .min = 0, .max = 1e9});
  visit.field("jobs", body.jobs,
              {.help = "Jobs in the system at a time; 0 = no limit.", .min = 0, .max = 4e9});
}

struct WhatIfNodesBody {
  static constexpr std::string_view kRecord = "more_nodes";
  static constexpr std::string_view kHelp = "Nodes to add, of a type that the factory has.";
  std::string type;
  std::uint32_t count = 1;
  std::string site;
};
template <class Visitor>
void describe(Visitor& visit, WhatIfNodesBody& body) {
  visit.field("type", body.type,
              {.help = "Name of a node type.", .required = true, .text = spec::Text::kName});
  visit.field("count", body.count, {.help = "How many.", .min = 1, .max = 1e6});
  visit.field("site", body.site,
              {.help = "Where they stand.", .text = spec::Text::kName, .default_text = "the only site"});
}

struct WhatIfWeightBody {
  static constexpr std::string_view kRecord = "tenant_weight";
  static constexpr std::string_view kHelp = "Another weight of a tenant.";
  std::string tenant;
  std::uint32_t weight = 1;
};
template <class Visitor>
void describe(Visitor& visit, WhatIfWeightBody& body) {
  visit.field("tenant", body.tenant, {.help = "Its path.", .required = true});
  visit.field("weight", body.weight,
              {.help = "Fair share relative to its siblings.", .required = true, .min = 1, .max = 1e6});
}

struct WhatIfQuotaBody {
  static constexpr std::string_view kRecord = "tenant_guarantee";
  static constexpr std::string_view kHelp = "Other guaranteed GPUs of a tenant.";
  std::string tenant;
  double gpus = 0;
};
template <class Visitor>
void describe(Visitor& visit, WhatIfQuotaBody& body) {
  visit.field("tenant", body.tenant, {.help = "Its path.", .required = true});
  visit.field("gpus", body.gpus,
              {.help = "Guaranteed, in GPU-equivalents.", .required = true, .min = 0, .max = 1e9});
}

/// What feed, how much and from when: the same for a cap that is set and for one that is only tried.
template <class Visitor, class Body>
void describe_feed_cap(Visitor& visit, Body& body) {
  visit.field(
      "feed", body.feed,
      {.help = "Path of a site, hall, row or rack, or its end where only one has it.", .required = true});
  visit.field("cap", body.cap,
              {.help = "What it may carry: of a site facility power, else IT power.",
               .min = 1,
               .max = 1e15,
               .default_text = "by `percent`"});
  visit.field("percent", body.percent,
              {.help = "In place of `cap`: of what it was built for.",
               .min = 0.001,
               .max = 100,
               .default_text = "by `cap`"});
  visit.field("from", body.from, {.help = "When it begins: time or date (UTC).", .default_text = "now"});
}

struct WhatIfCapBody {
  static constexpr std::string_view kRecord = "feed_cap";
  static constexpr std::string_view kHelp = "A feed that carries less for a time.";
  std::string feed;
  Milliwatts cap;
  double percent = 0;
  std::string from;
  std::string until;
};
template <class Visitor>
void describe(Visitor& visit, WhatIfCapBody& body) {
  describe_feed_cap(visit, body);
  visit.field("until", body.until, {.help = "When it ends.", .default_text = "never"});
}

inline constexpr std::string_view kArrivals[] = {"history", "none"};

struct WhatIfBody {
  static constexpr std::string_view kRecord = "what_if";
  static constexpr std::string_view kHelp = "Changes of a factory, to be compared with the factory as it is.";
  std::vector<std::string> drain;
  std::vector<WhatIfNodesBody> add_nodes;
  std::string policy;
  std::vector<WhatIfWeightBody> weights;
  std::vector<WhatIfQuotaBody> quotas;
  std::vector<WhatIfCapBody> caps;
  Nanoseconds horizon = hours(24);
  std::uint32_t members = 10;
  std::string arrivals = "history";
  std::uint32_t seed = 1;
};
template <class Visitor>
void describe(Visitor& visit, WhatIfBody& body) {
  visit.field("drain", body.drain,
              {.help = "Nodes that take no new jobs: names, or a part of the feed tree with all below it.",
               .items_max = 100'000,
               .default_text = "none"});
  visit.field("add_nodes", body.add_nodes,
              {.help = "Nodes that are there from now on.", .items_max = 100, .default_text = "none"});
  visit.field("policy", body.policy, {.help = "Another policy.", .default_text = "the factory's own"});
  visit.field("weights", body.weights,
              {.help = "Other weights.", .items_max = 10'000, .default_text = "none"});
  visit.field("quotas", body.quotas,
              {.help = "Other guarantees.", .items_max = 10'000, .default_text = "none"});
  visit.field("caps", body.caps,
              {.help = "Feeds that carry less, beside the caps that are set.",
               .items_max = 1000,
               .default_text = "none"});
  visit.field("horizon", body.horizon, {.help = "How far to look.", .min = 60e9, .max = 31.0 * 86400e9});
  visit.field("members", body.members, {.help = "Pairs of worlds at most.", .min = 2, .max = 100});
  visit.field("arrivals", body.arrivals,
              {.help = "Jobs to come: as of late (the last 7 days), or none.", .choices = kArrivals});
  visit.field("seed", body.seed, {.help = "Equal seeds give equal futures."});
}

inline constexpr std::string_view kBudgetActions[] = {"warn", "stop-new", "stop-all"};

struct BudgetBody {
  static constexpr std::string_view kRecord = "budget_change";
  static constexpr std::string_view kHelp =
      "What a tenant with all below it may spend in a calendar month (UTC); what is not named stays.";
  std::optional<double> gpu_hours;
  std::optional<double> euros;
  std::optional<std::string> action;
  std::optional<std::uint32_t> warn_percent;
};
template <class Visitor>
void describe(Visitor& visit, BudgetBody& body) {
  visit.field("gpu_hours", body.gpu_hours,
              {.help = "GPU-hours; 0 = they do not count. With euros 0 too there is no budget.",
               .min = 0,
               .max = 1e9});
  visit.field("euros", body.euros, {.help = "Euros; 0 = they do not count.", .min = 0, .max = 1e9});
  visit.field("action", body.action,
              {.help = "Once it is spent: warn only, start nothing new, or also stop what runs.",
               .choices = kBudgetActions});
  visit.field("warn_percent", body.warn_percent,
              {.help = "From this part of it on people are warned.", .min = 1, .max = 100});
}

struct QuotaBody {
  static constexpr std::string_view kRecord = "quota_change";
  static constexpr std::string_view kHelp =
      "What is to change of a tenant's quota; what is not named stays. -1: without end.";
  std::string gpu_type;
  std::optional<double> guaranteed;
  std::optional<double> borrow;
  std::optional<double> lend;
  std::optional<double> limit;
  std::optional<BudgetBody> budget;
};
template <class Visitor>
void describe(Visitor& visit, QuotaBody& body) {
  visit.field("gpu_type", body.gpu_type,
              {.help = "GPUs of this type.",
               .text = spec::Text::kName,
               .default_text = "all, in GPU-equivalents",
               .empty_allowed = true});
  visit.field("guaranteed", body.guaranteed,
              {.help = "Its own whenever it asks; who borrows it gives it back.", .min = 0, .max = 1e9});
  visit.field("borrow", body.borrow,
              {.help = "Beyond what is guaranteed, at most this.", .min = -1, .max = 1e9});
  visit.field("lend", body.lend,
              {.help = "Of what is guaranteed and unused others get at most this.", .min = -1, .max = 1e9});
  visit.field("limit", body.limit, {.help = "Never more than this in all.", .min = -1, .max = 1e9});
  visit.field("budget", body.budget, {.help = "What is to change of its budget."});
}

struct ReservationBody {
  static constexpr std::string_view kRecord = "reservation_request";
  static constexpr std::string_view kHelp =
      "Nodes to reserve: for a tenant, for nobody (maintenance), or for a waiting job.";
  std::string name;
  std::string tenant;
  bool maintenance = false;
  std::uint64_t job = 0;
  std::vector<std::string> named;
  std::uint32_t nodes = 0;
  std::uint32_t gpus = 0;
  std::string gpu_type;
  std::string level;
  std::string from;
  Nanoseconds length{0};
  Nanoseconds every{0};
  std::string until;
  bool preempt = false;
  std::string note;
};
template <class Visitor>
void describe(Visitor& visit, ReservationBody& body) {
  visit.field("name", body.name,
              {.help = "Unique among those that are not over.", .required = true, .text = spec::Text::kName});
  visit.field("tenant", body.tenant,
              {.help = "Path of its owner: its jobs and those below it may use the nodes.",
               .default_text = "nobody"});
  visit.field("maintenance", body.maintenance, {.help = "It is nobody's."});
  visit.field(
      "job", body.job,
      {.help = "A waiting job to which the nearest time is promised; then no nodes and times are given.",
       .max = 9e15});
  visit.field("named", body.named,
              {.help = "These nodes: their names, or parts of the factory with all below them.",
               .items_max = 100'000});
  visit.field("nodes", body.nodes, {.help = "So many whole nodes of one type.", .max = 1e7});
  visit.field("gpus", body.gpus, {.help = "In place of nodes: as many as hold so many GPUs.", .max = 1e9});
  visit.field(
      "gpu_type", body.gpu_type,
      {.help = "Of this GPU type.", .text = spec::Text::kName, .default_text = "any", .empty_allowed = true});
  visit.field("level", body.level,
              {.help = "Inside one part of this fabric level.",
               .text = spec::Text::kName,
               .default_text = "any",
               .empty_allowed = true});
  visit.field("from", body.from,
              {.help = "When it begins: time or date (UTC), or `now+4h` by the factory's clock.",
               .default_text = "now"});
  visit.field(
      "for", body.length,
      {.help = "How long it lasts; for a job: how much longer than its limit.", .min = 0, .max = 3.2e17});
  visit.field("every", body.every,
              {.help = "From one beginning to the next.", .min = 0, .max = 3.2e17, .default_text = "once"});
  visit.field("until", body.until,
              {.help = "It does not begin any more at or after this.", .default_text = "for ever"});
  visit.field("preempt", body.preempt,
              {.help = "Jobs in the way that may be preempted are told to go a grace before."});
  visit.field("note", body.note,
              {.help = "For people.",
               .text = spec::Text::kLine,
               .default_text = "none",
               .bytes_max = kMostWords,
               .empty_allowed = true});
}

struct CapBody {
  static constexpr std::string_view kRecord = "cap_request";
  static constexpr std::string_view kHelp = "A cap of a feed, from now on or for a time.";
  std::string feed;
  Milliwatts cap;
  double percent = 0;
  std::string from;
  std::string until;
  Nanoseconds length{0};
  std::string reason;
};
template <class Visitor>
void describe(Visitor& visit, CapBody& body) {
  describe_feed_cap(visit, body);
  visit.field("until", body.until,
              {.help = "When it ends: time or date (UTC).", .default_text = "when it is cleared"});
  visit.field("for", body.length,
              {.help = "In place of `until`: how long it lasts.",
               .min = 0,
               .max = 3.2e17,
               .default_text = "by `until`"});
  visit.field("reason", body.reason,
              {.help = "For people.",
               .text = spec::Text::kLine,
               .default_text = "none",
               .bytes_max = kMostWords,
               .empty_allowed = true});
}

struct TokenBody {
  static constexpr std::string_view kRecord = "token_request";
  static constexpr std::string_view kHelp = "A token to make.";
  std::string tenant;
  std::string role = "member";
  std::string user;
  std::string label;
  Nanoseconds expires_in;
};
template <class Visitor>
void describe(Visitor& visit, TokenBody& body) {
  visit.field(
      "tenant", body.tenant,
      {.help = "Its rights end at this tenant and what is below.", .default_text = "the caller's own"});
  visit.field("role", body.role, {.help = "What it may do.", .choices = kRoles});
  visit.field("user", body.user, {.help = "Who acts by it.", .required = true, .text = spec::Text::kName});
  visit.field("label", body.label,
              {.help = "What it is for.",
               .text = spec::Text::kLine,
               .default_text = "none",
               .bytes_max = kMostWords,
               .empty_allowed = true});
  visit.field("expires_in", body.expires_in,
              {.help = "For so long.", .min = 1e9, .max = 3.2e18, .default_text = "for ever"});
}

}  // namespace gw::api
