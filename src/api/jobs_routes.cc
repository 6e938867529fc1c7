// Jobs: submit, list, show, explain, order about, watch.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "api/api.h"
#include "api/tenant_names.h"
#include "api/token.h"
#include "base/utf8.h"
#include "live/admission.h"
#include "live/time_text.h"
#include "spec/job_check.h"
#include "spec/job_json.h"
#include "spec/job_spec_file.h"
#include "spec/job_text.h"

namespace gw::api {
namespace {

constexpr std::size_t kMostBatch = 10'000;
constexpr std::size_t kLongestKey = 200;
/// Reading a larger body takes longer than the thread that serves all connections may be kept.
constexpr std::size_t kLargeBody = std::size_t{64} << 10;
/// An array of more tasks is not told task by task.
constexpr std::uint64_t kMostPresent = 4096;
constexpr std::size_t kTasksALook = 512;

/// A key is kept as text, and text is UTF-8 in every store; what cannot be seen would only confuse.
std::optional<live::Refusal> check_key(std::string_view key) {
  if (key.size() > kLongestKey)
    return live::Refusal{400, "bad_key", fmt::format("an idempotency key has at most {} bytes", kLongestKey)};
  for (std::string_view rest = key; !rest.empty();) {
    const CodePoint next = first_code_point(rest);
    if (next.length == 0 || next.value < 0x20 || (next.value >= 0x7f && next.value < 0xa0))
      return live::Refusal{400, "bad_key", "an idempotency key is UTF-8 without control characters"};
    rest.remove_prefix(next.length);
  }
  return std::nullopt;
}

/// What the command line leaves open, filled in: after this the text says everything.
void complete(JobSpec& spec, const live::ControllerOptions& options) {
  if (spec.name.empty()) spec.name = spec::default_job_name(spec);
  if (spec.limit == Nanoseconds{0}) spec.limit = options.default_limit;
  // A job without GPUs gets a core a task; one with GPUs asks for none but what it says.
  if (spec.cpu_milli == 0 && spec.gpus == 0 && spec.gpu_milli == 0)
    spec.cpu_milli = std::int64_t{1000} * std::max(1U, spec.tasks_per_node);
}

/// What a submission is taken in spite of.
Json warnings_of(const JobSpec& spec, live::Factory& factory) {
  Json warnings = Json::array();
  if (!spec.deadline_unix) return warnings;
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  constexpr std::int64_t kLastSecond = INT64_MAX / kNsPerSecond;
  const std::int64_t now_s =
      factory.read([&](const live::Book& book) { return book.unix_ns(factory.now()); }) / kNsPerSecond;
  const std::int64_t begin_s = std::max(now_s, spec.begin_unix.value_or(0));
  const std::int64_t left_s = *spec.deadline_unix - begin_s;
  const std::int64_t limit_s = spec.limit.count() / kNsPerSecond;
  if (left_s >= limit_s) return warnings;
  const auto text = [&](std::int64_t second) {
    return live::time_text(std::min(second, kLastSecond) * kNsPerSecond);
  };
  if (left_s <= 0) {
    warnings.push_back(
        fmt::format("the deadline {} is over before the job can begin", text(*spec.deadline_unix)));
  } else {
    warnings.push_back(
        fmt::format("the deadline {} is too soon for the job's limit: begun at once, it may run until {}; "
                    "give it a limit of at "
                    "most {}, or a later deadline",
                    text(*spec.deadline_unix), text(begin_s + limit_s),
                    spec::span_text(Nanoseconds{left_s * kNsPerSecond})));
  }
  return warnings;
}

std::string findings_text(const std::vector<spec::Diagnostic>& findings) {
  return spec::diagnostics_text(findings);
}

http::Response watch_head() {
  http::Response head;
  head.content_type = "text/event-stream";
  head.headers.emplace_back("Cache-Control", "no-store");
  head.body = ": watching\n\n";
  return head;
}

/// The event that the client has seen last, as browsers say it when they come back, else as it was asked for;
/// 0, which is no event's, where it is no number.
std::optional<std::uint64_t> last_event(const Call& call) {
  std::string text(call.request.header("last-event-id"));
  if (text.empty()) text = call.text("after");
  if (text.empty()) return std::nullopt;
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc() && end == text.data() + text.size() ? id : 0;
}

}  // namespace

/// A submission from a job's JSON; none after refusing.
std::expected<live::Submit, live::Refusal> make_submit(live::Factory& factory, const live::Actor& actor,
                                                       std::string_view body, std::string key) {
  spec::Checked<JobSpec> spec = spec::parse_job_json(body);
  if (!spec) return std::unexpected(live::Refusal{422, "bad_job", findings_text(spec.error())});
  live::Submit submit;
  if (!key.empty()) {
    submit.key = std::move(key);
    submit.request_hash = hex(sha256(body)).substr(0, 32);
  }
  // Priority stands above fair share and above every tenant; less of it is anybody's to ask for.
  if (spec->priority > 0 && (actor.tenant != TenantTree::root() || actor.role < live::Role::kOperator))
    return std::unexpected(live::Refusal{
        403, "forbidden",
        "only an operator of the whole factory gives a job a priority above 0; leave it out, or go below"});
  std::expected<TenantId, live::Refusal> tenant;
  factory.read([&](const live::Book& book) {
    const bool of_all = spec->tenant.empty() && actor.tenant == TenantTree::root();
    tenant = tenant_called(book, of_all ? "default" : spec->tenant, actor.tenant);
    if (tenant) spec->tenant = book.path(*tenant);
  });
  if (!tenant) return std::unexpected(tenant.error());
  factory.read([&](const live::Book&) { complete(*spec, factory.options()); });
  submit.tenant = *tenant;
  submit.text = std::make_shared<const std::string>(spec::job_json(*spec));
  submit.spec = std::move(*spec);
  return submit;
}

void Api::submit(Call call) {
  if (const auto refusal = check_key(call.request.header("idempotency-key"))) return call.refuse(*refusal);
  if (call.request.body.size() <= kLargeBody) return submit_now(std::move(call));
  post(std::move(call), Readers::Size::kLong,
       [this](Call each, live::Archive&) { submit_now(std::move(each)); });
}

void Api::submit_now(Call call) {
  std::expected<live::Submit, live::Refusal> submit = make_submit(
      *options_.factory, call.actor, call.request.body, std::string(call.request.header("idempotency-key")));
  if (!submit) return call.refuse(submit.error());
  Json warnings = warnings_of(submit->spec, *options_.factory);
  ask(std::move(call), std::move(*submit),
      [warnings = std::move(warnings)](const Call& each, const live::Reply& reply) {
        Json json;
        json["id"] = fmt::format("{}", reply.number);
        json["number"] = reply.number;
        json["count"] = reply.count;
        if (reply.repeated) json["repeated"] = true;
        if (!warnings.empty()) json["warnings"] = warnings;
        each.answer(json, reply.repeated ? 200 : 201,
                    {{"Location", fmt::format("/v1/jobs/{}", reply.number)}});
      });
}

/// What would become of a submission, and nothing kept: the checks of the factory, then a forecast.
void Api::dry_run(Call call) {
  if (!options_.dry_run) return call.refuse({501, "no_forecast", "this server makes no forecasts"});
  post(std::move(call), Readers::Size::kLong, [this](Call each, live::Archive&) {
    std::expected<live::Submit, live::Refusal> submit =
        make_submit(*options_.factory, each.actor, each.request.body, "");
    if (!submit) return each.refuse(submit.error());
    submit->dry_run = true;
    DryRun job;
    job.held = submit->spec.hold;
    job.most_running = submit->spec.array ? submit->spec.array->most_running : 0;
    const JobSpec spec = submit->spec;
    const live::Actor actor = each.actor;
    options_.factory->ask(actor, std::move(*submit),
                          [this, each = std::move(each), spec, job](const live::Reply& reply) {
                            answer_dry_run(each, spec, job, reply);
                          });
  });
}

/// On the factory's thread: what takes long goes to a reader's.
void Api::answer_dry_run(const Call& call, const JobSpec& spec, DryRun job, const live::Reply& reply) {
  if (reply.refusal) {
    // Who may not submit at all is refused as ever; what makes no sense here and now is the answer.
    if (reply.refusal->status != 422 && reply.refusal->status != 429) return call.refuse(*reply.refusal);
    Json json;
    json["answer"] = reply.refusal->status == 429 ? "not-now" : "never";
    json["refusal"] = {{"code", reply.refusal->code}, {"message", reply.refusal->message}};
    json["text"] = reply.refusal->message;
    if (reply.refusal->code == "impossible" && reply.request && options_.nearest_possible)
      json["nearest"] = options_.nearest_possible(*reply.request);
    return call.answer(json);
  }
  job.request = *reply.request;
  job.count = reply.count;
  job.blocked = reply.blocked;
  post(call, Readers::Size::kLong, [this, job, spec](const Call& each, live::Archive&) {
    std::expected<Json, live::Refusal> answer = options_.dry_run(job);
    if (!answer) return each.refuse(answer.error());
    if (Json warnings = warnings_of(spec, *options_.factory); !warnings.empty())
      (*answer)["warnings"] = std::move(warnings);
    each.answer(*answer);
  });
}

/// Many jobs in one request: each is accepted or refused by itself.
void Api::submit_batch(Call call) {
  if (const auto refusal = check_key(call.request.header("idempotency-key"))) return call.refuse(*refusal);
  if (call.request.body.size() <= kLargeBody) return submit_batch_now(std::move(call));
  post(std::move(call), Readers::Size::kLong,
       [this](Call each, live::Archive&) { submit_batch_now(std::move(each)); });
}

void Api::submit_batch_now(Call call) {
  constexpr std::size_t kMostDepth = 64;  // As spec::YamlLimits has it; writing JSON recurses.
  if (nesting_of(call.request.body) > kMostDepth)
    return call.refuse({400, "bad_body", fmt::format("values are nested more than {} deep", kMostDepth)});
  const Json body = Json::parse(call.request.body, nullptr, false);
  if (body.is_discarded() || !body.is_object() || body.size() != 1 || !body.contains("jobs") ||
      !body["jobs"].is_array())
    return call.refuse({400, "bad_body", "the body must be {\"jobs\": [...]}"});
  const Json& jobs = body["jobs"];
  if (jobs.empty() || jobs.size() > kMostBatch)
    return call.refuse({400, "bad_body", fmt::format("a batch has from 1 to {} jobs", kMostBatch)});
  struct Batch {
    std::mutex mutex;
    std::vector<Json> results;
    std::size_t open = 0;
    std::optional<Call> call;
    void settle(std::size_t index, Json result) {
      std::unique_lock lock(mutex);
      results[index] = std::move(result);
      if (--open > 0) return;
      Json json;
      json["results"] = std::move(results);
      lock.unlock();
      call->answer(json);
    }
  };
  const auto batch = std::make_shared<Batch>();
  batch->results.resize(jobs.size());
  batch->open = jobs.size();
  const live::Actor actor = call.actor;
  const std::string key(call.request.header("idempotency-key"));
  batch->call.emplace(std::move(call));
  for (std::size_t index = 0; index < jobs.size(); ++index) {
    std::expected<live::Submit, live::Refusal> submit = make_submit(
        *options_.factory, actor, jobs[index].dump(), key.empty() ? "" : fmt::format("{}#{}", key, index));
    if (!submit) {
      batch->settle(index, error_json(submit.error()));
      continue;
    }
    Json warnings = warnings_of(submit->spec, *options_.factory);
    options_.factory->ask(
        actor, std::move(*submit), [batch, index, warnings = std::move(warnings)](const live::Reply& reply) {
          if (reply.refusal) return batch->settle(index, error_json(*reply.refusal));
          Json json{
              {"id", fmt::format("{}", reply.number)}, {"number", reply.number}, {"count", reply.count}};
          if (!warnings.empty()) json["warnings"] = warnings;
          batch->settle(index, std::move(json));
        });
  }
}

void Api::list_jobs(Call call) {
  live::JobFilter filter;
  const std::optional<std::uint64_t> limit = call.number("limit", 100, 1, 1000);
  if (!limit) return;
  const std::optional<std::uint64_t> before =
      call.number("before", 0, 0, static_cast<std::uint64_t>(INT64_MAX));
  if (!before) return;
  const std::optional<std::uint64_t> array =
      call.number("array", 0, 0, static_cast<std::uint64_t>(INT64_MAX));
  if (!array) return;
  std::optional<std::vector<TenantId>> tenants = visible(call, call.text("tenant"));
  if (!tenants) return;
  filter.tenants = std::move(*tenants);
  filter.limit = static_cast<std::uint32_t>(*limit);
  filter.before = *before;
  filter.array_job = *array;
  filter.user = call.text("user");
  filter.name = call.text("name");
  bool open_only = false;
  std::string wanted = call.text("status");
  for (std::size_t at = 0; at < wanted.size();) {
    const std::size_t comma = std::min(wanted.find(',', at), wanted.size());
    const std::string_view word = std::string_view(wanted).substr(at, comma - at);
    at = comma + 1;
    if (word == "open") {
      for (const live::JobState state : {live::JobState::kHeld, live::JobState::kBlocked,
                                         live::JobState::kWaiting, live::JobState::kRunning})
        filter.states.push_back(state);
    } else if (const auto state = live::job_state_by_name(word)) {
      filter.states.push_back(*state);
    } else if (const auto outcome = live::outcome_by_name(word);
               outcome && *outcome != live::Outcome::kNone) {
      filter.outcomes.push_back(*outcome);
    } else {
      return call.refuse(
          {400, "bad_parameter",
           fmt::format("\"status\" has no value {}; it may be open, held, blocked, waiting, running, "
                       "ended, or an outcome such as completed",
                       word)});
    }
  }
  open_only =
      filter.outcomes.empty() && !filter.states.empty() &&
      std::find(filter.states.begin(), filter.states.end(), live::JobState::kEnded) == filter.states.end();
  const std::optional<std::uint64_t> offset = call.number("offset", 0, 0, UINT32_MAX);
  if (!offset) return;
  if (*offset > 0 || !call.text("sort").empty() || !call.text("text").empty()) {
    if (open_only) return search_jobs(std::move(call), std::move(filter), *offset);
    return call.refuse({400, "bad_parameter",
                        "\"sort\", \"text\" and \"offset\" are for jobs that have not ended: status=open"});
  }
  const auto answer = [this](const Call& each, Json jobs, std::uint64_t last, bool more) {
    Json json;
    json["now"] = options_.factory->read(
        [&](const live::Book& book) { return live::time_text(book.unix_ns(options_.factory->now())); });
    json["jobs"] = std::move(jobs);
    json["next"] = more ? Json(fmt::format("{}", last)) : Json(nullptr);
    each.answer(json);
  };
  if (open_only) {  // All in memory.
    Json jobs = Json::array();
    std::uint64_t last = 0;
    bool more = false;
    options_.factory->read([&](const live::Book& book) {
      std::vector<bool> wanted_tenants(book.tenants.size(), filter.tenants.empty());
      for (const TenantId tenant : filter.tenants) wanted_tenants[tenant.value()] = true;
      auto at = filter.before == 0 ? book.jobs.end() : book.jobs.lower_bound(filter.before);
      while (at != book.jobs.begin()) {
        --at;
        const live::JobRecord& job = at->second.record;
        if (!wanted_tenants[job.tenant.value()] ||
            std::find(filter.states.begin(), filter.states.end(), job.state) == filter.states.end() ||
            (!filter.user.empty() && job.user != filter.user) ||
            (!filter.name.empty() && job.name != filter.name) ||
            (filter.array_job != 0 && job.array_job != filter.array_job))
          continue;
        if (jobs.size() == filter.limit) {
          more = true;
          break;
        }
        Json json = job_json(book, job);
        add_live_facts(at->second, json);
        jobs.push_back(std::move(json));
        last = job.number;
      }
    });
    return answer(call, std::move(jobs), last, more);
  }
  const std::shared_ptr<http::Responder> responder = call.responder;
  const bool posted = readers_->post(
      [this, call = std::move(call), filter = std::move(filter), answer](live::Archive& archive) mutable {
        const std::uint32_t wanted_jobs = filter.limit++;
        Result<std::vector<live::JobRecord>> found = archive.jobs(filter);
        if (!found) return call.refuse(found.error());
        const bool more = found->size() > wanted_jobs;
        if (more) found->resize(wanted_jobs);
        Json jobs = Json::array();
        options_.factory->read([&](const live::Book& book) {
          for (const live::JobRecord& job : *found) {
            Json json = job_json(book, job);
            if (const live::LiveJob* now = book.entry(job.number)) add_live_facts(*now, json);
            jobs.push_back(std::move(json));
          }
        });
        answer(call, std::move(jobs), found->empty() ? 0 : found->back().number, more);
      });
  if (!posted) Call({}, {}, responder).refuse({503, "busy", "too many requests wait; try again in a moment"});
}

void Api::show_job(Call call) {
  with_job(std::move(call), [this](const Call& each, live::Archive& archive, const live::JobRecord& job) {
    const Result<std::vector<live::AttemptRecord>> attempts = archive.attempts(job.number);
    if (!attempts) return each.refuse(attempts.error());
    Json json;
    options_.factory->read([&](const live::Book& book) {
      json = job_json(book, job);
      if (const live::LiveJob* now = book.entry(job.number)) add_live_facts(*now, json);
      json["attempts"] = Json::array();
      for (const live::AttemptRecord& attempt : *attempts)
        json["attempts"].push_back(attempt_json(book, attempt));
    });
    if (job.spec != nullptr) {
      Json spec = Json::parse(*job.spec, nullptr, false);
      // Secrets live in environments: they are shown only to those who ask, and may submit themselves.
      const bool wanted = each.text("environment") == "1" && each.actor.role >= live::Role::kMember;
      if (!wanted && spec.contains("environment")) spec["environment"] = "(hidden; ask with environment=1)";
      json["spec"] = std::move(spec);
    }
    each.answer(json);
  });
}

void Api::order_job(Call call) {
  const std::string word = call.request.method == "DELETE" ? "cancel" : call.request.segments.back();
  const live::JobOrder::Kind kind = word == "hold"      ? live::JobOrder::Kind::kHold
                                    : word == "release" ? live::JobOrder::Kind::kRelease
                                    : word == "requeue" ? live::JobOrder::Kind::kRequeue
                                                        : live::JobOrder::Kind::kCancel;
  const std::optional<JobReference> reference = parse_job_id(call.parameters.text("job"));
  const auto answer = [](const Call& each, const live::Reply& reply) {
    each.answer({{"count", reply.count}});
  };
  const bool here = reference && options_.factory->read([&](const live::Book& book) {
    const auto array = book.arrays.find(reference->number);
    const live::LiveJob* job = nullptr;
    if (array == book.arrays.end()) {
      if (!reference->index) job = book.entry(reference->number);
    } else if (reference->index) {
      job = book.task(reference->number, *reference->index);
    } else if (const auto first = book.jobs.lower_bound(reference->number); first != book.jobs.end()) {
      job = &first->second;
    }
    return job != nullptr && book.is_within(job->record.tenant, call.actor.tenant);
  });
  if (here) return ask(std::move(call), live::JobOrder{kind, reference->number, reference->index}, answer);
  // Not in memory: it has ended, or it is none of theirs. An ended one is cancelled already.
  with_job(std::move(call), [kind](const Call& each, live::Archive&, const live::JobRecord& job) {
    if (kind == live::JobOrder::Kind::kCancel) return each.answer({{"count", 0}});
    each.refuse(
        {409, "job_ended", fmt::format("job {} has ended: {}", job_id(job), live::name_of(job.outcome))});
  });
}

void Api::watch(Call call) {
  const std::optional<std::uint64_t> job = call.number("job", 0, 0, static_cast<std::uint64_t>(INT64_MAX));
  if (!job) return;
  const std::string path = call.text("tenant");
  const std::expected<TenantId, live::Refusal> top = options_.factory->read(
      [&](const live::Book& book) { return tenant_called(book, path, call.actor.tenant); });
  if (!top) return call.refuse(top.error());
  if (hub_.watchers() >= options_.most_watchers)
    return call.refuse({503, "too_many_watchers", "too many clients watch; try again later"});
  if (*job != 0) {
    return with_job(
        std::move(call), fmt::format("{}", *job),
        [this, top = *top](const Call& each, live::Archive& archive, const live::JobRecord& record) {
          watch_job(each, archive, record, top);
        });
  }
  const std::shared_ptr<http::Stream> stream = call.responder->stream(watch_head());
  if (!hub_.join(stream, {*top, 0, call.actor}, last_event(call))) stream->close();
}

/// One job, or the tasks of an array: what they are now, then what becomes of them.
void Api::watch_job(const Call& call, live::Archive& archive, const live::JobRecord& job, TenantId top) {
  const std::shared_ptr<http::Stream> stream = call.responder->stream(watch_head());
  const WatchFilter filter{top, job.number, call.actor};
  if (const std::optional<std::uint64_t> after = last_event(call)) {
    if (!hub_.join(stream, filter, after)) stream->close();
    return;
  }
  const std::uint64_t tasks = job.array_job == job.number ? job.array_tasks : 1;
  std::map<std::uint64_t, JobMoment> present;
  bool visible = false;
  // The book is ahead of what the hub tells: what is not in it now has ended, or its end will be told.
  const std::optional<std::uint64_t> watcher = options_.factory->read([&](const live::Book& book) {
    visible = book.is_within(job.tenant, top);
    for (std::uint64_t number = job.number; tasks <= kMostPresent && number < job.number + tasks; ++number) {
      if (const live::LiveJob* now = book.job(number)) present.emplace(number, moment_of(now->record, now));
    }
    return hub_.join(stream, filter, std::nullopt, true);
  });
  if (!watcher) return stream->close();
  if (tasks > kMostPresent) return hub_.begin(*watcher, std::nullopt);
  live::JobFilter ended;
  ended.since = job.number;
  ended.limit = kTasksALook;
  for (ended.before = job.number + tasks; present.size() < tasks && ended.before > job.number;) {
    const Result<std::vector<live::JobRecord>> found = archive.jobs(ended);
    if (!found) return stream->close();  // The client comes again.
    for (const live::JobRecord& record : *found) present.try_emplace(record.number, JobMoment{record});
    if (found->size() < ended.limit) break;
    ended.before = found->back().number;
  }
  std::vector<JobMoment> moments;
  if (visible) {
    for (auto& [number, moment] : present) moments.push_back(std::move(moment));
  }
  hub_.begin(*watcher, moments);
}

}  // namespace gw::api
