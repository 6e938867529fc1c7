// Alibaba's GPU cluster traces: gpu-v2023 (pods of a Kubernetes cluster) and gpu-v2020 (PAI tasks).
#pragma once

#include <memory>

#include "workload/job_reader.h"

namespace gw::workload {

/// Pod list of cluster-trace-gpu-v2023 (Weng et al., "Beware of Fragmentation", USENIX ATC 2023): one pod,
/// one job on one node, from its scheduling to its deletion.
std::unique_ptr<JobReader> alibaba_gpu_2023_reader(std::unique_ptr<ByteSource> source,
                                                   const TraceOptions& options);

/// cluster-trace-gpu-v2020 (Weng et al., "MLaaS in the Wild", NSDI 2022): pai_task_table.csv with or without
/// a header (one task, one job), or the one-table samples of its simulator (job_id, num_inst, submit_time,
/// ...).
std::unique_ptr<JobReader> alibaba_pai_2020_reader(std::unique_ptr<ByteSource> source,
                                                   const TraceOptions& options);

}  // namespace gw::workload
