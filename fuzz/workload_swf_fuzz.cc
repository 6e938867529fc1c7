// Feeds any bytes to the reader of SWF logs, lenient and strict.
#include <cstddef>
#include <cstdint>

#include "workload_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  gw::workload::TraceOptions options;
  options.format = gw::workload::TraceFormat::kSwf;
  options.use_memory = size % 2 == 1;
  gw::workload::check_trace(text, options);
  options.strict = true;
  options.max_processors = 1000;
  gw::workload::check_trace(text, options);
  return 0;
}
