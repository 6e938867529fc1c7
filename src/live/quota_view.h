// QuotaView: where tenants stand with their quotas: what each deserves, borrows, lends and is owed.
#pragma once

#include <cstdint>
#include <vector>

#include "live/book.h"

namespace gw::live {

/// In thousandths: of GPU-equivalents, or of GPUs of one type.
struct QuotaStanding {
  TenantId tenant;
  QuotaTerms terms;
  std::int64_t used = 0;  ///< With all below.
  std::int64_t waiting =
      0;  ///< What its waiting jobs ask for; of jobs that take one type only, where one is asked.
  std::int64_t deserved = 0;  ///< What is guaranteed, and its fair share of what can be borrowed now.
  std::int64_t borrowed = 0;  ///< Used beyond what is guaranteed.
  std::int64_t lent = 0;      ///< Guaranteed, and used by others now.
  std::int64_t owed = 0;      ///< Guaranteed, asked for, and not had.
};

/// Of all tenants, by id; the root is the factory. What they deserve `sched::divide` says, of the GPUs that
/// are up.
std::vector<QuotaStanding> quota_standings(const Book& book, QuotaResource resource);

}  // namespace gw::live
