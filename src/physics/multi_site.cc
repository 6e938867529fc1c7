// A ring over sites, and what of it inner steps hide.
#include "physics/multi_site.h"

#include <algorithm>
#include <limits>

namespace gw::physics {

namespace {

/// Bytes that one site sends in a ring all-reduce.
DataBytes sent(const MultiSite& run) {
  return DataBytes{2 * (run.sites - 1) / run.sites * run.parameters * run.bytes_per_parameter};
}

Seconds latency(const MultiSite& run) { return run.link.one_way() * (2 * (run.sites - 1)); }

/// Inner steps hide no more than a round has.
Seconds window(const MultiSite& run, Seconds step) {
  return step * std::min(run.overlap_steps, run.inner_steps);
}

}  // namespace

MultiSiteTime multi_site_time(const MultiSite& run, Seconds step) {
  MultiSiteTime time;
  const Seconds inner = step * run.inner_steps;
  time.round = inner;
  if (run.sites <= 1) return time;
  time.payload = DataBytes{run.parameters * run.bytes_per_parameter};
  time.exchange = latency(run) + sent(run) / throughput(run.link, run.streams);
  time.exposed = std::max(Seconds{0}, time.exchange - window(run, step));
  time.round = inner + time.exposed;
  time.lost = time.exposed / time.round;
  time.mean_rate = sent(run) / time.round;
  return time;
}

BytesPerSecond least_rate(const MultiSite& run, Seconds step, double lost) {
  if (run.sites <= 1) return BytesPerSecond{0};
  const Seconds allowed = step * (run.inner_steps * lost / (1 - lost)) + window(run, step) - latency(run);
  if (allowed.value() <= 0) return BytesPerSecond{std::numeric_limits<double>::infinity()};
  // Of the link, so with what headers take of it.
  const double headers = (run.link.packet_payload + run.link.packet_overhead) / run.link.packet_payload;
  return sent(run) / allowed * headers;
}

}  // namespace gw::physics
