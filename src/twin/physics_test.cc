// Runs with physics: a job goes as fast as its place, its clocks and its neighbours let it.
#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "twin/pacer.h"
#include "twin/twin.h"
#include "workload/list_stream.h"

namespace gw::twin {
namespace {

/// Four leaves of four H100 nodes; a leaf's way up carries an eighth of what one node could send.
struct Case {
  Fleet fleet = flat_fleet(16, 8);
  TenantTree tenants;
  PhysicsSetup setup;
  TwinOptions options;
  std::vector<TraceJob> jobs;
  std::map<std::string, JobRecord> records;

  Case() {
    GpuType& gpu = fleet.gpu_types.emplace_back();
    gpu.name = "h100";
    gpu.dense_bf16_tflops = 989;
    gpu.memory = Bytes{80'000'000'000};
    gpu.memory_tb_s = 3.35;
    gpu.scaleup_gbyte_s = 450;
    gpu.scaleup_domain_gpus = 8;
    gpu.power_floor_permille = 600;
    gpu.floor_speed_permille = 800;
    fleet.node_types.front().gpu_type = 0;
    fleet.fabric.insert(fleet.fabric.begin(), {"leaf", {0, 4, 8, 12, 16}});
    fleet.uplink_gbit_s = {{400, 400, 400, 400}, {0}};
    EXPECT_EQ(check_fleet(fleet), "");
    setup.gpus.push_back(physics::accelerator_of(gpu, 400));
    physics::Work& mixture = add_class("mixture", WorkKind::kTraining);
    mixture.model.name = "mixture";
    mixture.model.layers = 16;
    mixture.model.hidden = 4096;
    mixture.model.heads = 32;
    mixture.model.kv_heads = 8;
    mixture.model.head_size = 128;
    mixture.model.vocabulary = 32'000;
    mixture.model.experts = {.count = 8, .active = 2, .ffn = 14'336};
    mixture.profile.batch = 32;
    add_class("images", WorkKind::kPerception);
    add_class("drawn", WorkKind::kNone);
    tenants.add(TenantTree::root(), "org", 1);
    options.policy = *policy_by_name("gigawerk");
    options.check_every = 1;
    options.faults.restart_time = Nanoseconds{0};
    options.physics = &setup;
  }

  physics::Work& add_class(const char* name, WorkKind kind) {
    setup.class_names.emplace_back(name);
    physics::Work& work = setup.classes.emplace_back();
    work.profile.kind = kind;
    return work;
  }

  TraceJob& job(std::int64_t minute, std::uint32_t nodes, std::int64_t run_minutes,
                std::uint8_t job_class = 0) {
    TraceJob job;
    job.id = std::to_string(jobs.size());
    job.request.tenant = TenantId{1};
    job.request.submit = Instant{} + minutes(minute);
    job.request.shape.nodes = nodes;
    job.request.shape.gpus = 8;
    job.request.limit = hours(1000);
    job.truth.run_time = minutes(run_minutes);
    job.job_class = job_class;
    return jobs.emplace_back(job);
  }
  void spread(TraceJob& job) {
    job.request.shape.spread_level = 0;
    job.request.shape.spread_required = true;
  }

  RunSummary run() {
    records.clear();
    workload::ListStream stream(jobs, tenants);
    stream.class_names = setup.class_names;
    options.on_job = [this](const JobRecord& record, const TenantTree&) -> Result<void> {
      records[std::string(record.id)] = record;
      return {};
    };
    Result<RunSummary> summary = run_twin(fleet, stream, options);
    EXPECT_TRUE(summary) << (summary ? "" : summary.error().message);
    return std::move(*summary);
  }
  [[nodiscard]] double ran_s(const char* id) { return to_seconds(records.at(id).end - records.at(id).start); }
};

constexpr double kHour = 3600;

TEST(Physics, InOneLeafItTakesWhatWasDrawnAndSpreadItTakesLonger) {
  Case it;
  it.job(0, 4, 60).request.shape.level = 0;
  const RunSummary packed = it.run();
  EXPECT_NEAR(it.ran_s("0"), kHour, 1e-6);
  EXPECT_NEAR(packed.physics.all.speed, 1, 1e-9);
  it.spread(it.jobs.front());
  const RunSummary apart = it.run();
  EXPECT_GT(it.ran_s("0"), 1.05 * kHour);
  EXPECT_NEAR(apart.physics.all.speed, kHour / it.ran_s("0"), 1e-6);
  EXPECT_NEAR(apart.physics.all.lost_span, apart.physics.all.gpu_hours * (1 - apart.physics.all.speed), 1e-6);
  EXPECT_NEAR(apart.physics.all.lost_contention, 0, 1e-9);
}

TEST(Physics, WithoutItEveryJobTakesWhatWasDrawn) {
  Case it;
  it.options.physics = nullptr;
  it.spread(it.job(0, 4, 60));
  const RunSummary summary = it.run();
  EXPECT_EQ(it.ran_s("0"), kHour);
  EXPECT_FALSE(summary.physics.used);
  Case other;
  other.spread(other.job(0, 4, 60, 2));  // A class without work.
  other.run();
  EXPECT_EQ(other.ran_s("0"), kHour);
}

TEST(Physics, NeighboursOnTheSameLinksSlowOneAnotherUntilOneEnds) {
  Case alone;
  alone.spread(alone.job(0, 4, 60));
  alone.run();
  Case two;
  two.spread(two.job(0, 4, 60));
  two.spread(two.job(0, 4, 30));
  const RunSummary summary = two.run();
  EXPECT_GT(two.ran_s("0"), 1.05 * alone.ran_s("0"));
  EXPECT_GT(summary.physics.all.lost_contention, 1);
  // While both ran they had the same share; then the longer one had the links for itself.
  const double share = alone.ran_s("0") / 2 / two.ran_s("1");
  EXPECT_NEAR(two.ran_s("0"), two.ran_s("1") + alone.ran_s("0") - two.ran_s("1") * share, 1);
  const PhysicsSummary::Class& all = summary.physics.all;
  EXPECT_NEAR(all.gpu_hours * all.speed + all.lost_span + all.lost_contention + all.lost_caps, all.gpu_hours,
              1e-6 * all.gpu_hours);
}

/// Counts the batches that nothing happened in.
class EmptyBatches final : public runtime::Store {
 public:
  Result<void> append_events(Instant /*now*/, const std::vector<sched::Event>& events) override {
    (events.empty() ? empty : full) += 1;
    return {};
  }
  Result<void> append_plan(Instant /*now*/, const sched::Plan& /*plan*/) override { return {}; }
  Result<void> append_snapshot(Instant /*now*/, std::string_view /*snapshot*/) override { return {}; }
  int empty = 0;
  int full = 0;
};

TEST(Physics, NoPlanIsMadeWhereAJobWouldHaveEndedHadNobodyComeOrGone) {
  EmptyBatches batches;
  Case it;
  it.options.store = &batches;
  it.spread(it.job(0, 4, 300));
  for (const int minute : {10, 20, 30}) it.spread(it.job(minute, 4, 100 - minute));
  it.run();
  EXPECT_EQ(it.records.size(), 4U);
  EXPECT_EQ(batches.full, 8);  // All ends fell apart, as each came on its own.
  EXPECT_EQ(batches.empty, 0);
}

TEST(Physics, ACappedClockSlowsWhatIsComputedOnly) {
  Case it;
  Pacer pacer(it.fleet, it.setup);
  const sched::Pool pool(it.fleet, 0);
  const sched::Placement place{.pool = 0, .span = 1, .pieces = {{0, 4, 0xff}}};
  const auto start = [&](JobId id, std::uint8_t job_class) {
    Pacer::Attempt attempt;
    attempt.job = id;
    attempt.job_class = job_class;
    attempt.least_gpus = 32;
    attempt.work = hours(2);
    attempt.first = true;
    ASSERT_TRUE(pacer.start(attempt, place, pool));
  };
  start(JobId{1}, 0);
  EXPECT_EQ(pacer.end(JobId{1}), Instant{} + hours(2));
  pacer.set_clock(JobId{1}, 800, Instant{} + hours(1));
  EXPECT_GT(pacer.end(JobId{1}), Instant{} + minutes(123));
  EXPECT_LT(pacer.end(JobId{1}), Instant{} + minutes(135));  // All of it at 0.8 would take 75 minutes.
  EXPECT_EQ(pacer.done(JobId{1}, Instant{} + hours(1)), hours(1));
  pacer.set_clock(JobId{1}, 1000, Instant{} + hours(1));
  EXPECT_EQ(pacer.end(JobId{1}), Instant{} + hours(2));
  start(JobId{2}, 1);  // Bound by memory.
  pacer.set_clock(JobId{2}, 800, Instant{} + hours(1));
  EXPECT_EQ(pacer.end(JobId{2}), Instant{} + hours(2));
}

TEST(Physics, HalfFilledDomainsAreSlower) {
  Case it;
  Pacer pacer(it.fleet, it.setup);
  const sched::Pool pool(it.fleet, 0);
  Pacer::Attempt attempt;
  attempt.job = JobId{1};
  attempt.least_gpus = 16;
  attempt.work = hours(1);
  ASSERT_TRUE(pacer.start(attempt, {.pool = 0, .span = 1, .pieces = {{0, 2, 0xff}}}, pool));
  attempt.job = JobId{2};
  ASSERT_TRUE(pacer.start(attempt, {.pool = 0, .span = 1, .pieces = {{0, 4, 0x0f}}}, pool));
  EXPECT_EQ(pacer.end(JobId{1}), Instant{} + hours(1));
  EXPECT_GT(pacer.end(JobId{2}), Instant{} + minutes(61));
}

TEST(Physics, AnElasticJobGrowsByWhatPhysicsGives) {
  Case it;
  TraceJob& job = it.job(0, 2, 240);
  job.request.nodes_min = 2;
  job.request.nodes_max = 4;
  job.request.checkpoint_interval = minutes(10);
  job.truth.scaling_permille = 1;  // Is not asked.
  it.run();
  EXPECT_LT(it.ran_s("0"), 0.75 * 4 * kHour);
  EXPECT_GE(it.ran_s("0"), 0.5 * 4 * kHour);
}

TEST(Physics, AFailureCostsNoMoreThanTheWorkSinceTheLastCheckpoint) {
  Case it;
  it.options.faults.node_failures_per_1000_node_days = 4000;
  it.options.faults.restart_time = minutes(5);
  for (int at = 0; at < 6; ++at) {
    TraceJob& job = it.job(at, 2, 10 * 60);
    job.request.checkpoint_interval = minutes(10);
    if (at % 2 == 0) it.spread(job);
  }
  const RunSummary summary = it.run();
  EXPECT_GT(summary.jobs.restarts, 3U);
  EXPECT_EQ(summary.jobs.finished, 6U);
  for (const auto& [id, record] : it.records) {
    EXPECT_GE(to_seconds(record.held - record.lost), 10 * kHour - 1) << id;
    EXPECT_LE(to_seconds(record.lost), record.restarts * (600.0 + 300) + 1) << id;
  }
}

TEST(Physics, ADoesNotFitEndsTheRunWithItsReason) {
  Case it;
  it.setup.classes[0].model.layers = 2000;
  it.job(0, 1, 60);
  workload::ListStream stream(it.jobs, it.tenants);
  stream.class_names = it.setup.class_names;
  const Result<RunSummary> summary = run_twin(it.fleet, stream, it.options);
  ASSERT_FALSE(summary);
  EXPECT_NE(summary.error().message.find("\"mixture\" on 8 GPUs of the type h100: does not fit"),
            std::string::npos)
      << summary.error().message;
}

TEST(Physics, RunTimesAreRoundedUpOnce) {
  EXPECT_EQ(run_time_at(10, 1), Nanoseconds{10});
  EXPECT_EQ(run_time_at(10, 0.3), Nanoseconds{34});
  EXPECT_EQ(run_time_at(0, 0.3), Nanoseconds{0});
  EXPECT_EQ(run_time_at(1e18, 1e-9), kLongestSpan);
}

/// A hundred jobs of all kinds with failures and caps: all end, what is lost and done adds up, and a second
/// run gives the same bytes.
void random_run(std::uint64_t seed) {
  SCOPED_TRACE(seed);
  Rng rng = Rng(seed).split("physics");
  Case it;
  it.options.seed = seed;
  it.options.faults.node_failures_per_1000_node_days = rng.chance(0.5) ? 200 : 0;
  it.options.faults.restart_time = minutes(5);
  if (rng.chance(0.5)) {
    it.fleet.node_types.front().power_idle = Milliwatts{2'000'000};
    it.fleet.node_types.front().power_max = Milliwatts{10'000'000};
    it.fleet.feed.push_back({it.fleet.fabric.front(), std::vector(4, Milliwatts{40'000'000}), {}});
    it.options.power.events.push_back({.at = Instant{} + hours(2),
                                       .until = Instant{} + hours(7),
                                       .level = 0,
                                       .vertex = 1,
                                       .cap = Milliwatts{30'000'000},
                                       .reason = {}});
  }
  std::int64_t minute = 0;
  for (int at = 0; at < 100; ++at) {
    minute += static_cast<std::int64_t>(rng.below(30));
    const auto nodes = static_cast<std::uint32_t>(1 + rng.below(6));
    TraceJob& job = it.job(minute, nodes, static_cast<std::int64_t>(10 + rng.below(300)),
                           static_cast<std::uint8_t>(rng.below(3)));
    if (rng.chance(0.7)) job.request.checkpoint_interval = minutes(20);
    if (rng.chance(0.3)) it.spread(job);
    if (rng.chance(0.3)) job.request.preemptible = true;
    if (rng.chance(0.3) && job.request.shape.spread_level == Shape::kAnyLevel) {
      job.request.nodes_min = nodes;
      job.request.nodes_max = nodes * 2;
    }
  }
  const RunSummary first = it.run();
  EXPECT_EQ(first.jobs.finished, 100U);
  const PhysicsSummary::Class& all = first.physics.all;
  EXPECT_GT(all.speed, 0);
  EXPECT_LE(all.speed, 1 + 1e-9);
  const std::map<std::string, JobRecord> records = it.records;
  const RunSummary second = it.run();
  for (const auto& [id, record] : records) {
    EXPECT_EQ(record.end, it.records.at(id).end) << id;
    EXPECT_EQ(record.lost, it.records.at(id).lost) << id;
  }
  EXPECT_EQ(second.physics.all.lost_contention, all.lost_contention);
}

TEST(Physics, SeededRunsEndAndRepeat) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) random_run(seed);
}

}  // namespace
}  // namespace gw::twin
