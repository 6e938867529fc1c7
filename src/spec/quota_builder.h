// QuotaBuilder: the quotas and budgets of a file's tenants, checked against each other and the fleet.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "model/fleet.h"
#include "model/tenant.h"
#include "spec/demand_spec.h"
#include "spec/diagnostic.h"

namespace gw::spec {

class QuotaBuilder {
 public:
  QuotaBuilder(const Fleet& fleet, TenantTree& tenants, Findings& findings)
      : fleet_(fleet), tenants_(tenants), findings_(findings) {}

  /// Parents before children.
  void add(const TenantSpec& spec, TenantId tenant);
  /// Once all are added: is every guarantee carved out of something?
  void check_sums();

 private:
  [[nodiscard]] std::optional<QuotaResource> resource_of(const Located<std::string>& name);
  [[nodiscard]] std::int64_t fleet_milli(QuotaResource resource) const;

  const Fleet& fleet_;
  TenantTree& tenants_;
  Findings& findings_;
  std::map<std::pair<TenantId, QuotaResource>, Mark> marks_;  ///< Of guarantees.
};

}  // namespace gw::spec
