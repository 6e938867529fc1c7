// Commands: what is asked of the factory, obeyed or refused.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "live/admission.h"
#include "live/controller.h"
#include "live/impossible.h"
#include "live/node_names.h"
#include "live/quota_check.h"
#include "spec/law_spec.h"

namespace gw::live {
namespace {

Reply refused(const Command& command, Refusal refusal) {
  Reply reply;
  reply.ticket = command.ticket;
  reply.refusal = std::move(refusal);
  return reply;
}

Reply done(const Command& command, std::uint64_t number = 0, std::uint32_t count = 1) {
  Reply reply;
  reply.ticket = command.ticket;
  reply.number = number;
  reply.count = count;
  return reply;
}

/// Why a tenant takes no more jobs. Those who act below it learn that it is so, not what others there have.
std::string full_text(const Book& book, const Actor& actor, TenantId id) {
  const LiveTenant& tenant = book.tenants[id.value()];
  const std::string what =
      book.is_within(id, actor.tenant)
          ? fmt::format("tenant {} has {} of at most {} jobs in the system",
                        tenant.path.empty() ? "(all)" : tenant.path, tenant.jobs, tenant.record.limits.jobs)
          : "a tenant above yours has as many jobs in the system as it may";
  return what + "; wait for some to end, or ask an operator for a higher limit";
}

std::string too_large_text(const Book& book, const Actor& actor, const sched::QuotaTree::Answer& bar,
                           const JobRequest& request) {
  const double asked = static_cast<double>(request.shape.total_gpu_milli()) / 1000;
  if (bar.bar == sched::QuotaTree::Bar::kLent)
    return fmt::format(
        "the job asks for {:g} GPUs, and so many are not left by those to whom GPUs are guaranteed{}", asked,
        request.preemptible ? "" : "; one that may be preempted (--preemptible) could borrow what is idle");
  if (!book.is_within(bar.at, actor.tenant))
    return fmt::format("the job asks for {:g} GPUs; a tenant above yours may not use so many at a time",
                       asked);
  const sched::QuotaTree& quota = book.core->state().quota;
  return fmt::format("the job asks for {:g} GPUs; tenant {} may use {:g}{} at a time", asked,
                     book.path(bar.at),
                     static_cast<double>(quota.terms(bar.at, bar.resource).most_milli()) / 1000,
                     bar.resource == kAllGpus ? "" : " " + book.fleet.gpu_types[bar.resource - 1U].name);
}

std::int64_t total_cpu_milli(const Shape& shape) {
  return shape.cpu_milli * std::max<std::int64_t>(1, shape.nodes);
}

}  // namespace

Reply Controller::obey(const Command& command) {
  return std::visit(
      [&](const auto& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, Submit>) {
          return submit(command, what);
        } else if constexpr (std::is_same_v<What, JobOrder>) {
          return order_jobs(command, what);
        } else if constexpr (std::is_same_v<What, NodeOrder>) {
          return order_node(command, what);
        } else if constexpr (std::is_same_v<What, TenantOrder>) {
          return order_tenant(command, what);
        } else if constexpr (std::is_same_v<What, ReserveOrder>) {
          return order_reservation(command, what);
        } else if constexpr (std::is_same_v<What, CapOrder>) {
          return order_cap(command, what);
        } else if constexpr (std::is_same_v<What, QuotaOrder>) {
          return order_quota(command, what);
        } else {
          return order_token(command, what);
        }
      },
      command.what);
}

void Controller::audit(const Actor& actor, std::string action, std::string target, std::string detail,
                       TenantId tenant) {
  AuditRecord record;
  record.sequence = ++audit_sequence_;
  record.now = book_.now;
  record.token = actor.token;
  record.user = actor.user;
  record.role = actor.role;
  record.remote = actor.remote;
  record.action = std::move(action);
  record.target = std::move(target);
  record.detail = std::move(detail);
  record.tenant = tenant;
  turn_.changes.audit.push_back(std::move(record));
}

Reply Controller::submit(const Command& command, const Submit& what) {
  std::optional<LawDecision> decision;
  Reply reply = take_in(command, what, decision);
  if (reply.repeated || what.dry_run) return reply;
  // A request that was never looked at has nothing to write down: not whose it is, or not whether it is new.
  if (reply.refusal &&
      (reply.refusal->status == 404 || reply.refusal->status == 503 || reply.refusal->code == "key_reused"))
    return reply;
  audit::DecisionRecord record;
  record.name = what.spec.name;
  record.submitter = command.actor.user;
  if (reply.refusal) {
    record.outcome = "refused";
    record.reason = reply.refusal->code;
    record.message = reply.refusal->message;
  } else {
    record.outcome = "admitted";
    record.job = reply.number;
    record.tasks = reply.count;
  }
  record_decision(what.tenant, what.spec.law, std::move(record), decision ? &*decision : nullptr);
  return reply;
}

Reply Controller::take_in(const Command& command, const Submit& what, std::optional<LawDecision>& decision) {
  if (what.tenant.value() >= book_.tenants.size() || !book_.is_within(what.tenant, command.actor.tenant))
    return refused(command, {404, "unknown_tenant", "there is no such tenant"});
  const std::string scope = fmt::format("{}/{}", command.actor.tenant.value(), command.actor.user);
  if (!what.key.empty()) {
    std::optional<IdempotencyRecord> known;
    for (const IdempotencyRecord& key : turn_.changes.keys) {
      if (key.scope == scope && key.key == what.key) known = key;
    }
    if (!known) {
      Result<std::optional<IdempotencyRecord>> found = store_->find_key(scope, what.key);
      if (!found) return refused(command, {503, "store", found.error().message});
      known = std::move(*found);
    }
    if (known && known->request_hash != what.request_hash)
      return refused(command, {422, "key_reused",
                               "this idempotency key was used for another request; take a new key for each"});
    if (known) {
      Reply reply = done(command, known->first_number, known->count);
      reply.repeated = true;
      return reply;
    }
  }
  std::expected<JobRequest, Refusal> request = request_of(what.spec, book_.fleet);
  if (!request) return refused(command, std::move(request.error()));
  request->tenant = what.tenant;
  request->submit = book_.now;
  request->flexible = what.spec.flexible;
  request->deadline = deadline_of(what.spec);
  if (std::optional<Refusal> unknown = unknown_wishes(what.spec.law))
    return refused(command, std::move(*unknown));
  decision = judge(what.tenant, what.spec.law);
  request->shape.zones = decision->mask;
  if (!decision->allowed) return refused(command, {422, "rule", decision->refusal(options_.law)});
  if (!what.spec.reservation.empty()) {
    const std::expected<WindowId, Refusal> window = reservation_named(what.spec.reservation, what.tenant);
    if (!window) return refused(command, window.error());
    request->window = *window;
  }
  if (std::optional<Refusal> never =
          impossibility(request->shape, book_.fleet, book_.core->state(), *decision, options_.law)) {
    Reply reply = refused(command, std::move(*never));
    reply.request = std::move(*request);
    return reply;
  }
  if (request->window.valid()) {
    const Instant begin = what.spec.begin_unix ? book_.instant_of_second(*what.spec.begin_unix) : book_.now;
    if (std::optional<Refusal> never =
            outside_reservation(what.spec.reservation, *book_.core->state().windows.find(request->window),
                                *request, std::max(begin, book_.now), book_.fleet, *decision, options_.law))
      return refused(command, std::move(*never));
  }
  std::expected<Waits, Refusal> waits =
      waits_for(what.spec.dependencies, what.spec.any_dependency, &command.actor);
  if (!waits) return refused(command, std::move(waits.error()));
  std::vector<std::uint32_t> indices{0};
  if (what.spec.array) {
    std::expected<std::vector<std::uint32_t>, Refusal> found = array_indices(*what.spec.array);
    if (!found) return refused(command, std::move(found.error()));
    indices = std::move(*found);
  }
  const std::uint64_t present = book_.tenants[TenantTree::root().value()].jobs;
  if (present + indices.size() > options_.most_jobs)
    return refused(command, {429, "factory_full",
                             fmt::format("the factory has {} of at most {} jobs in the system; wait for some "
                                         "to end, or ask its operator for a higher limit",
                                         present, options_.most_jobs)});
  for (TenantId at = what.tenant; at.valid(); at = book_.tenants[at.value()].record.parent) {
    const LiveTenant& tenant = book_.tenants[at.value()];
    const TenantLimits& limits = tenant.record.limits;
    if (limits.jobs > 0 && tenant.jobs + indices.size() > limits.jobs)
      return refused(command, {429, "tenant_limit", full_text(book_, command.actor, at)});
  }
  if (const sched::QuotaTree::Answer bar = never_permitted(book_.core->state(), *request); !bar.ok())
    return refused(command, {422, "tenant_limit", too_large_text(book_, command.actor, bar, *request)});
  if (what.dry_run) {
    if (waits->doomed())
      return refused(command, {422, "dependency",
                               "a job that it depends on has ended, or will, in another way than asked for: "
                               "it would end without having run"});
    Reply reply = done(command, 0, static_cast<std::uint32_t>(indices.size()));
    const Instant begin = what.spec.begin_unix ? book_.instant_of_second(*what.spec.begin_unix) : Instant{};
    reply.blocked = would_block(begin, *waits);
    reply.request = std::move(*request);
    return reply;
  }
  std::shared_ptr<const LegalWishes> law;
  if (!what.spec.law.empty()) law = std::make_shared<const LegalWishes>(what.spec.law);
  const std::uint64_t first = book_.next_number;
  const auto count = static_cast<std::uint32_t>(indices.size());
  if (what.spec.array) {
    LiveArray& array = book_.arrays[first];
    array.indices = TaskIndices(indices);
    array.most_running = what.spec.array->most_running;
    array.ahead = options_.array_ahead;
    array.tasks = array.unstarted = count;
  }
  // The tasks of a large array share one record until they are wanted.
  const std::uint32_t shared = count > options_.array_ahead ? count : 1;
  for (std::uint32_t position = 0; position < count; position += shared) {
    const std::uint64_t number = book_.next_number;
    book_.next_number += shared;
    LiveJob& job = book_.jobs.emplace_hint(book_.jobs.end(), number, LiveJob{})->second;
    JobRecord& record = job.record;
    record.number = number;
    if (what.spec.array) {
      record.array_job = first;
      record.array_tasks = count;
      record.stands_for = shared;
      name_tasks(record);
    }
    record.tenant = what.tenant;
    record.user = command.actor.user;
    record.name = what.spec.name;
    record.spec = what.text;
    record.submitted = book_.now;
    record.nodes = request->shape.nodes;  // Exclusive use rounds them up.
    record.gpu_milli = request->shape.total_gpu_milli();
    record.cpu_milli = total_cpu_milli(request->shape);
    record.memory_mib = request->shape.memory_mib;
    record.limit = request->limit;
    record.priority = request->priority;
    job.request = *request;
    job.law = law;
    job.reason_since = book_.now;
    record.requeue = what.spec.requeue;
    job.is_new = true;
    if (what.spec.begin_unix) job.begin = book_.instant_of_second(*what.spec.begin_unix);
    count_job(job, +1);
    mark(job);
    if (what.spec.hold) {
      record.state = JobState::kHeld;
      note_held(job);
    } else {
      ready_.insert(number);
    }
  }
  depend(first, *waits);
  (what.spec.array ? book_.arrays[first].waits : book_.jobs[first].waits) = std::move(*waits);
  audit(command.actor, "job.submit", fmt::format("{}", first),
        count == 1 ? what.spec.name : fmt::format("{} ({} tasks)", what.spec.name, count), what.tenant);
  if (!what.key.empty())
    turn_.changes.keys.push_back({scope, what.key, what.request_hash, first, count, book_.now});
  return done(command, first, count);
}

Instant Controller::deadline_of(const JobSpec& spec) const {
  if (!spec.deadline_unix) return Instant{};
  return std::clamp(book_.instant_of_second(*spec.deadline_unix), Instant{} + Nanoseconds{1},
                    sched::kLastInstant);
}

BlockReason Controller::would_block(Instant begin, const Waits& waits) const {
  if (begin > book_.now) return BlockReason::kBegin;
  if (!waits.over()) return BlockReason::kDependency;
  return BlockReason::kNone;
}

Reply Controller::order_jobs(const Command& command, const JobOrder& what) {
  std::vector<std::uint64_t> numbers;
  bool known = false;
  const auto consider = [&](const LiveJob* job) {
    if (job == nullptr || !book_.is_within(job->record.tenant, command.actor.tenant)) return;
    known = true;
    numbers.push_back(job->record.number);
  };
  const auto alone = [&](std::uint64_t number) {
    const LiveJob* job = book_.entry(number);
    if (job != nullptr && book_.is_within(job->record.tenant, command.actor.tenant))
      consider(isolate(number));
  };
  if (const auto array = book_.arrays.find(what.number); array == book_.arrays.end()) {
    if (!what.index) alone(what.number);
  } else if (what.index) {
    if (const auto position = array->second.indices.position_of(*what.index)) alone(what.number + *position);
  } else {
    for_each_of(what.number, [&](const LiveJob& job) { consider(&job); });
  }
  if (!known) {
    // One that has ended, or another's: the caller (who looked first) says which it is.
    return refused(command, {409, "job_ended", fmt::format("job {} has ended", what.number)});
  }
  std::uint32_t count = 0;
  std::string_view action;
  std::optional<Refusal> refusal;
  TenantId tenant;
  for (const std::uint64_t number : numbers) {
    LiveJob* job = book_.job(number);
    if (job == nullptr) continue;  // It ended with one before it.
    tenant = job->record.tenant;
    const std::uint32_t tasks = job->record.stands_for;
    const std::string name = job->record.array_job == 0
                                 ? fmt::format("{}", number)
                                 : fmt::format("{}_{}", job->record.array_job, job->record.array_index);
    switch (what.kind) {
      case JobOrder::Kind::kCancel:
        action = "job.cancel";
        stop_or_end(*job);
        count += tasks;
        break;
      case JobOrder::Kind::kRequeue:
        action = "job.requeue";
        if (job->record.state != JobState::kRunning) {
          refusal = Refusal{409, "not_running", fmt::format("job {} does not run", name)};
          break;
        }
        if (job->record.stopping && !job->record.requeueing) {
          refusal = Refusal{409, "stopping", fmt::format("job {} is being cancelled", name)};
          break;
        }
        job->record.stopping = job->record.requeueing = true;
        mark(*job);
        turn_.orders.stops.push_back({job->attempt->id, StopKind::kRequeue});
        count += tasks;
        break;
      case JobOrder::Kind::kHold:
        action = "job.hold";
        if (job->record.state == JobState::kRunning) {
          refusal = Refusal{409, "running", fmt::format("job {} runs already; it can be requeued", name)};
          break;
        }
        if (job->record.state == JobState::kHeld) break;
        withdraw(*job);
        job->record.state = JobState::kHeld;
        note_held(*job);
        mark(*job);
        count += tasks;
        break;
      case JobOrder::Kind::kRelease:
        action = "job.release";
        if (job->record.state != JobState::kHeld) {
          refusal = Refusal{409, "not_held", fmt::format("job {} is not held", name)};
          break;
        }
        job->record.state = JobState::kBlocked;
        if (job->record.note.starts_with(kReservationOverNote)) job->record.note.clear();
        turn_.changes.reasons.push_back({number, book_.now, "none"});  // What binds it from now on follows.
        ready_.insert(number);
        mark(*job);
        count += tasks;
        break;
    }
  }
  if (count == 0 && refusal) return refused(command, std::move(*refusal));
  audit(command.actor, std::string(action),
        what.index ? fmt::format("{}_{}", what.number, *what.index) : fmt::format("{}", what.number),
        count == 1 ? "" : fmt::format("{} tasks", count), tenant);
  return done(command, what.number, count);
}

Reply Controller::order_node(const Command& command, const NodeOrder& what) {
  const std::expected<NamedNodes, Refusal> named = nodes_named(book_, what.node);
  if (!named) return refused(command, named.error());
  for (const NodeId node : named->nodes) {
    const std::string& name = book_.node_name(node);
    NodeRecord& mark =
        book_.marks.try_emplace(name, NodeRecord{name, false, false, "", "", Instant{}}).first->second;
    if (mark.closed != what.close)
      apply(what.close ? sched::Event::node_closed(node) : sched::Event::node_reopened(node));
    mark.closed = what.close;
    mark.reason = what.reason;
    mark.by = command.actor.user;
    mark.since = book_.now;
    turn_.changes.nodes.push_back(mark);
    if (!mark.closed && !mark.down) book_.marks.erase(name);
  }
  const std::size_t count = named->nodes.size();
  const std::string many = count == 1 ? std::string() : fmt::format("{} nodes", count);
  audit(command.actor, what.close ? "node.drain" : "node.resume", named->name,
        many.empty() || what.reason.empty() ? many + what.reason : many + ": " + what.reason,
        TenantTree::root());
  return done(command, 0, static_cast<std::uint32_t>(count));
}

Reply Controller::order_tenant(const Command& command, const TenantOrder& what) {
  TenantId id = book_.tenant(what.path);
  const bool exists = id.valid();
  if (exists && what.create)
    return refused(command, {409, "tenant_exists", fmt::format("tenant {} exists already", what.path)});
  if (!exists && !what.create)
    return refused(command, {404, "unknown_tenant", fmt::format("there is no tenant {}", what.path)});
  if (what.price_plan && !what.price_plan->empty() && *what.price_plan != "default" &&
      !options_.prices.contains(*what.price_plan)) {
    std::string known = "default";
    for (const auto& [name, plan] : options_.prices) {
      if (name != known) known += ", " + name;
    }
    return refused(command, {422, "unknown_price_plan",
                             fmt::format("there is no price plan {}; there are: {} (gw serve --prices)",
                                         *what.price_plan, known)});
  }
  if (what.kind) {
    if (std::string problem = spec::unknown_kind(options_.law, *what.kind); !problem.empty())
      return refused(command, {422, "unknown_tenant_kind", "kind: " + problem});
  }
  QuotaRecord quota{"", exists ? book_.quota(id, "") : QuotaTerms{}};
  if (what.gpu_milli)
    quota.terms.limit_milli = *what.gpu_milli == 0 ? QuotaTerms::kUnlimited : *what.gpu_milli;
  if (exists && what.gpu_milli) {
    if (std::optional<Refusal> problem = quota_problem(book_, id, quota))
      return refused(command, std::move(*problem));
  }
  if (!exists) {
    const std::size_t slash = what.path.rfind('/');
    const std::string above = slash == std::string::npos ? "" : what.path.substr(0, slash);
    const TenantId parent = book_.tenant(above);
    if (!parent.valid())
      return refused(command,
                     {404, "unknown_tenant", fmt::format("there is no tenant {}; make it first", above)});
    if (book_.core->state().pending.fair_share().depth(parent) >= sched::FairShare::kMostDepth)
      return refused(command, {422, "too_deep", "the tenant tree is too deep"});
    TenantRecord record;
    record.id = TenantId{static_cast<std::uint32_t>(book_.tenants.size())};
    record.parent = parent;
    record.name = slash == std::string::npos ? what.path : what.path.substr(slash + 1);
    record.weight = what.weight.value_or(1);
    record.created = book_.now;
    id = book_.add_tenant(record);
    apply(sched::Event::tenant_added(parent, record.weight));
  }
  LiveTenant& tenant = book_.tenants[id.value()];
  TenantRecord& record = tenant.record;
  std::string detail;
  const auto set = [&](std::string_view what_it_is, auto& field, const auto& value) {
    if (!value || field == *value) return;
    detail += fmt::format("{}{}: {} -> {}", detail.empty() ? "" : ", ", what_it_is, field, *value);
    field = *value;
  };
  if (exists && what.weight && *what.weight != record.weight)
    apply(sched::Event::tenant_weight(id, *what.weight));
  set("weight", record.weight, what.weight);
  set("kind", record.kind, what.kind);
  set("home", record.home, what.home);
  if (what.owners && *what.owners != record.owners) {
    detail += fmt::format("{}ownership: {} -> {}", detail.empty() ? "" : ", ", fmt::join(record.owners, ","),
                          fmt::join(*what.owners, ","));
    record.owners = *what.owners;
  }
  law_due_ = law_due_ || (exists && (what.home || what.owners || what.kind));
  set("unix_user", record.unix_user, what.unix_user);
  set("price_plan", record.price_plan, what.price_plan);
  set("job limit", record.limits.jobs, what.jobs);
  if (what.gpu_milli) {
    std::int64_t before = std::max<std::int64_t>(book_.quota(id, "").limit_milli, 0);
    set("gpu limit (thousandths)", before, what.gpu_milli);
    set_quota(id, quota);
  }
  if (what.price_plan && book_.meter.in_use()) {  // What runs costs something else now.
    for (const auto& [number, job] : book_.jobs) {
      if (job.attempt) book_.meter.start(book_, options_.prices, *job.attempt);
    }
  }
  turn_.changes.tenants.push_back(record);
  audit(command.actor, exists ? "tenant.change" : "tenant.add", what.path, detail, id);
  return done(command);
}

Reply Controller::order_token(const Command& command, const TokenOrder& what) {
  if (what.add) {
    TokenRecord token = *what.add;
    if (token.tenant.value() >= book_.tenants.size())
      return refused(command, {404, "unknown_tenant", "there is no such tenant"});
    if (book_.tokens.contains(token.id))
      return refused(command, {409, "token_exists", "there is a token of that id"});
    token.created = book_.now;
    turn_.changes.tokens.push_back(token);
    audit(command.actor, "token.add", token.id,
          fmt::format("{} of {} for {}", name_of(token.role), token.user, book_.path(token.tenant)),
          token.tenant);
    book_.tokens.emplace(token.id, std::move(token));
  }
  if (!what.revoke.empty()) {
    const auto at = book_.tokens.find(what.revoke);
    if (at == book_.tokens.end() || !book_.is_within(at->second.tenant, command.actor.tenant))
      return refused(command, {404, "unknown_token", fmt::format("there is no token {}", what.revoke)});
    at->second.revoked = true;
    turn_.changes.tokens.push_back(at->second);
    audit(command.actor, "token.revoke", what.revoke, at->second.label, at->second.tenant);
  }
  return done(command);
}

}  // namespace gw::live
