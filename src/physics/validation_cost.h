// The model of cost beside published prices and totals, which are of grade C: keep them apart from
// measurements.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "physics/published.h"
#include "physics/validation.h"

namespace gw::physics {

struct PublishedCost {
  enum class Quantity : std::uint8_t {
    kPerGigawatt,          ///< Capital of a GW of facility power.
    kMachinesPerGigawatt,  ///< Of it GPUs, servers and network.
    kPerGpu,               ///< Capital of a GPU, all in.
    kPerRack,              ///< Of 72 of them.
    kRental,               ///< Of a GPU-hour.
    kRun,                  ///< Of `gpu_hours`.
    kDay,                  ///< Of `gpu_hours` a day.
  };
  std::string id;
  std::string group;
  std::string what;
  std::string reason;  ///< Why the model cannot express the row; empty where it can.
  Quantity quantity = Quantity::kPerGpu;
  std::string gpu;
  double year = 0;
  double gpu_hours = 0;
  double value = 0;  ///< Dollars, as low and high.
  double low = 0;
  double high = 0;
};

[[nodiscard]] Result<std::vector<PublishedCost>> read_published_costs(const PublishedTable& table);

/// The null model: 50,000 dollars and 2 kW of facility for each GPU, 2 dollars for each GPU-hour.
[[nodiscard]] ValidationReport validate_costs(const std::vector<PublishedCost>& rows,
                                              const KnownTypes& known);

}  // namespace gw::physics
