// The fitted workload generator: a scenario's demand as an endless-looking stream of jobs in order of
// submission.
//
// Model, equations and sources of the parameters: docs/workload-generator.md.
#pragma once

#include <cstdint>
#include <memory>

#include "model/fleet.h"
#include "model/tenant.h"
#include "model/workload_mix.h"
#include "workload/job_stream.h"

namespace gw::workload {

/// Jobs of `mix` submitted in [0, mix.duration). Each tenant's mean offered load (GPUs x run time per time)
/// is its TenantDemand::load. The same arguments give the same jobs on every machine and compiler; a tenant's
/// jobs of a class do not change when other tenants or classes come or go. Submit times, limits and run times
/// are whole seconds, so that a Standard Workload Format log of the jobs loses nothing. Memory is that of
/// tenants x classes. What `fleet` cannot run (an unknown GPU type) is an Error of the first next(). The
/// arguments are not referred to after the call. Bits of Shape::gpu_types are those of `fleet`.
std::unique_ptr<JobStream> make_generator(const WorkloadMix& mix, const Fleet& fleet,
                                          const TenantTree& tenants, std::uint64_t seed);

}  // namespace gw::workload
