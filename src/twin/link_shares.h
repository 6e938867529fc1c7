// LinkShares: the jobs whose traffic crosses links of the fabric, and which part of it these carry.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "physics/fair_share.h"

namespace gw::twin {

/// Max-min fair (physics/fair_share.h): of jobs by their ids, in thousandths.
class LinkShares {
 public:
  explicit LinkShares(const std::vector<double>& capacities) : shares_(capacities) {}

  /// `uses`: the mean load that the job puts on each link at its full speed. At most once a job.
  void add(JobId job, std::vector<physics::LinkUse> uses);
  void remove(JobId job);  ///< Of no effect where it is not there.

  struct Change {
    JobId job;
    std::uint32_t share = 1000;  ///< Thousandths of its full speed, rounded down; at least 1.
  };
  /// Whose share is another than when this was last called, by id. A job that was added begins at 1000.
  const std::vector<Change>& settle();

  /// What is on a link now, at the shares; for tests.
  [[nodiscard]] double load(std::uint32_t link) const;

 private:
  physics::FairShares shares_;
  std::vector<std::uint32_t> told_;                     ///< By flow: its share, in thousandths.
  std::vector<std::pair<JobId, std::uint32_t>> flows_;  ///< Ascending by job.
  std::vector<Change> changes_;
};

}  // namespace gw::twin
