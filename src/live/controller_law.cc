// The law in the live factory: where each job may be, what is written down about it, and what follows when a
// rule comes into force or a fact changes.
#include <fmt/format.h>

#include "audit/decision_record.h"
#include "live/controller.h"
#include "live/time_text.h"
#include "spec/job_json.h"
#include "spec/law_spec.h"

namespace gw::live {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

const LegalWishes kNoWishes;

const LegalWishes& wishes_of(const LiveJob& job) { return job.law == nullptr ? kNoWishes : *job.law; }

}  // namespace

std::shared_ptr<const LegalWishes> legal_wishes_in(const std::string& text) {
  // A description without one of these keys has none: most are not parsed.
  bool some = false;
  for (const char* key :
       {"\"residency\":", "\"excluded_jurisdictions\":", "\"certifications\":", "\"data\":"})
    some = some || text.find(key) != std::string::npos;
  if (!some) return nullptr;
  spec::Checked<JobSpec> spec = spec::parse_job_json(text);
  if (!spec || spec->law.empty()) return nullptr;
  return std::make_shared<const LegalWishes>(std::move(spec->law));
}

LawDecision Controller::judge(TenantId tenant, const LegalWishes& wishes) const {
  return decide(options_.law, book_.fleet, book_.legal_facts(tenant), wishes, day_);
}

std::optional<Refusal> Controller::unknown_wishes(const LegalWishes& wishes) const {
  for (const std::vector<std::string>* names : {&wishes.residency, &wishes.excluded_jurisdictions}) {
    if (const Result<Places> places = options_.law.places(*names); !places)
      return Refusal{
          422, "unknown_place",
          fmt::format("{}: {}", names == &wishes.residency ? "residency" : "excluded_jurisdictions",
                      places.error().message)};
  }
  if (std::string problem = spec::unknown_data(options_.law, wishes.data); !problem.empty())
    return Refusal{422, "unknown_data_class", "data: " + problem};
  return std::nullopt;
}

std::uint64_t Controller::zones_of(TenantId tenant, const LegalWishes& wishes) {
  if (!options_.law.in_use && wishes.empty()) return 0;
  // Places or data that a changed file does not know any more: nowhere, until it does again.
  if (!wishes.empty() && unknown_wishes(wishes)) return Shape::kNoZone;
  constexpr std::size_t kMost = 10'000;
  if (zones_known_.size() >= kMost) zones_known_.clear();
  const auto [at, is_new] = zones_known_.try_emplace({tenant, wishes}, 0);
  if (is_new) at->second = judge(tenant, wishes).mask;
  return at->second;
}

std::uint64_t Controller::zones_of(const LiveJob& job) { return zones_of(job.record.tenant, wishes_of(job)); }

std::string Controller::law_text(const LiveJob& job) const {
  const LegalWishes& wishes = wishes_of(job);
  if (std::optional<Refusal> unknown = unknown_wishes(wishes)) return unknown->message;
  const LawDecision decision = judge(job.record.tenant, wishes);
  if (job.record.state == JobState::kRunning) {  // Other places may be open to it: what closes its own?
    const std::uint32_t zone = book_.core->state().zone_of(*book_.core->job(job.record.core));
    if (zone < decision.objections.size() && !decision.objections[zone].empty()) {
      const Objection& objection = decision.objections[zone].front();
      return fmt::format("{}{}: zone {} {}. {}",
                         objection.by == Objection::By::kRule ? "rule " : "the job's ",
                         LawDecision::name_of(objection, options_.law), decision.seen[zone].name,
                         objection.text, objection.change);
    }
  }
  return decision.allowed ? std::string(sched::reason_text(sched::Reason::kRule))
                          : decision.refusal(options_.law);
}

void Controller::record_decision(TenantId tenant, const LegalWishes& wishes, audit::DecisionRecord record,
                                 const LawDecision* decision) {
  const std::int64_t unix_ns = book_.unix_ns(book_.now);
  record.sequence = decision_head_.sequence + 1;
  record.time = time_text(unix_ns);
  record.tenant = book_.legal_facts(tenant);
  record.facts = wishes;
  record.day = day_;
  DecisionRow row;
  row.record = audit::canonical_json(record, options_.law, decision);
  decision_head_ = audit::next(decision_head_, row.record);
  row.sequence = decision_head_.sequence;
  row.hash = decision_head_.hash;
  row.now = book_.now;
  row.job = record.job.value_or(0);
  row.tasks = record.tasks;
  row.tenant = tenant;
  row.outcome = record.outcome;
  turn_.changes.decisions.push_back(std::move(row));
}

/// Every job by the law as it is now. What waits goes where it may now, or ends; what runs where it may not
/// any more is told of, and finishes or, where the operator wishes so, waits again.
void Controller::review_law() {
  zones_known_.clear();
  for (auto& [number, job] : book_.jobs) {
    const std::uint64_t zones = zones_of(job);
    if (zones == job.request.shape.zones) continue;
    job.request.shape.zones = zones;
    const bool in_core = job.record.state == JobState::kWaiting || job.record.state == JobState::kRunning;
    if (in_core) apply(sched::Event::job_zones(job.record.core, zones));
    const LegalWishes& wishes = wishes_of(job);
    std::optional<LawDecision> decision;
    if (!unknown_wishes(wishes)) decision = judge(job.record.tenant, wishes);
    audit::DecisionRecord record;
    record.job = number;
    record.tasks = job.record.stands_for;
    record.name = job.record.name;
    record.submitter = job.record.user;
    record.outcome = "reviewed";
    const bool outlaw = job.record.state == JobState::kRunning && book_.core->job(job.record.core)->finishes;
    if (zones == Shape::kNoZone || outlaw) {
      record.reason = sched::reason_name(sched::Reason::kRule);
      record.message = law_text(job);
    }
    record_decision(job.record.tenant, wishes, std::move(record), decision ? &*decision : nullptr);
    if (!outlaw) continue;
    const Actor actor{"", "gigawerk", Role::kAdmin, TenantTree::root(), ""};
    audit(actor, "job.forbidden", fmt::format("{}", number),
          fmt::format("it runs where the rules forbid it now ({}); it {}", job.record.place,
                      options_.requeue_forbidden ? "is stopped and waits again" : "may finish"),
          job.record.tenant);
    job.record.note = std::string(kOutlawNote) + "; " + law_text(job);
    mark(job);
    if (!options_.requeue_forbidden || job.record.stopping) continue;
    job.record.stopping = job.record.requeueing = true;
    turn_.orders.stops.emplace_back(job.attempt->id, StopKind::kRequeue);
  }
}

void Controller::note_strangers(std::vector<std::string>& notes) const {
  for (std::uint32_t index = 1; index < book_.tenants.size(); ++index) {
    const std::string problem = spec::unknown_kind(options_.law, book_.tenants[index].record.kind);
    if (!problem.empty())
      notes.push_back(fmt::format("tenant {}: {}; until then the rules on kinds bind it",
                                  book_.path(TenantId{index}), problem));
  }
  for (const LegalRule& rule : options_.law.rules) {
    for (const std::vector<std::string>* paths :
         {&rule.applies_to.tenants, &rule.applies_to.except_tenants}) {
      for (const std::string& path : *paths) {
        if (!book_.tenant(path).valid())
          notes.push_back(
              fmt::format("rule {} names the tenant {}, which there is not; make it (gw tenants "
                          "add), or correct the fleet's file",
                          rule.name, path));
      }
    }
  }
}

/// Before a turn decides: has a day begun on which other rules are in force?
void Controller::turn_page() {
  const Day today = day_of_unix(book_.unix_ns(book_.now) / kNsPerSecond);
  if (today <= day_) return;
  const std::optional<Day> change = options_.law.next_change(day_);
  day_ = today;
  law_due_ = law_due_ || (change && *change <= today);
}

Instant Controller::next_law() const {
  const std::optional<Day> change = options_.law.next_change(day_);
  return change ? book_.instant_of_second(std::int64_t{*change} * 86400) : Instant::max();
}

}  // namespace gw::live
