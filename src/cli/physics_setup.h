// From a scenario to what the twin needs for physics: work with its models looked up, GPU types as physics
// sees them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "spec/scenario.h"
#include "twin/speed_table.h"

namespace gw {

/// What the scenario's classes compute. Null where none of them has work. An Error where work makes no sense.
Result<std::unique_ptr<twin::PhysicsSetup>> physics_setup(const spec::Scenario& scenario);

/// Work that cannot be done where it may get.
struct WorkMisfit {
  std::size_t job_class = 0;  ///< Of the mix.
  std::string text;           ///< What, where, why, and what to change.
};

/// All that size_work would refuse, each class and GPU type with the first of its sizes. `setup` may be null.
std::vector<WorkMisfit> work_misfits(const twin::PhysicsSetup* setup, const spec::Scenario& scenario);

/// The work of every class in demand must fit on every size and every GPU type that it may get. Classes that
/// say how much a job does get the run times that follow, in `scenario.mix`, for the generator. `setup` is
/// the scenario's (null: of no effect).
Result<void> size_work(const twin::PhysicsSetup* setup, spec::Scenario& scenario);

}  // namespace gw
