// Published power: rows of power.csv and of served models that name watts, as what the model can predict.
#pragma once

#include "physics/cooling.h"
#include "physics/published_inference.h"
#include "physics/training_power.h"

namespace gw::physics {

/// What a row measured.
enum class PowerQuantity : std::uint8_t { kNode, kGpu, kPeakNode, kPue, kFacility };
[[nodiscard]] std::string_view quantity_name(PowerQuantity quantity);

struct PublishedPower {
  std::string id;
  std::string group;
  std::string what;
  std::string reason;   ///< Why the model cannot express the row; empty where it can.
  std::string assumed;  ///< What the row does not say and was assumed.
  PowerQuantity quantity = PowerQuantity::kNode;
  Accelerator gpu;
  double gpus_of_node = 8;
  Cooling cooling = Cooling::kAir;
  bool behind_supplies = false;  ///< Measured on the direct-current side.
  Use use;
  bool step_known = false;  ///< `step` and `precision` stand for `use`.
  StepTime step;
  Precision precision = Precision::kBf16;
  double busy_share = 1;    ///< Of the time while it runs; the GPU's own.
  double strong_nodes = 1;  ///< Nodes over which a problem of fixed size is spread.
  double run_s = 0;         ///< Of a whole benchmark run with its start; 0 = steady.
  double measured = 0;      ///< Watts; a ratio for kPue.
  double nameplate = 0;     ///< Watts; 0 = none known.
};

[[nodiscard]] Result<std::vector<PublishedPower>> read_published_power(const PublishedTable& table,
                                                                       const KnownTypes& known);
/// Rows of inference.csv that name watts. Use is that of the serving model's steady state, whose work is done
/// at the measured throughput.
[[nodiscard]] std::vector<PublishedPower> served_power_of(
    const std::vector<PublishedInference>& published,
    const ServingCalibration& calibration = published_serving_calibration());

/// In the unit of `measured`.
[[nodiscard]] double predicted_power(const PublishedPower& row, const PowerConstants& constants);

}  // namespace gw::physics
