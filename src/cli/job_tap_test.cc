// JobTap: tenants' weights, renamed GPU types, fingerprint, and words for rejections.
#include "cli/job_tap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twin/twin.h"
#include "workload/list_stream.h"

namespace gw {
namespace {

using testing::HasSubstr;

class JobList final : public workload::ListStream {
 public:
  void add(const std::string& id, const Shape& shape, TenantId tenant = TenantTree::root()) {
    TraceJob job;
    job.id = id;
    job.request.shape = shape;
    job.request.tenant = tenant;
    job.request.limit = job.truth.run_time = Nanoseconds{kNanosecondsPerSecond};
    jobs.push_back(job);
  }
};

/// Two nodes of eight h100.
Fleet two_nodes() {
  Fleet fleet = flat_fleet(2, 8);
  fleet.gpu_types.push_back({});
  fleet.gpu_types.back().name = "h100";
  fleet.node_types[0].gpu_type = 0;
  return fleet;
}

report::RunFacts run(JobList& jobs, const Fleet& fleet, const JobTapOptions& options = {}) {
  JobTap tap(jobs, fleet, options, nullptr);
  twin::TwinOptions twin;
  twin.policy = *policy_by_name("fifo");
  twin.store = &tap;
  const Result<twin::RunSummary> summary = twin::run_twin(fleet, tap, twin);
  EXPECT_TRUE(summary.has_value());
  report::RunFacts facts;
  tap.fill(facts);
  std::uint64_t told = 0;
  for (const report::RejectedGroup& group : facts.rejected) told += group.jobs;
  EXPECT_EQ(told, summary->jobs.rejected);
  return facts;
}

Shape gang(std::uint32_t nodes, std::uint32_t gpus, std::uint64_t types = 0) {
  Shape shape;
  shape.nodes = nodes;
  shape.gpus = gpus;
  shape.gpu_types = types;
  return shape;
}

TEST(JobTap, SaysWhichJobsAreRejectedAndWhy) {
  JobList jobs;
  jobs.types = {"h100", "V100"};
  jobs.add("fits", gang(1, 8, 1));
  jobs.add("wish", gang(1, 1, 2));
  jobs.add("either", gang(1, 1, 3));
  jobs.add("wish-2", gang(1, 1, 2));
  jobs.add("wide", gang(1, 16));
  jobs.add("many", gang(3, 8));
  jobs.add("anywhere", gang(0, 17));
  const report::RunFacts facts = run(jobs, two_nodes());
  ASSERT_EQ(facts.rejected.size(), 4U);
  EXPECT_EQ(facts.rejected[0].jobs, 2U);
  EXPECT_EQ(facts.rejected[0].why, "of GPU type V100, which the fleet does not have");
  EXPECT_EQ(facts.rejected[0].example, "wish");
  EXPECT_EQ(facts.rejected[0].gpu_types, std::vector<std::string>{"V100"});
  EXPECT_EQ(facts.rejected[1].why, "of 16 GPUs on one node, where the largest has 8");
  EXPECT_EQ(facts.rejected[1].example, "wide");
  EXPECT_EQ(facts.rejected[2].why, "of 3 nodes with 8 GPUs each, where one kind has 2");
  EXPECT_EQ(facts.rejected[3].why, "of 17 GPUs, where one kind of node has 16 in all");
}

TEST(JobTap, ListsABoundedNumberOfReasons) {
  JobList jobs;
  for (int type = 0; type < 30; ++type) {
    jobs.types.push_back("type-" + std::to_string(type));
    jobs.add(std::to_string(type), gang(1, 1, std::uint64_t{1} << type));
  }
  const report::RunFacts facts = run(jobs, two_nodes());
  ASSERT_EQ(facts.rejected.size(), 21U);
  EXPECT_EQ(facts.rejected.back().jobs, 10U);
  EXPECT_EQ(facts.rejected.back().example, "20");
}

TEST(JobTap, RenamesGpuTypes) {
  const auto rejected = [](const JobTapOptions& options) {
    JobList jobs;
    jobs.types = {"V100", "P100"};
    jobs.add("v", gang(1, 1, 1));
    jobs.add("p", gang(1, 1, 2));
    std::uint64_t count = 0;
    for (const report::RejectedGroup& group : run(jobs, two_nodes(), options).rejected) count += group.jobs;
    return count;
  };
  EXPECT_EQ(rejected({}), 2U);
  EXPECT_EQ(rejected({nullptr, {{"V100", "h100"}}}), 1U);
  EXPECT_EQ(rejected({nullptr, {{"V100", "h100"}, {"P100", "any"}}}), 0U);
}

TEST(JobTap, FingerprintTellsWorkloadsApartButNotFleets) {
  const auto fingerprint = [](std::uint32_t last, const Fleet& fleet) {
    JobList jobs;
    jobs.add("a", gang(1, 1));
    jobs.add("b", gang(1, last));
    return run(jobs, fleet).fingerprint;
  };
  EXPECT_EQ(fingerprint(2, two_nodes()), fingerprint(2, flat_fleet(64)));
  EXPECT_NE(fingerprint(2, two_nodes()), fingerprint(3, two_nodes()));
}

TEST(TenantPlacer, GivesWeightsByPathAndByTheOnlyName) {
  TenantTree known;
  const TenantId firm = known.add(TenantTree::root(), "firm", 4, "manufacturer");
  known.add(firm, "lab", 3);
  known.add(TenantTree::root(), "idle", 9);
  TenantTree log;
  const TenantId lab = log.child(TenantTree::root(), "lab");        // By name: firm/lab.
  const TenantId ann = log.child(lab, "ann");                       // Below it.
  const TenantId group = log.child(TenantTree::root(), "group-1");  // The log's own.
  const TenantId by_path = log.child(TenantTree::root(), "firm");
  TenantPlacer placer(known);
  placer.update(log);
  const TenantTree& tree = placer.tree();
  EXPECT_EQ(tree.path(placer.placed(lab)), "firm/lab");
  EXPECT_EQ(tree[placer.placed(lab)].weight, 3U);
  EXPECT_EQ(tree.path(placer.placed(ann)), "firm/lab/ann");
  EXPECT_EQ(tree[placer.placed(ann)].weight, 1U);
  EXPECT_EQ(tree.path(placer.placed(group)), "group-1");
  EXPECT_EQ(tree[placer.placed(by_path)].weight, 4U);
  EXPECT_EQ(tree[placer.placed(by_path)].kind, "manufacturer");
  EXPECT_FALSE(tree.find_child(TenantTree::root(), "idle").valid());
  EXPECT_THAT(placer.note("x.yaml"), HasSubstr("2 of the log's 4 tenants"));
}

TEST(TenantPlacer, DoesNotGuessBetweenTwoOfOneName) {
  TenantTree known;
  for (const char* firm : {"a", "b"}) known.add(known.add(TenantTree::root(), firm, 2), "lab", 5);
  TenantTree log;
  const TenantId lab = log.child(TenantTree::root(), "lab");
  TenantPlacer placer(known);
  placer.update(log);
  EXPECT_EQ(placer.tree().path(placer.placed(lab)), "lab");
  EXPECT_EQ(placer.tree()[placer.placed(lab)].weight, 1U);
}

}  // namespace
}  // namespace gw
