// Feeds any bytes to the readers of published tables and of Philly's JSON log, and to the node lists: the
// first byte picks one.
#include <cstddef>
#include <cstdint>

#include "workload/node_list.h"
#include "workload_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gw::workload::TraceFormat;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  gw::workload::TraceOptions options;
  switch (data[0]) {
    case '0':
      break;  // Found out from the text.
    case '1':
      options.format = TraceFormat::kAlibabaGpu2023;
      break;
    case '2':
      options.format = TraceFormat::kAlibabaPai2020;
      break;
    case '3':
      options.format = TraceFormat::kPhilly;
      break;
    case '4':
      options.format = TraceFormat::kHelios;
      break;
    case '5':
      options.format = TraceFormat::kAcme;
      break;
    case '6': {
      const gw::Result<gw::Fleet> fleet =
          text.size() > 4096 ? gw::fail("long") : read_node_list(gw::workload::memory_source(text, "fuzz"));
      if (fleet) GW_CHECK(gw::check_fleet(*fleet).empty());
      return 0;
    }
    default:
      return 0;
  }
  gw::workload::check_trace(text, options);
  options.strict = true;
  gw::workload::check_trace(text, options);
  return 0;
}
