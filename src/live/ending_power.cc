// Sums by node.
#include "live/ending_power.h"

#include <algorithm>
#include <utility>

namespace gw::live {

void EndingPower::add(AttemptId id, std::vector<Part> parts) {
  const auto [at, is_new] = attempts_.try_emplace(id, std::move(parts));
  if (!is_new) return;
  for (const Part& part : at->second) loads_[part.node] += part.load;
}

void EndingPower::remove(AttemptId id) {
  const auto at = attempts_.find(id);
  if (at == attempts_.end()) return;
  for (const Part& part : at->second) {
    const auto load = loads_.find(part.node);
    if ((load->second -= part.load) == 0) loads_.erase(load);
  }
  attempts_.erase(at);
}

Milliwatts EndingPower::below(const sched::PowerTree& power, sched::FeedId feed) const {
  std::int64_t sum = 0;
  if (loads_.empty()) return Milliwatts{0};
  for (auto at = loads_.lower_bound(power.begin(feed)); at != loads_.end() && at->first < power.end(feed);
       ++at) {
    const auto [node, ending] = *at;
    if (!power.is_up(node)) continue;
    const std::int64_t range = power.range(node), load = power.load(node);
    sum += std::min(range, load + ending) - std::min(range, load);
  }
  return Milliwatts{sum};
}

}  // namespace gw::live
