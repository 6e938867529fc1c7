// Looks up what classes train, checks that it fits, and turns amounts into run times.
#include "cli/physics_setup.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/physics_types.h"
#include "physics/from_catalog.h"
#include "twin/fabric_view.h"

namespace gw {

namespace {

Result<physics::Work> work_of(const spec::Scenario& scenario, const JobClass& job_class) {
  physics::Work work;
  work.profile = job_class.work;
  if (work.profile.kind != WorkKind::kTraining) return work;
  const Result<physics::Precision> precision = find_precision(work.profile.precision);
  if (!precision) return std::unexpected(precision.error());
  work.precision = *precision;
  const spec::ModelEntry* model = spec::find_entry(scenario.models, work.profile.model);
  if (model == nullptr) return fail(fmt::format("unknown model \"{}\"", work.profile.model));
  work.model = physics::shape_of(*model);
  if (Result<void> sound = physics::check_work(work); !sound) return std::unexpected(sound.error());
  return work;
}

/// Bits of the fleet's GPU types that a class takes; 0 = all.
std::uint64_t types_of(const Fleet& fleet, const JobClass& job_class) {
  std::uint64_t mask = 0;
  for (std::size_t type = 0; type < fleet.gpu_types.size() && type < 64; ++type) {
    if (std::ranges::find(job_class.gpu_types, fleet.gpu_types[type].name) != job_class.gpu_types.end())
      mask |= std::uint64_t{1} << type;
  }
  return mask;
}

std::vector<bool> demanded(const WorkloadMix& mix) {
  std::vector<bool> is(mix.classes.size());
  for (const TenantDemand& demand : mix.tenants) {
    for (const TenantDemand::ClassShare& share : demand.classes) {
      if (demand.load > 0 && share.share > 0) is[share.job_class] = true;
    }
  }
  return is;
}

std::vector<WorkMisfit> misfits_in(twin::SpeedTable& table, const spec::Scenario& scenario) {
  std::vector<WorkMisfit> misfits;
  const std::vector<bool> is_demanded = demanded(scenario.mix);
  for (std::size_t index = 0; index < scenario.mix.classes.size(); ++index) {
    const JobClass& job_class = scenario.mix.classes[index];
    if (!job_class.work.any() || !is_demanded[index]) continue;
    const std::uint64_t mask = types_of(scenario.fleet, job_class);
    for (std::uint32_t type = 0; type < scenario.fleet.gpu_types.size(); ++type) {
      if (mask != 0 && ((mask >> type) & 1U) == 0) continue;
      for (const SizeShare& size : job_class.sizes) {
        if (size.share <= 0) continue;
        const Result<double> best = table.best(static_cast<std::uint8_t>(index), type, size.gpus);
        if (best) continue;
        misfits.push_back(
            {index, fmt::format("class \"{}\" on {} GPUs of the type {}: {}; change its `work`, "
                                "`sizes` or `gpu_types`",
                                job_class.name, size.gpus, scenario.fleet.gpu_types[type].name,
                                best.error().message)});
        break;
      }
    }
  }
  return misfits;
}

}  // namespace

Result<std::unique_ptr<twin::PhysicsSetup>> physics_setup(const spec::Scenario& scenario) {
  auto setup = std::make_unique<twin::PhysicsSetup>();
  bool any = false;
  for (const JobClass& job_class : scenario.mix.classes) {
    setup->class_names.push_back(job_class.name);
    physics::Work& work = setup->classes.emplace_back();
    if (!job_class.work.any()) continue;
    Result<physics::Work> found = work_of(scenario, job_class);
    if (!found) return fail(fmt::format("class \"{}\": {}", job_class.name, found.error().message));
    work = *std::move(found);
    any = true;
  }
  if (!any) return std::unique_ptr<twin::PhysicsSetup>();
  for (const spec::GpuEntry& entry : scenario.gpu_entries)
    setup->gpus.push_back(physics::accelerator_from(entry));
  return setup;
}

std::vector<WorkMisfit> work_misfits(const twin::PhysicsSetup* setup, const spec::Scenario& scenario) {
  if (setup == nullptr) return {};
  const twin::FabricView fabric(scenario.fleet);
  twin::SpeedTable table(*setup, fabric);
  return misfits_in(table, scenario);
}

Result<void> size_work(const twin::PhysicsSetup* setup, spec::Scenario& scenario) {
  if (setup == nullptr) return {};
  const twin::FabricView fabric(scenario.fleet);
  twin::SpeedTable table(*setup, fabric);
  if (const std::vector<WorkMisfit> misfits = misfits_in(table, scenario); !misfits.empty())
    return fail(misfits.front().text);
  const std::vector<bool> is_demanded = demanded(scenario.mix);
  for (std::size_t index = 0; index < scenario.mix.classes.size(); ++index) {
    JobClass& job_class = scenario.mix.classes[index];
    if (job_class.work.amount <= 0 || !is_demanded[index]) continue;
    for (SizeShare& size : job_class.sizes) {
      if (size.share <= 0) continue;
      const Result<double> reference =
          table.reference(static_cast<std::uint8_t>(index), types_of(scenario.fleet, job_class), size.gpus);
      if (!reference) return std::unexpected(reference.error());
      size.run_s = std::max(1.0, job_class.work.amount / *reference);
    }
  }
  return {};
}

}  // namespace gw
