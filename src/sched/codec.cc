// Encoders and decoders of events and plans.
#include "sched/codec.h"

namespace gw::sched {

void encode(ByteWriter& out, const Shape& shape) {
  out.u64(shape.nodes);
  out.u64(shape.gpus);
  out.u64(shape.gpu_milli);
  out.i64(shape.cpu_milli);
  out.i64(shape.memory_mib);
  out.u64(shape.gpu_types);
  out.u64(shape.level);
  out.u64(shape.level_required ? 1 : 0);
  out.u64(shape.zones);
  out.u64(shape.segment_nodes);
  out.u64(shape.segment_level);
  out.u64(shape.spread_level);
  out.u64(shape.spread_required ? 1 : 0);
}

Shape decode_shape(ByteReader& in) {
  Shape shape;
  shape.nodes = in.u32();
  shape.gpus = in.u32();
  shape.gpu_milli = in.u32();
  shape.cpu_milli = in.i64();
  shape.memory_mib = in.i64();
  shape.gpu_types = in.u64();
  shape.level = in.u8();
  shape.level_required = in.u64() != 0;
  shape.zones = in.u64();
  shape.segment_nodes = in.u32();
  shape.segment_level = in.u8();
  shape.spread_level = in.u8();
  shape.spread_required = in.u64() != 0;
  return shape;
}

void encode(ByteWriter& out, const JobRequest& request) {
  encode(out, request.shape);
  out.u64(request.tenant.value());
  out.i64(request.submit.count());
  out.i64(request.limit.count());
  out.i64(request.priority);
  out.i64(request.checkpoint_interval.count());
  out.u64(request.preemptible ? 1 : 0);
  out.u64(request.power_permille);
  out.u64(request.flexible ? 1 : 0);
  out.i64(request.deadline.count());
  out.u64(static_cast<std::uint32_t>(request.window.value() + 1));  // None is the commonest: a byte.
  out.u64(request.keep_on_failure ? 1 : 0);
  out.u64(request.nodes_min);
  out.u64(request.nodes_max);
}

JobRequest decode_request(ByteReader& in) {
  JobRequest request;
  request.shape = decode_shape(in);
  request.tenant = TenantId{in.u32()};
  request.submit = Instant{in.i64()};
  request.limit = Nanoseconds{in.i64()};
  request.priority = static_cast<std::int32_t>(in.i64());
  request.checkpoint_interval = Nanoseconds{in.i64()};
  request.preemptible = in.u64() != 0;
  request.power_permille = in.u32();
  request.flexible = in.u64() != 0;
  request.deadline = Instant{in.i64()};
  request.window = WindowId{in.u32() - 1};
  request.keep_on_failure = in.u64() != 0;
  request.nodes_min = in.u32();
  request.nodes_max = in.u32();
  return request;
}

void encode(ByteWriter& out, const Placement& placement) {
  out.u64(placement.pool);
  out.u64(placement.span);
  out.u64(placement.pieces.size());
  for (const Piece& piece : placement.pieces) {
    out.u64(piece.node);
    out.u64(piece.count);
    out.u64(piece.gpu_mask);
  }
}

Placement decode_placement(ByteReader& in) {
  Placement placement;
  placement.pool = in.u32();
  placement.span = in.u8();
  // Grown as it is read: a damaged count must not take memory that the bytes cannot fill.
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    Piece& piece = placement.pieces.emplace_back();
    piece.node = in.u32();
    piece.count = in.u32();
    piece.gpu_mask = in.u64();
  }
  return placement;
}

void encode(ByteWriter& out, const QuotaTerms& terms) {
  out.i64(terms.guaranteed_milli);
  out.i64(terms.borrow_milli);
  out.i64(terms.lend_milli);
  out.i64(terms.limit_milli);
}

QuotaTerms decode_terms(ByteReader& in) {
  QuotaTerms terms;
  terms.guaranteed_milli = in.i64();
  terms.borrow_milli = in.i64();
  terms.lend_milli = in.i64();
  terms.limit_milli = in.i64();
  if (!is_sensible(terms)) in.refuse();
  return terms;
}

void encode(ByteWriter& out, const WindowTerms& terms) {
  out.u64(static_cast<std::uint32_t>(terms.tenant.value() + 1));
  out.u64(static_cast<std::uint32_t>(terms.job.value() + 1));
  out.i64(terms.from.count());
  out.i64(terms.length.count());
  out.i64(terms.every.count());
  out.i64(terms.until.count());
  out.u64(terms.preempt ? 1 : 0);
  out.u64(terms.nodes.size());
  for (const NodeRun& run : terms.nodes) {
    out.u64(run.first.value());
    out.u64(run.count);
  }
}

WindowTerms decode_window(ByteReader& in) {
  WindowTerms terms;
  terms.tenant = TenantId{in.u32() - 1};
  terms.job = JobId{in.u32() - 1};
  terms.from = Instant{in.i64()};
  terms.length = Nanoseconds{in.i64()};
  terms.every = Nanoseconds{in.i64()};
  terms.until = Instant{in.i64()};
  terms.preempt = in.u64() != 0;
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    NodeRun& run = terms.nodes.emplace_back();
    run.first = NodeId{in.u32()};
    run.count = in.u32();
  }
  if (!window_problem(terms, UINT32_MAX).empty()) in.refuse();
  return terms;
}

void encode(ByteWriter& out, const PriceCurve& curve) {
  out.u64(curve.size());
  for (const PriceStep& step : curve) {
    out.i64(step.from.count());
    out.i64(step.price);
  }
}

PriceCurve decode_prices(ByteReader& in) {
  PriceCurve curve;
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    const Instant from{in.i64()};
    curve.push_back({from, in.i64()});
  }
  if (!price_problem(curve).empty()) in.refuse();
  return curve;
}

void encode(ByteWriter& out, const Event& event) {
  out.u64(static_cast<std::uint64_t>(event.kind));
  switch (event.kind) {
    case EventKind::kTenantAdded:
      out.u64(event.parent.value());
      out.u64(event.weight);
      return;
    case EventKind::kJobSubmitted:
      out.u64(event.job.value());
      encode(out, event.request);
      return;
    case EventKind::kJobEnded:
    case EventKind::kJobCancelled:
    case EventKind::kJobRequeued:
    case EventKind::kJobResized:
      out.u64(event.job.value());
      return;
    case EventKind::kNodeDown:
    case EventKind::kNodeUp:
    case EventKind::kNodeClosed:
    case EventKind::kNodeReopened:
      out.u64(event.node.value());
      return;
    case EventKind::kTenantWeight:
      out.u64(event.tenant.value());
      out.u64(event.weight);
      return;
    case EventKind::kTenantQuota:
      out.u64(event.tenant.value());
      out.u64(event.resource);
      encode(out, event.terms);
      return;
    case EventKind::kTenantBudget:
      out.u64(event.tenant.value());
      out.u64(static_cast<std::uint64_t>(event.budget));
      return;
    case EventKind::kWindowAdded:
      out.u64(event.window.value());
      encode(out, event.reserved);
      return;
    case EventKind::kWindowRemoved:
      out.u64(event.window.value());
      return;
    case EventKind::kFeedCap:
      out.u64(event.feed_level);
      out.u64(event.feed_vertex);
      out.i64(event.cap.count());
      out.u64(event.clocks ? 1 : 0);
      return;
    case EventKind::kFeedPrice:
      out.u64(event.feed_level);
      out.u64(event.feed_vertex);
      encode(out, event.prices);
      return;
    case EventKind::kJobZones:
      out.u64(event.job.value());
      out.u64(event.zones);
      return;
  }
}

Event decode_event(ByteReader& in) {
  Event event;
  const std::uint8_t kind = in.u8();
  event.kind = static_cast<EventKind>(kind);
  switch (event.kind) {
    case EventKind::kTenantAdded:
      event.parent = TenantId{in.u32()};
      event.weight = in.u32();
      return event;
    case EventKind::kJobSubmitted:
      event.job = JobId{in.u32()};
      event.request = decode_request(in);
      return event;
    case EventKind::kJobEnded:
    case EventKind::kJobCancelled:
    case EventKind::kJobRequeued:
    case EventKind::kJobResized:
      event.job = JobId{in.u32()};
      return event;
    case EventKind::kNodeDown:
    case EventKind::kNodeUp:
    case EventKind::kNodeClosed:
    case EventKind::kNodeReopened:
      event.node = NodeId{in.u32()};
      return event;
    case EventKind::kTenantWeight:
      event.tenant = TenantId{in.u32()};
      event.weight = in.u32();
      return event;
    case EventKind::kTenantQuota: {
      event.tenant = TenantId{in.u32()};
      const std::uint64_t resource = in.u64();
      event.resource = static_cast<QuotaResource>(resource);
      event.terms = decode_terms(in);
      if (resource > UINT16_MAX) in.refuse();
      return event;
    }
    case EventKind::kTenantBudget: {
      event.tenant = TenantId{in.u32()};
      const std::uint8_t state = in.u8();
      if (state > static_cast<std::uint8_t>(BudgetState::kStopAll)) in.refuse();
      event.budget = static_cast<BudgetState>(state);
      return event;
    }
    case EventKind::kWindowAdded:
      event.window = WindowId{in.u32()};
      event.reserved = decode_window(in);
      return event;
    case EventKind::kWindowRemoved:
      event.window = WindowId{in.u32()};
      return event;
    case EventKind::kFeedCap:
      event.feed_level = in.u32();
      event.feed_vertex = in.u32();
      event.cap = Milliwatts{in.i64()};
      event.clocks = in.u64() != 0;
      return event;
    case EventKind::kFeedPrice:
      event.feed_level = in.u32();
      event.feed_vertex = in.u32();
      event.prices = decode_prices(in);
      return event;
    case EventKind::kJobZones:
      event.job = JobId{in.u32()};
      event.zones = in.u64();
      return event;
  }
  in.refuse();
  return event;
}

void encode(ByteWriter& out, const Plan& plan) {
  out.u64(plan.interrupted.size());
  for (const JobId job : plan.interrupted) out.u64(job.value());
  out.u64(plan.rejections.size());
  for (const Plan::Rejection& rejection : plan.rejections) {
    out.u64(rejection.job.value());
    out.u64(static_cast<std::uint64_t>(rejection.reason));
  }
  out.u64(plan.starts.size());
  for (const Plan::Start& start : plan.starts) {
    out.u64(start.job.value());
    encode(out, start.placement);
  }
  out.u64(plan.preemptions.size());
  for (const Plan::Preemption& preemption : plan.preemptions) {
    out.u64(preemption.job.value());
    out.u64(preemption.for_job.value());
  }
  out.u64(plan.stopped.size());
  for (const JobId job : plan.stopped) out.u64(job.value());
  out.u64(plan.clocks.size());
  for (const Plan::Clock& clock : plan.clocks) {
    out.u64(clock.job.value());
    out.u64(clock.permille);
  }
  out.u64(plan.replacements.size());
  for (const Plan::Replacement& replacement : plan.replacements) {
    out.u64(replacement.job.value());
    out.u64(replacement.failed.value());
    out.u64(replacement.spare.value());
  }
  out.u64(plan.resizes.size());
  for (const Plan::Resize& resize : plan.resizes) {
    out.u64(resize.job.value());
    encode(out, resize.placement);
    out.u64(resize.grows ? 1 : 0);
  }
}

Plan decode_plan(ByteReader& in) {
  Plan plan;
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) plan.interrupted.emplace_back(in.u32());
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    Plan::Rejection& rejection = plan.rejections.emplace_back();
    rejection.job = JobId{in.u32()};
    const std::uint8_t reason = in.u8();
    if (reason >= kReasons) in.refuse();
    rejection.reason = static_cast<Reason>(reason < kReasons ? reason : 0);
  }
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    Plan::Start& start = plan.starts.emplace_back();
    start.job = JobId{in.u32()};
    start.placement = decode_placement(in);
  }
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    Plan::Preemption& preemption = plan.preemptions.emplace_back();
    preemption.job = JobId{in.u32()};
    preemption.for_job = JobId{in.u32()};
  }
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) plan.stopped.emplace_back(in.u32());
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    Plan::Clock& clock = plan.clocks.emplace_back();
    clock.job = JobId{in.u32()};
    clock.permille = in.u32();
    if (clock.permille == 0 || clock.permille > 1000) in.refuse();
  }
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    Plan::Replacement& replacement = plan.replacements.emplace_back();
    replacement.job = JobId{in.u32()};
    replacement.failed = NodeId{in.u32()};
    replacement.spare = NodeId{in.u32()};
  }
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    Plan::Resize& resize = plan.resizes.emplace_back();
    resize.job = JobId{in.u32()};
    resize.placement = decode_placement(in);
    resize.grows = in.u64() != 0;
  }
  return plan;
}

}  // namespace gw::sched
