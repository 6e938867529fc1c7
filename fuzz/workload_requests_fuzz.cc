// Feeds any bytes to the reader of recorded requests: no crash, requests in order and within bounds, no row
// lost.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "workload/request_trace.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool strict : {false, true}) {
    const auto source = gw::workload::memory_source(text, "fuzz");
    const auto trace = gw::workload::read_requests(*source, strict);
    if (!trace) {
      GW_CHECK(!trace.error().message.empty());
      continue;
    }
    GW_CHECK(!trace->requests.empty());
    gw::Nanoseconds last{};
    for (const gw::workload::TraceRequest& each : trace->requests) {
      GW_CHECK(each.arrival >= last);
      last = each.arrival;
      GW_CHECK(each.input >= 1 && each.output >= 1 && each.repeated < each.input);
    }
    std::uint64_t skipped = 0;
    for (const auto& [reason, entry] : trace->counts.skipped) skipped += entry.count;
    GW_CHECK(trace->counts.accepted == trace->requests.size());
    GW_CHECK(trace->counts.accepted + skipped == trace->counts.rows);
  }
  return 0;
}
