// The tenant tree's look-ups.
#include "model/tenant.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"

namespace gw {

TenantTree::TenantTree() { tenants_.emplace_back(); }

namespace {
auto lower(const auto& sorted, std::uint32_t parent, std::string_view name) {
  return std::lower_bound(
      sorted.begin(), sorted.end(), std::pair{parent, name}, [](const auto& entry, const auto& key) {
        return std::tuple<std::uint32_t, std::string_view>(entry.first.parent, entry.first.name) <
               std::tuple<std::uint32_t, std::string_view>(key.first, key.second);
      });
}
}  // namespace

TenantId TenantTree::find_child(TenantId parent, std::string_view name) const {
  const auto at = lower(by_name_, parent.value(), name);
  if (at == by_name_.end() || at->first.parent != parent.value() || at->first.name != name) return TenantId{};
  return at->second;
}

TenantId TenantTree::add(TenantId parent, std::string name, std::uint32_t weight, std::string kind,
                         std::string home) {
  GW_CHECK(parent.valid() && parent.value() < size());
  GW_CHECK(weight >= 1);
  const TenantId id{size()};
  const auto at = lower(by_name_, parent.value(), name);
  GW_CHECK(at == by_name_.end() || at->first.parent != parent.value() || at->first.name != name);
  by_name_.insert(at, {Key{parent.value(), name}, id});
  tenants_.push_back(Tenant{std::move(name), parent, weight, std::move(kind), std::move(home)});
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
