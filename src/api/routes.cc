// The table of routes: what there is, who may use it, and what it takes and gives.
#include "api/api.h"

namespace gw::api {
namespace {

using Parameter = RouteInfo::Parameter;

constexpr const char* kText = R"({"type":"string"})";
constexpr const char* kWhole = R"({"type":"integer","minimum":0})";

Parameter limit_of(const char* schema) {
  return {"limit", "At most so many; the answer's `next` leads on.", schema};
}
const Parameter kTenantWish{"tenant", "Only this tenant and what is below it.", kText};

}  // namespace

void Api::add_routes() {
  using live::Role;
  const auto route = [](std::string method, std::string pattern, std::string tag, std::string summary) {
    RouteInfo info;
    info.method = std::move(method);
    info.pattern = std::move(pattern);
    info.tag = std::move(tag);
    info.summary = std::move(summary);
    return info;
  };
  RouteInfo info;

  info = route("POST", "/v1/jobs", "jobs", "Submit a job");
  info.role = Role::kMember;
  info.request = "job";
  info.response = "Submitted";
  info.status = 201;
  add(info, &Api::submit);

  info =
      route("POST", "/v1/jobs/batch", "jobs", "Submit up to 10,000 jobs, each accepted or refused by itself");
  info.role = Role::kMember;
  info.request = "Batch";
  info.response = "BatchResult";
  add(info, &Api::submit_batch);

  info = route("POST", "/v1/jobs/dry-run", "jobs",
               "Say what would become of a job: whether, when, at what cost. Nothing is submitted");
  info.role = Role::kMember;
  info.request = "job";
  info.response = "DryRun";
  add(info, &Api::dry_run);

  info = route("GET", "/v1/jobs", "jobs", "List jobs, newest first");
  info.query = {
      {"status", "open, or states and outcomes joined by commas: waiting, running, completed, ...", kText},
      kTenantWish,
      {"user", "Only of this user.", kText},
      {"name", "Only of this name.", kText},
      {"array", "Only tasks of this array.", kWhole},
      {"before", "Only numbers below this: the `next` of the page before.", kWhole},
      {"sort",
       "Of jobs that have not ended: queue (running, then waiting in the policy's order), time, gpus, cpus, "
       "limit, "
       "number, tenant, user or name; with `-` before it the largest first.",
       kText},
      {"text", "Of jobs that have not ended: only with this in one of their names, state, reason or place.",
       kText},
      {"offset", "With sort or text: so many are passed over; the `next` of the page before.", kWhole},
      limit_of(R"({"type":"integer","minimum":1,"maximum":1000,"default":100})")};
  info.response = "JobList";
  add(info, &Api::list_jobs);

  info = route("GET", "/v1/jobs/{job}", "jobs", "Show a job with its attempts");
  info.query = {{"environment", "1: with its environment (members only).", kText}};
  info.response = "JobDetail";
  add(info, &Api::show_job);

  info = route("DELETE", "/v1/jobs/{job}", "jobs", "Cancel a job; of an array, all its tasks");
  info.role = Role::kMember;
  info.response = "Count";
  add(info, &Api::order_job);
  for (const auto& [word, summary] : {std::pair{"cancel", "Cancel a job; of an array, all its tasks"},
                                      std::pair{"requeue", "Stop a running job and let it wait again"},
                                      std::pair{"hold", "Keep a waiting job back until it is released"},
                                      std::pair{"release", "Let a held job go on"}}) {
    info = route("POST", std::string("/v1/jobs/{job}/") + word, "jobs", summary);
    info.role = Role::kMember;
    info.response = "Count";
    add(info, &Api::order_job);
  }

  info = route("GET", "/v1/jobs/{job}/explain", "jobs", "Say what binds a waiting job, now and before");
  info.query = {{"changes", "1: with the nearest changes that would start it sooner; takes up to a second.",
                 R"({"enum":["0","1"]})"}};
  info.response = "Explanation";
  add(info, &Api::explain);
  info = route("GET", "/v1/jobs/{job}/decision", "jobs",
               "What the rules said of a job, when it was admitted and since");
  info.response = "DecisionList";
  add(info, &Api::job_decision);
  info = route("GET", "/v1/jobs/{job}/eta", "jobs", "Forecast when a waiting job starts");
  info.response = "Forecast";
  add(info, &Api::eta);

  info = route("GET", "/v1/jobs/{job}/output", "jobs", "What a job has printed, as bytes");
  info.query = {{"stream", "out (default) or err.", R"({"enum":["out","err"]})"},
                {"offset", "From this byte on.", kWhole},
                {"attempt", "Of this attempt; default: the latest.", kWhole},
                limit_of(R"({"type":"integer","minimum":1,"maximum":8388608})")};
  info.content_type = "application/octet-stream";
  add(info, &Api::output);
  info = route("GET", "/v1/jobs/{job}/follow", "jobs",
               "Output and states of a job until it has ended, as server-sent events");
  info.query = {{"offset", "From this byte of the attempt's output on.", kWhole},
                {"attempt", "From this attempt on, through later ones; default: the latest.", kWhole}};
  info.content_type = "text/event-stream";
  add(info, &Api::follow);
  info = route("GET", "/v1/watch", "jobs",
               "Every change of a job's state, of budgets and of caps, as server-sent events");
  info.query = {
      kTenantWish,
      {"job",
       "Only this job, or the tasks of this array: without Last-Event-ID, the first events tell their "
       "present state, also of those that have ended (of more than 4,096 tasks an event `reset` does).",
       kWhole},
      {"after",
       "Go on behind the event of this id; the header Last-Event-ID says the same, and counts first.",
       kText}};
  info.content_type = "text/event-stream";
  add(info, &Api::watch);

  info = route("GET", "/v1/nodes", "nodes", "List nodes");
  info.query = {
      {"state", "up, down, draining or drained.", kText},
      {"after", "The `next` of the page before.", kWhole},
      {"sort",
       "fleet, state, gpus_free, cpus_free, memory_free or name; with `-` before it the largest first.",
       kText},
      {"text", "Only with this in their name, type, state or reason.", kText},
      {"node",
       "Only this node, or all of this part of the factory: munich/hall-2/row-01, or an end of such a name "
       "that only one has.",
       kText},
      limit_of(R"({"type":"integer","minimum":1,"maximum":10000,"default":1000})")};
  info.response = "NodeList";
  add(info, &Api::list_nodes);
  info = route("GET", "/v1/nodes/{node...}", "nodes", "Show a node and the jobs there");
  info.response = "NodeDetail";
  add(info, &Api::show_node);
  info = route("PATCH", "/v1/nodes/{node...}", "nodes",
               "Drain a node, or all of a part of the factory, or take them back into service");
  info.role = Role::kOperator;
  info.everywhere = true;
  info.request = "node_change";
  info.response = "NodeChanged";
  add(info, &Api::change_node);

  info = route("GET", "/v1/defrag", "nodes",
               "Propose moves of preemptible jobs that would free whole parts of the fabric");
  info.role = Role::kOperator;
  info.everywhere = true;
  info.query = {{"level", "Fabric level of the domains; default: the lowest.", kText},
                {"domains", "So many more than are free now.",
                 R"({"type":"integer","minimum":1,"maximum":10000,"default":1})"},
                {"gpu_type", "Only domains of this GPU type.", kText}};
  info.response = "DefragPlan";
  add(info, &Api::defrag);

  info = route("GET", "/v1/tenants", "tenants", "List tenants");
  info.query = {kTenantWish};
  info.response = "TenantList";
  add(info, &Api::list_tenants);
  info = route("POST", "/v1/tenants", "tenants", "Make a tenant");
  info.role = Role::kAdmin;
  info.request = "tenant_change";
  info.response = "Tenant";
  info.status = 201;
  add(info, &Api::add_tenant);
  info = route("GET", "/v1/tenants/{tenant...}", "tenants", "Show a tenant");
  info.response = "Tenant";
  add(info, &Api::show_tenant);
  info =
      route("PATCH", "/v1/tenants/{tenant...}", "tenants", "Change a tenant's weight, limits and settings");
  info.role = Role::kAdmin;
  info.request = "tenant_change";
  info.response = "Tenant";
  add(info, &Api::change_tenant);

  info = route("GET", "/v1/reservations", "reservations", "List reservations that are not over");
  info.response = "ReservationList";
  add(info, &Api::list_reservations);
  info = route("POST", "/v1/reservations", "reservations", "Reserve nodes for a time");
  info.role = Role::kOperator;
  info.everywhere = true;  // It takes nodes from everyone.
  info.request = "reservation_request";
  info.response = "Reservation";
  info.status = 201;
  add(info, &Api::make_reservation);
  info = route("POST", "/v1/reservations/nearest", "reservations",
               "Say when such a reservation could be made at the earliest; nothing is made");
  info.request = "reservation_request";
  info.response = "NearestReservation";
  add(info, &Api::find_reservation);
  info = route("DELETE", "/v1/reservations/{reservation}", "reservations", "End a reservation");
  info.role = Role::kOperator;
  info.everywhere = true;
  info.response = "Count";
  add(info, &Api::delete_reservation);

  info =
      route("GET", "/v1/caps", "nodes", "How feeds stand with their power, and the caps that are not over");
  info.everywhere = true;
  info.query = {{"level", "Only feeds of this level: site, hall, row, rack.", kText}};
  info.response = "CapList";
  add(info, &Api::list_caps);
  info = route("POST", "/v1/caps", "nodes", "Cap what a feed may carry, from now on or for a time");
  info.role = Role::kOperator;
  info.everywhere = true;
  info.request = "cap_request";
  info.response = "NewCap";
  info.status = 201;
  add(info, &Api::set_cap);
  info = route("DELETE", "/v1/caps/{cap}", "nodes", "End a cap");
  info.role = Role::kOperator;
  info.everywhere = true;
  info.response = "Count";
  add(info, &Api::clear_cap);

  info = route("GET", "/v1/quota", "tenants", "How tenants stand with their quotas and budgets");
  info.query = {kTenantWish, {"gpu_type", "GPUs of this type; default: all, in GPU-equivalents.", kText}};
  info.response = "QuotaList";
  add(info, &Api::list_quotas);
  info = route("PATCH", "/v1/quota/{tenant...}", "tenants", "Set a tenant's quota or budget");
  info.role = Role::kAdmin;
  info.request = "quota_change";
  info.response = "Quota";
  add(info, &Api::change_quota);

  info = route("GET", "/v1/tokens", "tokens", "List tokens (without their secrets)");
  info.role = Role::kAdmin;
  info.response = "TokenList";
  add(info, &Api::list_tokens);
  info = route("POST", "/v1/tokens", "tokens", "Make a token; its secret is shown this once");
  info.role = Role::kAdmin;
  info.request = "token_request";
  info.response = "NewToken";
  info.status = 201;
  add(info, &Api::add_token);
  info = route("DELETE", "/v1/tokens/{token}", "tokens", "Revoke a token");
  info.role = Role::kAdmin;
  info.response = "Count";
  add(info, &Api::revoke_token);

  info = route("POST", "/v1/whatif", "nodes",
               "Compare the factory with what it would be with something changed. Nothing is changed");
  info.role = Role::kOperator;
  info.everywhere = true;
  info.request = "what_if";
  info.response = "WhatIf";
  add(info, &Api::what_if);

  info = route("GET", "/v1/usage", "accounts", "What was used, and what it costs");
  info.query = {
      {"from", "RFC 3339 time or date (UTC); default: the beginning.", kText},
      {"to", "The same; default: now.", kText},
      {"by", "What to sum up by; gpu_type not with focus.", R"({"enum":["tenant","user","job","gpu_type"]})"},
      {"format", "json, csv, or focus (rows of FinOps FOCUS 1.1 as CSV, by calendar month in UTC).",
       R"({"enum":["json","csv","focus"]})"},
      kTenantWish};
  info.response = "Usage";
  add(info, &Api::usage);
  info = route("GET", "/v1/audit", "accounts", "Who changed what, newest first");
  info.role = Role::kAdmin;
  info.query = {kTenantWish,
                {"before", "The `next` of the page before.", kWhole},
                limit_of(R"({"type":"integer","minimum":1,"maximum":1000,"default":100})")};
  info.response = "AuditList";
  add(info, &Api::audit);

  info = route("GET", "/v1/decisions", "accounts",
               "What the rules said of each job that was admitted or refused, newest first");
  info.role = Role::kOperator;
  info.query = {kTenantWish,
                {"before", "The `next` of the page before.", kWhole},
                limit_of(R"({"type":"integer","minimum":1,"maximum":1000,"default":100})")};
  info.response = "DecisionList";
  add(info, &Api::decisions);

  info = route("GET", "/v1/summary", "server", "The factory at a glance");
  info.response = "Summary";
  add(info, &Api::summary);
  info = route("GET", "/v1/whoami", "server", "Whose token this is");
  info.response = "WhoAmI";
  add(info, &Api::whoami);
  info = route("GET", "/healthz", "server", "Is the server alive?");
  info.role.reset();
  info.response = "Status";
  add(info, &Api::health);
  info = route("GET", "/readyz", "server", "Does it take work? 503 while the store fails");
  info.role.reset();
  info.response = "Status";
  add(info, &Api::ready);
  info = route("GET", "/metrics", "server", "Figures for Prometheus");
  if (options_.public_metrics) {
    info.role.reset();
  } else {
    info.everywhere = true;
  }
  info.content_type = "text/plain; version=0.0.4; charset=utf-8";
  add(info, &Api::metrics);
  info = route("GET", "/openapi.json", "server", "This document");
  info.role.reset();
  add(info, &Api::openapi_document);
  openapi_ = Json::parse(openapi());
}

}  // namespace gw::api
