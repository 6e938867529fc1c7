// The tenant tree's look-ups.
#include "model/tenant.h"

#include "base/check.h"

namespace gw {

TenantTree::TenantTree() { tenants_.emplace_back(); }

TenantId TenantTree::find_child(TenantId parent, std::string_view name) const {
  const auto at = by_name_.find(std::pair{parent.value(), name});
  return at == by_name_.end() ? TenantId{} : at->second;
}

TenantId TenantTree::add(TenantId parent, std::string name, std::uint32_t weight, std::string kind,
                         std::string home, std::vector<std::string> owners) {
  GW_CHECK(parent.valid() && parent.value() < size());
  GW_CHECK(weight >= 1);
  const TenantId id{size()};
  GW_CHECK(by_name_.try_emplace({parent.value(), name}, id).second);
  tenants_.push_back(
      Tenant{std::move(name), parent, weight, std::move(kind), std::move(home), std::move(owners), {}, {}});
  return id;
}

TenantId TenantTree::child(TenantId parent, std::string_view name) {
  const TenantId found = find_child(parent, name);
  return found.valid() ? found : add(parent, std::string(name));
}

std::string TenantTree::path(TenantId id) const {
  std::string path;
  for (TenantId at = id; at.valid() && at != root(); at = tenants_[at.value()].parent) {
    const std::string& name = tenants_[at.value()].name;
    path = path.empty() ? name : name + '/' + path;
  }
  return path;
}

}  // namespace gw
