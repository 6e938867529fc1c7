// Reservations: nodes that a scenario reserves, asked for in time, and how much of them was used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/tenant.h"
#include "model/window.h"
#include "sched/core.h"
#include "twin/run_summary.h"

namespace gw::twin {

class Reservations {
 public:
  Reservations(const std::vector<Reservation>& asked, const sched::Core& core);

  [[nodiscard]] bool in_use() const { return !rows_.empty(); }
  /// When the next is asked for; Instant::max() if none is left.
  [[nodiscard]] Instant next_due() const;
  /// Asks for the next: one at a time, since each changes what is free. Empty if it is refused.
  std::optional<sched::Event> take(Instant now);
  /// A job was on these nodes in [from, to).
  void used(const sched::Placement& placement, std::int64_t gpu_milli, Instant from, Instant to);
  /// Rows of the summary, for a run that ended at `end`.
  [[nodiscard]] std::vector<ReservationSummary> summary(const TenantTree& tenants, Instant end) const;

 private:
  struct Row {
    Reservation asked;
    WindowTerms terms;    ///< Without nodes where it was refused.
    std::string refusal;  ///< Why.
    std::int64_t gpus = 0;
    double used_gpu_hours = 0;
  };
  std::vector<Row> rows_;  ///< In the order of asking.
  std::size_t next_ = 0;
  const sched::Core& core_;
};

}  // namespace gw::twin
