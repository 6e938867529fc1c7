// NVIDIA's management library, loaded at run time.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "live/discover.h"

namespace gw::live {

/// All GPUs that the library `name` tells of. An Error says why it tells nothing: it is not installed, its
/// driver does not answer.
Result<std::vector<FoundGpu>> nvml_gpus(const std::string& name);

}  // namespace gw::live
