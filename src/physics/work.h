// Speed of a job's work on the GPUs that a placement gives it.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "model/work.h"
#include "physics/layout.h"
#include "physics/model_shape.h"
#include "physics/throughput.h"
#include "physics/training.h"

namespace gw::physics {

/// A profile with the names in it looked up.
struct Work {
  WorkProfile profile;
  ModelShape model;  ///< Of training.
  Precision precision = Precision::kBf16;
};

/// Looks at what a profile says without any GPU: the error names what makes no sense.
[[nodiscard]] Result<void> check_work(const Work& work);

/// How the work is spread over a number of GPUs of one type.
struct WorkPlan {
  std::uint32_t gpus = 0;  ///< That work; the rest stand idle where no layout takes them all.
  Layout layout;           ///< Of training.
};

/// The layout for `gpus` GPUs: that of the profile, or the fastest that fits where the GPUs lie as close as
/// they can. An Error says why there is none. Milliseconds to a second: keep it.
[[nodiscard]] Result<WorkPlan> plan_work(const Work& work, const Accelerator& gpu, std::uint32_t gpus);

/// Where the GPUs of a job are, as far as its speed depends on it.
struct Placed {
  std::uint32_t per_domain = 1;  ///< GPUs in the scale-up domain that has the fewest of them.
  double network_share = 1;  ///< Of a GPU's network port, that the fabric carries while nobody else is on it.
  double clock = 1;          ///< Of the GPUs, over the free one.
};

struct WorkSpeed {
  double units_s = 0;       ///< Of all GPUs together: tokens, images, robot steps, cell updates.
  double ring_bytes_s = 0;  ///< What one GPU sends into the network, mean over a step (traffic.h).
  double exchange_bytes_s = 0;
};

/// Pure; about ten microseconds. Not faster with a smaller share, a lower clock or a smaller `per_domain`.
[[nodiscard]] WorkSpeed work_speed(const Work& work, const WorkPlan& plan, const Accelerator& gpu,
                                   const Placed& placed);

}  // namespace gw::physics
