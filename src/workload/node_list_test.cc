// Node lists: made-up ones, wrong ones, and the recorded fleets.
#include "workload/node_list.h"

#include <gmock/gmock.h>

#include "workload/trace_test.h"

namespace gw::workload {
namespace {

using testing::HasSubstr;

Result<Fleet> from_text(std::string_view text) { return read_node_list(memory_source(text, "nodes")); }

TEST(NodeList, ReadsMachinesOfSeveralKinds) {
  const Result<Fleet> fleet = from_text(
      "sn,cpu_milli,memory_mib,gpu,model\nn1,32000,262144,0,\nn2,96000,786432,8,V100M32\nn3,96000,786432,8,"
      "V100M32\n"
      "n4,96000,524288,4,T4\n");
  ASSERT_TRUE(fleet) << fleet.error().message;
  EXPECT_EQ(fleet->nodes(), 4U);
  EXPECT_EQ(fleet->gpus(), 20U);
  EXPECT_EQ(fleet->node_types.size(), 3U);
  EXPECT_EQ(fleet->type_of(NodeId{1}).name, "8xV100M32-96c-768g");
  EXPECT_EQ(fleet->gpu_types[fleet->type_of(NodeId{3}).gpu_type].name, "T4");
  EXPECT_EQ(fleet->type_of(NodeId{0}).gpu_type, NodeType::kNoGpu);
  EXPECT_EQ(check_fleet(*fleet), "");
}

TEST(NodeList, ReadsPaiMachinesWithAndWithoutTheHeader) {
  for (const char* text : {"m1,V100,96,512,8\nm2,CPU,96,512,0\n",
                           "machine,gpu_type,cap_cpu,cap_mem,cap_gpu\nm1,V100,96,512,8\nm2,CPU,96,512,0\n"}) {
    const Result<Fleet> fleet = from_text(text);
    ASSERT_TRUE(fleet) << fleet.error().message;
    EXPECT_EQ(fleet->gpus(), 8U);
    EXPECT_EQ(fleet->type_of(NodeId{0}).cpu_milli, 96'000);
    EXPECT_EQ(fleet->type_of(NodeId{0}).memory_mib, 512 * 1024);
  }
}

TEST(NodeList, GivesEachVirtualClusterAHall) {
  const Result<Fleet> fleet = from_text("vc,node num\na,2\nb,3\n");
  ASSERT_TRUE(fleet) << fleet.error().message;
  EXPECT_EQ(fleet->gpus(), 40U);
  EXPECT_EQ(fleet->node_name(NodeId{2}), "b/node-1");
  EXPECT_EQ(fleet->fabric.size(), 2U);
}

TEST(NodeList, SaysWhereARowIsWrong) {
  EXPECT_THAT(from_text("sn,cpu_milli,memory_mib,gpu,model\nn,1,1,65,T4\n").error().message,
              HasSubstr("nodes:2: a node has"));
  EXPECT_THAT(from_text("sn,cpu_milli,memory_mib,gpu,model\nn,1,1,x,T4\n").error().message,
              HasSubstr("nodes:2: a number"));
  EXPECT_THAT(from_text("sn,cpu_milli,memory_mib,gpu,model\nn,1,1\n").error().message,
              HasSubstr("nodes:2: 3 columns"));
  EXPECT_THAT(from_text("name,cpu\n1,2\n").error().message, HasSubstr("nodes:1: no node list begins so"));
  EXPECT_THAT(from_text("vc,node num\na,-2\n").error().message, HasSubstr("nodes:2: `node num`"));
  EXPECT_THAT(from_text("vc,node num\n").error().message, HasSubstr("names no nodes"));
  EXPECT_TRUE(is_node_list("vc,node num\r\na,2\n"));
  EXPECT_FALSE(is_node_list("name: x\n"));
}

TEST(NodeList, RecordedFleets) {
  GW_NEED_RECORDED(openb, "openb_node_list_all_node.csv");
  GW_NEED_RECORDED(philly, "philly_vc_nodes.csv");
  const Result<Fleet> a = read_node_list(openb);
  ASSERT_TRUE(a) << a.error().message;
  EXPECT_EQ(a->nodes(), 1523U);
  EXPECT_EQ(a->gpus(), 6212U);
  const Result<Fleet> b = read_node_list(philly);
  ASSERT_TRUE(b) << b.error().message;
  EXPECT_EQ(b->nodes(), 352U);
  EXPECT_EQ(b->fabric[0].vertices(), 11U);
}

}  // namespace
}  // namespace gw::workload
