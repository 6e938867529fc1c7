// Collectives: latency, pipeline filling, and bytes over the slower stage.
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
double scaleup_steps(Collective collective, double members, const LinkConstants& links) {
  if (members <= 2) return 0;
  const double depth = depth_of(members);
  switch (collective) {
    case Collective::kAllReduce:
      return switch_reduces(collective, members, links) ? 2 : 2 * (depth - 1);
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

double scaleup_rate(Collective collective, const Group& group, const Fabric& fabric) {
  const double efficiency = switch_reduces(collective, group.per_domain, fabric.scaleup)
                                ? fabric.scaleup.switch_efficiency
                                : fabric.scaleup.efficiency;
  return std::max(1.0, fabric.scaleup_bytes_s * efficiency);
}

/// Small operations are not worth cutting into a part for each rail.
double rails_in_use(double bytes, const Group& group, const Fabric& fabric) {
  const double rails = fabric.rails > 0 ? std::min(group.per_domain, fabric.rails) : group.per_domain;
  return 1 + (rails - 1) * bytes / (bytes + fabric.network.rail_bytes);
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
  double per_domain = std::min(gpus, room);
  while (per_domain > 1 && gpus / per_domain != std::floor(gpus / per_domain)) per_domain -= 1;
  return {gpus, per_domain};
}

double collective_seconds(Collective collective, double bytes, const Group& group, const Fabric& fabric) {
  if (group.gpus <= 1 || bytes <= 0) return 0;
  const double domains = group.domains();
  const bool crosses = domains > 1.0000001;
  const bool inside = group.per_domain > 1;
  double latency = 0;
  double fill = 0;
  double fill_bytes = 1;
  double transfer = 0;
  if (inside) {
    latency = fabric.scaleup.base_s +
              fabric.scaleup.hop_s * scaleup_steps(collective, group.per_domain, fabric.scaleup);
    fill = fabric.scaleup.fill_s + fabric.scaleup.fill_gpu_s * group.per_domain;
    fill_bytes = fabric.scaleup.fill_bytes;
    const double rate = scaleup_rate(collective, group, fabric);
    const double factor = collective == Collective::kAllToAll
                              ? (group.per_domain - 1) / group.gpus
                              : traffic_factor(collective, crosses ? group.per_domain : group.gpus);
    transfer = bytes * factor / rate;
  }
  if (crosses) {
    latency =
        std::max(latency, fabric.network.base_s) + fabric.network.hop_s * network_steps(collective, domains);
    const double rate =
        std::max(1.0, fabric.network_bytes_s * fabric.network.efficiency / fabric.oversubscription);
    double across = 0;
    if (collective == Collective::kAllToAll || collective == Collective::kSendReceive) {
      // Each GPU sends its own bytes for other domains through its rail.
      const double share =
          collective == Collective::kAllToAll ? (group.gpus - group.per_domain) / group.gpus : 1.0;
      const double rails = fabric.rails > 0 ? std::min(group.per_domain, fabric.rails) : group.per_domain;
      across = bytes * share * group.per_domain / (rate * rails);
    } else {
      // One ring through all GPUs for every rail in use, each with its part of the buffer.
      const double rails = rails_in_use(bytes, group, fabric);
      across = bytes * traffic_factor(collective, group.gpus) / (rate * rails);
    }
    // Rings and trees are pipelines through all GPUs; an all-to-all sends to each directly.
    fill = std::max(fill, fabric.network.fill_s) +
           (collective == Collective::kAllToAll ? 0 : fabric.network.fill_gpu_s * group.gpus);
    fill_bytes = std::max(fill_bytes, fabric.network.fill_bytes);
    transfer = std::max(transfer, across);
  }
  if (collective == Collective::kSendReceive) fill = 0;
  return latency + fill * bytes / (bytes + fill_bytes) + transfer;
}

double bus_bandwidth(Collective collective, double bytes, const Group& group, double seconds) {
  return seconds > 0 ? bytes / seconds * traffic_factor(collective, group.gpus) : 0;
}

}  // namespace gw::physics
