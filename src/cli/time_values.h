// Values of options that say when and how long: what the server could not read is refused before it is asked.
#pragma once

#include "cli/app.h"

namespace gw {

/// A time or a date (UTC), or `now+4h` by the server's clock.
CLI::Validator moment();
/// A span with its unit, longer than nothing: 90min, 4h, 2d.
CLI::Validator span();

}  // namespace gw
