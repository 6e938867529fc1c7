// An elastic job's work is node-seconds: its end moves with each resize, and what it held counts node by
// node.
#include <gtest/gtest.h>

#include <map>

#include "twin/twin.h"
#include "workload/list_stream.h"

namespace gw::twin {
namespace {

/// Sixteen nodes of eight GPUs and one tenant.
struct Case {
  Fleet fleet = flat_fleet(16, 8);
  TenantTree tenants;
  TwinOptions options;
  std::vector<TraceJob> jobs;
  std::map<std::string, JobRecord> records;

  Case() {
    tenants.add(TenantTree::root(), "org", 1);
    options.policy = *policy_by_name("gigawerk");
    options.check_every = 1;
    options.faults.restart_time = Nanoseconds{0};
  }
  TraceJob& job(std::int64_t minute, std::uint32_t nodes, std::int64_t run_minutes) {
    TraceJob job;
    job.id = std::to_string(jobs.size());
    job.request.tenant = TenantId{1};
    job.request.submit = Instant{} + minutes(minute);
    job.request.shape.nodes = nodes;
    job.request.shape.gpus = 8;
    job.request.limit = job.truth.run_time = minutes(run_minutes);
    return jobs.emplace_back(job);
  }
  TraceJob& elastic(std::int64_t minute, std::uint32_t least, std::uint32_t most, std::int64_t run_minutes) {
    TraceJob& made = job(minute, least, run_minutes);
    made.request.nodes_min = least;
    made.request.nodes_max = most;
    made.request.checkpoint_interval = minutes(10);
    return made;
  }
  RunSummary run() {
    workload::ListStream stream(jobs, tenants);
    options.on_job = [this](const JobRecord& record, const TenantTree&) -> Result<void> {
      records[std::string(record.id)] = record;
      return {};
    };
    Result<RunSummary> summary = run_twin(fleet, stream, options);
    EXPECT_TRUE(summary) << summary.error().message;
    return std::move(*summary);
  }
  [[nodiscard]] double ended_s(const char* id) { return to_seconds(records.at(id).end - Instant{}); }
  /// GPU-seconds over 8.
  [[nodiscard]] double node_seconds(const char* id) {
    const JobRecord& record = records.at(id);
    return to_seconds(record.time_held()) * static_cast<double>(record.gpu_milli) / 8000;
  }
};

TEST(Elastic, FourTimesTheNodesTakeAQuarterOfTheTime) {
  Case it;
  it.elastic(0, 4, 16, 240);
  const RunSummary summary = it.run();
  EXPECT_DOUBLE_EQ(it.ended_s("0"), 3600);
  EXPECT_DOUBLE_EQ(it.node_seconds("0"), 16 * 3600);
  EXPECT_EQ(summary.jobs.restarts, 0U);
}

TEST(Elastic, FurtherNodesMayAddLess) {
  Case it;
  it.elastic(0, 4, 16, 240).truth.scaling_permille = 500;  // As fast as ten.
  it.run();
  EXPECT_DOUBLE_EQ(it.ended_s("0"), 240 * 60 / 2.5);
}

TEST(Elastic, TheEndMovesWithEachResize) {
  Case it;
  it.elastic(0, 4, 16, 16 * 60);
  it.job(60, 8, 60);
  const RunSummary summary = it.run();
  // An hour on sixteen, at four times the speed of four; half a minute to save; an hour on eight, until the
  // other ends; half a minute; the rest on sixteen.
  EXPECT_EQ(summary.jobs.shrunk, 1U);
  EXPECT_EQ(summary.jobs.grown, 1U);
  EXPECT_EQ(summary.jobs.preemptions, 0U);
  EXPECT_EQ(summary.jobs.restarts, 2U);
  EXPECT_DOUBLE_EQ(it.ended_s("1"), 2 * 3600 + 30);
  EXPECT_DOUBLE_EQ(it.ended_s("0"), 3600 + 30 + 3600 + 30 + (16 - 4 - 2) / 4.0 * 3600);
  const double held = 16 * 3630.0 + 8 * 3630.0 + 16 * 9000.0;
  EXPECT_NEAR(it.node_seconds("0"), held, 0.01);
  EXPECT_NEAR(summary.gpu_hours.allocated, (held + 8 * 3600) * 8 / 3600, 0.01);
}

TEST(Elastic, AFailureOfANodeCostsNoMoreThanTheWorkSinceTheLastCheckpoint) {
  Case it;
  it.options.faults.node_failures_per_1000_node_days = 3000;
  it.options.faults.restart_time = minutes(5);
  for (int job = 0; job < 10; ++job) it.elastic(job, 1, 8, 20 * 60);
  const RunSummary summary = it.run();
  EXPECT_GT(summary.failures.node_failures, 5U);
  EXPECT_GT(summary.jobs.shrunk, 0U);
  EXPECT_EQ(summary.jobs.finished, 10U);
}

}  // namespace
}  // namespace gw::twin
