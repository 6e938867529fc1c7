// Memory by category: totals that follow from the shapes, and what does not fit.
#include "physics/memory.h"

#include "physics/test_subjects.h"

namespace gw::physics {
namespace {

constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;

TEST(Memory, ActivationsFollowKorthikanti) {
  // arXiv:2205.05198, equation 4: with tensor and sequence parallelism and without scores a layer keeps
  // 34 s b h / t bytes; dropout masks (2 of the 34) are not used any more.
  const ModelShape& model = test_model("gpt-530b");
  Layout layout;
  layout.tensor = 8;
  layout.pipeline = 1;
  layout.data = 1;
  const TrainingMemory memory =
      training_memory(model, layout, 2048, Precision::kBf16, test_gpu("a100"), stacks().back());
  const double equation = 34.0 * 2048 * model.hidden / 8 * model.layers;
  EXPECT_NEAR(memory.activations / equation, 1, 0.1);
}

TEST(Memory, ShardingAndRecomputationSaveWhatTheyShould) {
  const ModelShape& model = test_model("llama-3-70b");
  Layout layout;
  layout.data = 64;
  const auto of = [&] {
    return training_memory(model, layout, 8192, Precision::kBf16, test_gpu("h100"), stacks().back());
  };
  layout.sharding = Sharding::kNone;
  const TrainingMemory whole = of();
  EXPECT_NEAR(whole.optimizer, 12 * model.parameters(), 1e-6 * whole.optimizer);
  EXPECT_FALSE(whole.fits());
  layout.sharding = Sharding::kOptimizer;
  EXPECT_NEAR(of().optimizer * 64, whole.optimizer, 1e-6 * whole.optimizer);
  EXPECT_EQ(of().weights, whole.weights);
  layout.sharding = Sharding::kFull;
  EXPECT_NEAR(of().weights * 64, whole.weights, 1e-6 * whole.weights);
  const double kept = of().activations;
  layout.recompute = Recompute::kFull;
  EXPECT_LT(of().activations, 0.2 * kept);
}

TEST(Memory, SaysByHowMuchItIsShort) {
  const TrainingMemory memory = training_memory(test_model("llama-3-405b"), Layout{}, 8192, Precision::kBf16,
                                                test_gpu("h100"), stacks().back());
  EXPECT_FALSE(memory.fits());
  EXPECT_NEAR(memory.total - memory.available, memory.short_by(), 1);
  EXPECT_GT(memory.short_by(), 5000 * kGibibyte);
}

}  // namespace
}  // namespace gw::physics
