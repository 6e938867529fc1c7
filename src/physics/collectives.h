// Time of a collective operation between GPUs, by size, number of GPUs and fabric.
//
// The shorter of two ways (docs/physics-collectives.md): a protocol of low latency that reaches a small part
// of the bandwidth, and those of high bandwidth, whose latency is higher and whose pipelines have to fill.
// Each is latency by algorithm (ring or tree, whichever is shorter; NVLS switches reduce in one step) and
// bytes over the slower stage of a hierarchy: inside the scale-up domains or across the network.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "physics/accelerator.h"

namespace gw::physics {

enum class Collective : std::uint8_t {
  kAllReduce,
  kAllGather,
  kReduceScatter,
  kAllToAll,
  kBroadcast,
  kSendReceive,
};
inline constexpr int kCollectives = 6;
[[nodiscard]] std::string_view collective_name(Collective collective);

/// What was fitted of one kind of links (NVLink generation, PCIe, network). "Bulk" are the protocols of high
/// bandwidth (NCCL's LL128 and Simple).
struct LinkConstants {
  double base_s = 0;             ///< Launch of the kernels and first step.
  double hop_s = 0;              ///< Each step of a tree or ring beyond the first, at low latency (LL).
  double low_latency_share = 1;  ///< Of the bandwidth that large operations reach.
  double bulk_s = 0;             ///< What a bulk protocol takes more before the first byte,
  double bulk_hops = 1;          ///< and a step of it in steps at low latency.
  double switch_s = 0;           ///< Beyond `base_s` where the switch reduces (NVLS), instead of steps.
  double efficiency = 1;         ///< Of the nominal bandwidth, at large sizes.
  double fill_s = 0;             ///< Filling of the pipeline in large operations,
  double fill_gpu_s = 0;         ///< more for each GPU (network: of the group; scale-up: of a domain),
  double fill_bytes = 1;         ///< half of it at this size.
  double rail_bytes = 0;         ///< Network: below this size an operation uses one rail of a domain.
  double switch_efficiency = 0;  ///< As `efficiency` where the switch reduces (NVLS); 0 = it cannot.
};

/// Links between the GPUs of a group, seen from one of them.
struct Fabric {
  double scaleup_bytes_s = 0;   ///< Nominal, one direction.
  std::uint32_t domain = 1;     ///< GPUs that scale-up links connect.
  double network_bytes_s = 0;   ///< Nominal, one direction, of one rail.
  double rails = 0;             ///< Network rails of a domain; 0 = one for each GPU.
  double oversubscription = 1;  ///< Of the network beyond one leaf; 1 = none.
  LinkConstants scaleup;
  LinkConstants network;
};

/// A group: `gpus` in all, of which `per_domain` in each scale-up domain on average (1 <= per_domain <=
/// gpus): not a whole number where some domains hold one more than others.
struct Group {
  double gpus = 1;
  double per_domain = 1;
  [[nodiscard]] double domains() const { return gpus / per_domain; }
};

/// One set for each generation of scale-up links, one for networks.
struct FabricConstants {
  std::array<LinkConstants, kGenerations> scaleup;
  LinkConstants network;
};

/// What tools/physics_fit found (docs/physics-collectives.md).
[[nodiscard]] const FabricConstants& published_fabric_constants();

/// The fabric that a GPU type usually stands in.
[[nodiscard]] Fabric fabric_of(const Accelerator& gpu,
                               const FabricConstants& constants = published_fabric_constants());

/// `gpus` GPUs that stand `stride` ranks apart, ranks filling one domain after the other: spread evenly over
/// the fewest domains that hold them.
[[nodiscard]] Group group_of(const Fabric& fabric, double gpus, double stride = 1);

/// Seconds for one operation. `bytes` as nccl-tests count them: the buffer of one GPU; of an all-gather or
/// reduce-scatter the whole buffer, of which each GPU brings or keeps its part. 0 for a group of one.
[[nodiscard]] double collective_seconds(Collective collective, double bytes, const Group& group,
                                        const Fabric& fabric);

/// What nccl-tests print: bytes over time times the share of the links that the operation needs.
[[nodiscard]] double bus_bandwidth(Collective collective, double bytes, const Group& group, double seconds);

}  // namespace gw::physics
