// The Standard Workload Format 2.2 of the Parallel Workloads Archive (Feitelson; Chapin et al., JSSPP 1999).
#pragma once

#include <memory>

#include "workload/job_reader.h"

namespace gw::workload {

/// A job asks for `gpus` processors anywhere (Shape::nodes == 0). docs/formats-traces.md has the rules.
std::unique_ptr<JobReader> swf_reader(std::unique_ptr<ByteSource> source, const TraceOptions& options);

}  // namespace gw::workload
