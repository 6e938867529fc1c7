// LinkShares: the jobs whose traffic crosses links of the fabric, and which part of it these carry.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "physics/fair_share.h"

namespace gw::twin {

/// Max-min fair (physics/fair_share.h). A change costs what stands on the links that are full and hang
/// together with those that it touches; where no link is full, only the changed job's own links.
class LinkShares {
 public:
  explicit LinkShares(std::vector<double> capacities);

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
  struct Flow {
    JobId job;
    std::vector<physics::LinkUse> uses;
    std::uint32_t share = 1000;
    std::uint64_t seen = 0;
  };
  struct OnLink {
    std::uint32_t slot = 0;
    double load = 0;
  };
  struct Link {
    double capacity = 0;
    double load = 0;  ///< At full speed, as of the last look.
    std::vector<OnLink> flows;
    std::uint32_t place = 0;  ///< Among the full ones of this look.
    bool changed = false;     ///< Its flows are others than then.
    bool full = false;        ///< It could not carry all at full speed, when last looked at.
    std::uint64_t touched = 0;
  };
  void touch(std::uint32_t link);
  void change(std::uint32_t link) {
    links_[link].changed = true;
    touch(link);
  }

  std::vector<Link> links_;
  std::vector<Flow> flows_;
  std::vector<std::uint32_t> free_;
  std::vector<std::pair<JobId, std::uint32_t>> slots_;  ///< Ascending by job.
  std::vector<std::uint32_t> touched_;
  std::vector<Change> changes_;
  std::uint64_t round_ = 1;

  // Of one settle(), kept for their memory.
  physics::ShareSearch search_;
  std::vector<std::pair<JobId, std::uint32_t>> affected_;  ///< Jobs and their slots.
  std::vector<std::uint32_t> full_;
  std::vector<double> capacities_;
  std::vector<physics::LinkUse> uses_;
  std::vector<std::uint32_t> first_;
};

}  // namespace gw::twin
