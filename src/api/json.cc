// Records to JSON.
#include "api/json.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>

#include "audit/chain.h"
#include "live/time_text.h"

namespace gw::api {
namespace {

Json time_json(const live::Book& book, Instant when) { return live::time_text(book.unix_ns(when)); }

template <class Number>
bool parse_whole(std::string_view text, Number& value) {
  if (text.empty() || text.size() > 19) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::size_t nesting_of(std::string_view text) {
  std::size_t depth = 0, most = 0;
  bool in_text = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      in_text = !in_text;
    } else if (in_text) {
      at += c == '\\';  // Whatever is behind it ends nothing.
    } else if (c == '[' || c == '{') {
      most = std::max(most, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return most;
}

std::string job_id(const live::JobRecord& job) {
  if (job.stands_for > 1) return fmt::format("{}_[{}]", job.array_job, job.indices);
  return job_id(job.number, job.array_job, job.array_index);
}

std::string job_id(std::uint64_t number, std::uint64_t array_job, std::uint32_t array_index) {
  return array_job == 0 ? fmt::format("{}", number) : fmt::format("{}_{}", array_job, array_index);
}

std::optional<JobReference> parse_job_id(std::string_view text) {
  JobReference reference;
  const std::size_t line = text.find('_');
  if (!parse_whole(text.substr(0, line), reference.number) || reference.number == 0 ||
      reference.number > static_cast<std::uint64_t>(INT64_MAX))
    return std::nullopt;
  if (line == std::string_view::npos) return reference;
  std::uint32_t index = 0;
  if (!parse_whole(text.substr(line + 1), index)) return std::nullopt;
  reference.index = index;
  return reference;
}

Json thousandths(std::int64_t milli) {
  if (milli % 1000 == 0) return milli / 1000;
  return static_cast<double>(milli) / 1000;
}

/// Did its program end, for whatever reason?
bool has_exit_code(live::Outcome outcome) {
  switch (outcome) {
    case live::Outcome::kCompleted:
    case live::Outcome::kFailed:
    case live::Outcome::kCancelled:
    case live::Outcome::kTimeLimit:
    case live::Outcome::kOutOfMemory:
      return true;
    case live::Outcome::kNone:
    case live::Outcome::kLaunchFailed:
    case live::Outcome::kLost:
    case live::Outcome::kNever:
    case live::Outcome::kDependency:
      break;
  }
  return false;
}

Json job_json(const live::Book& book, const live::JobRecord& job) {
  Json json;
  json["id"] = job_id(job);
  json["number"] = job.number;
  json["name"] = job.name;
  json["tenant"] = book.path(job.tenant);
  json["user"] = job.user;
  json["status"] = live::status_of(job.state, job.outcome);
  json["ended"] = job.state == live::JobState::kEnded;
  if (job.stopping) json["stopping"] = true;
  if (job.array_job != 0)
    json["array"] = {{"job", job.array_job}, {"index", job.array_index}, {"tasks", job.array_tasks}};
  if (job.stands_for > 1) json["array"]["rest"] = {{"tasks", job.stands_for}, {"indices", job.indices}};
  json["nodes"] = job.nodes;
  json["gpus"] = thousandths(job.gpu_milli);
  json["cpus"] = thousandths(job.cpu_milli);
  json["memory_mib"] = job.memory_mib;
  json["limit_s"] = thousandths(job.limit.count() / 1'000'000);
  json["priority"] = job.priority;
  json["submitted"] = time_json(book, job.submitted);
  json["attempt"] = job.attempt;
  if (job.attempt > 0) {
    json["started"] = time_json(book, job.started);
    json["place"] = job.place;
  }
  if (job.state == live::JobState::kEnded) {
    json["ended_at"] = time_json(book, job.ended);
    // That of a program that could not be run is the shell's for that (126, 127).
    if (job.attempt > 0 && (has_exit_code(job.outcome) || job.exit_code != 0))
      json["exit_code"] = job.exit_code;
    if (job.signal != 0) json["signal"] = job.signal;
  }
  if (!job.note.empty()) json["note"] = job.note;
  return json;
}

std::string_view block_text(live::BlockReason reason) {
  switch (reason) {
    case live::BlockReason::kBegin:
      return "the time that it may begin at has not come";
    case live::BlockReason::kDependency:
      return "jobs that it depends on have not ended";
    case live::BlockReason::kArrayLimit:
      return "as many tasks of its array run or wait as may at a time";
    case live::BlockReason::kNone:
      break;
  }
  return "nothing keeps it back";
}

namespace {

void add_reason(live::JobState state, live::BlockReason blocked, sched::Reason reason, Json& json) {
  if (state == live::JobState::kBlocked) {
    json["reason"] = live::name_of(blocked);
  } else if (state == live::JobState::kWaiting && reason != sched::Reason::kNone) {
    json["reason"] = sched::reason_name(reason);
  } else if (state == live::JobState::kHeld) {
    json["reason"] = "held";
  }
}

void add_leaving(bool leaving, std::uint64_t job, Json& json) {
  if (!leaving) return;
  json["leaving"] = true;
  if (job != 0) json["leaving_for"] = job;
}

}  // namespace

void add_live_facts(const live::LiveJob& job, Json& json) {
  add_reason(job.record.state, job.blocked, job.reason, json);
  add_leaving(job.leaving, job.leaving_for, json);
}

JobMoment moment_of(const live::JobRecord& record, const live::LiveJob* now) {
  JobMoment moment{record};
  if (now != nullptr) {
    moment.blocked = now->blocked;
    moment.reason = now->reason;
    moment.leaving = now->leaving;
    moment.leaving_for = now->leaving_for;
  }
  return moment;
}

Json job_json(const live::Book& book, const JobMoment& moment) {
  Json json = job_json(book, moment.record);
  add_reason(moment.record.state, moment.blocked, moment.reason, json);
  add_leaving(moment.leaving, moment.leaving_for, json);
  return json;
}

Json attempt_json(const live::Book& book, const live::AttemptRecord& attempt) {
  Json json;
  json["attempt"] = attempt.id.attempt;
  json["place"] = attempt.place;
  if (!attempt.gpu_type.empty()) json["gpu_type"] = attempt.gpu_type;
  json["gpus"] = thousandths(attempt.gpu_milli);
  json["cpus"] = thousandths(attempt.cpu_milli);
  json["decided"] = time_json(book, attempt.decided);
  json["started"] = time_json(book, attempt.started);
  if (!attempt.ended) return json;
  json["ended_at"] = time_json(book, attempt.ended_at);
  json["end"] = live::name_of(attempt.end);
  const bool ran = attempt.end != live::AttemptEnd::kLaunchFailed && attempt.end != live::AttemptEnd::kLost;
  if (ran || attempt.exit_code != 0) json["exit_code"] = attempt.exit_code;
  if (attempt.signal != 0) json["signal"] = attempt.signal;
  if (attempt.cpu_time.count() != 0) json["cpu_s"] = thousandths(attempt.cpu_time.count() / 1'000'000);
  if (attempt.memory_peak.count() != 0) json["memory_peak_bytes"] = attempt.memory_peak.count();
  json["output_bytes"] = attempt.output_bytes;
  if (attempt.output_lost_bytes != 0) json["output_lost_bytes"] = attempt.output_lost_bytes;
  if (!attempt.note.empty()) json["note"] = attempt.note;
  return json;
}

Json tenant_json(const live::Book& book, const live::LiveTenant& tenant) {
  const live::TenantRecord& record = tenant.record;
  Json json;
  json["path"] = tenant.path;
  json["name"] = record.name;
  json["weight"] = record.weight;
  if (!record.kind.empty()) json["kind"] = record.kind;
  if (!record.home.empty()) json["home"] = record.home;
  if (!record.owners.empty()) json["ownership"] = record.owners;
  json["unix_user"] = book.unix_user(record.id);
  json["price_plan"] = book.price_plan(record.id);
  json["limits"] = {{"gpus", thousandths(std::max<std::int64_t>(book.quota(record.id, "").limit_milli, 0))},
                    {"jobs", record.limits.jobs}};
  json["jobs"] = tenant.jobs;
  json["running"] = tenant.running;
  json["gpus_running"] = thousandths(tenant.running_milli);
  json["gpus_asked"] = thousandths(tenant.gpu_milli);
  const sched::FairShare& shares = book.core->state().pending.fair_share();
  if (record.id.value() < shares.tenants()) json["decayed_gpu_s"] = shares.usage_gpu_seconds(record.id);
  return json;
}

std::string_view node_state(const live::Book& book, NodeId node) {
  const NodeType& type = book.fleet.type_of(node);
  const sched::State& state = book.core->state();
  const auto& pool = state.pools[state.pool_of(node)];
  const std::uint32_t local = pool->local_node(node);
  if (pool->is_down(local)) return "down";
  if (!pool->is_closed(local, sched::Closure::kDrained)) return "up";
  const sched::Pool::Side side = pool->side_free(local);
  const bool busy = pool->free_count(local) < type.gpus ||
                    (type.cpu_milli > 0 && side.cpu_milli < type.cpu_milli) ||
                    (type.memory_mib > 0 && side.memory_mib < type.memory_mib);
  return busy ? "draining" : "drained";
}

Json node_json(const live::Book& book, NodeId node) {
  const NodeType& type = book.fleet.type_of(node);
  const sched::State& state = book.core->state();
  Json json;
  json["name"] = book.node_name(node);
  json["type"] = type.name;
  const auto& pool = state.pools[state.pool_of(node)];
  const std::uint32_t local = pool->local_node(node);
  const std::uint32_t free = pool->free_count(local);
  const bool down = pool->is_down(local);
  const sched::Pool::Side side = pool->side_free(local);
  json["state"] = node_state(book, node);
  if (type.gpu_type != NodeType::kNoGpu) json["gpu_type"] = book.fleet.gpu_types[type.gpu_type].name;
  json["gpus"] = type.gpus;
  json["gpus_free"] = down ? 0 : free;
  json["cpus"] = thousandths(type.cpu_milli);
  json["cpus_free"] = type.cpu_milli == 0 ? Json(nullptr) : thousandths(side.cpu_milli);
  json["memory_mib"] = type.memory_mib;
  json["memory_mib_free"] = type.memory_mib == 0 ? Json(nullptr) : Json(side.memory_mib);
  if (const auto mark = book.marks.find(book.node_name(node)); mark != book.marks.end()) {
    json["reason"] = mark->second.reason;
    json["by"] = mark->second.by;
    json["since"] = time_json(book, mark->second.since);
  }
  return json;
}

Json token_json(const live::Book& book, const live::TokenRecord& token) {
  Json json;
  json["id"] = token.id;
  json["tenant"] = book.path(token.tenant);
  json["role"] = live::name_of(token.role);
  json["user"] = token.user;
  json["label"] = token.label;
  json["created"] = time_json(book, token.created);
  json["expires"] = token.expires == Instant::max() ? Json(nullptr) : time_json(book, token.expires);
  json["revoked"] = token.revoked;
  return json;
}

Json decision_json(const live::Book& book, const live::DecisionRow& row) {
  Json json;
  json["sequence"] = row.sequence;
  json["at"] = time_json(book, row.now);
  json["job"] = row.job == 0 ? Json(nullptr) : Json(row.job);
  json["tasks"] = row.tasks;
  json["tenant"] = row.tenant.value() < book.tenants.size() ? book.path(row.tenant) : "";
  json["outcome"] = row.outcome;
  json["hash"] = audit::hex(row.hash);
  json["record"] = Json::parse(row.record, nullptr, false);
  return json;
}

Json audit_json(const live::Book& book, const live::AuditRecord& audit) {
  Json json;
  json["sequence"] = audit.sequence;
  json["at"] = time_json(book, audit.now);
  json["token"] = audit.token;
  json["user"] = audit.user;
  json["role"] = live::name_of(audit.role);
  json["remote"] = audit.remote;
  json["action"] = audit.action;
  json["target"] = audit.target;
  json["detail"] = audit.detail;
  json["tenant"] = audit.tenant.value() < book.tenants.size() ? book.path(audit.tenant) : "";
  return json;
}

Json error_json(const live::Refusal& refusal) {
  return {{"error", {{"status", refusal.status}, {"code", refusal.code}, {"message", refusal.message}}}};
}

}  // namespace gw::api
