// Energy of serving: grows from the GPU to the facility, is power over tokens, and is near published joules.
#include "physics/serving_power.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "physics/test_subjects.h"
#include "physics/validation_served_energy.h"

namespace gw::physics {
namespace {

Deployment llama_on(const Accelerator& gpu, std::uint32_t tensor) {
  Deployment deployment;
  deployment.model = &test_model("llama-3-70b");
  deployment.gpu = &gpu;
  deployment.engine = default_serving_engine(gpu);
  deployment.layout = {tensor, 1, 1};
  return deployment;
}

RC_GTEST_PROP(ServingPower, GrowsOutwardsAndWithUse, ()) {
  const auto share = [] { return *rc::gen::inRange(0, 1001) / 1000.0; };
  const Accelerator& gpu = test_gpu(*rc::gen::element<std::string>("h100", "b200"));
  const ServingGpus pool{&gpu, double{1} * *rc::gen::inRange(1, 64), 8, {share(), share(), share()}, share()};
  const Weather weather{Celsius{double(*rc::gen::inRange(-10, 40))}, 0.5};
  const ServingPower power = serving_power(published_power(), pool, {}, weather);
  RC_ASSERT(power.gpus < power.it && power.it < power.facility);
  RC_ASSERT(power.gpus.value() <= gpu.power_max_w * pool.gpus + 1e-9);
  RC_ASSERT(power.gpus >= gpu_idle_power(gpu) * pool.gpus - Watts{1e-9});
  ServingGpus more = pool;
  more.busy = std::min(1.0, pool.busy + share());
  more.use.kernels = std::min(1.0, pool.use.kernels + share());
  RC_ASSERT(serving_power(published_power(), more, {}, weather).facility >= power.facility - Watts{1e-9});
  // Half the pool draws half.
  ServingGpus half = pool;
  half.gpus = pool.gpus / 2;
  ServingPower sum = serving_power(published_power(), half, {}, weather);
  sum += sum;
  RC_ASSERT(std::abs(sum.facility / power.facility - 1) < 1e-9);
}

TEST(ServingPower, ATokenCostsPowerOverTokensAndItsCarbon) {
  ServingPower power;
  power.gpus = Watts{4000};
  power.it = Watts{6000};
  power.facility = Watts{7200};
  const TokenEnergy energy = token_energy(power, 2000, CarbonIntensity{300});
  EXPECT_DOUBLE_EQ(energy.gpus_j, 2);
  EXPECT_DOUBLE_EQ(energy.it_j, 3);
  EXPECT_DOUBLE_EQ(energy.facility_j, 3.6);
  // A million tokens take 3.6 MJ: one kilowatt-hour.
  EXPECT_NEAR(1e6 * energy.carbon.value(), 300, 1e-9);
}

TEST(ServingPower, LargerBatchesDrawMoreAndCostLessForEachToken) {
  const Accelerator& gpu = test_gpu("h100");
  const Deployment deployment = llama_on(gpu, 4);
  Watts before;
  double token_before = 1e9;
  for (const double sequences : {4.0, 16.0, 64.0, 256.0}) {
    const ServingState state = steady_state(deployment, {.input = 250, .output = 600, .sequences = sequences},
                                            published_serving_calibration());
    EXPECT_GT(state.kernel_share, 0.2);
    EXPECT_LT(state.kernel_share, 1);
    const ServingPower power = serving_power(published_power(), {&gpu, 4, 8, use_of(state), 1}, {}, {});
    const TokenEnergy energy = token_energy(power, state.tokens_s, {});
    EXPECT_GT(power.gpus, before);
    EXPECT_LT(energy.gpus_j, token_before);
    before = power.gpus;
    token_before = energy.gpus_j;
  }
}

TEST(PublishedEnergy, OfTokensBeatsTheNullModel) {
  GW_NEED_REFERENCE(file, "inference.csv");
  const auto source = workload::open_file(file);
  ASSERT_TRUE(source.has_value());
  const auto rows = read_published_inference(test_table(**source), test_types());
  ASSERT_TRUE(rows.has_value());
  const ValidationReport report =
      validate_served_energy(*rows, published_serving_calibration(), published_power());
  ASSERT_EQ(report.totals.size(), 1U);
  const ErrorSummary& all = report.totals.front();
  EXPECT_GE(all.points, 400U);
  EXPECT_LT(all.mean, 0.16);
  EXPECT_LT(all.mean, all.null_mean / 3);
}

}  // namespace
}  // namespace gw::physics
