// Rows of inference.csv that name watts: use of memory, arithmetic and kernels by the serving model, at the
// throughput that was measured.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "physics/published_power.h"

namespace gw::physics {

namespace {

PublishedPower served_row(const PublishedInference& published, const ServingCalibration& calibration) {
  PublishedPower row;
  row.id = published.id;
  row.group = published.group;
  row.quantity = PowerQuantity::kGpu;
  row.measured = published.power_w_gpu;
  row.reason = published.reason;
  if (!row.reason.empty()) return row;
  row.gpu = published.gpu;
  row.nameplate = published.gpu.power_max_w;
  const Deployment deployment = published.deployment();
  const ServingLoad load = published.load(calibration);
  const ServingState state = steady_state(deployment, load, calibration);
  row.what = fmt::format("{} on {:.0f} {}, {}, {:.0f} at once", published.model, deployment.layout.gpus(),
                         published.gpu.name, weight_format_name(published.weights), load.sequences);
  // What a token costs in bytes, operations and kernels' time is the model's; how many come is measured.
  const double rate = published.measured / state.tokens_s_gpu;
  row.use = {std::min(1.0, state.memory_use * rate), std::min(1.0, state.arithmetic_use * rate),
             std::min(1.0, state.kernel_share * rate)};
  row.assumed = fmt::format("memory {:.0f} %, arithmetic {:.1f} %, kernels {:.0f} %", 100 * row.use.memory,
                            100 * row.use.arithmetic, 100 * row.use.kernels);
  if (!published.assumed.empty()) row.assumed += "; assumed " + published.assumed;
  return row;
}

}  // namespace

std::vector<PublishedPower> served_power_of(const std::vector<PublishedInference>& published,
                                            const ServingCalibration& calibration) {
  std::vector<PublishedPower> rows;
  for (const PublishedInference& each : published) {
    if (each.power_w_gpu > 0) rows.push_back(served_row(each, calibration));
  }
  return rows;
}

}  // namespace gw::physics
