// Properties of collectives: limits, rails, leaf and spine, and what domains do to broadcast and all-to-all.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>

#include "physics/collectives.h"
#include "physics/test_subjects.h"

namespace gw::physics {
namespace {

constexpr double kInfinite = 1e300;

Fabric any_fabric() {
  static const std::array<const char*, 5> kTypes = {"a100", "h100", "b200", "gb200", "h800"};
  return fabric_of(test_gpu(kTypes[*rc::gen::inRange<std::size_t>(0, kTypes.size())]));
}

double any_bytes() {
  return static_cast<double>(*rc::gen::inRange<std::int64_t>(1, 1000)) *
         static_cast<double>(std::int64_t{1} << *rc::gen::inRange(0, 28));
}

Group any_group(const Fabric& fabric) {
  return group_of(fabric, *rc::gen::inRange(2, 4096), *rc::gen::inRange(1, 16));
}

Collective any_collective() { return static_cast<Collective>(*rc::gen::inRange(0, kCollectives)); }

void free_of_latency(LinkConstants& links) {
  links = {.low_latency_share = links.low_latency_share,
           .bulk_hops = links.bulk_hops,
           .efficiency = links.efficiency,
           .rail_bytes = links.rail_bytes,
           .switch_efficiency = links.switch_efficiency};
}

RC_GTEST_PROP(CollectiveLimits, LinksWithoutLatencyAndWithoutEndTakeNoTime, ()) {
  Fabric fabric = any_fabric();
  const Group group = any_group(fabric);
  free_of_latency(fabric.scaleup);
  free_of_latency(fabric.network);
  fabric.scaleup_bytes_s = kInfinite;
  fabric.network_bytes_s = kInfinite;
  RC_ASSERT(collective_seconds(any_collective(), any_bytes(), group, fabric) < 1e-200);
}

RC_GTEST_PROP(CollectiveLimits, NoOperationIsFasterThanItsBytesOverTheBandwidth, ()) {
  const Fabric fabric = any_fabric();
  const double gpus = *rc::gen::inRange(2, 9);
  const Group group = group_of(fabric, gpus);
  const double bytes = any_bytes();
  const double rate = fabric.scaleup_bytes_s * std::max(1.0, fabric.scaleup.switch_efficiency);
  for (const Collective collective :
       {Collective::kAllReduce, Collective::kAllGather, Collective::kReduceScatter, Collective::kAllToAll}) {
    const double seconds = collective_seconds(collective, bytes, group, fabric);
    if (group.domains() == 1)
      RC_ASSERT(bus_bandwidth(collective, bytes, group, seconds) <= rate * (1 + 1e-12));
  }
}

RC_GTEST_PROP(CollectiveMonotony, MoreBandwidthMoreRailsAndLessLatencyAreNeverSlower, ()) {
  const Fabric fabric = any_fabric();
  const Group group = any_group(fabric);
  const Collective collective = any_collective();
  const double bytes = any_bytes();
  const double before = collective_seconds(collective, bytes, group, fabric);
  const auto never_slower = [&](Fabric better) {
    RC_ASSERT(collective_seconds(collective, bytes, group, better) <= before * (1 + 1e-12));
  };
  Fabric better = fabric;
  better.scaleup_bytes_s *= 1 + 0.01 * *rc::gen::inRange(0, 1000);
  never_slower(better);
  better = fabric;
  better.network_bytes_s *= 1 + 0.01 * *rc::gen::inRange(0, 1000);
  never_slower(better);
  better = fabric;
  better.scaleup.hop_s = 0;
  better.network.hop_s = 0;
  never_slower(better);
  better = fabric;
  better.scaleup.base_s /= 2;
  better.network.base_s /= 2;
  never_slower(better);
  better = fabric;
  better.scaleup.low_latency_share = std::min(1.0, 2 * better.scaleup.low_latency_share);
  better.network.low_latency_share = std::min(1.0, 2 * better.network.low_latency_share);
  never_slower(better);
  better = fabric;
  better.scaleup.bulk_s = better.scaleup.switch_s = 0;
  better.network.bulk_hops = 1;
  never_slower(better);
}

RC_GTEST_PROP(CollectiveProtocols, AProtocolThatNobodyNeedsChangesNothing, ()) {
  // Without its bandwidth, low latency serves nobody; above some bytes nobody takes it.
  const Fabric fabric = any_fabric();
  const Group group = any_group(fabric);
  const Collective collective = any_collective();
  Fabric bulk = fabric;
  bulk.scaleup.low_latency_share = bulk.network.low_latency_share = 1e-9;
  const double bytes = any_bytes();
  RC_ASSERT(collective_seconds(collective, bytes, group, fabric) <=
            collective_seconds(collective, bytes, group, bulk));
  const double large = 1e11 + bytes;
  RC_ASSERT(collective_seconds(collective, large, group, fabric) ==
            collective_seconds(collective, large, group, bulk));
}

TEST(CollectiveProtocols, EightH100GoFromLowLatencyToTheSwitch) {
  const Fabric h100 = fabric_of(test_gpu("h100"));
  const auto time_us = [&](double bytes) {
    return 1e6 * collective_seconds(Collective::kAllReduce, bytes, group_of(h100, 8), h100);
  };
  // nccl-tests on a node of Azure: 25.6, 26.5, 30.2, 42.2, 42.2 us.
  EXPECT_NEAR(time_us(1024), 25.6, 1.5);
  EXPECT_NEAR(time_us(4096), 26.5, 1.5);
  EXPECT_NEAR(time_us(16384), 30.2, 3.5);
  EXPECT_NEAR(time_us(65536), 42.2, 7);
  // Beyond, the switch's latency, whatever the size.
  EXPECT_NEAR(time_us(262144), time_us(65536), 1.5);
  // A library that has no such protocol waits for the switch from the first byte on.
  Fabric without = h100;
  without.scaleup.low_latency_share = 1e-9;
  const double waited = 1e6 * collective_seconds(Collective::kAllReduce, 1024, group_of(h100, 8), without);
  EXPECT_GT(waited, 1.3 * time_us(1024));
}

RC_GTEST_PROP(CollectiveRails, EachFurtherRailHelpsAndNeverBeyondItsShare, ()) {
  Fabric fabric = any_fabric();
  fabric.domain = 8;
  const Group group = group_of(fabric, 8 * *rc::gen::inRange(2, 200));
  const double bytes = any_bytes();
  const Collective collective = any_collective();
  double before = kInfinite;
  for (int rails = 1; rails <= 8; ++rails) {
    fabric.rails = rails;
    const double seconds = collective_seconds(collective, bytes, group, fabric);
    RC_ASSERT(seconds <= before * (1 + 1e-12));
    if (rails > 1) RC_ASSERT(seconds >= before * (rails - 1) / rails * (1 - 1e-12));
    before = seconds;
  }
  fabric.rails = 0;  // One for each GPU.
  RC_ASSERT(collective_seconds(collective, bytes, group, fabric) == before);
}

RC_GTEST_PROP(CollectiveSpine, OversubscriptionSlowsWhatLeavesADomainAndNothingElse, ()) {
  const Fabric fabric = any_fabric();
  const Group group = any_group(fabric);
  const Collective collective = any_collective();
  const double bytes = any_bytes();
  const double even = collective_seconds(collective, bytes, group, fabric);
  Fabric thin = fabric;
  thin.oversubscription = 1 + 0.1 * *rc::gen::inRange(0, 100);
  const double slower = collective_seconds(collective, bytes, group, thin);
  if (group.domains() <= 1)
    RC_ASSERT(slower == even);
  else
    RC_ASSERT(slower >= even && slower <= even * thin.oversubscription * (1 + 1e-12));
}

TEST(CollectiveSpine, AThinSpineCostsALargeAllReduceItsWholeFactor) {
  Fabric fabric = fabric_of(test_gpu("h100"));
  const Group spread = group_of(fabric, 64, 8);  // One GPU in each node.
  const double size = 8.0 * (1U << 30U);
  const double even = collective_seconds(Collective::kAllReduce, size, spread, fabric);
  fabric.oversubscription = 4;
  EXPECT_NEAR(collective_seconds(Collective::kAllReduce, size, spread, fabric) / even, 4, 0.05);
}

TEST(CollectiveDomains, AllToAllOfARackDoesNotPayForItsNetwork) {
  // 64 experts' worth of tokens: 256 MB leave each GPU.
  const Fabric rack = fabric_of(test_gpu("gb200"));
  Fabric nodes = rack;
  nodes.domain = 8;
  const double size = 256e6;
  const double inside = collective_seconds(Collective::kAllToAll, size, group_of(rack, 64), rack);
  const double across = collective_seconds(Collective::kAllToAll, size, group_of(nodes, 64), nodes);
  // 7/8 of the bytes over 50 GB/s against 63/64 over 900 GB/s.
  EXPECT_GT(across / inside, 4);
  EXPECT_LT(across / inside, 900.0 / 50);
}

TEST(CollectiveDomains, ABroadcastCostsItsBytesOnceOnEachLevel) {
  const Fabric fabric = fabric_of(test_gpu("h100"));
  const double size = 16e9;
  const double node = collective_seconds(Collective::kBroadcast, size, group_of(fabric, 8), fabric);
  EXPECT_NEAR(size / node, fabric.scaleup_bytes_s * fabric.scaleup.efficiency, 0.05 * fabric.scaleup_bytes_s);
  // Eight rails of 50 GB/s carry as much as a GPU takes in over NVLink.
  const double many = collective_seconds(Collective::kBroadcast, size, group_of(fabric, 512), fabric);
  EXPECT_LT(many, 1.2 * node);
  EXPECT_GE(many, size / (8 * fabric.network_bytes_s));
}

TEST(CollectiveSmall, TwoGpusExchangeAtOnceAndMoreGoUpAndDown) {
  const Fabric h100 = fabric_of(test_gpu("h100"));
  const auto small = [&](double gpus, const Fabric& fabric) {
    return collective_seconds(Collective::kAllReduce, 2048, group_of(fabric, gpus), fabric);
  };
  // vidur's profiles: 7 us of two H100; nccl-tests: 26 us of eight.
  EXPECT_NEAR(small(2, h100) * 1e6, 6.5, 1.2);
  EXPECT_GT(small(4, h100), 2 * small(2, h100));
  EXPECT_GT(small(8, h100), small(4, h100));
  // A switch that reduces takes no longer for eight.
  const auto medium = [&](double gpus) {
    return collective_seconds(Collective::kAllReduce, 524288, group_of(h100, gpus), h100);
  };
  EXPECT_NEAR(medium(8), medium(4), 1e-6);
  const Fabric a100 = fabric_of(test_gpu("a100"));
  EXPECT_GT(small(8, a100), small(4, a100));  // No switch reduces.
}

}  // namespace
}  // namespace gw::physics
