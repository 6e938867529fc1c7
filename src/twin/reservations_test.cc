// Reserved nodes in a simulated factory: who used them, and how much.
#include "twin/reservations.h"

#include <gtest/gtest.h>

#include "twin/twin.h"
#include "workload/list_stream.h"

namespace gw::twin {
namespace {

struct Case {
  Case() {
    fleet = flat_fleet(4, 8);
    owner = tenants.add(TenantTree::root(), "owner");
    other = tenants.add(TenantTree::root(), "other");
    options.policy = *policy_by_name("gigawerk");
    options.check_every = 1;
  }
  void job(TenantId tenant, std::int64_t submit_h, std::uint32_t nodes, std::int64_t hours_long,
           bool preemptible = false) {
    TraceJob job;
    job.id = std::to_string(jobs.size());
    job.request.tenant = tenant;
    job.request.shape.nodes = nodes;
    job.request.shape.gpus = 8;
    job.request.submit = Instant{} + hours(submit_h);
    job.request.limit = job.truth.run_time = hours(hours_long);
    job.request.preemptible = preemptible;
    jobs.push_back(job);
  }
  Reservation& reserve(const char* name, TenantId tenant, std::uint32_t nodes, std::int64_t from_h,
                       std::int64_t hours_long) {
    Reservation reservation;
    reservation.name = name;
    reservation.wish.nodes = nodes;
    reservation.wish.terms.tenant = tenant;
    reservation.wish.terms.from = Instant{} + hours(from_h);
    reservation.wish.terms.length = hours(hours_long);
    options.reservations.push_back(reservation);
    return options.reservations.back();
  }
  RunSummary run() {
    options.on_job = [&](const JobRecord& record, const TenantTree&) -> Result<void> {
      starts[std::string(record.id)] = to_seconds(record.start) / 3600;
      return {};
    };
    workload::ListStream stream(jobs, tenants);
    const Result<RunSummary> summary = run_twin(fleet, stream, options);
    EXPECT_TRUE(summary.has_value());
    return *summary;
  }
  Fleet fleet;
  TenantTree tenants;
  TenantId owner;
  TenantId other;
  std::vector<TraceJob> jobs;
  TwinOptions options;
  std::map<std::string, double> starts;
};

TEST(Reservations, CountWhatIsUsedOfThem) {
  Case it;
  it.reserve("demo", it.owner, 4, 10, 4);
  it.job(it.other, 0, 4, 6);
  it.job(it.other, 7, 4, 6);   // Would run into the demo: waits for its end.
  it.job(it.owner, 10, 2, 3);  // Two of four nodes for three of four hours.
  const RunSummary summary = it.run();
  ASSERT_EQ(summary.reservations.size(), 1U);
  EXPECT_EQ(summary.reservations[0].refusal, "");
  EXPECT_EQ(summary.reservations[0].times, 1U);
  EXPECT_DOUBLE_EQ(summary.reservations[0].reserved_gpu_hours, 4 * 8 * 4);
  EXPECT_DOUBLE_EQ(summary.reservations[0].used_gpu_hours, 2 * 8 * 3);
  EXPECT_DOUBLE_EQ(it.starts["1"], 14);
  EXPECT_DOUBLE_EQ(it.starts["2"], 10);
}

TEST(Reservations, MaintenanceRepeatsAndStandsEmpty) {
  Case it;
  WindowTerms& terms = it.reserve("maintenance", TenantId{}, 4, 5, 1).wish.terms;
  terms.every = hours(5);
  terms.until = Instant{} + hours(100);
  for (std::int64_t hour = 0; hour < 20; ++hour) it.job(it.other, hour, 4, 4);
  const RunSummary summary = it.run();
  EXPECT_DOUBLE_EQ(summary.reservations[0].used_gpu_hours, 0);
  EXPECT_EQ(summary.jobs.finished, 20U);  // One in each gap, from 0, 6, 11, 16, ... on.
  EXPECT_DOUBLE_EQ(it.starts["1"], 6);
  EXPECT_EQ(summary.reservations[0].times, 19U);
}

TEST(Reservations, AreRefusedOrPreempt) {
  Case it;
  it.job(it.other, 0, 4, 20, true);
  it.reserve("late", it.owner, 1, 10, 1).made = Instant{} + hours(1);
  Reservation& firm = it.reserve("firm", it.owner, 1, 10, 1);
  firm.made = Instant{} + hours(1);
  firm.wish.terms.preempt = true;
  const RunSummary summary = it.run();
  ASSERT_EQ(summary.reservations.size(), 2U);
  EXPECT_EQ(summary.reservations[0].refusal, "1 jobs run longer; free from 20.00 h on");
  EXPECT_EQ(summary.reservations[1].refusal, "");
  EXPECT_EQ(summary.jobs.preemptions, 1U);
  EXPECT_DOUBLE_EQ(summary.reservations[1].used_gpu_hours, 0);
}

}  // namespace
}  // namespace gw::twin
