// The event loop: take what is due, keep it, apply it, decide, carry out.
#pragma once

#include <functional>

#include "runtime/seams.h"

namespace gw::runtime {

/// Runs until the queue ends. `after_pass(now)` is called after every pass (measuring, checking); it may be
/// empty.
Result<void> run(sched::Core& core, const Seams& seams, const std::function<void(Instant)>& after_pass = {});

}  // namespace gw::runtime
