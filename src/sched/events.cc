// Constructors of events and names of reasons.
#include "sched/events.h"

#include <algorithm>

namespace gw::sched {

Event Event::tenant_added(TenantId parent, std::uint32_t weight) {
  Event event;
  event.kind = EventKind::kTenantAdded;
  event.parent = parent;
  event.weight = weight;
  return event;
}

Event Event::job_submitted(JobId job, const JobRequest& request) {
  Event event;
  event.kind = EventKind::kJobSubmitted;
  event.job = job;
  event.request = request;
  return event;
}

Event Event::job_ended(JobId job) {
  Event event;
  event.kind = EventKind::kJobEnded;
  event.job = job;
  return event;
}

Event Event::job_cancelled(JobId job) {
  Event event;
  event.kind = EventKind::kJobCancelled;
  event.job = job;
  return event;
}

Event Event::job_requeued(JobId job) {
  Event event;
  event.kind = EventKind::kJobRequeued;
  event.job = job;
  return event;
}

Event Event::node_down(NodeId node) {
  Event event;
  event.kind = EventKind::kNodeDown;
  event.node = node;
  return event;
}

Event Event::node_up(NodeId node) {
  Event event;
  event.kind = EventKind::kNodeUp;
  event.node = node;
  return event;
}

Event Event::node_closed(NodeId node) {
  Event event;
  event.kind = EventKind::kNodeClosed;
  event.node = node;
  return event;
}

Event Event::node_reopened(NodeId node) {
  Event event;
  event.kind = EventKind::kNodeReopened;
  event.node = node;
  return event;
}

Event Event::tenant_weight(TenantId tenant, std::uint32_t weight) {
  Event event;
  event.kind = EventKind::kTenantWeight;
  event.tenant = tenant;
  event.weight = weight;
  return event;
}

Event Event::tenant_quota(TenantId tenant, QuotaResource resource, const QuotaTerms& terms) {
  Event event;
  event.kind = EventKind::kTenantQuota;
  event.tenant = tenant;
  event.resource = resource;
  event.terms = terms;
  return event;
}

Event Event::tenant_budget(TenantId tenant, BudgetState state) {
  Event event;
  event.kind = EventKind::kTenantBudget;
  event.tenant = tenant;
  event.budget = state;
  return event;
}

Event Event::window_added(WindowId window, const WindowTerms& terms) {
  Event event;
  event.kind = EventKind::kWindowAdded;
  event.window = window;
  event.reserved = terms;
  return event;
}

Event Event::window_removed(WindowId window) {
  Event event;
  event.kind = EventKind::kWindowRemoved;
  event.window = window;
  return event;
}

std::string_view window_problem(const WindowTerms& terms, std::uint32_t fleet_nodes) {
  if (terms.length <= Nanoseconds{0} || terms.length > kLongestSpan)
    return "a window's length makes no sense";
  if (terms.from < Instant{} || terms.from > kLastInstant) return "a window's time makes no sense";
  if (terms.every < Nanoseconds{0} || terms.every > kLongestSpan ||
      (terms.every > Nanoseconds{0} && terms.every < terms.length))
    return "a window repeats before it is over";
  if (terms.every > Nanoseconds{0} && terms.until <= terms.from) return "a window ends before it begins";
  if (terms.until != Instant::max() && terms.until > kLastInstant) return "a window's end makes no sense";
  if (terms.every > Nanoseconds{0} && terms.until != Instant::max() &&
      (terms.until - terms.from) / terms.every >= kMostWindowTimes)
    return "a window with an end repeats more than 100,000 times";
  if (terms.tenant.valid() && terms.job.valid()) return "a window is for a tenant and for a job";
  if (terms.nodes.empty()) return "a window has no nodes";
  std::uint64_t next = 0;
  for (const NodeRun& run : terms.nodes) {
    if (run.count == 0 || run.first.value() < next) return "a window's nodes are out of order";
    next = std::uint64_t{run.first.value()} + run.count;
    if (next > fleet_nodes) return "a window's nodes are not in the fleet";
  }
  return {};
}

Event Event::feed_cap(std::uint32_t level, std::uint32_t vertex, Milliwatts cap, bool clocks) {
  Event event;
  event.kind = EventKind::kFeedCap;
  event.feed_level = level;
  event.feed_vertex = vertex;
  event.cap = cap;
  event.clocks = clocks;
  return event;
}

Event Event::feed_price(std::uint32_t level, std::uint32_t vertex, PriceCurve prices) {
  Event event;
  event.kind = EventKind::kFeedPrice;
  event.feed_level = level;
  event.feed_vertex = vertex;
  event.prices = std::move(prices);
  return event;
}

Event Event::job_zones(JobId job, std::uint64_t zones) {
  Event event;
  event.kind = EventKind::kJobZones;
  event.job = job;
  event.zones = zones;
  return event;
}

Event Event::job_resized(JobId job) {
  Event event;
  event.kind = EventKind::kJobResized;
  event.job = job;
  return event;
}

std::string_view request_problem(const JobRequest& request) {
  const Shape& shape = request.shape;
  if (request.limit <= Nanoseconds{0}) return "a job's limit is not positive";
  if (request.submit < Instant{} || request.submit > kLastInstant)
    return "a job's time of submission makes no sense";
  if (shape.gpu_milli != 0 && (shape.gpu_milli >= 1000 || shape.nodes != 1 || shape.gpus != 0))
    return "a job's share of a GPU makes no sense";
  if (std::uint64_t{shape.gpus} * std::max(shape.nodes, 1U) > std::uint64_t{kMostGpus})
    return "a job asks for too many GPUs to count";
  if (shape.cpu_milli < 0 || shape.cpu_milli > kMostSideUnits || shape.memory_mib < 0 ||
      shape.memory_mib > kMostSideUnits)
    return "a job's wish for CPU or memory makes no sense";
  if (request.power_permille == 0 || request.power_permille > 1000)
    return "a job's share of its nodes' power makes no sense";
  if (request.deadline < Instant{} || request.deadline > kLastInstant)
    return "a job's deadline makes no sense";
  const bool gang = shape.nodes > 0 && shape.gpu_milli == 0;
  if (shape.segment_nodes != 0 &&
      (!gang || shape.nodes % shape.segment_nodes != 0 || shape.segment_level == Shape::kAnyLevel ||
       shape.spread_level != Shape::kAnyLevel))
    return "a job's blocks of nodes make no sense";
  if (shape.spread_level != Shape::kAnyLevel && !gang)
    return "a job that is to be spread has no nodes to spread";
  if (request.is_elastic() || request.nodes_min != 0) {
    if (!gang || request.nodes_min == 0 || request.nodes_min > shape.nodes || shape.nodes > request.nodes_max)
      return "an elastic job's numbers of nodes make no sense";
    if (std::uint64_t{shape.gpus} * request.nodes_max > std::uint64_t{kMostGpus})
      return "a job asks for too many GPUs to count";
    if (shape.is_grouped()) return "an elastic job's nodes cannot be in blocks or spread";
  }
  return {};
}

std::string_view reason_name(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "none";
    case Reason::kOrder:
      return "order";
    case Reason::kCapacity:
      return "capacity";
    case Reason::kFragmentation:
      return "fragmentation";
    case Reason::kTopology:
      return "topology";
    case Reason::kSideResources:
      return "side-resources";
    case Reason::kReservation:
      return "reservation";
    case Reason::kNever:
      return "never";
    case Reason::kQuota:
      return "quota";
    case Reason::kBudget:
      return "budget";
    case Reason::kRule:
      return "rule";
    case Reason::kPower:
      return "power";
    case Reason::kWindow:
      return "window";
    case Reason::kSpread:
      return "spread";
    case Reason::kCheaperLater:
      return "cheaper-later";
    case Reason::kGrace:
      return "grace";
  }
  return "unknown";
}

std::string_view reason_text(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "nothing holds it back";
    case Reason::kOrder:
      return "jobs before it in the order must start first";
    case Reason::kCapacity:
      return "fewer GPUs of its kind are free than it needs";
    case Reason::kFragmentation:
      return "enough GPUs are free, but not together as it needs them";
    case Reason::kTopology:
      return "enough nodes are free, but not inside one part of the fabric as it requires";
    case Reason::kSideResources:
      return "enough GPUs are free, but not with the CPU or memory it asks for";
    case Reason::kReservation:
      return "it would delay the job that holds the reservation";
    case Reason::kNever:
      return "no part of the fleet could ever hold it";
    case Reason::kQuota:
      return "its tenant, or one above it, has all that its quota gives it";
    case Reason::kBudget:
      return "its tenant, or one above it, has spent its budget";
    case Reason::kRule:
      return "a rule forbids it every part of the fleet that could hold it";
    case Reason::kPower:
      return "the feeds above the free GPUs cannot carry more load";
    case Reason::kWindow:
      return "it would run into a time for which the nodes are reserved";
    case Reason::kSpread:
      return "its replicas, or those of others, must keep apart";
    case Reason::kCheaperLater:
      return "it waits for a cheaper or greener hour, which still meets its deadline";
    case Reason::kGrace:
      return "the jobs that make room for it are saving their work";
  }
  return "unknown";
}

}  // namespace gw::sched
