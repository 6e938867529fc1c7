// Plans and speeds, found by what they depend on.
#include "twin/speed_table.h"

#include <algorithm>

#include "base/check.h"

namespace gw::twin {

namespace {

constexpr std::uint32_t kWhole = 1000;

}  // namespace

std::uint8_t PhysicsSetup::find(std::string_view name) const {
  for (std::size_t index = 0; index < classes.size() && index < kNoClass; ++index) {
    if (class_names[index] == name && classes[index].profile.any()) return static_cast<std::uint8_t>(index);
  }
  return kNoClass;
}

Result<const physics::WorkPlan*> SpeedTable::plan(std::uint8_t job_class, std::uint32_t gpu_type,
                                                  std::uint32_t gpus) {
  const std::uint64_t key = who(job_class, gpu_type, gpus);
  auto at = plans_.find(key);
  if (at == plans_.end())
    at =
        plans_.emplace(key, physics::plan_work(setup_.classes[job_class], setup_.gpus[gpu_type], gpus)).first;
  if (!at->second) return std::unexpected(at->second.error());
  return &*at->second;
}

Result<double> SpeedTable::best(std::uint8_t job_class, std::uint32_t gpu_type, std::uint32_t gpus) {
  const Result<const physics::WorkPlan*> found = plan(job_class, gpu_type, gpus);
  if (!found) return std::unexpected(found.error());
  // As few domains as hold them, filled evenly.
  const std::uint32_t room = fabric_.domain_gpus(gpu_type);
  const std::uint32_t domains = (gpus + room - 1) / room;
  return speed(job_class, gpu_type, gpus, gpus / domains, kWhole, kWhole).units_s;
}

Result<double> SpeedTable::reference(std::uint8_t job_class, std::uint64_t mask, std::uint32_t gpus) {
  Error why{"no GPU type of the fleet will do"};
  bool first = true;
  for (std::uint32_t type = 0; type < setup_.gpus.size(); ++type) {
    if (mask != 0 && ((mask >> type) & 1U) == 0) continue;
    Result<double> units = best(job_class, type, gpus);
    if (units) return units;
    if (first) why = units.error();
    first = false;
  }
  return std::unexpected(why);
}

const physics::WorkSpeed& SpeedTable::speed(std::uint8_t job_class, std::uint32_t gpu_type,
                                            std::uint32_t gpus, std::uint32_t per_domain, std::uint32_t share,
                                            std::uint32_t clock) {
  const Key key{who(job_class, gpu_type, gpus),
                std::uint64_t{per_domain} << 32 | std::uint64_t{share} << 16 | clock};
  const auto [at, is_new] = speeds_.try_emplace(key);
  if (!is_new) return at->second;
  const Result<const physics::WorkPlan*> found = plan(job_class, gpu_type, gpus);
  GW_CHECK(found.has_value());
  const physics::Placed placed{.per_domain = per_domain,
                               .network_share = double{1} * share / kWhole,
                               .clock = double{1} * clock / kWhole};
  at->second = physics::work_speed(setup_.classes[job_class], **found, setup_.gpus[gpu_type], placed);
  return at->second;
}

}  // namespace gw::twin
