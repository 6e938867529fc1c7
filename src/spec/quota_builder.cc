// Quotas and budgets of tenants, from their file.
#include "spec/quota_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "spec/near_miss.h"

namespace gw::spec {
namespace {

std::int64_t milli(double gpus) { return std::llround(gpus * 1000); }
std::int64_t milli(const std::optional<double>& gpus) { return gpus ? milli(*gpus) : QuotaTerms::kUnlimited; }
double gpus(std::int64_t milli) { return static_cast<double>(milli) / 1000; }

BudgetAction action_of(std::string_view name) {
  if (name == "warn") return BudgetAction::kWarn;
  return name == "stop-all" ? BudgetAction::kStopAll : BudgetAction::kStopNew;
}

}  // namespace

std::optional<QuotaResource> QuotaBuilder::resource_of(const Located<std::string>& name) {
  if (name.value == "all") return kAllGpus;
  std::vector<std::string> known{"all"};
  for (std::size_t type = 0; type < fleet_.gpu_types.size(); ++type) {
    if (fleet_.gpu_types[type].name == name.value) return static_cast<QuotaResource>(type + 1);
    known.push_back(fleet_.gpu_types[type].name);
  }
  findings_.error(name.at, fmt::format("the fleet has no GPU type \"{}\"{}", name.value,
                                       suggestion(name.value, known, "or write `all`")));
  return std::nullopt;
}

void QuotaBuilder::add(const TenantSpec& spec, TenantId tenant) {
  std::vector<std::pair<QuotaResource, QuotaTerms>> rows;
  for (const QuotaSpec& quota : spec.quota) {
    const std::optional<QuotaResource> resource = resource_of(quota.of);
    if (!resource) continue;
    if (std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.first == *resource; })) {
      findings_.error(quota.at,
                      fmt::format("quota of \"{}\" stands here a second time; merge them", quota.of.value));
      continue;
    }
    QuotaTerms terms;
    terms.guaranteed_milli = milli(quota.guaranteed);
    terms.borrow_milli = milli(quota.borrow);
    terms.lend_milli = milli(quota.lend);
    terms.limit_milli = milli(quota.limit);
    if (terms.limit_milli != QuotaTerms::kUnlimited && terms.limit_milli < terms.guaranteed_milli)
      findings_.error(
          quota.at,
          fmt::format("`limit` is {:g} GPUs and `guaranteed` {:g}; raise the limit or guarantee less",
                      gpus(terms.limit_milli), gpus(terms.guaranteed_milli)));
    if (terms.lend_milli > terms.guaranteed_milli)
      findings_.error(quota.at, fmt::format("`lend` is {:g} GPUs, but only {:g} are guaranteed; lend no more",
                                            gpus(terms.lend_milli), gpus(terms.guaranteed_milli)));
    rows.emplace_back(*resource, terms);
    marks_[{tenant, *resource}] = quota.at;
  }
  tenants_.set_quota(tenant, std::move(rows));
  if (!spec.budget) return;
  Budget budget;
  budget.gpu_milli_hours = milli(spec.budget->gpu_hours);
  budget.action = action_of(spec.budget->action);
  tenants_.set_budget(tenant, budget);
}

std::int64_t QuotaBuilder::fleet_milli(QuotaResource resource) const {
  std::int64_t sum = 0;
  for (const std::uint16_t type : fleet_.node_type_of) {
    const NodeType& node = fleet_.node_types[type];
    const bool typed = node.gpu_type != NodeType::kNoGpu;
    if (resource == kAllGpus) {
      sum += node.gpus * (typed ? fleet_.gpu_types[node.gpu_type].equivalent_milli : 1000);
    } else if (typed && node.gpu_type == resource - 1U) {
      sum += std::int64_t{1000} * node.gpus;
    }
  }
  return sum;
}

void QuotaBuilder::check_sums() {
  // What the nearest tenant above with a guarantee of that resource (or the fleet) has to carve out of.
  std::map<std::pair<TenantId, QuotaResource>, std::int64_t> carved;
  for (const auto& [key, mark] : marks_) {
    const auto& [tenant, resource] = key;
    const auto guaranteed = [&](TenantId at, QuotaResource which) -> std::int64_t {
      for (const auto& [row, terms] : tenants_[at].quota) {
        if (row == which) return terms.guaranteed_milli;
      }
      return 0;
    };
    const std::int64_t own = guaranteed(tenant, resource);
    if (own == 0) continue;
    TenantId above = tenants_[tenant].parent;
    while (above != TenantTree::root() && guaranteed(above, resource) == 0) above = tenants_[above].parent;
    const std::int64_t room =
        above == TenantTree::root() ? fleet_milli(resource) : guaranteed(above, resource);
    std::int64_t& sum = carved[{above, resource}];
    sum += own;
    if (sum <= room || sum - own > room) continue;  // Said once.
    const std::string what =
        resource == kAllGpus ? "GPU-equivalents" : fleet_.gpu_types[resource - 1].name + " GPUs";
    findings_.error(
        mark,
        above == TenantTree::root()
            ? fmt::format("with this, {:g} {} are guaranteed, but the fleet has {:g}; guarantee less",
                          gpus(sum), what, gpus(room))
            : fmt::format("with this, {:g} {} are guaranteed inside \"{}\", which has {:g}; guarantee less "
                          "here or more there",
                          gpus(sum), what, tenants_.path(above), gpus(room)));
  }
}

}  // namespace gw::spec
