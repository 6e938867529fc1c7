// Failures of nodes in the twin: each goes down before it comes up, one by one or many at once.
#include "twin/faults.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace gw::twin {
namespace {

Fleet racks_of_ten(std::uint32_t nodes) {
  Fleet fleet;
  fleet.gpu_types.resize(1);
  fleet.gpu_types[0].name = "h100";
  NodeType type;
  type.name = "node";
  type.gpu_type = 0;
  type.gpus = 8;
  fleet.node_types.push_back(type);
  fleet.node_type_of.assign(nodes, 0);
  Partition racks{"rack", {0}};
  while (racks.first.back() < nodes) racks.first.push_back(racks.first.back() + 10);
  fleet.feed.push_back({racks, std::vector<Milliwatts>(racks.vertices()), {}});
  return fleet;
}

/// Takes changes until `horizon` and checks that each node alternates; how many went down at each instant.
std::map<std::int64_t, std::uint32_t> falls(FaultProcess& faults, std::uint32_t nodes, Instant horizon) {
  std::map<std::int64_t, std::uint32_t> at;
  std::vector<bool> down(nodes);
  Instant before;
  while (faults.next_due() < horizon) {
    const Instant due = faults.next_due();
    const FaultProcess::Change change = faults.take();
    EXPECT_EQ(change.when, due);
    EXPECT_GE(change.when, before);
    before = change.when;
    if (!change.node.valid()) continue;
    EXPECT_EQ(down[change.node.value()], change.up);
    down[change.node.value()] = !change.up;
    if (!change.up) ++at[change.when.count()];
  }
  return at;
}

FaultSpec by_component() {
  FaultSpec spec = published_faults();
  spec.by_component = true;
  return spec;
}

TEST(Faults, NodesAlternate) {
  for (const FaultSpec& spec : {published_faults(), by_component()}) {
    FaultProcess faults(spec, racks_of_ten(500), Rng(1));
    const auto at = falls(faults, 500, Instant{} + days(1000));
    EXPECT_GT(at.size(), 1000U);
  }
}

TEST(Faults, RacksFallAsOneOnlyByComponent) {
  FaultProcess uniform(published_faults(), racks_of_ten(500), Rng(1));
  FaultProcess components(by_component(), racks_of_ten(500), Rng(1));
  const auto most = [](const std::map<std::int64_t, std::uint32_t>& at) {
    std::uint32_t count = 0;
    for (const auto& [when, nodes] : at) count = std::max(count, nodes);
    return count;
  };
  EXPECT_EQ(most(falls(uniform, 500, Instant{} + days(3000))), 1U);
  EXPECT_EQ(most(falls(components, 500, Instant{} + days(3000))), 10U);
}

TEST(Faults, NoneWithoutARate) {
  FaultProcess faults(FaultSpec{}, racks_of_ten(10), Rng(1));
  EXPECT_EQ(faults.next_due(), Instant::max());
}

}  // namespace
}  // namespace gw::twin
