// Quota check: what speaks against terms that are set for a tenant, or only tried.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "live/book.h"
#include "live/commands.h"
#include "sched/state.h"

namespace gw::live {

/// `16`, or `none` of what is not limited.
std::string quota_gpus_text(std::int64_t milli);

/// All GPUs for an empty name; none if the fleet has no such GPUs.
std::optional<QuotaResource> resource_of(const Fleet& fleet, const std::string& gpu_type);

/// 404, `unknown_gpu_type`, with those that there are.
Refusal unknown_gpu_type(const Fleet& fleet, const std::string& gpu_type);

/// What speaks against terms of `id`; those that hold may be promises that nobody could keep. `before`: terms
/// of tenants for the same GPUs that count in place of those that hold.
std::optional<Refusal> quota_problem(const Book& book, TenantId id, const QuotaRecord& record,
                                     std::span<const std::pair<TenantId, QuotaTerms>> before = {});

/// What of limits keeps such a job from all GPUs of the types that it takes, with nothing else running.
sched::QuotaTree::Answer never_permitted(const sched::State& state, const JobRequest& request);

}  // namespace gw::live
