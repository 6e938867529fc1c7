// Quota: what a tenant is entitled to, what it may borrow and lend, and where it ends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/units.h"

namespace gw {

/// Of which GPUs an amount is: 0 = GPU-equivalents over all types; k + 1 = GPUs of type k of the fleet.
using QuotaResource = std::uint16_t;
inline constexpr QuotaResource kAllGpus = 0;

/// Terms for one tenant and one resource, in thousandths (of GPUs or of GPU-equivalents). They bind the
/// tenant with all below it.
struct QuotaTerms {
  static constexpr std::int64_t kUnlimited = -1;

  std::int64_t guaranteed_milli = 0;       ///< Its own whenever it asks; who borrows it gives it back.
  std::int64_t borrow_milli = kUnlimited;  ///< Beyond what is guaranteed, at most this.
  std::int64_t lend_milli = kUnlimited;    ///< Of what is guaranteed and unused, others get at most this.
  std::int64_t limit_milli = kUnlimited;   ///< Never more than this in all.

  friend bool operator==(const QuotaTerms&, const QuotaTerms&) = default;

  /// Of what is guaranteed, what is not lent.
  [[nodiscard]] std::int64_t kept_milli() const {
    return lend_milli == kUnlimited ? 0 : guaranteed_milli - lend_milli;
  }
  /// The most that it may use: the smaller of its limit and what is guaranteed plus what may be borrowed.
  [[nodiscard]] std::int64_t most_milli() const {
    std::int64_t most = limit_milli == kUnlimited ? INT64_MAX : limit_milli;
    if (borrow_milli != kUnlimited && guaranteed_milli + borrow_milli < most)
      most = guaranteed_milli + borrow_milli;
    return most;
  }
};

/// Do the amounts make sense: none negative but for "unlimited", none beyond kMostQuotaMilli?
inline constexpr std::int64_t kMostQuotaMilli = std::int64_t{1} << 50;
[[nodiscard]] constexpr bool is_sensible(const QuotaTerms& terms) {
  const auto good = [](std::int64_t milli, std::int64_t least) {
    return milli >= least && milli <= kMostQuotaMilli;
  };
  return good(terms.guaranteed_milli, 0) && good(terms.borrow_milli, QuotaTerms::kUnlimited) &&
         good(terms.lend_milli, QuotaTerms::kUnlimited) && good(terms.limit_milli, QuotaTerms::kUnlimited);
}

/// How far a budget holds a tenant and all below it back.
enum class BudgetState : std::uint8_t {
  kOpen,     ///< There is money left.
  kStopNew,  ///< It is spent: nothing new starts, what runs goes on.
  kStopAll,  ///< It is spent: what runs saves its work and waits.
};

/// What happens once a month's budget is spent.
enum class BudgetAction : std::uint8_t { kWarn, kStopNew, kStopAll };

/// What a tenant with all below it may spend in a calendar month (UTC). Zero amounts do not bind.
struct Budget {
  std::int64_t gpu_milli_hours = 0;  ///< Thousandths of GPU-hours.
  std::int64_t micro_euros = 0;
  BudgetAction action = BudgetAction::kStopNew;
  std::uint32_t warn_percent = 80;  ///< From here on people are warned.

  friend bool operator==(const Budget&, const Budget&) = default;
  [[nodiscard]] bool binds() const { return gpu_milli_hours > 0 || micro_euros > 0; }
};

/// One tenant's terms, as a file or a person gives them.
struct TenantQuota {
  TenantId tenant;
  QuotaResource resource = kAllGpus;
  QuotaTerms terms;
};

}  // namespace gw
