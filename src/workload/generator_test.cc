// Tests of the workload generator: offered load, rhythm, limits, shapes, determinism, memory.
#include "workload/generator.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "workload/generator_class.h"
#include "workload/generator_quantile_table.h"
#include "workload/generator_rhythm.h"
#include "workload/studies_marginals.h"

namespace gw::workload {
namespace {

/// 64 nodes of 8 GPUs of type a, 16 nodes of 4 GPUs of type b, racks of 4 nodes.
Fleet two_pools() {
  Fleet fleet;
  fleet.name = "two pools";
  GpuType a;
  a.name = "a";
  GpuType b;
  b.name = "b";
  fleet.gpu_types = {a, b};
  NodeType node_a;
  node_a.name = "node-a";
  node_a.gpu_type = 0;
  node_a.gpus = 8;
  node_a.cpu_milli = 100'000;
  NodeType node_b;
  node_b.name = "node-b";
  node_b.gpu_type = 1;
  node_b.gpus = 4;
  fleet.node_types = {node_a, node_b};
  fleet.node_type_of.assign(64, 0);
  fleet.node_type_of.insert(fleet.node_type_of.end(), 16, 1);
  Partition rack{"rack", {}};
  for (std::uint32_t node = 0; node <= 80; node += 4) rack.first.push_back(node);
  fleet.fabric = {rack, Partition{"fleet", {0, 80}}};
  EXPECT_EQ(check_fleet(fleet), "");
  return fleet;
}

JobClass training() {
  JobClass job_class;
  job_class.name = "training";
  job_class.sizes = {{1, 0.6}, {4, 0.2}, {16, 0.15}, {64, 0.05}};
  job_class.durations = {{1800, 1.5, 0.7}, {14400, 1.2, 0.3}};
  job_class.duration_max_s = 7 * 86400.0;
  job_class.limit.default_s = 6 * 3600.0;
  job_class.failed_share = 0.2;
  job_class.cancelled_share = 0.15;
  job_class.gpu_types = {"a"};
  return job_class;
}

JobClass swarm() {
  JobClass job_class;
  job_class.name = "swarm";
  job_class.sizes = {{1, 0.8}, {2, 0.2}};
  job_class.durations = {{600, 1.0, 1}};
  job_class.burst_mean = 20;
  job_class.gpu_milli_share = 0.5;
  job_class.rhythm = 1;
  return job_class;
}

struct Setting {
  Fleet fleet = two_pools();
  TenantTree tenants;
  WorkloadMix mix;

  Setting() {
    const TenantId firm = tenants.child(TenantTree::root(), "firm");
    const TenantId lab = tenants.child(TenantTree::root(), "lab");
    Rhythm office;
    office.name = "office";
    for (int hour = 0; hour < 24; ++hour) office.hour[hour] = hour >= 8 && hour < 18 ? 2.0 : 0.5;
    office.weekday = {1.2, 1.2, 1.2, 1.2, 1.1, 0.5, 0.6};
    mix.rhythms = {Rhythm{}, office};
    mix.classes = {training(), swarm()};
    mix.tenants = {{firm, 300, {{0, 0.7}, {1, 0.3}}}, {lab, 40, {{0, 1}}}};
  }

  [[nodiscard]] std::unique_ptr<JobStream> stream(std::uint64_t seed) const {
    return make_generator(mix, fleet, tenants, seed);
  }
};

bool take(JobStream& stream, TraceJob& job) {
  const Result<bool> more = stream.next(job);
  EXPECT_TRUE(more.has_value()) << more.error().message;
  return more.value_or(false);
}

double gpus_of(const TraceJob& job) {
  return static_cast<double>(job.request.shape.total_gpu_milli()) / 1000;
}

std::uint64_t checksum(JobStream& stream, int jobs) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix_in = [&hash](std::int64_t value) {
    for (int byte = 0; byte < 8; ++byte)
      hash = (hash ^ ((static_cast<std::uint64_t>(value) >> (8 * byte)) & 0xff)) * 0x100000001b3ULL;
  };
  TraceJob job;
  for (int count = 0; count < jobs && take(stream, job); ++count) {
    mix_in(job.request.submit.count());
    mix_in(job.request.limit.count());
    mix_in(job.request.tenant.value());
    mix_in(job.truth.run_time.count());
    mix_in(static_cast<std::int64_t>(job.truth.outcome));
    mix_in(job.request.shape.nodes);
    mix_in(job.request.shape.total_gpu_milli());
    mix_in(static_cast<std::int64_t>(job.request.shape.gpu_types));
    mix_in(job.request.shape.cpu_milli);
    mix_in(job.job_class);
  }
  return hash;
}

TEST(QuantileTable, FollowsTheTruncatedLogNormal) {
  const DurationComponent component{1000, 1, 1};
  const QuantileTable table(std::span(&component, 1), 1, 1, 1e6);
  EXPECT_NEAR(table.quantile(0.5), 1000, 2);
  EXPECT_NEAR(table.quantile(0.841344746), 1000 * std::exp(1.0), 6);
  EXPECT_NEAR(table.quantile(0.001349898), 1000 * std::exp(-3.0), 1);
  EXPECT_NEAR(table.expect([](double value) { return value; }), 1000 * std::exp(0.5), 2);
  EXPECT_DOUBLE_EQ(table.quantile(0), 1);
  EXPECT_DOUBLE_EQ(table.quantile(1), 1e6);
}

TEST(QuantileTable, MatchesItsOwnExpectation) {
  rc::check("mean of drawn values equals the integral", [] {
    const double median = *rc::gen::inRange(20, 100'000);
    const double sigma = *rc::gen::inRange(0, 30) / 10.0;
    const std::vector<DurationComponent> components{{median, sigma, 0.6}, {median * 3, sigma / 2, 0.4}};
    const QuantileTable table(components, 1, 10, 1e5);
    double mean = 0;
    double last = 0;
    constexpr int kDraws = 50'000;
    for (int draw = 0; draw < kDraws; ++draw) {
      const double value = table.quantile((draw + 0.5) / kDraws);
      RC_ASSERT(value >= last);
      last = value;
      mean += value / kDraws;
    }
    const double expected = table.expect([](double value) { return value; });
    RC_ASSERT(std::abs(mean / expected - 1) < 1e-3);
  });
}

TEST(QuantileTable, FallsBackToTheNearestBound) {
  const DurationComponent component{1e9, 0.1, 1};
  const QuantileTable table(std::span(&component, 1), 1, 10, 100);
  EXPECT_DOUBLE_EQ(table.quantile(0.3), 100);
  EXPECT_DOUBLE_EQ(table.expect([](double value) { return value; }), 100);
}

TEST(ArrivalClock, InvertsTheWeeklyIntensity) {
  Setting setting;
  const ArrivalClock clock(setting.mix.rhythms[1], 3, 7.5);
  double sum = 0;
  for (std::size_t hour = 0; hour < ArrivalClock::kHours; ++hour) sum += clock.intensity(hour);
  EXPECT_NEAR(sum, 168, 1e-9);
  EXPECT_NEAR(clock.hours_at(0), 0, 1e-9);
  EXPECT_NEAR(clock.hours_at(168), 168, 1e-9);
  EXPECT_NEAR(clock.hours_at(168 * 10.0), 1680, 1e-6);
  // Thursday 07:30 to 08:00 at half of the hour's intensity, then the office hour.
  const double first = clock.intensity(3 * 24 + 7) / 2;
  EXPECT_NEAR(clock.hours_at(first), 0.5, 1e-9);
  EXPECT_NEAR(clock.hours_at(first + clock.intensity(3 * 24 + 8) / 4), 0.75, 1e-9);
}

TEST(ArrivalClock, SkipsHoursWithoutArrivals) {
  Rhythm nights_off;
  for (int hour = 0; hour < 6; ++hour) nights_off.hour[hour] = 0;
  const ArrivalClock clock(nights_off, 0, 0);
  EXPECT_NEAR(clock.hours_at(0), 6, 1e-9);
  for (double at = 0; at < 400; at += 0.37) {
    const double hour = clock.hours_at(at);
    EXPECT_GE(hour - 24 * std::floor(hour / 24), 6 - 1e-6) << at;
  }
}

TEST(LimitLaw, NeverUnderTheDurationButForUnnoticedDefaultsAndTheMaximum) {
  rc::check("limits cover durations", [] {
    LimitModel model;
    model.exact_share = 0.3;
    model.default_share = 0.4;
    model.default_s = *rc::gen::inRange(60, 90'000);
    model.max_s = *rc::gen::inRange(90'000, 900'000);
    const LimitLaw law(model);
    Rng rng(*rc::gen::arbitrary<std::uint64_t>());
    const double duration = *rc::gen::inRange(1, 900'000);
    const LimitHabit habit = law.draw(rng);
    const double limit = law.limit_s(habit, duration);
    RC_ASSERT(limit >= 60 && limit <= law.max_s());
    RC_ASSERT(limit >= std::min(duration, law.max_s()) || (habit.unnoticed && limit == law.default_s()));
  });
}

TEST(LimitLaw, RoundsUpToValuesThatPeopleWrite) {
  EXPECT_DOUBLE_EQ(round_limit_up(1), 300);
  EXPECT_DOUBLE_EQ(round_limit_up(900), 900);
  EXPECT_DOUBLE_EQ(round_limit_up(3601), 7200);
  EXPECT_DOUBLE_EQ(round_limit_up(5 * 3600.0), 6 * 3600.0);
  EXPECT_DOUBLE_EQ(round_limit_up(31 * 86400.0), 40 * 86400.0);
}

TEST(FitShape, GivesGangsOfWholeNodesAndCapsThem) {
  const Fleet fleet = two_pools();
  JobClass job_class = training();
  job_class.cpu_milli_per_gpu = 20'000;
  const Shape small = fit_shape(job_class, fleet, 4).value();
  EXPECT_EQ(small.nodes, 1U);
  EXPECT_EQ(small.gpus, 4U);
  EXPECT_EQ(small.cpu_milli, 80'000);
  EXPECT_EQ(small.gpu_types, 1U);
  const Shape gang = fit_shape(job_class, fleet, 60).value();
  EXPECT_EQ(gang.nodes, 8U);
  EXPECT_EQ(gang.gpus, 8U);
  EXPECT_EQ(gang.cpu_milli, 100'000);  // All that a node has.
  const Shape capped = fit_shape(job_class, fleet, 5000).value();
  EXPECT_EQ(capped.nodes, 64U);

  job_class.gpu_types = {"b", "a"};
  EXPECT_EQ(fit_shape(job_class, fleet, 2).value().gpu_types, 3U);    // Both pools hold it.
  EXPECT_EQ(fit_shape(job_class, fleet, 64).value().gpu_types, 2U);   // 16 nodes of 4.
  EXPECT_EQ(fit_shape(job_class, fleet, 128).value().gpu_types, 1U);  // Only the 8-GPU nodes are enough.

  job_class.gpu_types = {"c"};
  const Result<Shape> missing = fit_shape(job_class, fleet, 1);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(
      missing.error().message,
      "job class `training` runs on GPU type c, but fleet `two pools` has a, b; add the type to the class or "
      "the nodes to the fleet");
}

TEST(FitShape, RequiredLevelGivesWayToOneThatHoldsTheGang) {
  const Fleet fleet = two_pools();
  JobClass job_class = training();
  job_class.level = "rack";
  job_class.level_required = true;
  EXPECT_EQ(fit_shape(job_class, fleet, 32).value().level, 0);
  EXPECT_EQ(fit_shape(job_class, fleet, 64).value().level, 1);
  job_class.level_required = false;
  EXPECT_EQ(fit_shape(job_class, fleet, 64).value().level, 0);  // A wish stays a wish.
}

TEST(FitShape, GroupsAreWhatThePoolCanGive) {
  const Fleet fleet = two_pools();
  JobClass job_class = training();
  job_class.segment = 3;
  const Shape blocks = fit_shape(job_class, fleet, 32).value();
  EXPECT_EQ(blocks.nodes, 6U);  // Four, in whole blocks.
  EXPECT_EQ(blocks.segment_nodes, 3U);
  EXPECT_EQ(blocks.segment_level, 0);
  EXPECT_EQ(fit_shape(job_class, fleet, 16).value().segment_nodes, 0U);  // Less than a block.
  job_class.segment = 1000;
  EXPECT_EQ(fit_shape(job_class, fleet, 32).value(), fit_shape(training(), fleet, 32).value());
  job_class.segment = 0;
  job_class.spread = "rack";
  job_class.spread_required = true;
  EXPECT_EQ(fit_shape(job_class, fleet, 32).value().spread_level, 0);
  EXPECT_EQ(fit_shape(job_class, fleet, 8).value().spread_level, Shape::kAnyLevel);  // One node.
  job_class.spread.clear();
  job_class.exclusive = "node";
  EXPECT_EQ(fit_shape(job_class, fleet, 2).value().gpus, 8U);
}

TEST(Generator, OffersTheLoadOfEachTenant) {
  Setting setting;
  setting.mix.tenants[0].classes = {{0, 0.98}, {1, 0.02}};
  setting.mix.duration = days(2500);
  const std::unique_ptr<JobStream> stream = setting.stream(7);
  std::map<std::pair<std::uint32_t, int>, double> gpu_seconds;
  TraceJob job;
  std::int64_t last = 0;
  while (take(*stream, job)) {
    ASSERT_GE(job.request.submit.count(), last);
    last = job.request.submit.count();
    ASSERT_GT(job.request.limit.count(), 0);
    ASSERT_LE(job.truth.run_time, job.request.limit);
    gpu_seconds[{job.request.tenant.value(), job.job_class}] += gpus_of(job) * to_seconds(job.truth.run_time);
  }
  const double span = to_seconds(setting.mix.duration);
  EXPECT_NEAR((gpu_seconds[{1, 0}]) / span, 294, 294 * 0.02);
  EXPECT_NEAR((gpu_seconds[{1, 1}]) / span, 6, 6 * 0.02);
  EXPECT_NEAR((gpu_seconds[{2, 0}]) / span, 40, 40 * 0.02);
  EXPECT_EQ(gpu_seconds.size(), 3U);
  EXPECT_EQ(stream->counts().rows, stream->counts().accepted);
}

TEST(Generator, KeepsOutcomeShares) {
  Setting setting;
  setting.mix.tenants.resize(1);
  setting.mix.tenants[0].classes = {{0, 1}};
  setting.mix.duration = days(2000);
  const std::unique_ptr<JobStream> stream = setting.stream(3);
  std::array<double, 4> outcomes{};
  double jobs = 0;
  TraceJob job;
  while (take(*stream, job)) {
    ++outcomes[static_cast<std::size_t>(job.truth.outcome)];
    ++jobs;
  }
  ASSERT_GT(jobs, 50'000);
  EXPECT_NEAR(outcomes[static_cast<std::size_t>(JobOutcome::kFailed)] / jobs, 0.2, 0.01);
  EXPECT_NEAR(outcomes[static_cast<std::size_t>(JobOutcome::kCancelled)] / jobs, 0.15, 0.01);
  const double timeouts = outcomes[static_cast<std::size_t>(JobOutcome::kTimeout)] / jobs;
  EXPECT_GT(timeouts, 0.002);
  EXPECT_LT(timeouts, 0.03);
}

TEST(Generator, UsersChooseFewAndLooseLimits) {
  Setting setting;
  setting.mix.duration = days(200);
  setting.mix.classes[0].limit.exact_share = 0.05;
  setting.mix.tenants.resize(1);
  setting.mix.tenants[0].classes = {{0, 1}};
  const std::unique_ptr<JobStream> stream = setting.stream(9);
  const Marginals marginals = measure(*stream).value();
  ASSERT_GT(marginals.all.jobs, 5'000);
  // Tsafrir, Etsion and Feitelson (2005): some twenty values make up about 90 % of estimates; Theta
  // 2022: 94.0 %.
  EXPECT_GT(marginals.most_used_limits(20), 0.88);
  EXPECT_LT(marginals.most_used_limits(20), 0.98);
  // Mu'alem and Feitelson (2001): no part of the range of run time over limit is empty, and most jobs use
  // little.
  double under_half = 0;
  for (std::size_t twentieth = 0; twentieth < 20; ++twentieth) {
    EXPECT_GT(marginals.accuracy[twentieth], 0) << twentieth;
    if (twentieth < 10) under_half += marginals.accuracy[twentieth] / marginals.all.jobs;
  }
  EXPECT_GT(under_half, 0.6);
  EXPECT_LT(under_half, 0.95);
}

TEST(Generator, FollowsTheRhythm) {
  Setting setting;
  setting.mix.tenants.resize(1);
  setting.mix.tenants[0].classes = {{1, 1}};
  setting.mix.tenants[0].load = 30;
  setting.mix.classes[1].burst_mean = 1;
  setting.mix.duration = days(7 * 40);
  setting.mix.start_weekday = 2;
  setting.mix.start_hour = 6;
  const std::unique_ptr<JobStream> stream = setting.stream(11);
  std::array<double, 168> seen{};
  double jobs = 0;
  TraceJob job;
  while (take(*stream, job)) {
    const std::int64_t hour = job.request.submit.count() / hours(1).count();
    ++seen[static_cast<std::size_t>((hour + 2 * 24 + 6) % 168)];
    ++jobs;
  }
  ASSERT_GT(jobs, 100'000);
  const ArrivalClock clock(setting.mix.rhythms[1], 0, 0);
  double chi_square = 0;
  for (std::size_t hour = 0; hour < 168; ++hour) {
    const double expected = clock.intensity(hour) / 168 * jobs;
    chi_square += (seen[hour] - expected) * (seen[hour] - expected) / expected;
  }
  // 167 degrees of freedom: mean 167, standard deviation 18.3; below 0.01 % of Poisson samples lie outside.
  EXPECT_GT(chi_square, 167 - 4 * 18.3);
  EXPECT_LT(chi_square, 167 + 4 * 18.3);
}

TEST(Generator, SubmitsSwarmsTogether) {
  Setting setting;
  setting.mix.tenants.resize(1);
  setting.mix.tenants[0].classes = {{1, 1}};
  setting.mix.duration = days(20);
  const std::unique_ptr<JobStream> stream = setting.stream(5);
  TraceJob job;
  std::map<std::int64_t, int> at;
  double parts = 0;
  double one_gpu = 0;
  while (take(*stream, job)) {
    ++at[job.request.submit.count()];
    if (job.request.shape.gpu_milli != 0) {
      ASSERT_EQ(job.request.shape.nodes, 1U);
      ASSERT_EQ(job.request.shape.gpus, 0U);
      ++parts;
    }
    one_gpu += gpus_of(job) <= 1;
  }
  double jobs = 0;
  for (const auto& [submit, count] : at) jobs += count;
  EXPECT_NEAR(jobs / static_cast<double>(at.size()), 20, 1.5);
  EXPECT_NEAR(parts / one_gpu, 0.5, 0.02);
}

TEST(Generator, ATenantsJobsDoNotDependOnOthers) {
  Setting setting;
  Setting alone;
  alone.mix.tenants.erase(alone.mix.tenants.begin());
  const std::unique_ptr<JobStream> both = setting.stream(1);
  const std::unique_ptr<JobStream> one = alone.stream(1);
  TraceJob left;
  TraceJob right;
  int compared = 0;
  while (take(*both, left)) {
    if (left.request.tenant != TenantId{2}) continue;
    ASSERT_TRUE(take(*one, right));
    ASSERT_EQ(left.request.submit, right.request.submit);
    ASSERT_EQ(left.truth.run_time, right.truth.run_time);
    ++compared;
  }
  EXPECT_FALSE(take(*one, right));
  EXPECT_GT(compared, 100);
}

TEST(Generator, GivesTheSameBytesEverywhere) {
  Setting setting;
  setting.mix.duration = days(365);
  const std::unique_ptr<JobStream> stream = setting.stream(42);
  // Fixed: a change here is a change of every scenario's workload, and must be meant.
  EXPECT_EQ(checksum(*stream, 10'000), 12909818628433298453ULL);
  const std::unique_ptr<JobStream> other_seed = setting.stream(43);
  EXPECT_NE(checksum(*other_seed, 10'000), checksum(*setting.stream(42), 10'000));
}

TEST(Generator, MemoryDoesNotGrowWithTheJobs) {
  Setting setting;
  setting.mix.duration = days(36'500);
  const std::unique_ptr<JobStream> stream = setting.stream(1);
  TraceJob job;
  const auto peak_kib = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  for (int count = 0; count < 50'000; ++count) ASSERT_TRUE(take(*stream, job));
  const long before = peak_kib();
  for (int count = 0; count < 1'000'000; ++count) ASSERT_TRUE(take(*stream, job));
  EXPECT_LE(peak_kib() - before, 512);
}

TEST(Generator, SaysWhatTheFleetLacks) {
  Setting setting;
  setting.mix.classes[0].gpu_types = {"h900"};
  const std::unique_ptr<JobStream> stream = setting.stream(1);
  TraceJob job;
  const Result<bool> more = stream->next(job);
  ASSERT_FALSE(more.has_value());
  EXPECT_NE(more.error().message.find("h900"), std::string::npos);
}

TEST(Generator, NoDemandIsAnEmptyStream) {
  Setting setting;
  setting.mix.tenants.clear();
  const std::unique_ptr<JobStream> stream = setting.stream(1);
  TraceJob job;
  EXPECT_FALSE(take(*stream, job));
}

}  // namespace
}  // namespace gw::workload
