// Collectives: limits, monotony, and what the catalog and published tables say.
#include "physics/collectives.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "physics/test_subjects.h"
#include "physics/validation_collectives.h"

namespace gw::physics {
namespace {

Fabric h100() { return fabric_of(test_gpu("h100")); }

TEST(Collectives, LargeAllReducesReachThePublishedBusBandwidth) {
  // nccl-tests on one DGX H100: 460 to 480 GB/s; on 8 x A100: 230 to 250; on one NVL72 rack: about 835.
  const double size = 8.0 * (1U << 30U);
  const auto bus = [&](const char* gpu, double gpus) {
    const Fabric fabric = fabric_of(test_gpu(gpu));
    const Group group = group_of(fabric, gpus);
    return bus_bandwidth(Collective::kAllReduce, size, group,
                         collective_seconds(Collective::kAllReduce, size, group, fabric)) *
           1e-9;
  };
  EXPECT_NEAR(bus("h100", 8), 470, 12);
  EXPECT_NEAR(bus("a100", 8), 232, 8);
  EXPECT_NEAR(bus("gb200", 72), 820, 25);
}

TEST(Collectives, GroupsFillDomains) {
  const Fabric fabric = h100();
  EXPECT_EQ(group_of(fabric, 4).domains(), 1);
  EXPECT_EQ(group_of(fabric, 16).domains(), 2);
  EXPECT_EQ(group_of(fabric, 16, 8).domains(), 16);  // One GPU in each node.
  EXPECT_EQ(group_of(fabric, 12).per_domain, 6);     // Even parts.
  EXPECT_EQ(group_of(fabric, 11).domains(), 2);      // Five and six.
  EXPECT_EQ(group_of(fabric, 13, 4).domains(), 7);   // Two in each but one.
}

TEST(Collectives, NoNumberOfGpusFallsOutOfItsDomains) {
  // Evenly spread, domains are at least half full: no more than half of their rails and links is missing.
  for (const char* gpu : {"h100", "gb200"}) {
    const Fabric fabric = fabric_of(test_gpu(gpu));
    const double room = fabric.domain;
    const auto seconds = [&](Collective collective, double gpus) {
      return collective_seconds(collective, double{1U << 30U}, group_of(fabric, gpus), fabric);
    };
    for (double gpus = room + 1; gpus < 4 * room; ++gpus) {
      const double full = room * std::ceil(gpus / room);
      EXPECT_EQ(std::round(group_of(fabric, gpus).domains()), full / room) << gpu << " x " << gpus;
      for (const Collective each : {Collective::kAllReduce, Collective::kAllGather})
        EXPECT_LT(seconds(each, gpus), 2 * seconds(each, full)) << gpu << " x " << gpus;
    }
  }
}

RC_GTEST_PROP(Collectives, NeverNegativeAndGrowWithSize, ()) {
  const Fabric fabric = h100();
  const double gpus = *rc::gen::inRange(1, 5000);
  const auto bytes = static_cast<double>(*rc::gen::inRange<std::int64_t>(1, std::int64_t{1} << 40));
  for (int i = 0; i < kCollectives; ++i) {
    const auto collective = static_cast<Collective>(i);
    const Group group = group_of(fabric, gpus);
    const double once = collective_seconds(collective, bytes, group, fabric);
    RC_ASSERT(once >= 0);
    RC_ASSERT(collective_seconds(collective, 2 * bytes, group, fabric) >= once);
    if (gpus > 1) RC_ASSERT(once > 0);
  }
}

RC_GTEST_PROP(Collectives, AFasterNetworkIsNeverSlower, ()) {
  Fabric fabric = h100();
  const double gpus = 8 * *rc::gen::inRange(1, 500);
  const auto bytes = static_cast<double>(*rc::gen::inRange<std::int64_t>(1, std::int64_t{1} << 36));
  for (int i = 0; i < kCollectives; ++i) {
    const auto collective = static_cast<Collective>(i);
    const double slow = collective_seconds(collective, bytes, group_of(fabric, gpus), fabric);
    Fabric fast = fabric;
    fast.network_bytes_s *= 2;
    RC_ASSERT(collective_seconds(collective, bytes, group_of(fast, gpus), fast) <= slow);
    Fabric thin = fabric;
    thin.oversubscription = 4;
    RC_ASSERT(collective_seconds(collective, bytes, group_of(thin, gpus), thin) >= slow);
  }
}

TEST(Collectives, PublishedOnesAreNear) {
  GW_NEED_REFERENCE(path, "collectives.csv");
  const auto source = workload::open_file(path);
  ASSERT_TRUE(source.has_value());
  const auto rows = read_published_collectives(test_table(**source), test_types());
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  const ValidationReport report = validate_collectives(*rows);
  bool seen = false;
  for (const ErrorSummary& cell : report.cells) {
    if (cell.name != "all-reduce, 64 MB and more") continue;
    seen = true;
    EXPECT_GE(cell.points, 40U);
    EXPECT_LT(cell.mean, 0.05);
    EXPECT_LT(cell.mean, cell.null_mean);
  }
  for (const ErrorSummary& cell : report.cells) {
    if (cell.name != "all-reduce, under 1 MB") continue;
    EXPECT_GE(cell.points, 80U);
    EXPECT_LT(cell.mean, 0.23);
  }
  EXPECT_TRUE(seen);
}

TEST(Collectives, RunsThatLieApartAreSaid) {
  const std::string text =
      "id,group,kind,collective,gpus,nodes,gpus_per_node,gpu_type,fabric,bytes,time_us,notes\n"
      "a,g,measurement,all_reduce,2,1,2,H100 SXM,NVLink4,1000,10,min 8 max 16 us; short runs\n"
      "b,g,measurement,all_reduce,2,1,2,H100 SXM,NVLink4,2000,10,min 10 max 12 us\n"
      "c,g,measurement,all_reduce,2,1,2,H100 SXM,NVLink4,3000,10,max 12 us\n"
      "d,g,measurement,all_reduce,2,1,2,H100 SXM,NVLink4,4000,10,min 11 max 12 us\n";
  const auto rows = read_published_collectives(test_table(text), test_types());
  ASSERT_TRUE(rows.has_value());
  EXPECT_DOUBLE_EQ((*rows)[0].least_s, 8e-6);
  EXPECT_DOUBLE_EQ((*rows)[0].most_s, 16e-6);
  EXPECT_EQ((*rows)[2].least_s, 0);
  EXPECT_EQ((*rows)[3].least_s, 0);  // Not around its own median.
  const auto notes = validate_collectives(*rows).notes;
  ASSERT_EQ(notes.size(), 1U);
  // 4 of 10 and 1 of 10.
  EXPECT_NE(notes[0].find("2 rows tell"), std::string::npos) << notes[0];
  EXPECT_NE(notes[0].find("In 1 of them"), std::string::npos) << notes[0];
  EXPECT_NE(notes[0].find("is 25.0 % from the row"), std::string::npos) << notes[0];
}

TEST(Collectives, RowsOutOfOrderOfSizeAreSaid) {
  const std::string columns =
      "id,group,kind,collective,gpus,nodes,gpus_per_node,gpu_type,fabric,bytes,time_us\n";
  const auto notes_of = [&](const std::vector<double>& times) {
    std::string text = columns;
    for (std::size_t i = 0; i < times.size(); ++i)
      text += fmt::format("R{0},g,measurement,all_reduce,2,1,2,H100 SXM,NVLink4,{1},{2}\n", i, (i + 1) * 1000,
                          times[i]);
    const auto rows = read_published_collectives(test_table(text), test_types());
    EXPECT_TRUE(rows.has_value());
    return validate_collectives(*rows).notes;
  };
  EXPECT_TRUE(notes_of({7, 8, 9}).empty());
  EXPECT_TRUE(notes_of({7, 8, 40}).empty());  // A curve, if no line.
  const auto notes = notes_of({40, 20, 40});
  ASSERT_EQ(notes.size(), 1U);
  // 20 for all errs by half twice, 40 for all by 1 once.
  EXPECT_NE(notes[0].find("all-reduce, under 1 MB: 1 of 1"), std::string::npos) << notes[0];
  EXPECT_NE(notes[0].find("errs by 33.3 %"), std::string::npos) << notes[0];
  // 20 between two of 40.
  EXPECT_NE(notes[0].find("by its two neighbours in size, by 100.0 %"), std::string::npos) << notes[0];
  EXPECT_NE(notes[0].find("better than 16.7 %"), std::string::npos) << notes[0];
}

}  // namespace
}  // namespace gw::physics
