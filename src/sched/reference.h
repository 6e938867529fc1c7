// A slow, obviously correct scheduler on processor counts, and a driver for the real core, for tests to
// compare.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <queue>
#include <set>
#include <vector>

#include "model/fleet.h"
#include "sched/core.h"

namespace gw::sched::reference {

struct SimpleJob {
  std::int64_t submit = 0;  ///< Seconds.
  std::int64_t run = 0;
  std::int64_t limit = 1;
  std::int64_t processors = 1;
};

enum class Rule { kFifo, kEasy, kConservative };

/// Start times (seconds) by the textbook rules, one pass per distinct time, after all ends and then all
/// arrivals.
inline std::vector<std::int64_t> simulate(const std::vector<SimpleJob>& jobs, std::int64_t processors,
                                          Rule rule) {
  constexpr std::int64_t kFar = INT64_MAX / 4;
  std::vector<std::int64_t> start(jobs.size(), -1);
  std::vector<std::size_t> queue;
  std::vector<std::size_t> running;
  std::set<std::int64_t> times;
  for (const SimpleJob& job : jobs) times.insert(job.submit);
  std::size_t arrived = 0;
  while (!times.empty()) {
    const std::int64_t now = *times.begin();
    times.erase(times.begin());
    std::erase_if(running, [&](std::size_t job) { return start[job] + jobs[job].run <= now; });
    while (arrived < jobs.size() && jobs[arrived].submit <= now) queue.push_back(arrived++);
    std::int64_t free = processors;
    for (const std::size_t job : running) free -= jobs[job].processors;
    const auto begin = [&](std::size_t job) {
      start[job] = now;
      free -= jobs[job].processors;
      running.push_back(job);
      times.insert(now + jobs[job].run);
    };
    if (rule == Rule::kConservative) {
      // Changes of the number of free processors, by time.
      std::map<std::int64_t, std::int64_t> profile{{now, 0}};
      for (const std::size_t job : running) {
        const std::int64_t end = std::max(start[job] + jobs[job].limit, now + 1);
        profile[end] += jobs[job].processors;
      }
      std::vector<std::size_t> left;
      const std::int64_t free_at_pass = free;
      std::vector<std::size_t> starts;
      for (const std::size_t job : queue) {
        // The earliest change after which enough are free until the limit is over.
        std::int64_t level = free_at_pass;
        std::int64_t at = -1;
        for (const auto& [time, delta] : profile) {
          if (at >= 0 && time >= at + jobs[job].limit) break;
          level += delta;
          if (level < jobs[job].processors) {
            at = -1;
          } else if (at < 0) {
            at = time;
          }
        }
        profile[at] -= jobs[job].processors;
        profile[at + jobs[job].limit] += jobs[job].processors;
        if (at == now) {
          starts.push_back(job);
        } else {
          left.push_back(job);
        }
      }
      for (const std::size_t job : starts) begin(job);
      queue = left;
      continue;
    }
    while (!queue.empty() && jobs[queue.front()].processors <= free) {
      begin(queue.front());
      queue.erase(queue.begin());
    }
    if (queue.empty() || rule == Rule::kFifo) continue;
    // The first that does not fit is reserved at the earliest time by which enough are free by requested
    // times.
    const std::int64_t need = jobs[queue.front()].processors;
    std::vector<std::pair<std::int64_t, std::int64_t>> ends;
    for (const std::size_t job : running)
      ends.emplace_back(start[job] + jobs[job].limit, jobs[job].processors);
    std::sort(ends.begin(), ends.end());
    std::int64_t shadow = kFar;
    std::int64_t then = free;
    for (std::size_t at = 0; at < ends.size(); ++at) {
      then += ends[at].second;
      if (then >= need && (at + 1 == ends.size() || ends[at + 1].first != ends[at].first)) {
        shadow = std::max(ends[at].first, now);
        break;
      }
    }
    std::int64_t spare = then - need;
    for (std::size_t at = 1; at < queue.size();) {
      const std::size_t job = queue[at];
      const bool in_time = now + jobs[job].limit <= shadow;
      if (jobs[job].processors <= free && (in_time || jobs[job].processors <= spare)) {
        if (!in_time) spare -= jobs[job].processors;
        begin(job);
        queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(at));
      } else {
        ++at;
      }
    }
  }
  return start;
}

/// Start times by the real core on `fleet`; each job asks for `processors` GPUs anywhere. Checks the core's
/// invariants after every `check_every`-th pass (0 = never).
inline std::vector<std::int64_t> simulate_core(const std::vector<SimpleJob>& jobs, const Fleet& fleet,
                                               const PolicyConfig& policy, std::size_t check_every = 0) {
  Core core(fleet, policy);
  core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  std::vector<std::int64_t> start(jobs.size(), -1);
  std::priority_queue<std::pair<std::int64_t, std::uint32_t>,
                      std::vector<std::pair<std::int64_t, std::uint32_t>>, std::greater<>>
      ends;
  std::size_t arrived = 0;
  std::size_t passes = 0;
  while (arrived < jobs.size() || !ends.empty()) {
    std::int64_t now = INT64_MAX;
    if (!ends.empty()) now = ends.top().first;
    if (arrived < jobs.size()) now = std::min(now, jobs[arrived].submit);
    const Instant instant = Instant{} + seconds(now);
    for (; !ends.empty() && ends.top().first == now; ends.pop())
      core.apply(Event::job_ended(JobId{ends.top().second}), instant);
    for (; arrived < jobs.size() && jobs[arrived].submit == now; ++arrived) {
      JobRequest request;
      request.shape.nodes = 0;
      request.shape.gpus = static_cast<std::uint32_t>(jobs[arrived].processors);
      request.tenant = TenantId{1};
      request.submit = instant;
      request.limit = seconds(jobs[arrived].limit);
      core.apply(Event::job_submitted(JobId{static_cast<std::uint32_t>(arrived)}, request), instant);
    }
    for (const Plan::Start& started : core.plan(instant).starts) {
      start[started.job.value()] = now;
      ends.emplace(now + jobs[started.job.value()].run, started.job.value());
    }
    if (check_every != 0 && ++passes % check_every == 0) {
      const std::string problem = core.check();
      if (!problem.empty()) throw std::runtime_error(problem);
    }
  }
  return start;
}

}  // namespace gw::sched::reference
