// Health, figures for Prometheus, the OpenAPI document, and what a screen shows first.
#include <fmt/format.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <map>

#include "api/api.h"
#include "api/node_use.h"
#include "live/feed_view.h"
#include "live/quota_view.h"
#include "live/time_text.h"

namespace gw::api {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class Families {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;
  void add(const std::string& name, const std::string& help, bool counter, double value,
           const Labels& labels = {}) {
    const auto [at, is_new] = index_.try_emplace(name, families_.size());
    if (is_new) {
      MetricFamily& family = families_.emplace_back();
      family.name = name;
      family.help = help;
      family.type = counter ? MetricType::Counter : MetricType::Gauge;
    }
    ClientMetric& metric = families_[at->second].metric.emplace_back();
    for (const auto& [label, text] : labels) metric.label.push_back({label, text});
    (counter ? metric.counter.value : metric.gauge.value) = value;
  }
  void gauge(const std::string& name, const std::string& help, double value, const Labels& labels = {}) {
    add(name, help, false, value, labels);
  }
  void counter(const std::string& name, const std::string& help, double value) {
    add(name, help, true, value);
  }
  [[nodiscard]] std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  std::vector<MetricFamily> families_;
  std::map<std::string, std::size_t> index_;
};

struct Totals {
  std::map<std::string, std::int64_t> jobs;  ///< By state.
  std::map<std::string, NodeUse> gpus;       ///< By type.
  std::int64_t nodes = 0, nodes_off = 0;
};

std::array<std::pair<const char*, std::int64_t>, 4> states_of(const NodeUse& use) {
  return {{{"used", use.used}, {"free", use.free}, {"reserved", use.reserved}, {"off", use.off}}};
}

Totals totals_of(const live::Book& book) {
  Totals totals;
  for (const char* state : {"held", "blocked", "waiting", "running"}) totals.jobs[state] = 0;
  for (const auto& [number, job] : book.jobs)
    totals.jobs[std::string(live::name_of(job.record.state))] += job.record.stands_for;
  totals.nodes = book.fleet.nodes();
  for (const auto& [name, mark] : book.marks) totals.nodes_off += book.node(name).valid();
  for (const auto& pool : book.core->state().pools) {
    if (pool->gpus_per_node() == 0) continue;
    const std::uint32_t type = pool->gpu_type();
    totals.gpus[type == NodeType::kNoGpu ? "other" : book.fleet.gpu_types[type].name] += gpus_of(*pool);
  }
  return totals;
}

/// Of tenants of the first level that have a quota or a budget.
void add_quotas(const live::Book& book, Instant now, Families& families) {
  const std::vector<live::QuotaStanding> standings = live::quota_standings(book, kAllGpus);
  for (const live::QuotaStanding& standing : standings) {
    const live::LiveTenant& tenant = book.tenants[standing.tenant.value()];
    if (tenant.record.parent != TenantTree::root()) continue;
    if (!tenant.record.quotas.empty()) {
      const std::pair<const char*, std::int64_t> kinds[] = {{"guaranteed", standing.terms.guaranteed_milli},
                                                            {"used", standing.used},
                                                            {"borrowed", standing.borrowed},
                                                            {"lent", standing.lent},
                                                            {"owed", standing.owed}};
      for (const auto& [kind, milli] : kinds)
        families.gauge(
            "gigawerk_tenant_quota_gpus",
            "GPU-equivalents of a tenant and all below it: guaranteed, used, borrowed, lent, owed.",
            static_cast<double>(milli) / 1000, {{"tenant", tenant.path}, {"kind", kind}});
    }
    if (!tenant.record.budget) continue;
    const Budget& budget = tenant.record.budget->terms;
    const live::BudgetMeter::Spent spent = book.meter.spent(standing.tenant, now);
    const auto part = [](std::int64_t used, std::int64_t whole) {
      return whole == 0 ? 0.0 : static_cast<double>(used) / static_cast<double>(whole);
    };
    families.gauge("gigawerk_tenant_budget_spent_ratio", "Part of the month's budget that is spent.",
                   std::max(part(spent.gpu_milli_hours, budget.gpu_milli_hours),
                            part(spent.micro_euros, budget.micro_euros)),
                   {{"tenant", tenant.path}});
  }
}

/// The large feeds, and those that are capped: labels must stay few.
void add_feeds(const live::Book& book, Families& families) {
  constexpr std::size_t kMostFeeds = 200;
  const auto watts = [](Milliwatts power) { return static_cast<double>(power.count()) / 1000; };
  for (const live::FeedStanding& feed : live::feed_standings(book, {}, kMostFeeds)) {
    const Families::Labels labels{{"feed", feed.name}, {"level", feed.level}};
    families.gauge("gigawerk_feed_draw_watts",
                   "Predicted IT power of a feed, with jobs that were stopped and have not ended yet.",
                   watts(feed.draw), labels);
    if (feed.cap.count() > 0)
      families.gauge("gigawerk_feed_cap_watts", "IT power that a feed may carry now.", watts(feed.cap),
                     labels);
    if (feed.cap.count() > 0)
      families.gauge("gigawerk_feed_unmet_watts", "Predicted IT power of a feed above its cap.",
                     feed.unmet_since == Instant::max() ? 0 : watts(feed.draw - feed.cap), labels);
    if (feed.rating.count() > 0)
      families.gauge("gigawerk_feed_rating_watts", "IT power that a feed was built for.", watts(feed.rating),
                     labels);
    if (feed.cap.count() > 0)
      families.gauge("gigawerk_feed_jobs_slowed", "Jobs under a feed whose clocks are capped.", feed.slowed,
                     labels);
  }
}

}  // namespace

void Api::health(Call call) { call.answer({{"status", "alive"}}); }

void Api::ready(Call call) {
  const bool ready = options_.factory->healthy();
  call.answer({{"status", ready ? "ready" : "the store fails"}}, ready ? 200 : 503);
}

void Api::metrics(Call call) {
  Families families;
  const live::FactoryCounters counters = options_.factory->counters();
  options_.factory->read([&](const live::Book& book) {
    const Totals totals = totals_of(book);
    for (const auto& [state, count] : totals.jobs)
      families.gauge("gigawerk_jobs", "Jobs that have not ended, by state.", static_cast<double>(count),
                     {{"state", state}});
    for (const auto& [type, gpus] : totals.gpus) {
      for (const auto& [state, count] : states_of(gpus))
        families.gauge("gigawerk_gpus",
                       "GPUs by type and state; reserved: free, but kept for somebody; off: of nodes that "
                       "are down or drained.",
                       static_cast<double>(count), {{"gpu_type", type}, {"state", state}});
    }
    for (const auto& [state, count] : states_of(cpus_of(book)))
      families.gauge("gigawerk_cpus", "CPUs of nodes whose CPUs are counted, by state.",
                     static_cast<double>(count) / 1000, {{"state", state}});
    families.gauge("gigawerk_nodes", "Nodes of the factory.", static_cast<double>(totals.nodes));
    families.gauge("gigawerk_nodes_off", "Nodes that are down, drained or draining.",
                   static_cast<double>(totals.nodes_off));
    for (const live::LiveTenant& tenant : book.tenants) {
      // The first level only: labels must stay few.
      if (tenant.record.parent != TenantTree::root()) continue;
      families.gauge("gigawerk_tenant_gpus_running", "GPUs that run for a tenant and all below it.",
                     static_cast<double>(tenant.running_milli) / 1000, {{"tenant", tenant.path}});
      families.gauge("gigawerk_tenant_jobs", "Jobs of a tenant and all below it that have not ended.",
                     tenant.jobs, {{"tenant", tenant.path}});
    }
    add_quotas(book, std::max(book.now, options_.factory->now()), families);
    add_feeds(book, families);
    families.counter("gigawerk_preemptions_total",
                     "Attempts told to leave for others, or for a spent budget, since the server started.",
                     static_cast<double>(book.tally.preemptions));
    for (std::size_t outcome = 1; outcome < book.tally.ended.size(); ++outcome)
      families.add("gigawerk_jobs_ended_total", "Jobs ended since the server started, by outcome.", true,
                   static_cast<double>(book.tally.ended[outcome]),
                   {{"outcome", std::string(live::name_of(static_cast<live::Outcome>(outcome)))}});
    families.counter("gigawerk_attempts_started_total", "Attempts at jobs decided since the server started.",
                     static_cast<double>(book.tally.started));
    families.counter("gigawerk_wait_seconds_total",
                     "Time from submission to the first start, of the jobs first started since the server "
                     "started.",
                     static_cast<double>(book.tally.waited_ns) * 1e-9);
    families.counter("gigawerk_first_starts_total", "Jobs first started since the server started.",
                     static_cast<double>(book.tally.first_starts));
    families.counter("gigawerk_jobs_submitted_total", "Jobs submitted since the factory began.",
                     static_cast<double>(book.next_number - 1));
    families.counter("gigawerk_journal_entries_total",
                     "Batches of events decided on since the factory began.",
                     static_cast<double>(book.journal_sequence));
  });
  families.counter("gigawerk_turns_total", "Turns of the decision loop since the server started.",
                   static_cast<double>(counters.turns));
  families.counter("gigawerk_turn_failures_total", "Turns that the store could not keep.",
                   static_cast<double>(counters.failures));
  families.counter("gigawerk_turn_busy_seconds_total", "Time spent in turns, keeping included.",
                   static_cast<double>(counters.busy_ns) * 1e-9);
  families.counter("gigawerk_commands_total", "Commands taken in by turns.",
                   static_cast<double>(counters.commands));
  families.gauge("gigawerk_turn_commands_max", "Most commands of one turn so far.",
                 static_cast<double>(counters.largest_batch));
  families.gauge("gigawerk_store_healthy", "1 while what is decided can be kept.",
                 options_.factory->healthy() ? 1 : 0);
  families.gauge("gigawerk_watchers", "Clients that watch jobs.", static_cast<double>(hub_.watchers()));
  families.counter("gigawerk_http_unauthorised_total", "Requests without a valid token.",
                   static_cast<double>(authority_.refused()));
  families.gauge("gigawerk_build_info", "1; the version is a label.", 1,
                 {{"version", options_.version}, {"engine", options_.engine}});
  if (options_.figures) {
    for (const Figure& figure : options_.figures())
      families.add(figure.name, figure.help, figure.counter, figure.value);
  }
  call.answer_text(families.text(), "text/plain; version=0.0.4; charset=utf-8");
}

void Api::openapi_document(Call call) { call.answer(openapi_); }

void Api::summary(Call call) {
  const live::FactoryCounters counters = options_.factory->counters();
  Json json;
  options_.factory->read([&](const live::Book& book) {
    const Totals totals = totals_of(book);
    json["now"] = live::time_text(book.unix_ns(options_.factory->now()));
    json["version"] = options_.version;
    json["engine"] = options_.engine;
    json["fleet"] = book.fleet.name;
    json["policy"] = book.core->state().policy.name;
    json["healthy"] = options_.factory->healthy();
    json["nodes"] = totals.nodes;
    json["nodes_off"] = totals.nodes_off;
    json["gpus"] = Json::array();
    for (const auto& [type, gpus] : totals.gpus)
      json["gpus"].push_back({{"gpu_type", type},
                              {"all", gpus.all},
                              {"used", gpus.used},
                              {"free", gpus.free},
                              {"reserved", gpus.reserved},
                              {"off", gpus.off}});
    if (const NodeUse cpus = cpus_of(book); cpus.all > 0)
      json["cpus"] = {{"all", thousandths(cpus.all)},
                      {"used", thousandths(cpus.used)},
                      {"free", thousandths(cpus.free)},
                      {"reserved", thousandths(cpus.reserved)},
                      {"off", thousandths(cpus.off)}};
    // Of the caller's own part.
    const live::LiveTenant& own = book.tenants[call.actor.tenant.value()];
    json["jobs"] = {{"open", own.jobs}, {"running", own.running}};
    json["gpus_running"] = thousandths(own.running_milli);
    if (call.actor.tenant == TenantTree::root()) json["jobs_by_state"] = totals.jobs;
    json["turns"] = counters.turns;
  });
  call.answer(json);
}

void Api::whoami(Call call) {
  Json json;
  json["user"] = call.actor.user;
  json["role"] = live::name_of(call.actor.role);
  json["tenant"] =
      options_.factory->read([&](const live::Book& book) { return book.path(call.actor.tenant); });
  json["token"] = call.actor.token;
  call.answer(json);
}

}  // namespace gw::api
