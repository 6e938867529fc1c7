// Power: monotone in use, caps and weather; what goes in comes out as heat; published rows within their
// errors.
#include "physics/power.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "physics/clocks.h"
#include "physics/cooling.h"
#include "physics/test_subjects.h"
#include "physics/validation_power.h"

namespace gw::physics {
namespace {

using namespace std::string_literals;

const PowerConstants& constants() { return published_power(); }

/// 0 to 1.
double some_share() { return *rc::gen::inRange(0, 1001) / 1000.0; }

const Accelerator& some_gpu() {
  return test_gpu(*rc::gen::element<std::string>("a100", "h100", "b200", "mi300x"));
}

Cooling some_cooling() {
  return *rc::gen::element(Cooling::kAir, Cooling::kRearDoor, Cooling::kDirectLiquid, Cooling::kImmersion);
}

Plant some_plant() {
  Plant plant;
  plant.cooling = some_cooling();
  plant.rejection = *rc::gen::element(Rejection::kDryCooler, Rejection::kEvaporative, Rejection::kChiller);
  return plant;
}

/// A step of some seconds in each kind of part.
StepTime some_step() {
  StepTime time;
  const auto part = [] { return *rc::gen::inRange(0, 1000) / 1000.0; };
  time.products = 0.001 + part();
  time.elementwise = part();
  time.tensor = part();
  time.data = part();
  time.bubble = part();
  time.optimizer = part();
  time.total = time.products + time.elementwise + time.tensor + time.data + time.bubble + time.optimizer;
  time.model_flops_gpu = 4e14 * time.products / time.total;
  return time;
}

RC_GTEST_PROP(Power, MoreUseNeverDrawsLessAndTheTdpHolds, ()) {
  const Accelerator& gpu = some_gpu();
  const Use use{some_share(), some_share(), some_share()};
  const auto raised = [](double share) { return std::min(1.0, share + some_share()); };
  const Use more{raised(use.memory), raised(use.arithmetic), raised(use.kernels)};
  RC_ASSERT(gpu_power(constants(), gpu, use) <= gpu_power(constants(), gpu, more));
  RC_ASSERT(gpu_power(constants(), gpu, more).value() <= gpu.power_max_w);
  RC_ASSERT(gpu_idle_power(gpu) < gpu_power(constants(), gpu, use));
  const double busy = some_share();
  RC_ASSERT(gpu_power(constants(), gpu, use, busy) <= gpu_power(constants(), gpu, use, 1));
}

RC_GTEST_PROP(Power, PartsOfANodeAddUp, ()) {
  const NodePower node =
      node_power(constants(), some_gpu(), 8, Watts{double(*rc::gen::inRange(50, 1200))}, some_cooling());
  RC_ASSERT(std::abs((node.gpus + node.host + node.fans + node.supplies - node.total).value()) < 1e-6);
  RC_ASSERT(node.supplies.value() > 0);
}

RC_GTEST_PROP(Clocks, ALowerCapNeverDrawsMoreNorGoesFaster, ()) {
  const Accelerator& gpu = some_gpu();
  const ClockedWork work{{some_share(), some_share(), some_share()}, some_share()};
  const double tdp = gpu.power_max_w;
  const Watts high{tdp * (0.1 + 0.9 * some_share())};
  const Watts low = high * (0.3 + 0.7 * some_share());
  const ClockedPower capped = under_cap(constants(), gpu, work, high);
  const ClockedPower lower = under_cap(constants(), gpu, work, low);
  RC_ASSERT(lower.power <= capped.power + Watts{1e-6});
  RC_ASSERT(lower.speed <= capped.speed + 1e-9);
  RC_ASSERT(!capped.met || capped.power <= high + Watts{1e-6});
  RC_ASSERT(capped.speed <= 1 + 1e-9);
  // Without a cap that binds it is the plain model.
  const ClockedPower free = under_cap(constants(), gpu, work, Watts{tdp * 10});
  RC_ASSERT(std::abs((free.power - gpu_power(constants(), gpu, work.use)).value()) < 1e-3 * tdp);
  RC_ASSERT(std::abs(free.speed - 1) < 1e-9);
}

TEST(Clocks, WorkThatWaitsForMemoryLosesLessUnderACap) {
  const Accelerator& gpu = test_gpu("h100");
  const Watts cap{450};
  const ClockedPower bound_by_arithmetic = under_cap(constants(), gpu, {{0.3, 0.6}, 1}, cap);
  const ClockedPower bound_by_memory = under_cap(constants(), gpu, {{0.8, 0.05}, 0.2}, cap);
  EXPECT_LT(bound_by_arithmetic.speed, 0.95);
  EXPECT_GT(bound_by_memory.speed, bound_by_arithmetic.speed);
  // The voltage falls with the clock: less than in proportion is lost.
  EXPECT_GT(bound_by_arithmetic.speed, cap.value() / gpu.power_max_w);
}

RC_GTEST_PROP(TrainingPower, PhasesCoverTheStepAndCapsNeverRaiseTheMean, ()) {
  const Accelerator& gpu = test_gpu(*rc::gen::element<std::string>("h100", "b200"));
  const StepTime time = some_step();
  const TrainingPower power = training_power(constants(), gpu, Precision::kBf16, time);
  double seconds = 0;
  for (const PhasePower& phase : power.phases) seconds += phase.time.value();
  RC_ASSERT(std::abs(seconds - time.total) < 1e-9);
  RC_ASSERT(power.least <= power.mean && power.mean <= power.peak);
  const Watts high{gpu.power_max_w * (0.35 + 0.65 * some_share())};
  const LimitedPower capped = limited_power(constants(), gpu, power, {1, high});
  const LimitedPower lower = limited_power(constants(), gpu, power, {1, high * 0.9});
  RC_ASSERT(capped.power.mean <= power.mean + Watts{1e-6});
  RC_ASSERT(lower.power.mean <= capped.power.mean + Watts{1e-6});
  RC_ASSERT(lower.speed <= capped.speed + 1e-9);
  const LimitedPower clocked = limited_power(constants(), gpu, power, {0.5 + 0.5 * some_share(), {}});
  RC_ASSERT(clocked.power.mean <= power.mean + Watts{1e-6});
}

RC_GTEST_PROP(FeedSwing, MeanLiesBetweenAndJobsAverageOut, ()) {
  const Accelerator& gpu = test_gpu("h100");
  const TrainingPower power = training_power(constants(), gpu, Precision::kBf16, some_step());
  SwingInput input;
  input.gpus = 1024;
  input.fixed_per_gpu = Watts{200};
  input.supply_factor = 1.03;
  const FeedSwing one = feed_swing(power, input);
  RC_ASSERT(one.least <= one.mean && one.mean <= one.peak);
  FeedSum sum;
  const int jobs = *rc::gen::inRange(2, 50);
  for (int i = 0; i < jobs; ++i) sum.add(one);
  RC_ASSERT(sum.total().peak_to_mean() <= one.peak_to_mean() + 1e-9);
  RC_ASSERT(std::abs(sum.total().mean / one.mean - jobs) < 1e-6);
  input.storage = Seconds{double(*rc::gen::inRange(1, 100))};
  RC_ASSERT(feed_swing(power, input).peak <= one.peak + Watts{1e-6});
  RC_ASSERT(std::abs((feed_swing(power, input).mean - one.mean).value()) < 1e-6);
  input.storage = {};
  input.checkpoint = Seconds{60};
  input.every = Seconds{1800};
  RC_ASSERT(feed_swing(power, input).mean <= one.mean + Watts{1e-6} || power.mean < power.phases[3].gpu);
}

RC_GTEST_PROP(Cooling, WhatGoesInComesOutAsHeatAndPueIsAtLeastOne, ()) {
  const Weather weather{Celsius{double(*rc::gen::inRange(-20, 50))}, 0.05 + 0.9 * some_share()};
  const Watts it{double(*rc::gen::inRange(1, 1000)) * 1e4};
  const FacilityPower power = facility_power(some_plant(), it, weather);
  RC_ASSERT(std::abs(power.rejected / power.total - 1) < 1e-12);
  const Watts sum = power.it + power.distribution + power.air + power.pumps + power.outdoor +
                    power.compressors + power.other;
  RC_ASSERT(std::abs(sum / power.total - 1) < 1e-12);
  RC_ASSERT(power.pue() > 1);
  RC_ASSERT(power.chilled >= 0 && power.chilled <= 1);
}

RC_GTEST_PROP(Cooling, WarmerOutsideNeverCostsLess, ()) {
  const Plant plant = some_plant();
  const double humidity = 0.1 + 0.8 * some_share();
  const double outside = *rc::gen::inRange(-20, 45);
  const double warmer = outside + 5 * some_share();
  RC_ASSERT(facility_power(plant, Watts{1e6}, {Celsius{outside}, humidity}).pue() <=
            facility_power(plant, Watts{1e6}, {Celsius{warmer}, humidity}).pue() + 1e-12);
}

TEST(Cooling, WetBulbOfStull) {
  // Stull 2011, worked example: 20 degrees and 50 % give 13.7.
  EXPECT_NEAR(wet_bulb({Celsius{20}, 0.5}).value(), 13.7, 0.05);
  EXPECT_LE(wet_bulb({Celsius{-10}, 0.99}).value(), -10 + 1e-9);
}

TEST(Cooling, LiquidNeedsLessThanAirAndTowersLessCompressorInSummer) {
  const Climate climate;
  const auto pue = [&](Cooling cooling) {
    Plant plant;
    plant.cooling = cooling;
    return yearly_pue(plant, climate);
  };
  EXPECT_LT(pue(Cooling::kImmersion), pue(Cooling::kDirectLiquid));
  EXPECT_LT(pue(Cooling::kDirectLiquid), pue(Cooling::kAir));
  Plant dry;
  dry.cooling = Cooling::kDirectLiquid;
  Plant wet = dry;
  wet.rejection = Rejection::kEvaporative;
  const Weather summer{Celsius{32}, 0.4};
  EXPECT_LT(facility_power(wet, Watts{1e6}, summer).chilled, facility_power(dry, Watts{1e6}, summer).chilled);
}

TEST(Cooling, ASupplyOfNoDegreesIsOne) {
  Plant usual;
  Plant cold;
  cold.supply = Celsius{0};
  const Weather weather{Celsius{15}, 0.6};
  EXPECT_GT(facility_power(cold, Watts{1e6}, weather).total,
            facility_power(usual, Watts{1e6}, weather).total);
  usual.supply = usual_supply(usual.cooling);
  EXPECT_EQ(facility_power(usual, Watts{1e6}, weather).total.value(),
            facility_power(Plant{}, Watts{1e6}, weather).total.value());
}

TEST(RunEnergy, CarbonOfADay) {
  Plant plant;
  const FacilityPower power = facility_power(plant, Watts{1e6}, {});
  const RunEnergy energy = run_energy(power, Seconds{86400}, CarbonIntensity{250});
  EXPECT_NEAR(energy.it.value(), 24e6, 1);
  EXPECT_NEAR(energy.carbon.value(), energy.facility.value() / 1000 * 250, 1e-3);
  EXPECT_EQ(rounded(energy.it).count(), 86'400'000'000);
  EXPECT_EQ(rounded(Watts{1.2345}).count(), 1235);
}

TEST(Power, GapsBetweenKernelsDrawLess) {
  const Accelerator& gpu = test_gpu("h100");
  const Watts resident = gpu_power(constants(), gpu, {0.3, 0.02});
  const Watts gaps = gpu_power(constants(), gpu, {0.3, 0.02, 0.4});
  EXPECT_LT(gaps, resident * 0.8);
  EXPECT_GT(gaps, gpu_idle_power(gpu));
}

TEST(PublishedPower, ServedRowsUseTheGpuAsMuchAsTheirThroughputSays) {
  const std::string columns =
      "id,group,model,params_b,active_params_b,precision,gpus,gpu_type,engine,tp,ep,scenario,isl,osl,batch,"
      "tok_s_per_"
      "gpu,power_w_per_gpu,notes\n";
  const std::string row =
      "ml-energy-x,meta-llama/Llama-3.1-70B-Instruct,70,70,bfloat16,4,H100,vLLM,4,1,steady,500,500,64,";
  const auto published =
      read_published_inference(test_table(columns + "A,"s + row + "400,500,\nB,"s + row + "200,400,\nC,"s +
                                          row + "200,,\nD,"s + row + "200,1200,power = node power / GPUs\n"s),
                               test_types());
  ASSERT_TRUE(published.has_value()) << published.error().message;
  const std::vector<PublishedPower> rows = served_power_of(*published);
  ASSERT_EQ(rows.size(), 2U);  // Without watts, or a node's: of other subjects.
  const PublishedPower& fast = rows[0];
  const PublishedPower& slow = rows[1];
  ASSERT_EQ(fast.reason, "");
  EXPECT_NEAR(fast.use.memory / slow.use.memory, 2, 1e-9);
  EXPECT_NEAR(fast.use.arithmetic / slow.use.arithmetic, 2, 1e-9);
  EXPECT_LT(slow.use.kernels, fast.use.kernels);
  EXPECT_LT(predicted_power(slow, constants()), predicted_power(fast, constants()));
}

TEST(PublishedPower, RowsThatCannotBeExpressedSayWhy) {
  const auto rows = read_published_power(
      test_table("id,group,kind,system,gpus,gpu_type,cooling,workload,utilisation_context,metric,value,unit\n"
                 "A,g,measurement,x,8,H100,immersion (DC side),resnet,,mean node power,7000,W\n"
                 "B,g,measurement,x,8,H100,air,poetry,,mean node power,7000,W\n"
                 "C,g,nameplate,x,8,H100,air,,,maximum,10200,W\n"
                 "D,g,measurement,x,8,H900,air,resnet,,mean node power,7000,W\n"),
      test_types());
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ((*rows)[0].reason, "");
  EXPECT_TRUE((*rows)[0].behind_supplies);
  EXPECT_EQ((*rows)[1].reason, "work whose use of the GPU is not known");
  EXPECT_EQ((*rows)[2].reason, "a nameplate, not what is drawn");
  EXPECT_EQ((*rows)[3].reason, "no GPU type of the catalog");
  const auto wrong = read_published_power(test_table("id,group\n"), test_types());
  ASSERT_FALSE(wrong.has_value());
  EXPECT_NE(wrong.error().message.find("cooling"), std::string::npos);
}

const ErrorSummary& total_of(const ValidationReport& report, std::string_view name) {
  for (const ErrorSummary& each : report.totals) {
    if (each.name == name) return each;
  }
  ADD_FAILURE() << "no total " << name;
  return report.totals.front();
}

TEST(PublishedPower, NodesStayWithinTheirErrorAndBeatTheNullModel) {
  GW_NEED_REFERENCE(file, "power.csv");
  const auto source = workload::open_file(file);
  ASSERT_TRUE(source.has_value());
  const auto rows = read_published_power(test_table(**source), test_types());
  ASSERT_TRUE(rows.has_value());
  const ValidationReport report = validate_power(*rows, constants());
  const ErrorSummary& nodes = total_of(report, "mean node power");
  EXPECT_GE(nodes.points, 30U);
  EXPECT_LT(nodes.mean, 0.05);
  EXPECT_LT(nodes.mean, nodes.null_mean / 2);
  EXPECT_LT(total_of(report, "GPU power").mean, total_of(report, "GPU power").null_mean);
  for (const ErrorSummary& cell : report.cells) {
    if (cell.points < 10) continue;
    EXPECT_LT(cell.mean, cell.null_mean) << cell.name;
  }
  EXPECT_LT(total_of(report, "PUE").mean, 0.06);
}

TEST(PublishedPower, ServedModelsBeatTheNullModel) {
  GW_NEED_REFERENCE(file, "inference.csv");
  const auto source = workload::open_file(file);
  ASSERT_TRUE(source.has_value());
  const auto published = read_published_inference(test_table(**source), test_types());
  ASSERT_TRUE(published.has_value());
  const ValidationReport report = validate_power(served_power_of(*published), constants());
  const ErrorSummary& gpus = total_of(report, "GPU power");
  EXPECT_GE(gpus.points, 400U);
  EXPECT_LT(gpus.mean, 0.125);
  EXPECT_LT(gpus.mean, gpus.null_mean);
}

}  // namespace
}  // namespace gw::physics
