// What is said of a tenant that there is not, or that a caller may not see: both alike.
#pragma once

#include <expected>
#include <string_view>

#include "live/book.h"
#include "live/commands.h"

namespace gw::api {

/// 404, `unknown_tenant`, with a name that was meant perhaps, of those that are `within` or below it.
[[nodiscard]] live::Refusal unknown_tenant(const live::Book& book, std::string_view path, TenantId within);

/// The tenant of this path, which must be `within` or below it; the empty path is `within`.
[[nodiscard]] std::expected<TenantId, live::Refusal> tenant_called(const live::Book& book,
                                                                   std::string_view path, TenantId within);

}  // namespace gw::api
