// Properties of step times and of memory: monotone where the world is, right at the limits, and whole.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

#include "physics/memory.h"
#include "physics/test_subjects.h"
#include "physics/training.h"

namespace gw::physics {
namespace {

constexpr double kNear = 1 + 1e-9;

/// A run of any shape, GPU type, software and layout, whose GPU can be changed.
struct AnyRun {
  Accelerator gpu;
  TrainingRun run;

  AnyRun() {
    const std::vector<ModelShape>& models = test_types().models;
    gpu =
        test_gpu(*rc::gen::element<const char*>("a100", "h100", "h200", "b200", "gb200", "gb300", "mi300x"));
    run.model = &models[*rc::gen::inRange<std::size_t>(0, models.size())];
    run.stack = *rc::gen::inRange(0, kStacks);
    Layout& layout = run.layout;
    layout.tensor = 1U << *rc::gen::inRange(0U, 4U);
    layout.pipeline = *rc::gen::inRange(1U, 9U);
    if (layout.pipeline > 1) layout.chunks = *rc::gen::inRange(1U, 4U);
    layout.data = 1U << *rc::gen::inRange(0U, 10U);
    layout.context = 1U << *rc::gen::inRange(0U, 3U);
    if (run.model->mixture()) layout.expert = 1U << *rc::gen::inRange(0U, 4U);
    layout.micro_batch = *rc::gen::inRange(1U, 5U);
    layout.recompute = *rc::gen::element(Recompute::kNone, Recompute::kSelective, Recompute::kFull);
    layout.sharding =
        *rc::gen::element(Sharding::kNone, Sharding::kOptimizer, Sharding::kGradients, Sharding::kFull);
    run.sequence = 128 * *rc::gen::inRange(1, 256);
    run.drops_tokens = *rc::gen::arbitrary<bool>();
    run.copies_per_expert = *rc::gen::arbitrary<bool>();
    run.overlaps_experts = *rc::gen::arbitrary<bool>();
    run.global_batch = double{1} * layout.data * layout.micro_batch * *rc::gen::inRange(1, 40);
  }

  [[nodiscard]] StepTime time() {
    run.gpu = &gpu;
    return step_time(run, published_calibration());
  }
  [[nodiscard]] TrainingMemory memory() const {
    return training_memory(*run.model, run.layout, run.sequence, run.precision, gpu,
                           stacks()[static_cast<std::size_t>(run.stack)]);
  }
};

double parts_of(const StepTime& time) {
  return time.products + time.attention + time.elementwise + time.logits + time.recompute + time.host +
         time.tensor + time.context + time.expert + time.pipeline + time.data + time.imbalance + time.bubble +
         time.optimizer + time.stragglers;
}

/// Links without latency or end.
const FabricConstants& free_links() {
  static const FabricConstants kFree;
  return kFree;
}

RC_GTEST_PROP(TrainingProperties, PartsAddUpAndTokensFollow, ()) {
  AnyRun any;
  const StepTime time = any.time();
  RC_ASSERT(std::abs(parts_of(time) - time.total) <= 1e-9 * time.total);
  const double tokens = any.run.global_batch * any.run.sequence;
  RC_ASSERT(std::abs(time.tokens_s_gpu * any.run.layout.gpus() * time.total / tokens - 1) < 1e-9);
}

RC_GTEST_PROP(TrainingProperties, ABetterGpuIsNeverSlower, ()) {
  AnyRun any;
  const double before = any.time().total;
  const double factor = 1 + 0.01 * *rc::gen::inRange(0, 1000);
  for (double Accelerator::* part :
       {&Accelerator::dense_16bit_flops, &Accelerator::dense_8bit_flops, &Accelerator::memory_bytes_s,
        &Accelerator::scaleup_bytes_s, &Accelerator::network_bytes_s}) {
    AnyRun better = any;
    better.gpu.*part *= factor;
    RC_ASSERT(better.time().total <= before * kNear);
  }
}

RC_GTEST_PROP(TrainingProperties, MoreWorkIsNeverFaster, ()) {
  AnyRun any;
  const double before = any.time().total;
  AnyRun more = any;
  more.run.global_batch *= 2;
  RC_ASSERT(more.time().total >= before);
  RC_ASSERT(more.time().total <= 2 * before * kNear);  // What a step has once is not done twice.
  more = any;
  more.run.sequence *= 2;
  RC_ASSERT(more.time().total >= before);
  more = any;
  more.run.layout.recompute = Recompute::kNone;
  RC_ASSERT(more.time().total <= before * kNear);
}

RC_GTEST_PROP(TrainingProperties, MoreReplicasOfEqualWorkAreNeverFasterPerGpu, ()) {
  AnyRun any;
  // The optimizer's share shrinks with the replicas where it is spread over them; the rest does not.
  const auto rest = [](const StepTime& time) { return time.total - time.optimizer - time.stragglers; };
  const StepTime before = any.time();
  any.run.layout.data *= 2;
  any.run.global_batch *= 2;
  const StepTime after = any.time();
  RC_ASSERT(rest(after) * kNear >= rest(before));
  if (any.run.layout.sharding == Sharding::kNone)
    RC_ASSERT(after.tokens_s_gpu <= before.tokens_s_gpu * kNear);
}

RC_GTEST_PROP(TrainingLimits, WithInfiniteLinksOnlyComputingAndWaitingRemain, ()) {
  AnyRun any;
  const StepTime before = any.time();
  any.gpu.scaleup_bytes_s = 1e300;
  any.gpu.network_bytes_s = 1e300;
  any.run.links = &free_links();
  const StepTime time = any.time();
  for (const double part : {time.tensor, time.context, time.expert, time.pipeline, time.data})
    RC_ASSERT(part <= 1e-12 * time.total);
  RC_ASSERT(time.products == before.products);
  RC_ASSERT(time.attention == before.attention);
  RC_ASSERT(time.recompute == before.recompute);
  RC_ASSERT(time.total <= before.total * kNear);
}

RC_GTEST_PROP(TrainingLimits, WithInfiniteEverythingOnlyLaunchesRemain, ()) {
  AnyRun any;
  any.run.links = &free_links();
  for (double Accelerator::* part :
       {&Accelerator::dense_16bit_flops, &Accelerator::dense_8bit_flops, &Accelerator::memory_bytes_s,
        &Accelerator::scaleup_bytes_s, &Accelerator::network_bytes_s})
    any.gpu.*part = 1e300;
  any.gpu.measured_16bit_flops = 0;  // They would stand in for a share of the peak.
  any.gpu.measured_8bit_flops = 0;
  const StepTime time = any.time();
  for (const double part : {time.attention, time.elementwise, time.logits, time.optimizer, time.data})
    RC_ASSERT(part <= 1e-12 * time.total);
  // What remains are launches: their number does not depend on the tokens.
  AnyRun longer = any;
  longer.run.sequence *= 8;
  RC_ASSERT(std::abs(longer.time().total / time.total - 1) < 1e-9);
}

RC_GTEST_PROP(MemoryProperties, CategoriesAddUpAndShardingNeverNeedsMore, ()) {
  AnyRun any;
  const TrainingMemory memory = any.memory();
  const double sum = memory.weights + memory.gradients + memory.optimizer + memory.activations +
                     memory.logits + memory.buffers;
  RC_ASSERT(std::abs(sum - memory.total) <= 1e-9 * memory.total);
  RC_ASSERT(memory.fits() == (memory.short_by() == 0));
  double before = 1e300;
  for (const Sharding sharding :
       {Sharding::kNone, Sharding::kOptimizer, Sharding::kGradients, Sharding::kFull}) {
    any.run.layout.sharding = sharding;
    const TrainingMemory now = any.memory();
    RC_ASSERT(now.weights + now.gradients + now.optimizer <= before * kNear);
    before = now.weights + now.gradients + now.optimizer;
  }
}

RC_GTEST_PROP(MemoryProperties, MoreMemoryFitsMoreAndMoreTokensNeedMore, ()) {
  AnyRun any;
  const TrainingMemory before = any.memory();
  AnyRun roomier = any;
  roomier.gpu.memory_bytes *= 1 + 0.01 * *rc::gen::inRange(0, 500);
  RC_ASSERT(roomier.memory().total == before.total);
  RC_ASSERT(roomier.memory().short_by() <= before.short_by());
  AnyRun longer = any;
  longer.run.sequence *= 2;
  RC_ASSERT(longer.memory().total >= before.total);
  AnyRun lean = any;
  lean.run.layout.recompute = Recompute::kFull;
  RC_ASSERT(lean.memory().activations <= before.activations * kNear);
}

}  // namespace
}  // namespace gw::physics
