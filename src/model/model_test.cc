// Fleet names and invariants, tenant tree look-ups.
#include <gtest/gtest.h>

#include "model/fleet.h"
#include "model/policy.h"
#include "model/tenant.h"
#include "model/workload_mix.h"

namespace gw {
namespace {

Fleet two_halls() {
  Fleet fleet = flat_fleet(12, 8);
  fleet.fabric.insert(fleet.fabric.begin(), Partition{"leaf", {0, 4, 8, 12}});
  fleet.feed.push_back({Partition{"rack", {0, 2, 4, 6, 8, 10, 12}}, std::vector<Milliwatts>(6), {}});
  fleet.feed.push_back({Partition{"hall", {0, 8, 12}}, std::vector<Milliwatts>(2), {"north", "south"}});
  return fleet;
}

TEST(Fleet, NamesNodesByTheirPlace) {
  const Fleet fleet = two_halls();
  ASSERT_EQ(check_fleet(fleet), "");
  EXPECT_EQ(fleet.gpus(), 96U);
  EXPECT_EQ(fleet.node_name(NodeId{0}), "north/rack-01/node-1");
  EXPECT_EQ(fleet.node_name(NodeId{7}), "north/rack-04/node-2");
  EXPECT_EQ(fleet.node_name(NodeId{11}), "south/rack-02/node-2");
  EXPECT_EQ(flat_fleet(4).node_name(NodeId{3}), "node-4");
}

TEST(Fleet, BrokenTreesAreNamed) {
  Fleet fleet = two_halls();
  fleet.fabric[0].first = {0, 5, 8, 12};
  fleet.fabric.insert(fleet.fabric.begin() + 1, Partition{"spine", {0, 4, 12}});
  EXPECT_EQ(check_fleet(fleet), "level `leaf` does not nest in level `spine`");
  fleet = two_halls();
  fleet.feed[1].capacity.pop_back();
  EXPECT_NE(check_fleet(fleet), "");
}

TEST(TenantTree, FindsAndMakesChildren) {
  TenantTree tree;
  const TenantId org = tree.add(TenantTree::root(), "bauer-ag", 3);
  const TenantId user = tree.child(tree.child(org, "vision"), "ute");
  EXPECT_EQ(tree.path(user), "bauer-ag/vision/ute");
  EXPECT_EQ(tree.child(org, "vision"), tree[user].parent);
  EXPECT_FALSE(tree.find_child(org, "ute").valid());
  EXPECT_EQ(tree.path(TenantTree::root()), "");
}

TEST(Policy, EveryNameResolves) {
  for (const PolicyName& policy : policy_names())
    EXPECT_TRUE(policy_by_name(policy.name).has_value()) << policy.name;
  EXPECT_FALSE(policy_by_name("lottery").has_value());
}

}  // namespace
}  // namespace gw
