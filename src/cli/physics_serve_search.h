// `gw physics serve --search`: the best replicas on a GPU type, as `gw physics serve` was asked.
#pragma once

#include "base/result.h"
#include "cli/app.h"
#include "physics/serving_search.h"

namespace gw {

/// Searches and prints. An Error where nothing serves: it says what would.
Result<ExitCode> search_serving(const physics::ServingSearchOptions& options, bool json);

}  // namespace gw
