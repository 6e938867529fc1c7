// Bytes of events and plans, as journals keep them. The format is specified in docs/formats-journal.md.
#pragma once

#include "base/bytes.h"
#include "sched/events.h"

namespace gw::sched {

void encode(ByteWriter& out, const Shape& shape);
void encode(ByteWriter& out, const JobRequest& request);
void encode(ByteWriter& out, const Placement& placement);
void encode(ByteWriter& out, const QuotaTerms& terms);
void encode(ByteWriter& out, const WindowTerms& terms);
void encode(ByteWriter& out, const PriceCurve& curve);
void encode(ByteWriter& out, const Event& event);
void encode(ByteWriter& out, const Plan& plan);

/// Each decoder gives something sane on any bytes; `in.ok()` says whether it was what had been encoded.
Shape decode_shape(ByteReader& in);
JobRequest decode_request(ByteReader& in);
Placement decode_placement(ByteReader& in);
QuotaTerms decode_terms(ByteReader& in);
WindowTerms decode_window(ByteReader& in);
PriceCurve decode_prices(ByteReader& in);
Event decode_event(ByteReader& in);
Plan decode_plan(ByteReader& in);

}  // namespace gw::sched
