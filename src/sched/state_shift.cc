// Jobs that wait for a cheaper or greener hour: when they join the queue.
#include <algorithm>

#include "base/check.h"
#include "sched/state.h"

namespace gw::sched {

void EnergyPrices::set(FeedId feed, PriceCurve curve) {
  means_.clear();
  if (curve.empty()) {
    curves_.erase(feed);
  } else {
    curves_[feed] = std::move(curve);
  }
}

const PriceCurve* EnergyPrices::find(FeedId feed) const {
  const auto at = curves_.find(feed);
  return at == curves_.end() ? nullptr : &at->second;
}

const PriceCurve* EnergyPrices::known(const std::vector<std::uint32_t>& pools) const {
  const auto at = means_.find(pools);
  return at == means_.end() ? nullptr : &at->second;
}

const PriceCurve& EnergyPrices::know(const std::vector<std::uint32_t>& pools, PriceCurve curve) {
  return means_.insert_or_assign(pools, std::move(curve)).first->second;
}

/// What energy costs on the nodes of those pools, by what their work can draw there.
const PriceCurve& State::price_curve(const std::vector<std::uint32_t>& of_pools) {
  if (const PriceCurve* known = prices.known(of_pools)) return *known;
  std::map<FeedId, std::int64_t> weights;
  for (const std::uint32_t index : of_pools) {
    const Pool& pool = *pools[index];
    for (std::uint32_t local = 0; local < pool.nodes(); ++local) {
      const std::uint32_t node = pool.fleet_node(local).value();
      for (FeedId feed{0, power.leaf(node)};; feed = {feed.level + 1, power.parent(feed)}) {
        if (prices.find(feed) != nullptr) {
          weights[feed] += std::max<std::int64_t>(power.range(node) / 1000, 1);
          break;
        }
        if (feed.level + 1 == power.levels()) break;
      }
    }
  }
  std::vector<const PriceCurve*> curves;
  std::vector<std::int64_t> parts;
  for (const auto& [feed, weight] : weights) {
    curves.push_back(prices.find(feed));
    parts.push_back(weight);
  }
  return prices.know(of_pools, mean_curve(curves, parts));
}

/// When a job that neither waits nor runs should join the queue; `now` for most.
Instant State::joins_at(const Job& job, Instant now) {
  const JobRequest& request = job.request;
  if (!prices.in_use() || !request.flexible || request.deadline == Instant{} || request.window.valid())
    return now;
  const Nanoseconds needs = request.limit + prices.margin(request.limit);
  if (request.deadline - now <= needs) return now;
  return cheapest_start(price_curve(classes[job.shape_class].pools), now, request.deadline - needs,
                        prices.expected_run(request.limit), EnergyPrices::kWorth);
}

void State::line_up(Job& job, Instant now) {
  const Instant when = joins_at(job, now);
  when > now ? put_off(job, when) : enqueue(job);
}

void State::put_off(Job& job, Instant until) {
  GW_CHECK(!job.running && !job.waits && !job.claims && !job.is_put_off());
  job.joins_at = until;
  prices.put_off.emplace(until, job.id);
}

void State::take_from_put_off(Job& job) {
  prices.put_off.erase({job.joins_at, job.id});
  job.joins_at = Instant{};
}

void State::call_in(Job& job) {
  if (!job.is_put_off()) return;
  take_from_put_off(job);
  enqueue(job);
}

void State::call_in_due(Instant now) {
  while (!prices.put_off.empty() && prices.put_off.begin()->first <= now) {
    call_in(jobs[prices.put_off.begin()->second]);
    changes.released = changes.irregular = true;  // It has been seen before, and not in the queue.
  }
}

void State::feed_price(const Event& event, Instant now) {
  if (!power.tracked()) return;  // Nothing that could be shifted draws anything.
  prices.set({event.feed_level, event.feed_vertex}, event.prices);
  std::vector<JobId> waiting;
  for (const auto& [until, id] : prices.put_off) waiting.push_back(id);
  for (const JobId id : waiting) {
    Job& job = jobs[id];
    take_from_put_off(job);
    line_up(job, now);
    if (job.waits) changes.released = changes.irregular = true;
  }
}

std::string State::check_put_off() const {
  std::size_t count = 0;
  bool sound = true;
  jobs.for_each([&](const Job& job) {
    if (!job.is_put_off()) return;
    ++count;
    sound =
        sound && !job.running && !job.waits && !job.claims && prices.put_off.contains({job.joins_at, job.id});
  });
  return sound && count == prices.put_off.size() ? std::string() : "jobs that are put off are miscounted";
}

}  // namespace gw::sched
