// Questions to forks of the factory, and the answers as JSON.
#include "serve/advisor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "live/quota_check.h"
#include "live/time_text.h"
#include "report/text.h"
#include "sched/core.h"

namespace gw::serve {
namespace {

using api::Json;

/// Of the tasks of an array so many are put into the fork; those behind them stand for themselves.
constexpr std::uint32_t kMostTasks = 1'000;
/// A hundred members for one of 10,000 waiting jobs take three quarters of it.
constexpr std::uint64_t kMostEvents = 1'000'000;

std::string from_now(Instant when, Instant now) {
  return when <= now ? std::string("now") : "in " + report::format_duration(to_seconds(when - now));
}

void put_time(const Fork& fork, const std::string& key, Instant when, Json& json) {
  if (when == twin::StartForecast::kNever) {
    json[key] = nullptr;
    json[key + "_s"] = nullptr;
  } else {
    json[key] = live::time_text(fork.unix_ns(when));
    json[key + "_s"] = std::max(0.0, to_seconds(when - fork.as_of));
  }
}

/// `p50`, `p90`, ..., `text`.
Json start_json(const Fork& fork, const twin::StartForecast& start) {
  Json json;
  put_time(fork, "p50", start.p50, json);
  put_time(fork, "p90", start.p90, json);
  json["members"] = start.members;
  if (start.p50 == twin::StartForecast::kNever) {
    json["text"] = "perhaps never as things stand: nodes must come back or be resumed, or a limit be raised";
  } else if (start.p90 <= fork.as_of) {
    json["text"] = "now";
  } else {
    const std::string late =
        start.p90 == twin::StartForecast::kNever
            ? std::string("perhaps never")
            : fmt::format("{}{}", start.p90_or_later ? "later than " : "", from_now(start.p90, fork.as_of));
    json["text"] = fmt::format("{}{}; with 90 % probability {}", start.p50_or_later ? "later than " : "",
                               from_now(start.p50, fork.as_of), late);
  }
  return json;
}

Json words_json(const Fleet& fleet, twin::ChangeKind kind, const JobRequest& before, const JobRequest& after,
                std::uint32_t given_up) {
  ChangeWords words = words_of(fleet, kind, before, after);
  Json json;
  json["change"] = twin::name_of(kind);
  json["text"] = std::move(words.text);
  if (!words.options.empty()) json["options"] = std::move(words.options);
  json["set"] = std::move(words.set);
  json["given_up"] = static_cast<double>(given_up) / 1000;
  return json;
}

/// Where it starts if it starts now; else when.
struct Added {
  twin::StartForecast first;
  twin::StartForecast last;
  std::uint32_t pool = ~0U;  ///< That it starts in now.
};

/// A start in a changed world as it is to be told beside `told`, the forecast of the job as it is. Trials
/// have few members and no correction; what they know is by what part the change shortens the wait against
/// `present`, made with equal draws. So that part of the wait that is told is told (a ratio estimator): who
/// compares the two sees the gain that was found, and nothing of the noise between two ensembles.
twin::StartForecast beside(const twin::StartForecast& told, const twin::StartForecast& present,
                           const twin::StartForecast& changed, Instant now) {
  twin::StartForecast start = changed;
  const auto scaled = [&](Instant told_at, Instant present_at, Instant changed_at) {
    constexpr Instant kNever = twin::StartForecast::kNever;
    if (told_at == kNever || present_at == kNever || changed_at == kNever) return changed_at;
    if (changed_at <= now || present_at <= now) return changed_at;
    const double part =
        static_cast<double>((changed_at - now).count()) / static_cast<double>((present_at - now).count());
    return now + Nanoseconds{std::llround(
                     part * static_cast<double>(std::max(told_at - now, Nanoseconds{}).count()))};
  };
  if (!told.p50_or_later && !present.p50_or_later) start.p50 = scaled(told.p50, present.p50, changed.p50);
  if (!told.p90_or_later && !present.p90_or_later) start.p90 = scaled(told.p90, present.p90, changed.p90);
  start.p90 = std::max(start.p90, start.p50);
  return start;
}

/// `count` jobs of that request in line behind all others.
Result<Added> start_of_added(const Fork& fork, const JobRequest& request, std::uint32_t count) {
  sched::Core core(*fork.fleet, fork.policy);
  if (!core.restore(fork.snapshot)) return fail("dry run: the snapshot cannot be restored");
  const std::uint32_t first = core.state().next_job;
  for (std::uint32_t task = 0; task < count; ++task)
    core.apply(sched::Event::job_submitted(JobId{first + task}, request), fork.as_of);
  core.plan(fork.as_of);
  Added added;
  const JobId ends[] = {JobId{first}, JobId{first + count - 1}};
  std::vector<JobId> open;
  twin::StartForecast* const answers[] = {&added.first, &added.last};
  for (std::size_t end = 0; end < 2; ++end) {
    const sched::Job* job = core.job(ends[end]);
    GW_CHECK(job != nullptr);  // It was found possible before.
    *answers[end] = {ends[end], fork.as_of, fork.as_of, false, false, 1, 1, 0};
    if (!job->running) {
      open.push_back(ends[end]);
    } else if (end == 0) {
      added.pool = job->placement.pool;
    }
  }
  if (open.empty()) return added;
  const std::string snapshot = core.snapshot();
  twin::ForecastOptions options;
  options.seed = fork.sequence + 1;
  options.most_events = kMostEvents;
  options.jobs = std::move(open);
  twin::ForecastInput with_them = fork.input();
  with_them.snapshot = snapshot;
  Result<twin::Forecast> forecast = twin::forecast_starts(with_them, options);
  if (!forecast) return std::unexpected(forecast.error());
  for (twin::StartForecast* answer : answers) {
    if (const twin::StartForecast* start = forecast->find(answer->job)) *answer = *start;
  }
  return added;
}

}  // namespace

std::expected<Json, live::Refusal> Advisor::changes(std::uint64_t number) {
  const Fork fork = fork_of(factory_, forecaster_);
  JobId core;
  JobRequest request;
  twin::CounterfactualOptions options;
  factory_.read([&](const live::Book& book) {
    const live::LiveJob* job = book.job(number);
    if (job == nullptr || job->record.state != live::JobState::kWaiting) return;
    core = job->record.core;
    request = job->request;
    if (job->law == nullptr || request.shape.zones == 0) return;
    LegalWishes none;
    none.data = job->law->data;  // What its data is, is no wish.
    options.lawful_zones = decide(factory_.options().law, book.fleet, book.legal_facts(job->record.tenant),
                                  none, day_of_unix(book.unix_ns(book.now) / kNanosecondsPerSecond))
                               .mask;
  });
  Json json = Json::object();
  if (!core.valid()) return json;
  options.seed = fork.sequence + 1;
  const Result<twin::Counterfactuals> found = twin::nearest_changes(fork.input(), core, options);
  if (!found) return json;  // It has started, or come in, between the two looks.
  const std::expected<Forecaster::Told, live::Refusal> told = forecaster_.told(core);
  if (!told) return std::unexpected(told.error());
  const twin::StartForecast& as_it_is = told->start ? *told->start : found->present;
  json["forecast"] = start_json(fork, as_it_is);
  json["changes"] = Json::array();
  for (const twin::Counterfactual& change : found->changes) {
    Json each = words_json(*fork.fleet, change.kind, request, change.request, change.given_up_permille);
    each["start"] = start_json(
        fork, change.at_once ? change.start : beside(as_it_is, found->present, change.start, fork.as_of));
    json["changes"].push_back(std::move(each));
  }
  json["tried"] = found->tried;
  return json;
}

std::expected<Json, live::Refusal> Advisor::dry_run(const api::DryRun& job) {
  const Fork fork = fork_of(factory_, forecaster_);
  Json json;
  json["answer"] = "when";
  json["count"] = job.count;
  if (job.held || job.blocked != live::BlockReason::kNone) {
    json["answer"] = "kept-back";
    json["kept_back"] = {{"name", job.held ? "held" : std::string(live::name_of(job.blocked))},
                         {"text", job.held ? "it would be held; it starts only after gw release"
                                           : std::string(api::block_text(job.blocked))}};
  }
  const std::uint32_t tasks =
      std::min({job.count, kMostTasks, job.most_running == 0 ? kMostTasks : job.most_running});
  const Result<Added> added = start_of_added(fork, job.request, tasks);
  if (!added) return std::unexpected(live::Refusal{500, "forecast", added.error().message});
  const auto told = [&](const twin::StartForecast& start) {
    return start_json(fork, start.p50 <= fork.as_of ? start : forecaster_.corrected(start, fork.as_of));
  };
  json["as_of"] = live::time_text(fork.unix_ns(fork.as_of));
  json["start"] = told(added->first);
  if (added->first.p50 == twin::StartForecast::kNever && job.blocked == live::BlockReason::kNone)
    json["answer"] = "never-as-things-stand";
  if (job.count > 1) {
    json["last_start"] = told(added->last);
    json["last_start"]["task"] = tasks;
  }
  add_cost(job, fork, json);
  if (json["answer"] == "kept-back") {
    json["text"] =
        fmt::format("it would be kept back: {}; if nothing did, it would start {}",
                    json["kept_back"]["text"].get<std::string>(), json["start"]["text"].get<std::string>());
  } else {
    json["text"] = fmt::format("it would start {}", json["start"]["text"].get<std::string>());
  }
  return json;
}

/// At most: every task to its limit, on the dearest of the GPU types that it may get.
void Advisor::add_cost(const api::DryRun& job, const Fork& fork, Json& json) {
  std::string plan;
  const live::Prices prices = factory_.read([&](const live::Book& book) {
    plan = book.price_plan(job.request.tenant);
    return factory_.options().prices;
  });
  const auto found = prices.find(plan);
  if (found == prices.end()) return;
  const Shape& shape = job.request.shape;
  const std::int64_t milliseconds = job.request.limit.count() / 1'000'000;
  const std::int64_t cpu_milli = shape.cpu_milli * std::max<std::int64_t>(1, shape.nodes);
  const auto price_on = [&](std::string_view type, std::int64_t ms) {
    return found->second.price(type, shape.total_gpu_milli() * ms, cpu_milli * ms).count();
  };
  std::int64_t most = price_on("", milliseconds), hour = price_on("", 3'600'000);
  bool any = false;
  for (std::size_t type = 0; type < fork.fleet->gpu_types.size() && shape.total_gpu_milli() > 0; ++type) {
    const bool may = shape.gpu_types == 0 || ((shape.gpu_types >> type) & 1U) != 0;
    const bool is_here = std::any_of(
        fork.fleet->node_type_of.begin(), fork.fleet->node_type_of.end(),
        [&](std::uint16_t node_type) { return fork.fleet->node_types[node_type].gpu_type == type; });
    if (!may || !is_here) continue;
    const std::string& name = fork.fleet->gpu_types[type].name;
    most = any ? std::max(most, price_on(name, milliseconds)) : price_on(name, milliseconds);
    hour = any ? std::max(hour, price_on(name, 3'600'000)) : price_on(name, 3'600'000);
    any = true;
  }
  json["cost"] = {{"price_plan", plan},
                  {"micro_eur_per_hour", hour},
                  {"at_most_micro_eur", most * static_cast<std::int64_t>(job.count)}};
}

Json Advisor::nearest_possible(const JobRequest& request) {
  return factory_.read([&](const live::Book& book) {
    Json nearest = Json::array();
    const sched::State& state = book.core->state();
    const auto changed = [&](const Shape& shape) {
      JobRequest after = request;
      after.shape = shape;
      return after;
    };
    // What quota never lets its tenant have is no way out.
    const auto is_let = [&](const Shape& shape) { return live::never_permitted(state, changed(shape)).ok(); };
    for (const twin::PossibleShape& possible : twin::nearest_possible(state, request.shape, is_let)) {
      nearest.push_back(words_json(book.fleet, possible.kind, request, changed(possible.shape),
                                   possible.given_up_permille));
    }
    return nearest;
  });
}

}  // namespace gw::serve
