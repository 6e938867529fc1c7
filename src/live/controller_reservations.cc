// Reservations: nodes that are kept for a tenant, a job or for maintenance, and why they cannot be.
#include <fmt/format.h>

#include <algorithm>

#include "live/controller.h"
#include "live/time_text.h"
#include "spec/job_json.h"

namespace gw::live {
namespace {

constexpr std::size_t kMostReservations = 1000;
constexpr std::size_t kMostNamed = 5;  ///< In a message.

}  // namespace

/// What stands in the way, and the nearest time at which nothing does. `preempt`: so it was asked for.
Refusal Controller::not_reserved(const sched::WindowAnswer& answer, bool preempt) const {
  using Bar = sched::WindowAnswer::Bar;
  if (answer.bar == Bar::kNodes)
    return {
        422, "too_few_nodes",
        "the factory has not so many nodes of that kind in service, together as asked for; ask for fewer"};
  std::string who;
  std::size_t count = 0;
  const auto add = [&](std::string_view name) {
    if (++count <= kMostNamed) who += fmt::format("{}{}", count == 1 ? "" : ", ", name);
  };
  for (const WindowId id : answer.windows) {
    for (const auto& [name, record] : book_.reservations) {
      if (record.id == id) add(name);
    }
  }
  for (const JobId id : answer.jobs) {
    const auto at = book_.by_core.find(id.value());
    if (at != book_.by_core.end()) add(fmt::format("job {}", at->second));
  }
  if (count > kMostNamed) who += fmt::format(" and {} more", count - kMostNamed);
  std::string message = answer.bar == Bar::kReserved ? "too many of the nodes are reserved then: " + who
                                                     : "jobs run on the nodes until later: " + who;
  if (answer.found)
    message += fmt::format("; the nearest time is {}", time_text(book_.unix_ns(answer.terms.from)));
  if (answer.bar == Bar::kRunning)
    message += preempt ? "; they may not be preempted, or would not be gone by then"
                       : "; --preempt tells those to go that may be preempted";
  return {409, answer.bar == Bar::kReserved ? "reserved" : "in_use", std::move(message)};
}

void Controller::end_reservation(ReservationRecord& record) {
  record.over = true;
  turn_.changes.reservations.push_back(record);
  reservation_over_ = true;
}

std::expected<WindowId, Refusal> Controller::reservation_named(const std::string& name,
                                                               TenantId tenant) const {
  const auto at = book_.reservations.find(name);
  const WindowTerms* terms =
      at == book_.reservations.end() ? nullptr : book_.core->state().windows.find(at->second.id);
  // Of other tenants' reservations nobody hears.
  if (terms == nullptr || !terms->tenant.valid() || !book_.is_within(tenant, terms->tenant))
    return std::unexpected(
        Refusal{422, "unknown_reservation",
                fmt::format("there is no reservation {} that tenant {} may use; gw reserve list shows them",
                            name, book_.path(tenant))});
  return at->second.id;
}

void Controller::hold_what_names_past_reservations() {
  for (auto& [number, job] : book_.jobs) {
    const WindowId window = job.request.window;
    if (!window.valid() || job.record.state == JobState::kRunning ||
        book_.core->state().windows.find(window) != nullptr)
      continue;
    job.request.window = WindowId{};
    const spec::Checked<JobSpec> spec =
        job.record.spec == nullptr ? JobSpec{} : spec::parse_job_json(*job.record.spec);
    job.record.note = fmt::format("{}{} is over; once released it may run anywhere", kReservationOverNote,
                                  spec ? spec->reservation : "");
    mark(job);
    if (job.record.state == JobState::kHeld) continue;
    withdraw(job);
    job.record.state = JobState::kHeld;
    note_held(job);
    Actor actor;
    actor.user = "factory";
    audit(actor, "job.hold", fmt::format("{}", number),
          "the reservation that it names is over; once released it may run anywhere", job.record.tenant);
  }
}

/// The core has ended those whose times are over or whose job has started.
void Controller::forget_past_reservations() {
  for (auto at = book_.reservations.begin(); at != book_.reservations.end();) {
    if (book_.core->state().windows.find(at->second.id) != nullptr) {
      ++at;
      continue;
    }
    end_reservation(at->second);
    at = book_.reservations.erase(at);
  }
}

Reply Controller::order_reservation(const Command& command, const ReserveOrder& what) {
  Reply reply;
  reply.ticket = command.ticket;
  const auto refuse = [&](Refusal refusal) {
    reply.refusal = std::move(refusal);
    return reply;
  };
  const auto known = book_.reservations.find(what.name);
  if (what.remove) {
    if (known == book_.reservations.end())
      return refuse({404, "unknown_reservation", fmt::format("there is no reservation {}", what.name)});
    if (book_.core->state().windows.find(known->second.id) != nullptr)
      apply(sched::Event::window_removed(known->second.id));
    end_reservation(known->second);
    book_.reservations.erase(known);
    audit(command.actor, "reservation.delete", what.name, "", TenantTree::root());
    return reply;
  }
  if (known != book_.reservations.end())
    return refuse({409, "reservation_exists",
                   fmt::format("reservation {} exists; delete it first, or take another name", what.name)});
  if (book_.reservations.size() >= kMostReservations)
    return refuse({429, "too_many_reservations",
                   fmt::format("the factory has {} reservations; delete some first", kMostReservations)});
  sched::WindowAnswer answer;
  std::string whose;
  if (what.job != 0) {
    const LiveJob* job = book_.job(what.job);
    if (job == nullptr || job->record.state != JobState::kWaiting)
      return refuse(
          {409, "not_waiting", fmt::format("job {} does not wait in the scheduler's queue", what.job)});
    const sched::Job* core_job = book_.core->job(job->record.core);
    if (core_job == nullptr || !core_job->waits)
      return refuse({409, "not_waiting", fmt::format("job {} is about to start", what.job)});
    answer = sched::promise_window(book_.core->state(), *core_job, what.slack, book_.now);
    if (answer.bar == sched::WindowAnswer::Bar::kQuota)
      return refuse(
          {409, "no_promise",
           fmt::format("nothing can be promised to job {}: the quota or budget of tenant {} does not "
                       "let it start, whoever ends; see gw explain {}",
                       what.job, book_.path(job->record.tenant), what.job)});
    if (!answer.found)
      return refuse(
          {409, "no_promise",
           fmt::format("nothing can be promised to job {}: no time is free for it by the limits of those "
                       "that run and the reservations that are made",
                       what.job)});
    whose = fmt::format("job {}", what.job);
  } else {
    answer = sched::find_window(book_.core->state(), what.wish, book_.now);
    if (answer.bar != sched::WindowAnswer::Bar::kNone)
      return refuse(not_reserved(answer, what.wish.terms.preempt));
    whose = what.wish.terms.tenant.valid() ? "tenant " + book_.path(what.wish.terms.tenant) : "maintenance";
  }
  const WindowId id{book_.next_window};
  if (!book_.core->may_add_window(id, answer.terms))
    return refuse(
        {422, "bad_reservation", std::string(sched::window_problem(answer.terms, book_.fleet.nodes()))});
  ++book_.next_window;
  apply(sched::Event::window_added(id, answer.terms));
  const ReservationRecord record{id, what.name, command.actor.user, what.note, book_.now, false};
  book_.reservations.emplace(what.name, record);
  turn_.changes.reservations.push_back(record);
  std::uint32_t nodes = 0;
  for (const NodeRun& run : answer.terms.nodes) nodes += run.count;
  audit(command.actor, "reservation.create", what.name,
        fmt::format("{} nodes from {} for {}", nodes, time_text(book_.unix_ns(answer.terms.from)), whose),
        answer.terms.tenant.valid() ? answer.terms.tenant : TenantTree::root());
  reply.number = id.value();
  reply.count = static_cast<std::uint32_t>(answer.jobs.size());
  return reply;
}

}  // namespace gw::live
