// Jobs are flows; shares become thousandths.
#include "twin/link_shares.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace gw::twin {

namespace {

constexpr std::uint32_t kWhole = 1000;

}  // namespace

void LinkShares::add(JobId job, std::vector<physics::LinkUse> uses) {
  if (uses.empty()) return;
  const auto at = std::lower_bound(flows_.begin(), flows_.end(), std::pair{job, std::uint32_t{0}});
  GW_CHECK(at == flows_.end() || at->first != job);
  const std::uint32_t flow = shares_.add(job.value(), std::move(uses));
  flows_.insert(at, {job, flow});
  if (flow >= told_.size()) told_.resize(flow + 1);
  told_[flow] = kWhole;
}

void LinkShares::remove(JobId job) {
  const auto at = std::lower_bound(flows_.begin(), flows_.end(), std::pair{job, std::uint32_t{0}});
  if (at == flows_.end() || at->first != job) return;
  shares_.remove(at->second);
  flows_.erase(at);
}

const std::vector<LinkShares::Change>& LinkShares::settle() {
  changes_.clear();
  for (const std::uint32_t flow : shares_.settle()) {
    const auto share = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(shares_.share(flow) * kWhole));
    if (std::exchange(told_[flow], share) != share) changes_.push_back({JobId{shares_.order(flow)}, share});
  }
  std::sort(changes_.begin(), changes_.end(), [](const Change& a, const Change& b) { return a.job < b.job; });
  return changes_;
}

double LinkShares::load(std::uint32_t link) const {
  double sum = 0;
  for (const std::uint32_t flow : shares_.on_link(link)) {
    for (const physics::LinkUse& use : shares_.uses(flow)) {
      if (use.link == link) sum += use.load * told_[flow] / kWhole;
    }
  }
  return sum;
}

}  // namespace gw::twin
