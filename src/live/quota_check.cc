// What speaks against a tenant's quota.
#include "live/quota_check.h"

#include <fmt/format.h>

namespace gw::live {

std::string quota_gpus_text(std::int64_t milli) {
  return milli == QuotaTerms::kUnlimited ? "none" : fmt::format("{:g}", static_cast<double>(milli) / 1000);
}

namespace {

/// `16 h100 GPUs`, `16 GPUs`.
std::string amount_text(std::int64_t milli, const std::string& gpu_type) {
  return fmt::format("{} {}GPUs", quota_gpus_text(milli), gpu_type.empty() ? "" : gpu_type + " ");
}

}  // namespace

std::optional<QuotaResource> resource_of(const Fleet& fleet, const std::string& gpu_type) {
  if (gpu_type.empty()) return kAllGpus;
  for (std::size_t type = 0; type < fleet.gpu_types.size(); ++type) {
    if (fleet.gpu_types[type].name == gpu_type) return static_cast<QuotaResource>(type + 1);
  }
  return std::nullopt;
}

Refusal unknown_gpu_type(const Fleet& fleet, const std::string& gpu_type) {
  std::string known;
  for (const GpuType& type : fleet.gpu_types) known += (known.empty() ? "" : ", ") + type.name;
  return {404, "unknown_gpu_type",
          fmt::format("this factory has no GPU type \"{}\"; it has: {}", gpu_type,
                      known.empty() ? "none" : known)};
}

std::optional<Refusal> quota_problem(const Book& book, TenantId id, const QuotaRecord& record,
                                     std::span<const std::pair<TenantId, QuotaTerms>> before) {
  const QuotaTerms& terms = record.terms;
  const std::string& path = book.path(id);
  if (!is_sensible(terms)) return Refusal{422, "bad_quota", "amounts must not be negative"};
  const std::optional<QuotaResource> resource = resource_of(book.fleet, record.gpu_type);
  if (!resource) return unknown_gpu_type(book.fleet, record.gpu_type);
  const auto refuse = [&](std::string message) {
    return Refusal{422, "quota_too_large", std::move(message)};
  };
  const auto guaranteed_before = [&](TenantId tenant) {
    for (std::size_t index = before.size(); index-- > 0;) {
      if (before[index].first == tenant) return before[index].second.guaranteed_milli;
    }
    return book.quota(tenant, record.gpu_type).guaranteed_milli;
  };
  const auto guaranteed = [&](TenantId tenant) {
    return tenant == id ? terms.guaranteed_milli : guaranteed_before(tenant);
  };
  if (terms.limit_milli != QuotaTerms::kUnlimited && terms.guaranteed_milli > terms.limit_milli)
    return refuse(fmt::format(
        "{} would be guaranteed {}, more than its limit of {}; raise --limit, or "
        "lower --guaranteed",
        path, amount_text(terms.guaranteed_milli, record.gpu_type), quota_gpus_text(terms.limit_milli)));
  std::int64_t below = 0, beside = 0;
  const TenantId parent = book.tenants[id.value()].record.parent;
  for (const LiveTenant& tenant : book.tenants) {
    if (tenant.record.parent == id) below += guaranteed(tenant.record.id);
    if (tenant.record.parent == parent && parent.valid()) beside += guaranteed(tenant.record.id);
  }
  if (below > terms.guaranteed_milli)
    return refuse(
        fmt::format("what is guaranteed below {} sums up to {}, more than the {} of its own; "
                    "lower the guarantees below it first",
                    path, amount_text(below, record.gpu_type), quota_gpus_text(terms.guaranteed_milli)));
  if (terms.guaranteed_milli <= guaranteed_before(id)) return std::nullopt;
  if (parent != TenantTree::root() && beside > guaranteed(parent))
    return refuse(fmt::format(
        "the guarantees below {0} would sum up to {1}, more than the {2} of its own; guarantee "
        "them to {0} first (gw quota set {0}{3} --guaranteed {4}), or lower another one below it",
        book.path(parent), amount_text(beside, record.gpu_type), quota_gpus_text(guaranteed(parent)),
        record.gpu_type.empty() ? "" : " --type " + record.gpu_type, quota_gpus_text(beside)));
  const std::int64_t all = book.gpus_milli(*resource);
  if (parent == TenantTree::root() && beside > all)
    return refuse(
        fmt::format("the guarantees of all tenants would sum up to {}, and the factory has {}; "
                    "lower another one first",
                    amount_text(beside, record.gpu_type), quota_gpus_text(all)));
  return std::nullopt;
}

sched::QuotaTree::Answer never_permitted(const sched::State& state, const JobRequest& request) {
  sched::QuotaTree::Answer bar;
  if (!state.quota.in_use()) return bar;
  sched::Job job;
  job.request = request;
  for (std::uint32_t index = 0; index < state.pools.size(); ++index) {
    const sched::Pool& pool = *state.pools[index];
    const std::uint32_t type = pool.gpu_type();
    if (request.shape.gpu_types != 0 &&
        (type == NodeType::kNoGpu || ((request.shape.gpu_types >> type) & 1U) == 0))
      continue;
    if (request.shape.total_gpu_milli() > 0 && pool.gpus_per_node() == 0) continue;
    bar = state.unused_quota.permits(request.tenant, state.quota_amount(job, index));
    if (bar.ok()) return bar;
  }
  return bar;
}

}  // namespace gw::live
