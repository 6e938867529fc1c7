// The first name of a path that is wrong, and the nearest that stands beside it.
#include "api/tenant_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "spec/near_miss.h"

namespace gw::api {
namespace {

constexpr std::size_t kMostCompared = 10'000;

std::string meant_by(const live::Book& book, std::string_view path, TenantId within) {
  TenantId parent = TenantTree::root();
  std::size_t begin = 0, end = 0;  // Of the first name that is not known.
  for (;; begin = end + 1) {
    if (begin >= path.size()) return "";
    end = std::min(path.find('/', begin), path.size());
    const TenantId known = book.tenant(path.substr(0, end));
    if (!known.valid() || !book.is_within(known, within)) {
      // What stands above the caller's own tenant is known to the caller.
      if (!known.valid() || !book.is_within(within, known)) break;
    }
    parent = known;
  }
  const std::string_view wrong = path.substr(begin, end - begin);
  std::vector<std::string_view> names;
  std::vector<const live::LiveTenant*> tenants;
  for (const live::LiveTenant& tenant : book.tenants) {
    if (tenant.record.parent != parent || !book.is_within(tenant.record.id, within)) continue;
    if (names.size() == kMostCompared) break;
    names.push_back(tenant.record.name);
    tenants.push_back(&tenant);
  }
  const std::optional<std::size_t> nearest = spec::nearest_name(wrong, names);
  if (!nearest) return "";
  const std::string& best = tenants[*nearest]->path;
  const std::string whole = best + std::string(path.substr(end));
  return book.tenant(whole).valid() ? whole : best;
}

}  // namespace

live::Refusal unknown_tenant(const live::Book& book, std::string_view path, TenantId within) {
  const std::string meant = meant_by(book, path, within);
  return {404, "unknown_tenant",
          fmt::format("there is no tenant {}{}", path,
                      meant.empty() || meant == path ? "; gw tenants lists them"
                                                     : fmt::format("; did you mean {}?", meant))};
}

std::expected<TenantId, live::Refusal> tenant_called(const live::Book& book, std::string_view path,
                                                     TenantId within) {
  const TenantId id = path.empty() ? within : book.tenant(path);
  if (!id.valid() || !book.is_within(id, within)) return std::unexpected(unknown_tenant(book, path, within));
  return id;
}

}  // namespace gw::api
