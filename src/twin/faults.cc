// Draws of failures and repairs.
#include "twin/faults.h"

#include <algorithm>

#include "base/check.h"
#include "base/math.h"

namespace gw::twin {
namespace {

/// Where a drawn time enters the simulation: rounded to whole nanoseconds once, at least one.
Nanoseconds round_seconds(double seconds) {
  return Nanoseconds{static_cast<std::int64_t>(std::clamp(seconds, 1e-9, 1e9) * 1e9)};
}

}  // namespace

FaultProcess::FaultProcess(const FaultSpec& spec, const Fleet& fleet, const Rng& rng)
    : spec_(spec), nodes_(fleet.nodes()), rng_(rng), down_(fleet.nodes()) {
  if (spec_.by_component) {
    outages_.emplace(fleet, rng.split("components"));
    draw_outage();
    return;
  }
  if (spec_.node_failures_per_1000_node_days > 0) {
    next_failure_ = Instant{};
    draw_failure();
  }
}

void FaultProcess::draw_failure() {
  const double per_second = spec_.node_failures_per_1000_node_days / 1000.0 * nodes_ / 86400.0;
  next_failure_ = next_failure_ + round_seconds(rng_.exponential(1.0 / per_second));
}

void FaultProcess::draw_outage() {
  do {
    if (!outages_->any()) {
      next_failure_ = Instant::max();
      return;
    }
    const physics::Outage outage = outages_->take();
    next_failure_ = outage.down;
    falling_until_ = outage.up;
    for (std::uint32_t node = outage.first; node < outage.end; ++node) falling_.push_back(node);
  } while (falling_.empty());
}

Instant FaultProcess::next_due() const { return std::min(next_failure_, next_repair()); }

FaultProcess::Change FaultProcess::take() {
  GW_CHECK(next_due() != Instant::max());
  if (next_repair() <= next_failure_) {
    const Repair repair = repairs_.top();
    repairs_.pop();
    down_[repair.node] = false;
    return {repair.when, NodeId{repair.node}, true};
  }
  const Instant when = next_failure_;
  if (outages_) {
    const std::uint32_t node = falling_.front();
    falling_.pop_front();
    const bool already = down_[node];
    if (!already) {
      down_[node] = true;
      repairs_.push({falling_until_, node});
    }
    if (falling_.empty()) draw_outage();
    return {when, already ? NodeId{} : NodeId{node}, false};
  }
  const auto node = static_cast<std::uint32_t>(rng_.below(nodes_));
  draw_failure();
  if (down_[node]) return {when, NodeId{}, false};  // A node that is down cannot fail again.
  down_[node] = true;
  repairs_.push(
      {when + round_seconds(rng_.lognormal(stable_log(spec_.repair_median_s), spec_.repair_sigma)), node});
  return {when, NodeId{node}, false};
}

}  // namespace gw::twin
