// Microsoft Philly 2017 (Jeon et al., USENIX ATC 2019): the published job log, and the table made of it for
// Pollux.
#pragma once

#include <memory>

#include "workload/job_reader.h"

namespace gw::workload {

/// `timestamp,duration,num_gpus,gpu_time,cluster` (Qiao et al., OSDI 2021): tenant = virtual cluster.
std::unique_ptr<JobReader> philly_table_reader(std::unique_ptr<ByteSource> source,
                                               const TraceOptions& options);

/// `cluster_job_log`, an array of JSON objects: tenant = virtual cluster and user; the run time is the sum of
/// all attempts; the shape is the last attempt's.
std::unique_ptr<JobReader> philly_log_reader(std::unique_ptr<ByteSource> source, const TraceOptions& options);

}  // namespace gw::workload
