// How often a job is interrupted, by cause: rates of components per node-hour, what all ranks share, and how
// well that is known.
//
// docs/physics-failures.md has the equations, the sources and the measured error.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "physics/accelerator.h"

namespace gw::physics {

enum class FailureCause : std::uint8_t {
  kGpu,          ///< The GPU itself: processor, SRAM, silent corruption, heat.
  kMemory,       ///< HBM.
  kScaleup,      ///< NVLink or like, and its switches.
  kNetwork,      ///< Switches, cables, optics of the scale-out network.
  kHost,         ///< NIC, disks, power supply, board, CPU, memory of the server.
  kStorage,      ///< Shared storage and other services that a job depends on.
  kSoftware,     ///< Bugs of the job, driver, communication library; time-outs without a known cause.
  kMaintenance,  ///< Hosts taken for work that was not planned for.
};
inline constexpr int kFailureCauses = 8;
using ByCause = std::array<double, kFailureCauses>;

[[nodiscard]] std::string_view failure_cause_name(FailureCause cause);
/// Whether it takes its node out of service; else a restart on the same nodes is enough.
[[nodiscard]] bool takes_node(FailureCause cause);

/// Jobs larger than this have not been published: interval only.
inline constexpr double kLargestPublishedJob = 100'000;
inline constexpr double kDaySeconds = 86400;
inline constexpr double kHourSeconds = 3600;

/// What a job runs on.
struct FailureSetting {
  Generation generation = Generation::kHopper;
  double gpus = 8;
  double gpus_per_node = 8;
  bool own_generation = true;  ///< As Accelerator has it: else the rates are the nearest's, and less sure.
  bool screened = true;        ///< Nodes that fail again and again were found and taken out.

  [[nodiscard]] double nodes() const;
};

/// GPUs in a node of that type: 8, or 4 in a tray of a rack-scale system.
[[nodiscard]] double usual_gpus_per_node(const Accelerator& gpu);

/// Interruptions of one job.
struct JobFailures {
  ByCause per_hour{};
  double sigma = 0;  ///< Standard deviation of ln(rate) between sites, and of what is not known.

  [[nodiscard]] double total_per_hour() const;
  [[nodiscard]] double mtbf_s() const { return kHourSeconds / total_per_hour(); }
  /// The rate of causes that take a node out of service.
  [[nodiscard]] double nodes_per_hour() const;
};

[[nodiscard]] JobFailures job_failures(const FailureSetting& setting);

/// Failures of one node of that kind, without what only large jobs meet; per hour by cause.
[[nodiscard]] ByCause node_failures(Generation generation, double gpus_per_node, bool screened = true);

/// A value and where it lies with a probability of 95 %.
struct Estimate {
  double expected = 0;
  double low = 0;
  double high = 0;

  [[nodiscard]] bool holds(double value) const { return low <= value && value <= high; }
};

/// Of the mean time between interruptions, seconds.
[[nodiscard]] Estimate mtbf_interval(const JobFailures& failures);
/// How many of one expected number come to pass, with the spread between sites: from a seed.
[[nodiscard]] Estimate count_interval(double expected, double sigma, std::uint64_t seed);
/// The exact interval of a Poisson mean given `count`, by the Wilson-Hilferty approximation (error under 1
/// %).
[[nodiscard]] Estimate poisson_interval(double count);

}  // namespace gw::physics
