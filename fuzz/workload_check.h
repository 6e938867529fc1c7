// What must hold for every input of the trace readers: no crash, jobs in order and within bounds, no row
// lost.
#pragma once

#include <string_view>

#include "base/check.h"
#include "workload/trace.h"

namespace gw::workload {

inline void check_shape(const Shape& shape, std::size_t gpu_types) {
  if (shape.gpu_milli != 0) GW_CHECK(shape.gpu_milli < 1000 && shape.nodes == 1 && shape.gpus == 0);
  if (shape.nodes == 0) GW_CHECK(shape.gpus > 0);
  GW_CHECK(shape.cpu_milli >= 0 && shape.memory_mib >= 0);
  if (gpu_types < 64) GW_CHECK(shape.gpu_types >> gpu_types == 0);
}

/// Reads `text` to its end in the given format (none: found out).
inline void check_trace(std::string_view text, const TraceOptions& options) {
  const auto opened = open_trace(memory_source(text, "fuzz"), options);
  if (!opened) {
    GW_CHECK(!opened.error().message.empty());
    return;
  }
  TraceStream& stream = **opened;
  GW_CHECK(!stream.classes().empty());
  TraceJob job;
  std::uint64_t jobs = 0;
  Instant last{};
  for (;;) {
    const Result<bool> there = stream.next(job);
    if (!there) {
      GW_CHECK(!there.error().message.empty());
      return;
    }
    if (!*there) break;
    ++jobs;
    GW_CHECK(job.request.submit >= last);
    last = job.request.submit;
    GW_CHECK(!job.id.empty());
    GW_CHECK(job.request.limit > Nanoseconds{} && job.request.limit <= kLongestSpan);
    GW_CHECK(job.truth.run_time >= Nanoseconds{} && job.truth.run_time <= job.request.limit);
    GW_CHECK(job.request.submit.count() <= Instant::max().count() - job.request.limit.count());
    GW_CHECK(job.request.tenant != TenantTree::root() &&
             job.request.tenant.value() < stream.tenants().size());
    GW_CHECK(job.job_class < stream.classes().size());
    check_shape(job.request.shape, stream.gpu_types().size());
  }
  const RowCounts& counts = stream.counts();
  std::uint64_t skipped = 0;
  for (const auto& [reason, entry] : counts.skipped) {
    GW_CHECK(!reason.empty() && entry.count > 0 && entry.first.starts_with("fuzz:"));
    skipped += entry.count;
  }
  GW_CHECK(counts.accepted == jobs && counts.accepted + skipped == counts.rows);
}

}  // namespace gw::workload
