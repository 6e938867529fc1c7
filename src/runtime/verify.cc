// Verification: the events of a journal through a fresh core must give its plans again, byte for byte.
#include <fmt/format.h>

#include <memory>

#include "runtime/journal.h"
#include "sched/codec.h"

namespace gw::runtime {
namespace {

/// A core under replay.
struct Replica {
  sched::Core core;
  explicit Replica(const JournalHeader& header) : core(header.fleet, header.policy) {}

  std::string plan_bytes(Instant now) {
    ByteWriter out;
    out.i64(now.count());
    sched::encode(out, core.plan(now));
    return out.take();
  }
};

}  // namespace

std::string check_event(const sched::Core& core, const sched::Event& event, Instant now, Instant last,
                        const Fleet& fleet) {
  using sched::EventKind;
  if (now < last) return "time goes back";
  if (now > sched::kLastInstant) return "a time is too far away";
  const sched::State& state = core.state();
  switch (event.kind) {
    case EventKind::kTenantAdded:
      if (event.parent.value() >= state.pending.tenants() || event.weight == 0)
        return "a tenant has no parent";
      if (state.pending.fair_share().depth(event.parent) >= sched::FairShare::kMostDepth)
        return "the tenant tree is too deep";
      return "";
    case EventKind::kJobSubmitted:
      if (!event.job.valid() || state.jobs.find(event.job) != nullptr ||
          event.job.value() >= state.next_job + sched::State::kMostReserved)
        return "a job's id is out of order";
      if (event.request.tenant.value() >= state.pending.tenants()) return "a job's tenant is unknown";
      return std::string(sched::request_problem(event.request));
    case EventKind::kJobEnded:
    case EventKind::kJobRequeued:
    case EventKind::kJobResized: {
      const sched::Job* job = core.job(event.job);
      return job != nullptr && job->running ? "" : "a job stops that does not run";
    }
    case EventKind::kTenantQuota:
      return event.tenant.value() < state.pending.tenants() && event.resource < state.quota.resources() &&
                     is_sensible(event.terms)
                 ? ""
                 : "a tenant's quota makes no sense";
    case EventKind::kTenantBudget:
      return event.tenant.value() < state.pending.tenants() ? "" : "a budget is of no tenant";
    case EventKind::kWindowAdded:
      return core.may_add_window(event.window, event.reserved) ? "" : "a window makes no sense";
    case EventKind::kWindowRemoved:
      return "";
    case EventKind::kJobCancelled:
      return core.job(event.job) != nullptr ? "" : "a job is cancelled that is not there";
    case EventKind::kJobZones:
      return core.job(event.job) != nullptr ? "" : "the zones of a job change that is not there";
    case EventKind::kTenantWeight:
      return event.tenant.value() < state.pending.tenants() && event.weight > 0
                 ? ""
                 : "a tenant's weight makes no sense";
    case EventKind::kFeedCap:
      return event.cap.count() >= 0 && event.cap <= sched::kMostPower &&
                     event.feed_level < fleet.feed.size() && event.feed_level < state.power.levels() &&
                     event.feed_vertex < fleet.feed[event.feed_level].partition.vertices()
                 ? ""
                 : "a feed's cap makes no sense";
    case EventKind::kFeedPrice:
      return event.feed_level < state.power.levels() &&
                     event.feed_vertex < state.power.vertices(event.feed_level) &&
                     price_problem(event.prices).empty()
                 ? ""
                 : "a feed's prices make no sense";
    case EventKind::kNodeDown:
    case EventKind::kNodeUp:
    case EventKind::kNodeClosed:
    case EventKind::kNodeReopened:
      return event.node.value() < fleet.nodes() ? "" : "a node is unknown";
  }
  return "an event is of an unknown kind";
}

Result<VerifyReport> verify_journal(JournalReader& reader) {
  VerifyReport report;
  const JournalHeader& header = reader.header();
  Replica whole(header);
  std::unique_ptr<Replica> resumed;
  Instant last;
  Instant batch;  // Of the events that await their plan.
  bool awaiting_plan = false;
  for (;;) {
    const std::uint64_t offset = reader.offset();
    const auto broken = [&](std::string_view what) { return fail(fmt::format("byte {}: {}", offset, what)); };
    Result<JournalRecord> record = reader.next();
    if (!record) return std::unexpected(record.error());
    if (const auto* events = std::get_if<EventsRecord>(&*record)) {
      if (awaiting_plan) return broken("events follow events without a plan");
      for (const sched::Event& event : events->events) {
        if (const std::string problem = check_event(whole.core, event, events->now, last, header.fleet);
            !problem.empty())
          return broken(problem);
        last = events->now;
        whole.core.apply(event, events->now);
        if (resumed) resumed->core.apply(event, events->now);
        ++report.events;
      }
      if (events->now < last || events->now > sched::kLastInstant) return broken("a time makes no sense");
      batch = events->now;
      awaiting_plan = true;
    } else if (const auto* plan = std::get_if<PlanRecord>(&*record)) {
      if (!awaiting_plan || plan->now != batch) return broken("a plan without its events");
      last = plan->now;
      if (whole.plan_bytes(plan->now) != plan->bytes)
        return broken(fmt::format("at {:.3f} s the core decides otherwise than the journal says",
                                  to_seconds(plan->now)));
      if (resumed && resumed->plan_bytes(plan->now) != plan->bytes)
        return broken(fmt::format("at {:.3f} s the core restored from a snapshot decides otherwise",
                                  to_seconds(plan->now)));
      awaiting_plan = false;
      ++report.batches;
      report.starts += plan->plan.starts.size();
    } else if (const auto* snapshot = std::get_if<SnapshotRecord>(&*record)) {
      if (awaiting_plan) return broken("a snapshot before its plan");
      if (whole.core.snapshot() != snapshot->bytes) return broken("the snapshot is not that of the core");
      resumed = std::make_unique<Replica>(header);
      if (!resumed->core.restore(snapshot->bytes)) return broken("the snapshot cannot be restored");
      ++report.snapshots;
    } else {
      if (awaiting_plan) return broken("the last plan is missing");
      return report;
    }
  }
}

Result<VerifyReport> verify_journal(const std::string& path) {
  Result<std::unique_ptr<JournalReader>> reader = JournalReader::open(path);
  if (!reader) return std::unexpected(reader.error());
  Result<VerifyReport> report = verify_journal(**reader);
  if (!report)
    return fail(report.error().message.starts_with(path)
                    ? report.error().message
                    : fmt::format("{}: {}", path, report.error().message));
  return report;
}

}  // namespace gw::runtime
