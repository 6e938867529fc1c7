// Collectives: at low latency or at high bandwidth, whichever is shorter.
#include "physics/collectives.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/math.h"

namespace gw::physics {

namespace {

/// Bytes that one GPU must send in the best algorithm, over the buffer's size.
double traffic_factor(Collective collective, double gpus) {
  switch (collective) {
    case Collective::kAllReduce:
      return 2 * (gpus - 1) / gpus;
    case Collective::kAllGather:
    case Collective::kReduceScatter:
    case Collective::kAllToAll:
      return (gpus - 1) / gpus;
    case Collective::kBroadcast:
    case Collective::kSendReceive:
      return 1;
  }
  return 1;
}

double depth_of(double members) { return std::ceil(stable_log2(members) - 1e-9); }

/// Whether the switch adds what passes it: then every GPU sends once and receives once.
bool switch_reduces(Collective collective, double members, const LinkConstants& links) {
  return collective == Collective::kAllReduce && members > 2 && links.switch_efficiency > 0;
}

/// Steps beyond the first inside a domain. Two GPUs exchange at once; more go up and down a tree.
double scaleup_steps(Collective collective, double members) {
  if (members <= 2) return 0;
  const double depth = depth_of(members);
  switch (collective) {
    case Collective::kAllReduce:
      return 2 * (depth - 1);
    case Collective::kAllGather:
    case Collective::kReduceScatter:
    case Collective::kAllToAll:
    case Collective::kBroadcast:
      return depth - 1;
    case Collective::kSendReceive:
      return 0;
  }
  return 0;
}

/// The same between domains: a ring passes each one, a tree goes down and up again, whichever is shorter.
double network_steps(Collective collective, double domains) {
  if (domains <= 1) return 0;
  const double depth = depth_of(domains);
  switch (collective) {
    case Collective::kAllReduce:
      return std::min(2 * (domains - 1), 2 * depth);
    case Collective::kAllGather:
    case Collective::kReduceScatter:
      return std::min(domains - 1, 4 * depth);  // Rings; many channels shorten long ones.
    case Collective::kAllToAll:
    case Collective::kBroadcast:
      return depth;
    case Collective::kSendReceive:
      return 0;
  }
  return 0;
}

double rails_of(const Group& group, const Fabric& fabric) {
  return fabric.rails > 0 ? std::min(group.per_domain, fabric.rails) : group.per_domain;
}

/// What each protocol takes for an operation: before the first byte, and for all of them once they flow.
struct Costs {
  double low_latency_s = 0;
  double low_transfer_s = 0;
  double bulk_latency_s = 0;
  double bulk_transfer_s = 0;
  double fill_s = 0;
  double fill_bytes = 1;
};

/// Inside the scale-up domains, all of them at once.
Costs scaleup_costs(Collective collective, double bytes, const Group& group, const Fabric& fabric) {
  const LinkConstants& links = fabric.scaleup;
  const bool reduces = switch_reduces(collective, group.per_domain, links);
  const double factor = collective == Collective::kAllToAll ? (group.per_domain - 1) / group.gpus
                                                            : traffic_factor(collective, group.per_domain);
  const double steps_s = links.hop_s * scaleup_steps(collective, group.per_domain);
  const double rate = std::max(1.0, fabric.scaleup_bytes_s * links.efficiency);
  const double bulk_rate = reduces ? std::max(1.0, fabric.scaleup_bytes_s * links.switch_efficiency) : rate;
  Costs costs;
  costs.low_latency_s = links.base_s + steps_s;
  costs.low_transfer_s = bytes * factor / (rate * links.low_latency_share);
  costs.bulk_latency_s = links.base_s + (reduces ? links.switch_s : links.bulk_s + links.bulk_hops * steps_s);
  costs.bulk_transfer_s = bytes * factor / bulk_rate;
  costs.fill_s = links.fill_s + links.fill_gpu_s * group.per_domain;
  costs.fill_bytes = links.fill_bytes;
  return costs;
}

/// Adds the stage between the domains to what `costs` has of that inside them.
void add_network(Collective collective, double bytes, const Group& group, const Fabric& fabric,
                 Costs& costs) {
  const LinkConstants& links = fabric.network;
  const double steps_s = links.hop_s * network_steps(collective, group.domains());
  const double rate = std::max(1.0, fabric.network_bytes_s * links.efficiency / fabric.oversubscription);
  const bool direct = collective == Collective::kAllToAll || collective == Collective::kSendReceive;
  double low = 0;
  double bulk = 0;
  if (direct) {
    // Each GPU sends its own bytes for other domains through its rail.
    const double share =
        collective == Collective::kAllToAll ? (group.gpus - group.per_domain) / group.gpus : 1.0;
    low = bulk = bytes * share * group.per_domain / (rate * rails_of(group, fabric));
  } else {
    // One ring through all GPUs for every rail in use, each with its part of the buffer. Small operations are
    // not worth cutting into a part for each rail.
    const double rails = 1 + (rails_of(group, fabric) - 1) * bytes / (bytes + links.rail_bytes);
    low = bytes * traffic_factor(collective, group.gpus) / rate;
    bulk = low / rails;
  }
  costs.low_latency_s = std::max(costs.low_latency_s, links.base_s) + steps_s;
  costs.low_transfer_s = std::max(costs.low_transfer_s, low / links.low_latency_share);
  costs.bulk_latency_s =
      std::max(costs.bulk_latency_s, links.base_s + links.bulk_s) + (direct ? 1 : links.bulk_hops) * steps_s;
  costs.bulk_transfer_s = std::max(costs.bulk_transfer_s, bulk);
  // Rings and trees are pipelines through all GPUs; an all-to-all sends to each directly.
  costs.fill_s = std::max(costs.fill_s, links.fill_s) +
                 (collective == Collective::kAllToAll ? 0 : links.fill_gpu_s * group.gpus);
  costs.fill_bytes = std::max(costs.fill_bytes, links.fill_bytes);
}

}  // namespace

std::string_view collective_name(Collective collective) {
  constexpr std::array<std::string_view, kCollectives> kNames = {"all-reduce", "all-gather", "reduce-scatter",
                                                                 "all-to-all", "broadcast",  "send-receive"};
  return kNames[static_cast<std::size_t>(collective)];
}

Group group_of(const Fabric& fabric, double gpus, double stride) {
  if (gpus <= 1) return {};
  // As many members as fit in a domain; a group that is spread wider has one in each.
  const double room = std::max(1.0, std::floor(fabric.domain / std::max(1.0, stride)));
  return {gpus, gpus / std::ceil(gpus / room)};
}

double collective_seconds(Collective collective, double bytes, const Group& group, const Fabric& fabric) {
  if (group.gpus <= 1 || bytes <= 0) return 0;
  constexpr double kOneDomain = 1.0000001;
  Costs costs;
  if (group.per_domain > 1) costs = scaleup_costs(collective, bytes, group, fabric);
  if (group.domains() > kOneDomain) add_network(collective, bytes, group, fabric, costs);
  if (collective == Collective::kSendReceive) costs.fill_s = 0;
  return std::min(
      costs.low_latency_s + costs.low_transfer_s,
      costs.bulk_latency_s + costs.fill_s * bytes / (bytes + costs.fill_bytes) + costs.bulk_transfer_s);
}

double bus_bandwidth(Collective collective, double bytes, const Group& group, double seconds) {
  return seconds > 0 ? bytes / seconds * traffic_factor(collective, group.gpus) : 0;
}

}  // namespace gw::physics
