// Shapes rounded up to whole nodes and racks: what a job pays for, and that nobody fits beside it.
#include "model/exclusive.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

/// Three racks: 4 and 4 nodes of 8 GPUs, then 2 nodes of 4 GPUs of another type; then two nodes of 64 cores.
Fleet mixed_fleet() {
  Fleet fleet = flat_fleet(12, 8);
  for (const char* name : {"h100", "l40s"}) {
    GpuType type;
    type.name = name;
    fleet.gpu_types.push_back(type);
  }
  fleet.node_types.resize(3);
  fleet.node_types[0].gpu_type = 0;
  fleet.node_types[0].cpu_milli = 128'000;
  fleet.node_types[0].memory_mib = 1 << 20;
  fleet.node_types[1] = fleet.node_types[0];
  fleet.node_types[1].name = "small";
  fleet.node_types[1].gpus = 4;
  fleet.node_types[1].gpu_type = 1;
  fleet.node_types[2].name = "cpu";
  fleet.node_types[2].cpu_milli = 64'000;
  fleet.node_type_of = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2};
  fleet.fabric.insert(fleet.fabric.begin(), Partition{"rack", {0, 4, 8, 10, 12}});
  return fleet;
}

Shape gang(std::uint32_t nodes, std::uint32_t gpus) {
  Shape shape;
  shape.nodes = nodes;
  shape.gpus = gpus;
  return shape;
}

TEST(Exclusive, ANodeIsTakenWithAllItHas) {
  const Fleet fleet = mixed_fleet();
  ASSERT_EQ(check_fleet(fleet), "");
  const Result<Shape> shape = exclusive_shape(gang(2, 5), fleet, -1);
  ASSERT_TRUE(shape) << shape.error().message;
  EXPECT_EQ(shape->nodes, 2U);
  EXPECT_EQ(shape->gpus, 8U);
  EXPECT_EQ(shape->cpu_milli, 128'000);
  EXPECT_EQ(shape->memory_mib, 1 << 20);
  EXPECT_EQ(shape->gpu_types, 1U);
  EXPECT_EQ(shape->segment_nodes, 0U);
}

TEST(Exclusive, TheKindThatCostsTheFewestGpusIsTaken) {
  const Result<Shape> shape = exclusive_shape(gang(1, 2), mixed_fleet(), -1);
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->gpus, 4U);
  EXPECT_EQ(shape->gpu_types, 2U);
}

TEST(Exclusive, RacksAreFilled) {
  const Result<Shape> shape = exclusive_shape(gang(5, 8), mixed_fleet(), 0);
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->nodes, 8U);
  EXPECT_EQ(shape->segment_nodes, 4U);
  EXPECT_EQ(shape->segment_level, 0);
  EXPECT_EQ(shape->total_gpu_milli(), 64'000);
}

TEST(Exclusive, NodesWithoutGpusAreFullWithTheirCores) {
  Fleet fleet = mixed_fleet();
  EXPECT_FALSE(exclusive_shape(gang(1, 0), fleet, -1));  // 64 cores fit beside others on a larger node.
  for (NodeType& type : fleet.node_types) type.cpu_milli = 32'000;
  fleet.node_types[2].cpu_milli = 64'000;
  const Result<Shape> shape = exclusive_shape(gang(1, 0), fleet, -1);
  ASSERT_TRUE(shape) << shape.error().message;
  EXPECT_EQ(shape->gpus, 0U);
  EXPECT_EQ(shape->cpu_milli, 64'000);
}

TEST(Exclusive, WhatCannotBeKeptFromOthersIsRefused) {
  Fleet fleet = mixed_fleet();
  EXPECT_FALSE(exclusive_shape(gang(1, 9), fleet, -1));
  fleet.fabric[0].first = {0, 4, 9, 12};  // A rack with two kinds of nodes.
  ASSERT_EQ(check_fleet(fleet), "");
  EXPECT_FALSE(exclusive_shape(gang(1, 8), fleet, 0));  // The second has a foreign node beside its four.
}

}  // namespace
}  // namespace gw
