// A plan of defragmentation as clients see it, whether it is of a running factory or of a recorded run.
#pragma once

#include <functional>
#include <string>

#include "api/json.h"
#include "model/fleet.h"
#include "sched/defrag.h"
#include "sched/state.h"

namespace gw::api {

/// `state`: the copy that the plan was tried on. `job_name` says what users call a job. `as_of`: the time of
/// which the plan is; left out where it is empty.
Json defrag_json(const sched::DefragPlan& plan, const sched::DefragWish& wish, const sched::State& state,
                 const Fleet& fleet, const std::function<std::string(JobId)>& job_name,
                 const std::string& as_of);

}  // namespace gw::api
