// Scenario, fleet and catalog files as commands meet them: with gw's own catalog, errors as one message.
#pragma once

#include <string>

#include "base/result.h"
#include "spec/catalog.h"
#include "spec/scenario.h"

namespace gw {

/// The catalog that gw brings along (share.h), read once for all files of a command.
Result<spec::Catalog> load_catalog();

/// A scenario or fleet file; the Error holds one line per finding.
Result<spec::Scenario> load_scenario(const std::string& path);

}  // namespace gw
