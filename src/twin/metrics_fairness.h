// FairShareMeter: how far the GPU-time that tenants got lies from what weighted max-min fairness entitles
// them to.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/units.h"

namespace gw::twin {

/// Splits `capacity` by weight among tenants, none of which gets more than its demand: the weighted max-min
/// fair allocation ("water-filling"; Bertsekas and Gallager, Data Networks, 1992, section 6.5.2). O(n log n).
[[nodiscard]] std::vector<double> water_fill(double capacity, std::span<const double> demand,
                                             std::span<const double> weight);

/// Over each window of fixed length: delivered = GPU-time that a tenant's jobs held; demand = GPU-time that
/// they held or waited for; entitled = water_fill(sum of delivered, demand, weights). GPU-time beyond
/// entitlement is misallocated. Windows without delivered GPU-time do not count.
class FairShareMeter {
 public:
  explicit FairShareMeter(Nanoseconds window) : window_(window) {}

  /// The new tenant's index: 0, 1, ...
  std::uint32_t add_tenant(std::uint32_t weight);
  /// From `now` (never decreasing) on, the tenant's jobs wait for and hold that much more. O(1) within a
  /// window.
  void change(Instant now, std::uint32_t tenant, std::int64_t pending_gpu_milli,
              std::int64_t running_gpu_milli) {
    if (now >= window_end_) [[unlikely]]
      pass_window_end(now);
    Tenant& changed = tenants_[tenant];
    settle(changed, now);
    changed.pending += pending_gpu_milli;
    changed.running += running_gpu_milli;
    active_gpu_milli_ += pending_gpu_milli + running_gpu_milli;
  }
  /// Ends the last window, cut short at `now`.
  void close(Instant now);

  [[nodiscard]] Nanoseconds window() const { return window_; }
  [[nodiscard]] std::uint64_t windows() const { return windows_; }
  /// Share of all delivered GPU-time that went beyond its owner's entitlement: 0 (fair) to 1.
  [[nodiscard]] double misallocated_share() const { return delivered_ > 0 ? misallocated_ / delivered_ : 0; }
  /// Mean of |delivered share - entitled share| over the tenants with demand, over windows by GPU-time
  /// delivered.
  [[nodiscard]] double mean_absolute_error() const { return delivered_ > 0 ? absolute_ / delivered_ : 0; }
  /// GPU-milli x ns, over all windows.
  [[nodiscard]] double entitled(std::uint32_t tenant) const { return tenants_[tenant].entitled; }
  [[nodiscard]] double delivered(std::uint32_t tenant) const { return tenants_[tenant].delivered; }

 private:
  struct Tenant {
    double weight = 1;
    Instant since;             ///< The integrals below reach to here.
    std::int64_t pending = 0;  ///< GPU-milli
    std::int64_t running = 0;
    double window_demand = 0;  ///< GPU-milli x ns in this window.
    double window_delivered = 0;
    double entitled = 0;  ///< Over all closed windows.
    double delivered = 0;
  };

  static void settle(Tenant& tenant, Instant now) {
    const auto span = static_cast<double>((now - tenant.since).count());
    tenant.window_delivered += static_cast<double>(tenant.running) * span;
    tenant.window_demand += static_cast<double>(tenant.running + tenant.pending) * span;
    tenant.since = now;
  }
  void pass_window_end(Instant now);
  void close_window(Instant end);

  Nanoseconds window_;
  bool started_ = false;
  Instant window_end_{std::numeric_limits<std::int64_t>::min()};  ///< Before any change: in the past.
  std::vector<Tenant> tenants_;
  std::int64_t active_gpu_milli_ = 0;  ///< Waiting or held, of all tenants.
  std::uint64_t windows_ = 0;
  double delivered_ = 0;
  double misallocated_ = 0;
  double absolute_ = 0;
};

}  // namespace gw::twin
