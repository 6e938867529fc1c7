// Outages of a fleet: as many as the rates say, in order, equal for equal seeds, and racks as one.
#include "physics/failure_events.h"

#include <gtest/gtest.h>

#include <map>

namespace gw::physics {
namespace {

/// 1,000 nodes of eight H100 in racks of 10, rows of 100, leaves of 20.
Fleet fleet_of_rows() {
  constexpr std::uint32_t kNodes = 1000;
  Fleet fleet;
  fleet.gpu_types.resize(1);
  fleet.gpu_types[0].name = "h100";
  NodeType type;
  type.name = "node";
  type.gpu_type = 0;
  type.gpus = 8;
  fleet.node_types.push_back(type);
  fleet.node_type_of.assign(kNodes, 0);
  const auto every = [](const char* level, std::uint32_t size) {
    Partition partition{level, {0}};
    while (partition.first.back() < kNodes) partition.first.push_back(partition.first.back() + size);
    return partition;
  };
  fleet.fabric.push_back(every("leaf", 20));
  fleet.fabric.push_back(every("fleet", kNodes));
  fleet.feed.push_back({every("rack", 10), std::vector<Milliwatts>(100), {}});
  fleet.feed.push_back({every("row", 100), std::vector<Milliwatts>(10), {}});
  return fleet;
}

TEST(FailureEvents, ComeAsOftenAsTheRatesSay) {
  const Fleet fleet = fleet_of_rows();
  const double years = 20;
  const std::vector<Outage> outages = outages_before(fleet, Instant{} + days(365 * 20), 3);
  std::map<OutageKind, double> counts;
  double memory = 0;
  for (const Outage& each : outages) {
    ++counts[each.kind];
    memory += each.kind == OutageKind::kNode && each.cause == FailureCause::kMemory;
  }
  const ByCause node = node_failures(Generation::kHopper, 8);
  double per_hour = 0;
  for (const double each : node) per_hour += each;
  const double hours_in_all = years * 365 * 24 * 1000;
  EXPECT_NEAR(counts[OutageKind::kNode] / (per_hour * hours_in_all), 1, 0.03);
  EXPECT_NEAR(memory / (node[static_cast<std::size_t>(FailureCause::kMemory)] * hours_in_all), 1, 0.06);
  EXPECT_NEAR(counts[OutageKind::kRack], 0.05 * 100 * years, 35);  // 100, three deviations each way.
  EXPECT_NEAR(counts[OutageKind::kLeaf], 0.05 * 50 * years, 25);
  EXPECT_NEAR(counts[OutageKind::kFeed], 0.1 * 10 * years, 15);
}

TEST(FailureEvents, AreInOrderAndTakeWholeParts) {
  const Fleet fleet = fleet_of_rows();
  Instant before;
  for (const Outage& each : outages_before(fleet, Instant{} + days(365), 5)) {
    EXPECT_GE(each.down, before);
    EXPECT_GT(each.up, each.down);
    before = each.down;
    const std::uint32_t size = each.end - each.first;
    switch (each.kind) {
      case OutageKind::kNode:
        EXPECT_EQ(size, 1U);
        break;
      case OutageKind::kRack:
        EXPECT_TRUE(size == 10 && each.first % 10 == 0);
        break;
      case OutageKind::kLeaf:
        EXPECT_TRUE(size == 20 && each.first % 20 == 0);
        EXPECT_EQ(each.cause, FailureCause::kNetwork);
        break;
      case OutageKind::kFeed:
        EXPECT_TRUE(size == 100 && each.first % 100 == 0);
        break;
    }
    EXPECT_LE(each.end, fleet.nodes());
  }
}

TEST(FailureEvents, AreEqualForEqualSeeds) {
  const Fleet fleet = fleet_of_rows();
  const auto drawn = [&](std::uint64_t seed) {
    std::vector<std::int64_t> numbers;
    for (const Outage& each : outages_before(fleet, Instant{} + days(30), seed))
      numbers.insert(numbers.end(), {each.down.count(), each.up.count(), each.first, each.end});
    return numbers;
  };
  EXPECT_EQ(drawn(1), drawn(1));
  EXPECT_NE(drawn(1), drawn(2));
  EXPECT_GT(drawn(1).size(), 100U);
}

TEST(FailureEvents, AFleetWithoutNodesHasNone) {
  EXPECT_FALSE(OutageStream(Fleet{}, Rng(1)).any());
  EXPECT_TRUE(outages_before(Fleet{}, Instant{} + days(30), 1).empty());
}

}  // namespace
}  // namespace gw::physics
