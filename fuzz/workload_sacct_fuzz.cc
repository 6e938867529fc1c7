// Feeds any bytes to the reader of Slurm's accounting, lenient and strict.
#include <cstddef>
#include <cstdint>

#include "workload_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  gw::workload::TraceOptions options;
  options.format = gw::workload::TraceFormat::kSacct;
  gw::workload::check_trace(text, options);
  options.strict = true;
  gw::workload::check_trace(text, options);
  return 0;
}
