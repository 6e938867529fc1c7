// The tenant tree: organisation > project > user, with weights for fair share.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "model/quota.h"

namespace gw {

struct Tenant {
  std::string name;                 ///< Unique among siblings.
  TenantId parent;                  ///< None for the root only.
  std::uint32_t weight = 1;         ///< Share relative to siblings; >= 1.
  std::string kind;                 ///< `manufacturer`, `mittelstand`, `research`, ...; for reports.
  std::string home;                 ///< ISO 3166-1 alpha-2 home jurisdiction, or empty.
  std::vector<std::string> owners;  ///< Countries of its owners; empty: as its home.
  std::vector<std::pair<QuotaResource, QuotaTerms>> quota;  ///< At most one entry for each resource.
  Budget budget;
};

/// Tenants by index; 0 is the root; a parent always comes before its children.
class TenantTree {
 public:
  TenantTree();
  TenantId add(TenantId parent, std::string name, std::uint32_t weight = 1, std::string kind = {},
               std::string home = {}, std::vector<std::string> owners = {});
  void set_quota(TenantId tenant, std::vector<std::pair<QuotaResource, QuotaTerms>> quota) {
    tenants_[tenant.value()].quota = std::move(quota);
  }
  void set_budget(TenantId tenant, const Budget& budget) { tenants_[tenant.value()].budget = budget; }
  /// The child of `parent` with that name, made if it is not there.
  TenantId child(TenantId parent, std::string_view name);
  [[nodiscard]] TenantId find_child(TenantId parent, std::string_view name) const;  ///< None if absent.
  [[nodiscard]] const Tenant& operator[](TenantId id) const { return tenants_[id.value()]; }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(tenants_.size()); }
  [[nodiscard]] std::string path(TenantId id) const;  ///< `org/project/user`; empty for the root.
  static constexpr TenantId root() { return TenantId{0}; }

 private:
  std::vector<Tenant> tenants_;
  struct ByParentAndName {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const {
      return a.first != b.first ? a.first < b.first : std::string_view(a.second) < std::string_view(b.second);
    }
  };
  std::map<std::pair<std::uint32_t, std::string>, TenantId, ByParentAndName> by_name_;
};

}  // namespace gw
