// Why a job waits, and until when.
#include <fmt/format.h>

#include <algorithm>

#include "api/api.h"
#include "api/explain_reservations.h"
#include "api/node_use.h"
#include "live/archive.h"
#include "live/feed_view.h"
#include "live/time_text.h"
#include "spec/job_text.h"

namespace gw::api {
namespace {

struct Why {
  std::string name, text;
  Instant since;
  Json facts = Json::object();
};

std::string time_of(const live::Book& book, Instant when) { return live::time_text(book.unix_ns(when)); }

/// The nodes that could ever hold a waiting job.
struct Candidates {
  std::uint64_t nodes = 0;
  std::uint64_t off = 0;       ///< Down, drained or draining.
  std::uint64_t reserved = 0;  ///< Up, but kept from this job.
  std::int64_t free_gpus = 0;
  std::int64_t reserved_gpus = 0;  ///< Free ones of reserved nodes.
  std::int64_t own_gpus = 0;       ///< Of `free_gpus`, on nodes that are reserved, but not from this job.
  std::int64_t free_cpu_milli = 0;
  std::int64_t most_free_cpu_milli = 0;   ///< On one node.
  std::int64_t most_free_memory_mib = 0;  ///< On one node.
};

Candidates candidates_of(const live::Book& book, const sched::Job& job) {
  Candidates found;
  const sched::State& state = book.core->state();
  const sched::Windows::User user = sched::State::window_user(job);
  for (const std::uint32_t index : state.classes[job.shape_class].pools) {
    const sched::Pool& pool = *state.pools[index];
    for (std::uint32_t node = 0; node < pool.nodes(); ++node) {
      ++found.nodes;
      Standing standing = standing_of(pool, node);
      if (standing == Standing::kReserved && !pool.is_closed_for_all(node)) {
        // By windows alone: they may admit this very job.
        const std::uint32_t group = state.windows.group_of(index, node);
        if (group != sched::Windows::kNoGroup &&
            state.windows.admits(state.windows.groups()[group], user, book.now)) {
          standing = Standing::kOpen;
          found.own_gpus += pool.free_count(node);
        }
      }
      if (standing == Standing::kOff) {
        ++found.off;
        continue;
      }
      if (standing == Standing::kReserved) {
        ++found.reserved;
        found.reserved_gpus += pool.free_count(node);
        continue;
      }
      found.free_gpus += pool.free_count(node);
      const sched::Pool::Side free = pool.side_free(node);
      found.free_cpu_milli += free.cpu_milli;
      found.most_free_cpu_milli = std::max(found.most_free_cpu_milli, free.cpu_milli);
      found.most_free_memory_mib = std::max(found.most_free_memory_mib, free.memory_mib);
    }
  }
  return found;
}

std::string gpus_text(std::int64_t milli) { return fmt::format("{:g}", static_cast<double>(milli) / 1000); }

/// Feeds above nodes that could hold a job, which draw more than their caps: nothing starts below them. Their
/// names are for those who see the whole factory.
void add_unmet_facts(const live::Book& book, const sched::Job& job, const live::Actor& actor, Why& why) {
  const sched::State& state = book.core->state();
  const auto is_above = [&](sched::FeedId feed) {
    for (std::uint32_t node = state.power.begin(feed); node < state.power.end(feed); ++node) {
      const std::vector<std::uint32_t>& pools = state.classes[job.shape_class].pools;
      if (std::find(pools.begin(), pools.end(), state.pool_of(NodeId{node})) != pools.end()) return true;
    }
    return false;
  };
  Json feeds = Json::array();
  std::string text;
  for (const auto& [id, since] : book.unmet) {
    if (!is_above(id)) continue;
    const live::FeedStanding feed = live::feed_standing(book, id);
    const bool idle = live::unmet_because(feed) == "idle";
    if (text.empty()) {
      text = fmt::format("{} draws more than its cap: {}",
                         actor.tenant == TenantTree::root() ? feed.name : "a feed",
                         idle ? "what idles there does by itself, so nothing starts until the cap is raised"
                              : "jobs that were stopped there have not ended yet");
    }
    feeds.push_back({{"feed", feed.name},
                     {"draw_w", static_cast<double>(feed.draw.count()) / 1000},
                     {"cap_w", static_cast<double>(feed.cap.count()) / 1000},
                     {"since", time_of(book, since)}});
  }
  if (feeds.empty()) return;
  why.text += "; " + text;
  if (actor.tenant == TenantTree::root()) why.facts["feeds_unmet"] = std::move(feeds);
}

/// Where quota or budget keeps a job back, and what would let it go. Those who act below that tenant learn
/// that it is so, not what others there have.
void add_quota_facts(const live::Book& book, const sched::Job& job, const live::Actor& actor, Why& why) {
  const sched::State& state = book.core->state();
  const sched::QuotaTree::Answer bar = state.quota_bar(job);
  using Bar = sched::QuotaTree::Bar;
  if (bar.ok()) return;  // It has changed since the last plan.
  const bool known = book.is_within(bar.at, actor.tenant);
  const std::string whose =
      known ? fmt::format("tenant {}", bar.at == TenantTree::root() ? "(all)" : book.path(bar.at))
            : std::string("a tenant above yours");
  const QuotaTerms terms = state.quota.terms(bar.at, bar.resource);
  const std::int64_t used = state.quota.used_milli(bar.at, bar.resource), most = terms.most_milli();
  const std::string type = bar.resource == kAllGpus ? "" : " " + book.fleet.gpu_types[bar.resource - 1U].name;
  Json quota;
  quota["tenant"] = known ? Json(book.path(bar.at)) : Json(nullptr);
  quota["gpu_type"] = bar.resource == kAllGpus ? Json(nullptr) : Json(type.substr(1));
  if (known) {
    quota["used"] = thousandths(used);
    quota["most"] = most == INT64_MAX ? Json(nullptr) : thousandths(most);
    quota["guaranteed"] = thousandths(terms.guaranteed_milli);
  }
  std::string lifts;
  switch (bar.bar) {
    case Bar::kLimit:
      why.text = known ? fmt::format("{} uses {} of the {}{} GPUs that it may", whose, gpus_text(used),
                                     gpus_text(most), type)
                       : fmt::format("{} has all{} GPUs that it may use", whose, type);
      lifts = terms.limit_milli == most
                  ? "it starts when jobs there end, or when the limit is raised (gw quota set --limit)"
                  : "it starts when jobs there end, or when more may be borrowed (gw quota set --borrow)";
      break;
    case Bar::kLent:
      why.text = fmt::format("what is left of{} GPUs is kept for those to whom it is guaranteed{}", type,
                             known && bar.at != TenantTree::root() ? " below " + whose : "");
      lifts = job.request.preemptible
                  ? "it starts when jobs end, or when others lend more (gw quota set --lend)"
                  : "it starts when jobs end; one that may be preempted (--preemptible) could borrow what is "
                    "idle";
      break;
    case Bar::kBudget:
      why.text = fmt::format("the budget of {} for this month is spent", whose);
      lifts = book.meter.in_use() ? fmt::format(
                                        "it goes on when the next month begins, at {}, or when the budget "
                                        "is raised (gw quota budget)",
                                        time_of(book, book.meter.month_end()))
                                  : "it goes on when the budget is raised (gw quota budget)";
      break;
    case Bar::kBehind:
      why.text = fmt::format("a job of {} that has waited long for its quota goes first", whose);
      lifts = "it starts once that job has";
      break;
    case Bar::kNone:
      break;
  }
  quota["lifted_by"] = lifts;
  why.facts["quota"] = std::move(quota);
}

Why why_waiting(const live::Book& book, const live::LiveJob& job, const live::Actor& actor, const Law& law) {
  const sched::Core& core = *book.core;
  const sched::State& state = core.state();
  const sched::Job& core_job = *core.job(job.record.core);
  const sched::Reason reason = core.binding_reason(job.record.core);
  const Candidates nodes = candidates_of(book, core_job);
  const Shape& shape = job.request.shape;
  Why why;
  why.name = sched::reason_name(reason);
  why.text = sched::reason_text(reason);
  why.since = reason == job.reason ? job.reason_since : book.now;
  if (nodes.off == nodes.nodes) {
    why.name = "nodes-off";
    why.text = "every node that could hold it is drained or down (see gw nodes)";
  } else if (reason == sched::Reason::kSideResources && job.record.gpu_milli == 0) {
    why.text = "no node has as many CPUs and as much memory free as it asks for";
  }
  if (reason == sched::Reason::kQuota || reason == sched::Reason::kBudget)
    add_quota_facts(book, core_job, actor, why);
  if (reason == sched::Reason::kPower) add_unmet_facts(book, core_job, actor, why);
  std::optional<ReservationsFound> reserved;
  if (reason == sched::Reason::kWindow || reason == sched::Reason::kCapacity) {
    if (core_job.request.window.valid() && (reserved = own_reservation(book, core_job)))
      why.facts["own_reservation"] = std::move(reserved->fact);
  }
  if (reason == sched::Reason::kWindow && !core_job.request.window.valid() &&
      (reserved = reservations_in_the_way(book, core_job, actor.tenant)))
    why.facts["reservations"] = std::move(reserved->fact);
  if (reserved && nodes.off < nodes.nodes) why.text = std::move(reserved->text);
  if (reason == sched::Reason::kGrace) {
    if (const auto claim = state.claims.find(core_job.id); claim != state.claims.end())
      why.facts["jobs_leaving"] = claim->second.victims.size();
  }
  if (reason == sched::Reason::kCheaperLater) {
    why.facts["put_off_until"] = time_of(book, core_job.joins_at);
    why.facts["deadline"] = time_of(book, core_job.request.deadline);
  }
  why.facts["gpus_asked"] = thousandths(job.record.gpu_milli);
  NodeUse gpus;
  for (const auto& pool : state.pools) gpus += gpus_of(*pool);
  why.facts["gpus_free"] = gpus.free + nodes.own_gpus;
  why.facts["gpus_reserved"] = gpus.reserved - nodes.own_gpus;
  why.facts["gpus_off"] = gpus.off;
  why.facts["gpus_free_of_its_kind"] = nodes.free_gpus;
  why.facts["gpus_reserved_of_its_kind"] = nodes.reserved_gpus;
  if (shape.cpu_milli > 0) {
    why.facts["cpus_asked_per_node"] = thousandths(shape.cpu_milli);
    why.facts["cpus_free"] = thousandths(nodes.free_cpu_milli);
    why.facts["cpus_free_most_of_a_node"] = thousandths(nodes.most_free_cpu_milli);
  }
  if (shape.memory_mib > 0) {
    why.facts["memory_mib_asked_per_node"] = shape.memory_mib;
    why.facts["memory_mib_free_most_of_a_node"] = nodes.most_free_memory_mib;
  }
  why.facts["nodes_of_its_kind"] = nodes.nodes;
  why.facts["nodes_of_its_kind_off"] = nodes.off;
  why.facts["nodes_of_its_kind_reserved"] = nodes.reserved;
  why.facts["jobs_waiting"] = state.pending.size();
  if (law.in_use || job.law != nullptr) {
    const LegalWishes wishes = job.law == nullptr ? LegalWishes{} : *job.law;
    const Day day = day_of_unix(book.unix_ns(book.now) / 1'000'000'000);
    if (law.places(wishes.residency) && law.places(wishes.excluded_jurisdictions)) {
      const std::vector<std::string> lines =
          decide(law, book.fleet, book.legal_facts(job.record.tenant), wishes, day).lines(law);
      if (!lines.empty()) why.facts["rules"] = lines;
    }
  }
  const sched::Pass::Promise promise = core.promise();
  if (!promise.job.valid()) return why;
  const auto holder = book.by_core.find(promise.job.value());
  const live::LiveJob* held = holder == book.by_core.end() ? nullptr : book.job(holder->second);
  // Another tenant's job is no business of this one: that there is a reservation is.
  const bool known = held != nullptr && book.is_within(held->record.tenant, actor.tenant);
  why.facts["reservation"] = {{"job", known ? Json(job_id(held->record)) : Json(nullptr)},
                              {"at", time_of(book, promise.when)}};
  return why;
}

Why why_blocked(const live::Book& book, const live::LiveJob& job) {
  Why why;
  why.name = live::name_of(job.blocked);
  why.text = block_text(job.blocked);
  why.since = job.reason_since;
  if (job.blocked == live::BlockReason::kBegin && job.begin != Instant::max())
    why.facts["begin"] = time_of(book, job.begin);
  if (job.blocked == live::BlockReason::kDependency) {
    const auto array = book.arrays.find(job.record.array_job);
    const live::Waits& waits = array != book.arrays.end() ? array->second.waits : job.waits;
    Json jobs = Json::array();
    for (const live::Waits::One& one : waits.open)
      jobs.push_back({{"on", spec::dependency_text(one.on)}, {"impossible", one.impossible}});
    why.facts["waits_for"] = std::move(jobs);
    why.facts["one_will_do"] = waits.any;
  }
  return why;
}

Why why(const live::Book& book, const live::JobRecord& record, const live::LiveJob* now,
        const live::Actor& actor, const Law& law) {
  if (now == nullptr) return {"ended", "it has ended", record.ended};
  switch (record.state) {
    case live::JobState::kHeld:
      return {"held", "it is held; gw release lets it go on", now->reason_since};
    case live::JobState::kBlocked:
      return why_blocked(book, *now);
    case live::JobState::kWaiting:
      return why_waiting(book, *now, actor, law);
    case live::JobState::kRunning:
    case live::JobState::kEnded:
      break;
  }
  return {"none", "it runs", record.started};
}

/// What has bound it, oldest first: each until the next, or until the job started or ended; the last may go
/// on. `none` is the end of a hold, and no row.
Json history_json(const live::Book& book, std::vector<live::ReasonRecord> history,
                  const std::vector<live::AttemptRecord>& attempts, const live::JobRecord& record,
                  Instant now) {
  // Of one turn: it was held before it was let go, and what binds it then follows.
  const auto rank = [](const live::ReasonRecord& reason) {
    return reason.reason == "none" ? 1 : reason.reason == "held" ? 0 : 2;
  };
  std::stable_sort(history.begin(), history.end(), [&](const auto& a, const auto& b) {
    return a.since != b.since ? a.since < b.since : rank(a) < rank(b);
  });
  Json json = Json::array();
  for (std::size_t index = 0; index < history.size(); ++index) {
    const live::ReasonRecord& reason = history[index];
    if (reason.reason == "none") continue;
    Instant until = record.state == live::JobState::kEnded ? record.ended : now;
    if (index + 1 < history.size()) until = std::min(until, history[index + 1].since);
    for (const live::AttemptRecord& attempt : attempts) {
      if (attempt.decided >= reason.since) until = std::min(until, attempt.decided);
    }
    if (record.attempt > 0 && record.started >= reason.since) until = std::min(until, record.started);
    const Nanoseconds lasted = std::max(until - reason.since, Nanoseconds{0});
    json.push_back(
        {{"since", time_of(book, reason.since)}, {"reason", reason.reason}, {"for_s", to_seconds(lasted)}});
  }
  return json;
}

}  // namespace

void Api::explain(Call call) {
  with_job(std::move(call), [this](const Call& each, live::Archive& archive, const live::JobRecord& job) {
    const Result<std::vector<live::ReasonRecord>> history = archive.reasons(job.number);
    if (!history) return each.refuse(history.error());
    const Result<std::vector<live::AttemptRecord>> attempts = archive.attempts(job.number);
    if (!attempts) return each.refuse(attempts.error());
    Json json;
    options_.factory->read([&](const live::Book& book) {
      const live::LiveJob* now = book.entry(job.number);
      const live::JobRecord& record = now != nullptr ? now->record : job;
      Why found = why(book, record, now, each.actor, options_.factory->options().law);
      // As of a load of the store the book does not know since when.
      if (record.state == live::JobState::kHeld && !history->empty() && history->back().reason == "held")
        found.since = history->back().since;
      json["id"] = job_id(job);
      json["status"] = live::status_of(record.state, record.outcome);
      if (!found.facts.empty()) json["facts"] = std::move(found.facts);
      json["reason"] = {{"name", found.name}, {"text", found.text}, {"since", time_of(book, found.since)}};
      if (!record.note.empty()) json["note"] = record.note;
      json["history"] =
          history_json(book, *history, *attempts, record, std::max(book.now, options_.factory->now()));
    });
    const std::string wanted = each.text("changes");
    if (wanted.empty() || wanted == "0") return each.answer(json);
    if (wanted != "1") return each.refuse({400, "bad_parameter", "\"changes\" is 1 or 0"});
    if (!options_.changes) return each.refuse({501, "no_forecast", "this server makes no forecasts"});
    post(each, Readers::Size::kLong, [this, json, number = job.number](const Call& later, live::Archive&) {
      std::expected<Json, live::Refusal> found = options_.changes(number);
      if (!found) return later.refuse(found.error());
      Json whole = json;
      whole.update(*found);
      later.answer(whole);
    });
  });
}

void Api::eta(Call call) {
  with_job(std::move(call), [this](const Call& each, live::Archive&, const live::JobRecord& job) {
    if (!options_.eta) return each.refuse({501, "no_forecast", "this server makes no forecasts"});
    std::expected<Json, live::Refusal> answer = options_.eta(job.number);
    if (!answer) return each.refuse(answer.error());
    each.answer(*answer);
  });
}

}  // namespace gw::api
