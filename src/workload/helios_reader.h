// SenseTime Helios 2020 (cluster_log.csv) and Shanghai AI Lab Acme 2023 (trace_seren.csv, trace_kalos.csv).
#pragma once

#include <memory>

#include "workload/job_reader.h"

namespace gw::workload {

/// `format` is kHelios (Hu et al., SC 2021) or kAcme (Hu et al., NSDI 2024); the columns are nearly the same,
/// and each reads the other's. Tenant = virtual cluster and user; class = Acme's workload type.
std::unique_ptr<JobReader> helios_reader(std::unique_ptr<ByteSource> source, const TraceOptions& options,
                                         TraceFormat format);

}  // namespace gw::workload
