// What happened and what was decided, in a line each, for those who read a journal.
#pragma once

#include <string>
#include <vector>

#include "model/fleet.h"
#include "sched/events.h"

namespace gw {

/// One line on an event. Jobs and tenants are named by number: a journal has no names of theirs.
std::string event_text(const sched::Event& event, const Fleet& fleet);

/// A line for each decision of a plan, in the order in which they take effect; none if it decided nothing.
std::vector<std::string> plan_texts(const sched::Plan& plan, const Fleet& fleet);

}  // namespace gw
