// Recovery: the latest snapshot, the journal behind it decided again, and the jobs as the store has them.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "live/admission.h"
#include "live/controller.h"
#include "runtime/journal_codec.h"
#include "sched/codec.h"
#include "spec/job_json.h"

namespace gw::live {
namespace {

constexpr std::string_view kOrigin = "origin_unix_ns";
constexpr std::string_view kNodeNames = "node_names";
constexpr std::string_view kEngine = "engine_id";
constexpr std::string_view kLineage = "lineage";
constexpr std::string_view kRestored = "restored";  // Of a backup: whatever ran then.
constexpr std::string_view kDefaultTenant = "default";

std::string header_bytes(const Fleet& fleet, const PolicyConfig& policy) {
  ByteWriter bytes;
  runtime::encode(bytes, runtime::JournalHeader{"live", fleet, policy});
  return bytes.take();
}

std::string joined_names(const Fleet& fleet) {
  std::string text;
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node) text += fleet.node_name(NodeId{node}) + '\n';
  return text;
}

void set_names(Fleet& fleet, std::string_view joined) {
  fleet.node_names.clear();
  while (!joined.empty()) {
    const std::size_t end = std::min(joined.find('\n'), joined.size());
    fleet.node_names.emplace_back(joined.substr(0, end));
    joined.remove_prefix(std::min(end + 1, joined.size()));
  }
  if (fleet.node_names.size() != fleet.nodes()) fleet.node_names.clear();
}

/// `local` or `twin`: what an engine's id begins with.
std::string engine_kind(std::string_view id) { return std::string(id.substr(0, id.find(':'))); }

/// All that it ever waited for; what of that is left is found when the jobs are there.
Waits waits_in(const JobSpec& spec) {
  Waits waits;
  waits.any = spec.any_dependency;
  for (const Dependency& dependency : spec.dependencies) waits.open.push_back({dependency, false});
  return waits;
}

const std::string* setting(const Loaded& loaded, std::string_view key) {
  for (const auto& [name, value] : loaded.settings) {
    if (name == key) return &value;
  }
  return nullptr;
}

}  // namespace

SnapshotRow Controller::snapshot_row(bool follows) const {
  SnapshotRow row;
  row.sequence = book_.journal_sequence;
  row.now = book_.core->now();
  row.follows = follows;
  row.header = header_;
  row.core = book_.core->snapshot();
  return row;
}

Result<std::vector<std::string>> Controller::load(std::int64_t unix_now_ns,
                                                  std::vector<Orders::Start>& expected) {
  GW_CHECK(book_.core == nullptr);
  expected.clear();

  Result<Loaded> loaded = store_->load();
  if (!loaded) return std::unexpected(loaded.error());
  std::vector<std::string> notes;
  header_ = header_bytes(options_.fleet, options_.policy);
  TenantRecord root;
  root.id = TenantTree::root();
  book_.add_tenant(root);
  book_.next_number = loaded->last_job + 1;
  decision_head_ = loaded->last_decision;
  day_ = day_of_unix(unix_now_ns / 1'000'000'000);
  law_due_ = true;
  audit_sequence_ = loaded->last_audit;
  transfer_sequence_ = loaded->last_transfer;
  for (const TenantRecord& tenant : loaded->tenants) {
    if (tenant.id.value() != book_.tenants.size() || tenant.parent.value() >= tenant.id.value())
      return fail(fmt::format("the store is damaged: tenant {} is out of order", tenant.id.value()));
    book_.add_tenant(tenant);
  }
  for (NodeRecord& node : loaded->nodes) {
    if (node.closed || node.down) book_.marks.emplace(node.name, node);
  }
  for (ReservationRecord& reservation : loaded->reservations) {
    book_.next_window = reservation.id.value() + 1;
    if (!reservation.over) book_.reservations.emplace(reservation.name, reservation);
  }
  for (TokenRecord& token : loaded->tokens) book_.tokens.emplace(token.id, token);

  if (const std::string* engine = setting(*loaded, kEngine); engine != nullptr && *engine != kRestored) {
    const std::string before = engine_kind(*engine), now = engine_kind(options_.engine_id);
    if (before != now)
      return fail(
          fmt::format("what is kept here is a factory with the engine {0}, not {1}: its jobs would run for "
                      "real, or never. "
                      "Start it with --engine {0}, or keep another factory elsewhere (--data, --store)",
                      before, now));
  }
  if (!loaded->snapshot) {
    if (!loaded->jobs.empty() || loaded->last_job != 0)
      return fail("the store is damaged: it has jobs and no snapshot of the core");
    begin_anew(unix_now_ns);
    tell_clocks();
    tell_prices();
    note_strangers(notes);
    return notes;
  }
  const std::string* origin = setting(*loaded, kOrigin);
  if (origin == nullptr ||
      std::from_chars(origin->data(), origin->data() + origin->size(), book_.origin_unix_ns).ec !=
          std::errc())
    return fail("the store is damaged: it does not say when it began");
  if (const std::string* lineage = setting(*loaded, kLineage))
    std::from_chars(lineage->data(), lineage->data() + lineage->size(), book_.lineage);
  if (Result<void> core = load_core(*loaded, notes); !core) return std::unexpected(core.error());
  Fleet old_fleet = book_.fleet;
  const std::string* names = setting(*loaded, kNodeNames);
  if (names != nullptr) set_names(old_fleet, *names);
  book_.fleet = options_.fleet;
  book_.index_fleet();
  sched::Core::Moved moved;
  const std::string new_names = joined_names(options_.fleet);
  if (loaded->snapshot->header != header_ || names == nullptr || *names != new_names) {
    moved = move_to_options(old_fleet, *loaded, notes);
    if (!options_.accept_losses && (!moved.interrupted.empty() || !moved.rejected.empty()))
      return fail(
          fmt::format("the fleet is another than before: {} running job(s) would lose their nodes, and {} "
                      "job(s) would end "
                      "because nothing here could ever hold them. Start with the fleet of before, or, if it "
                      "is meant, with "
                      "--accept-losses",
                      moved.interrupted.size(), moved.rejected.size()));
    turn_.changes.settings.emplace_back(kNodeNames, new_names);
  }
  last_kept_ = book_.core->now();
  // Not before anything that was kept, whatever the clock says.
  book_.now = std::max(book_.core->now(), Instant{unix_now_ns - book_.origin_unix_ns});
  if (Result<void> jobs = load_jobs(*loaded); !jobs) return std::unexpected(jobs.error());
  settle_moved(moved);
  if (Result<void> linked = link_dependencies(); !linked) return std::unexpected(linked.error());
  if (turn_.changes.snapshot) turn_.changes.snapshot = snapshot_row(false);
  plan_due_ = turn_.changes.snapshot.has_value();
  for (const LiveTenant& tenant : book_.tenants) {
    if (!tenant.record.budget || book_.meter.in_use()) continue;
    if (Result<void> read = begin_metering(); !read) return std::unexpected(read.error());
  }
  lose_foreign_attempts(*loaded, moved, notes);
  tell_quotas();
  load_caps(loaded->caps, notes);
  if (const std::string* unmet = setting(*loaded, kUnmetCaps)) load_unmet(*unmet);
  note_strangers(notes);
  tell_clocks();
  tell_prices();
  recall_clocks();
  for (const auto& [number, job] : book_.jobs) {
    if (job.record.state == JobState::kBlocked) ready_.insert(number);
    if (job.record.state == JobState::kWaiting && job.record.stopping) powerless_.push_back(number);
    if (job.record.state != JobState::kRunning) continue;
    expected.push_back(start_order(job));
    if (job.leaving) {
      turn_.orders.stops.push_back(stop_order(job, StopKind::kPreempt));
    } else if (job.record.stopping) {
      turn_.orders.stops.push_back(
          {job.attempt->id, job.record.requeueing ? StopKind::kRequeue : StopKind::kCancel});
    }
  }
  if (const std::string problem = check(); !problem.empty())
    return fail(fmt::format("the store is damaged: {}", problem));
  return notes;
}

void Controller::take_over(Controller& before) {
  book_.tally = before.book_.tally;
  if (joined_names(book_.fleet) == joined_names(before.book_.fleet))
    book_.ending = std::move(before.book_.ending);
}

/// A store without anything in it: the factory begins now.
void Controller::begin_anew(std::int64_t unix_now_ns) {
  book_.origin_unix_ns = unix_now_ns;
  book_.fleet = options_.fleet;
  book_.index_fleet();
  book_.core = std::make_unique<sched::Core>(book_.fleet, options_.policy);
  turn_.changes.snapshot = snapshot_row(false);
  turn_.changes.settings.emplace_back(kOrigin, fmt::format("{}", unix_now_ns));
  turn_.changes.settings.emplace_back(kNodeNames, joined_names(book_.fleet));
  turn_.changes.settings.emplace_back(kEngine, options_.engine_id);
  book_.lineage = options_.lineage;
  turn_.changes.settings.emplace_back(kLineage, fmt::format("{}", book_.lineage));
  Command command;
  command.actor = {"", "gigawerk", Role::kAdmin, TenantTree::root(), ""};
  TenantOrder order;
  order.path = kDefaultTenant;
  order.create = true;
  order_tenant(command, order);
}

Result<void> Controller::load_core(const Loaded& loaded, std::vector<std::string>& notes) {
  const SnapshotRow& snapshot = *loaded.snapshot;
  std::uint64_t differs = 0;
  if (Result<void> done = replay(snapshot, ~std::uint64_t{0}, differs); !done) return done;
  if (differs == 0) return {};
  // Another version of gw decided otherwise. What it decided has been carried out, so it stands.
  const std::uint64_t from = differs;
  if (Result<void> done = replay(snapshot, from, differs); !done) return done;
  notes.push_back(fmt::format(
      "this version decides otherwise than the one that wrote the journal, first at entry {}; what "
      "was decided there stands",
      from));
  turn_.changes.snapshot = snapshot_row(false);
  return {};
}

/// Rebuilds the core from a snapshot and the journal behind it; from entry `adopt_from` on takes over what
/// was decided. `differs`: the first entry whose plan came out otherwise, 0 if none; then the core is of no
/// use.
Result<void> Controller::replay(const SnapshotRow& snapshot, std::uint64_t adopt_from,
                                std::uint64_t& differs) {
  ByteReader header_reader(snapshot.header);
  runtime::JournalHeader header = runtime::decode_header(header_reader);
  if (!header_reader.done() || !check_fleet(header.fleet).empty())
    return fail("the store is damaged: the header of its last snapshot cannot be read");
  book_.fleet = std::move(header.fleet);
  book_.core = std::make_unique<sched::Core>(book_.fleet, header.policy);
  if (!book_.core->restore(snapshot.core))
    return fail(
        "the last snapshot cannot be restored: it is damaged, or of another version of gw; start the "
        "version that wrote it");
  book_.journal_sequence = snapshot.sequence;
  differs = 0;
  std::string problem;
  Instant last = book_.core->now();
  const Result<void> read = store_->journal_after(snapshot.sequence, [&](const JournalRow& row) {
    const auto damaged = [&](std::string_view what) {
      problem = fmt::format("the journal is damaged at entry {}: {}", row.sequence, what);
      return false;
    };
    if (row.sequence != book_.journal_sequence + 1) return damaged("an entry is missing before it");
    ByteReader events(row.events);
    for (std::uint32_t index = 0; index < row.count; ++index) {
      const sched::Event event = sched::decode_event(events);
      if (!events.ok()) return damaged("an event cannot be read");
      if (const std::string wrong = runtime::check_event(*book_.core, event, row.now, last, book_.fleet);
          !wrong.empty())
        return damaged(wrong);
      last = row.now;
      book_.core->apply(event, row.now);
    }
    if (!events.done()) return damaged("bytes follow its events");
    if (row.sequence < adopt_from) {
      ByteWriter plan;
      sched::encode(plan, book_.core->plan(row.now));
      if (plan.bytes() != row.plan) {
        differs = row.sequence;
        return false;
      }
    } else {
      ByteReader bytes(row.plan);
      const sched::Plan plan = sched::decode_plan(bytes);
      if (!bytes.done()) return damaged("its plan cannot be read");
      if (const std::string wrong = book_.core->adopt(plan, row.now); !wrong.empty()) return damaged(wrong);
    }
    book_.journal_sequence = row.sequence;
    events_since_snapshot_ += row.count;
    return true;
  });
  if (!read) return read;
  if (!problem.empty()) return fail(problem);
  return {};
}

sched::Core::Moved Controller::move_to_options(const Fleet& old_fleet, const Loaded& loaded,
                                               std::vector<std::string>& notes) {
  // Where each job may be on the new fleet, by the law and the facts of today.
  std::unordered_map<std::uint32_t, std::uint64_t> zones;
  std::shared_ptr<const std::string> text;
  std::shared_ptr<const LegalWishes> wishes;
  for (const JobRecord& record : loaded.jobs) {
    if (!record.core.valid() || record.tenant.value() >= book_.tenants.size()) continue;
    if (record.spec != text) wishes = record.spec == nullptr ? nullptr : legal_wishes_in(*record.spec);
    text = record.spec;
    zones[record.core.value()] = zones_of(record.tenant, wishes == nullptr ? LegalWishes{} : *wishes);
  }
  const std::unique_ptr<sched::Core> old = std::move(book_.core);
  book_.core = std::make_unique<sched::Core>(options_.fleet, options_.policy);
  sched::Core::Moved moved =
      book_.core->move_from(*old, old_fleet, options_.fleet, old->now(), [&](const sched::Job& job) {
        const auto at = zones.find(job.id.value());
        return at == zones.end() ? std::uint64_t{0} : at->second;
      });
  // Marks of nodes that are new here, or were made while nobody served.
  for (const auto& [name, mark] : book_.marks) {
    const NodeId node = book_.node(name);
    if (node.valid() && mark.closed) book_.core->apply(sched::Event::node_closed(node), old->now());
  }
  turn_.changes.snapshot = SnapshotRow{};  // Made when the jobs have been settled.
  notes.push_back(
      fmt::format("the fleet or the policy has changed: {} job(s) lost their place, {} can never run "
                  "here",
                  moved.interrupted.size(), moved.rejected.size()));
  return moved;
}

Result<void> Controller::parse_text(const JobRecord& record, ParsedText& last) const {
  if (record.spec != nullptr && record.spec == last.text) return {};
  if (record.spec == nullptr)
    return fail(fmt::format("the store is damaged: job {} has no text", record.number));
  spec::Checked<JobSpec> spec = spec::parse_job_json(*record.spec);
  if (!spec)
    return fail(fmt::format("the store is damaged: job {} cannot be read: {}", record.number,
                            spec::diagnostics_text(spec.error())));
  const std::expected<JobRequest, Refusal> request = request_of(*spec, book_.fleet);
  last.text = record.spec;
  last.request = request.value_or(JobRequest{});
  // Names that this fleet does not have: never.
  if (!request) last.request.shape.gpu_types = std::uint64_t{1} << 63;
  last.spec = std::move(*spec);
  return {};
}

Result<void> Controller::load_job(JobRecord& record, ParsedText& last) {
  LiveJob& job = book_.jobs.emplace_hint(book_.jobs.end(), record.number, LiveJob{})->second;
  job.record = record;
  job.reason_since = record.submitted;
  book_.now = std::max(book_.now, record.submitted);
  if (record.tenant.value() >= book_.tenants.size())
    return fail(fmt::format("the store is damaged: job {} has an unknown tenant", record.number));
  if (record.spec != nullptr) {
    if (record.spec != last.wishes_of) last.wishes = legal_wishes_in(*record.spec);
    last.wishes_of = record.spec;
    job.law = last.wishes;
  }
  count_job(job, +1);
  if (record.array_job != 0) {
    LiveArray& array = book_.arrays[record.array_job];
    array.tasks += record.stands_for;
    if (record.attempt == 0) array.unstarted += record.stands_for;
  }
  if (record.state == JobState::kWaiting || record.state == JobState::kRunning) {
    const sched::Job* core_job = book_.core->job(record.core);
    book_.by_core.emplace(record.core.value(), record.number);
    if (core_job != nullptr) job.request = core_job->request;
    if (const WindowId window = job.request.window; window.valid())
      reservation_over_ |= book_.core->state().windows.find(window) == nullptr;
    count_core(job, +1);
    if (record.array_job != 0) ++book_.arrays[record.array_job].in_core;
    if (record.state == JobState::kRunning) {
      count_running(job, +1);
      if (core_job != nullptr && core_job->leaving) note_leaving(job, JobId{});
    }
    return {};
  }
  // Not in the core: what it wants is in its own words only.
  if (Result<void> parsed = parse_text(record, last); !parsed) return parsed;
  job.request = last.request;
  job.request.tenant = record.tenant;
  job.request.submit = record.submitted;
  job.request.limit = record.limit;
  job.request.flexible = last.spec->flexible;
  job.request.deadline = deadline_of(*last.spec);
  job.request.shape.zones = zones_of(job);
  if (const std::string& name = last.spec->reservation; !name.empty())
    job.request.window = reservation_named(name, record.tenant).value_or(WindowId{});
  if (last.spec->begin_unix) job.begin = book_.instant_of_second(*last.spec->begin_unix);
  if (record.array_job == 0) job.waits = waits_in(*last.spec);
  return {};
}

Result<void> Controller::load_jobs(Loaded& loaded) {
  ParsedText last;
  for (JobRecord& record : loaded.jobs) {
    if (Result<void> done = load_job(record, last); !done) return done;
  }
  for (auto& [first, array] : book_.arrays) {
    const auto task = book_.jobs.lower_bound(first);
    GW_CHECK(task != book_.jobs.end() && task->second.record.spec != nullptr);
    const spec::Checked<JobSpec> spec = spec::parse_job_json(*task->second.record.spec);
    array.ahead = options_.array_ahead;
    if (spec && spec->array) {
      array.most_running = spec->array->most_running;
      if (const auto indices = array_indices(*spec->array)) array.indices = TaskIndices(*indices);
    }
    for (auto entry = task; entry != book_.jobs.end() && entry->second.record.array_job == first; ++entry) {
      LiveJob& job = entry->second;
      if (job.record.number + job.record.stands_for > first + array.indices.size())
        return fail(fmt::format("the store is damaged: array {} has more tasks than its text says", first));
      if (job.record.stands_for == 1 || !job.record.core.valid()) continue;
      job.in_line = true;
      next_core_ = std::max(next_core_, job.record.core.value() + job.record.stands_for);
      if (book_.in_line(job)) count_core(job, +1);
    }
    if (spec) array.waits = waits_in(*spec);
    const Result<Store::EndedTasks> ended = store_->ended_tasks(first);
    if (!ended) return std::unexpected(ended.error());
    array.bad = ended->bad;
  }
  for (AttemptRecord& attempt : loaded.attempts) {
    LiveJob* job = book_.job(attempt.id.job);
    if (job == nullptr || job->record.attempt != attempt.id.attempt ||
        job->record.state != JobState::kRunning)
      return fail(fmt::format("the store is damaged: attempt {} of job {} is open, the job does not run",
                              attempt.id.attempt, attempt.id.job));
    book_.now = std::max({book_.now, attempt.decided, attempt.started});
    job->attempt = std::move(attempt);
  }
  for (const auto& [core_id, claim] : book_.core->state().claims) {
    for (const JobId victim : claim.victims) {
      if (LiveJob* job = book_.job_of(victim)) note_leaving(*job, core_id);
    }
  }
  return {};
}

void Controller::settle_moved(const sched::Core::Moved& moved) {
  const auto lose = [&](LiveJob& job, std::string_view why) {
    if (!job.attempt) return;
    close_attempt(job, lost(job, std::string(why)));
    count_running(job, -1);
    turn_.orders.forgets.clear();  // It may run still: the engine stops what is not expected.
  };
  for (const JobId core_id : moved.interrupted) {
    LiveJob* job = book_.job_of(core_id);
    if (job == nullptr) continue;
    lose(*job, "its nodes are no longer part of the factory");
    job->record.state = JobState::kWaiting;
    job->record.stopping = job->record.requeueing = job->leaving = false;
    mark(*job);
  }
  for (const JobId core_id : moved.rejected) {
    LiveJob* job = book_.job_of(core_id);
    if (job == nullptr) continue;
    lose(*job, "its nodes are no longer part of the factory");
    leave(*job);
    end_job(*job, Outcome::kNever, "no part of the changed factory could ever hold it");
  }
}

/// Attempts that another engine started (on another machine, or before a restored backup): what became of
/// them cannot be known here, they may even run still. So nothing starts them again unasked: their jobs are
/// held, or end as lost where they may not run twice at all.
void Controller::lose_foreign_attempts(const Loaded& loaded, const sched::Core::Moved& moved,
                                       std::vector<std::string>& notes) {
  const std::string* engine = setting(loaded, kEngine);
  if (engine != nullptr && *engine == options_.engine_id) return;
  turn_.changes.settings.emplace_back(kEngine, options_.engine_id);
  book_.lineage = options_.lineage;
  turn_.changes.settings.emplace_back(kLineage, fmt::format("{}", book_.lineage));
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, job] : book_.jobs) {
    if (job.record.state == JobState::kRunning) numbers.push_back(number);
  }
  // Charged for what is known: until the last thing that was kept of the factory.
  for (const std::uint64_t number : numbers) {
    Report report = lost(*book_.job(number), "it ran under another engine, which cannot be asked");
    report.ended_at = std::min(report.ended_at, std::max(report.started, last_kept_));
    hear(report);
  }
  for (const JobId core_id : moved.interrupted) {  // They ran, until the fleet changed as well.
    if (const LiveJob* job = book_.job_of(core_id)) numbers.push_back(job->record.number);
  }
  for (const std::uint64_t number : numbers) {
    LiveJob* job = book_.job(number);
    if (job == nullptr || job->record.state != JobState::kWaiting) continue;
    withdraw(*job);
    job->record.state = JobState::kHeld;
    note_held(*job);
    job->record.note =
        "it ran under another engine, which cannot be asked: release it once it is certain that it runs "
        "there no more";
    mark(*job);
  }
  if (!numbers.empty())
    notes.push_back(fmt::format(
        "{} job(s) ran under another engine ({}) and are lost to this one: those that may run again are held "
        "(see gw ps --status held), for they may run there still",
        numbers.size(), engine == nullptr ? "unknown" : *engine));
}

}  // namespace gw::live
