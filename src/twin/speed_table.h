// SpeedTable: how fast each class of jobs works where it may be, computed once for each kind of place.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/job.h"
#include "physics/accelerator.h"
#include "physics/work.h"
#include "twin/fabric_view.h"

namespace gw::twin {

/// What a run with physics knows beyond the fleet and the jobs.
struct PhysicsSetup {
  /// The twin finds a job's by the name that its stream gives its class, so these need not be the stream's.
  std::vector<std::string> class_names;
  std::vector<physics::Work> classes;      ///< Of the kind kNone: its jobs take as long as was drawn.
  std::vector<physics::Accelerator> gpus;  ///< By GPU type of the fleet.

  static constexpr std::uint8_t kNoClass = 0xff;
  /// The class of that name that has work, or kNoClass.
  [[nodiscard]] std::uint8_t find(std::string_view name) const;
};

class SpeedTable {
 public:
  /// `setup` and `fabric` outlive it.
  SpeedTable(const PhysicsSetup& setup, const FabricView& fabric) : setup_(setup), fabric_(fabric) {}

  /// Whether physics says how fast jobs of that class and shape go: whole GPUs of a class with work.
  [[nodiscard]] bool knows(std::uint8_t job_class, const Shape& shape) const {
    return job_class < setup_.classes.size() && setup_.classes[job_class].profile.any() &&
           shape.gpu_milli == 0 && shape.gpus > 0;
  }
  [[nodiscard]] const physics::Work& work(std::uint8_t job_class) const { return setup_.classes[job_class]; }
  [[nodiscard]] double network_bytes_s(std::uint32_t gpu_type) const {
    return setup_.gpus[gpu_type].network_bytes_s;
  }

  /// How the class works on so many GPUs of a type; the error says why it cannot.
  Result<const physics::WorkPlan*> plan(std::uint8_t job_class, std::uint32_t gpu_type, std::uint32_t gpus);

  /// Units a second at its best: free clocks, whole scale-up domains, a network that carries all.
  Result<double> best(std::uint8_t job_class, std::uint32_t gpu_type, std::uint32_t gpus);

  /// The best on the first of the GPU types in `mask` (0 = all) that can do it: what a run time that was
  /// drawn is measured by.
  Result<double> reference(std::uint8_t job_class, std::uint64_t mask, std::uint32_t gpus);

  /// There must be a plan. `share` and `clock` in thousandths. Computed once, then looked up.
  const physics::WorkSpeed& speed(std::uint8_t job_class, std::uint32_t gpu_type, std::uint32_t gpus,
                                  std::uint32_t per_domain, std::uint32_t share, std::uint32_t clock);

 private:
  struct Key {
    std::uint64_t who = 0;    ///< Class, GPU type, GPUs.
    std::uint64_t where = 0;  ///< GPUs in a domain, share, clock.
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return (key.who * 0x9e3779b97f4a7c15ULL ^ key.where) * 0xbf58476d1ce4e5b9ULL >> 7;
    }
  };
  static std::uint64_t who(std::uint8_t job_class, std::uint32_t gpu_type, std::uint32_t gpus) {
    return std::uint64_t{job_class} << 56 | std::uint64_t{gpu_type & 0xffffffU} << 32 | gpus;
  }

  const PhysicsSetup& setup_;
  const FabricView& fabric_;
  std::map<std::uint64_t, Result<physics::WorkPlan>> plans_;
  std::unordered_map<Key, physics::WorkSpeed, Hash> speeds_;  // Looked up, never iterated.
};

}  // namespace gw::twin
