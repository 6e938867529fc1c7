// A placement becomes the GPU type that the job sees: its domain, its share of the network, its clock.
#include "physics/work.h"

#include <fmt/format.h>

#include <algorithm>

#include "physics/search.h"
#include "physics/traffic.h"

namespace gw::physics {

namespace {

constexpr std::uint32_t kMostTried = 16;  // GPU counts below the one asked for.
constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;

Accelerator as_placed(const Accelerator& gpu, const Placed& placed) {
  Accelerator seen = gpu;
  seen.scaleup_domain = std::max(1U, placed.per_domain);
  seen.network_bytes_s *= placed.network_share;
  seen.dense_16bit_flops *= placed.clock;
  seen.dense_8bit_flops *= placed.clock;
  seen.dense_4bit_flops *= placed.clock;
  return seen;
}

TrainingRun run_of(const Work& work, const Layout& layout, const Accelerator& gpu) {
  return {&work.model,
          &gpu,
          default_stack(gpu.generation),
          layout,
          work.precision,
          double{1} * work.profile.sequence,
          double{1} * work.profile.batch};
}

Result<WorkPlan> given_layout(const Work& work, const Accelerator& gpu, std::uint32_t gpus) {
  const WorkProfile::Layout& given = work.profile.layout;
  WorkPlan plan;
  plan.layout = {.tensor = given.tensor,
                 .pipeline = given.pipeline,
                 .context = given.context,
                 .expert = given.expert,
                 .micro_batch = given.micro_batch,
                 .recompute = given.recompute ? Recompute::kFull : Recompute::kNone,
                 .sharding = given.full_sharding ? Sharding::kFull : Sharding::kOptimizer};
  const std::uint64_t replica = std::uint64_t{given.tensor} * given.pipeline * given.context;
  // The most replicas that divide the batch.
  std::uint64_t data = gpus / replica;
  while (data > 0 && work.profile.batch % (data * given.micro_batch) != 0) --data;
  if (data == 0)
    return fail(
        fmt::format("a layout of {} GPUs a replica and micro-batches of {} does not go on {} GPUs with a "
                    "batch of {}; change `layout`, `batch` or the size",
                    replica, given.micro_batch, gpus, work.profile.batch));
  plan.layout.data = static_cast<std::uint32_t>(data);
  plan.gpus = static_cast<std::uint32_t>(data * replica);
  if (Result<void> divides = check_layout(plan.layout, work.model, work.profile.batch); !divides)
    return std::unexpected(divides.error());
  const TrainingMemory memory =
      training_memory(work.model, plan.layout, work.profile.sequence, work.precision, gpu,
                      stacks()[static_cast<std::size_t>(default_stack(gpu.generation))]);
  if (!memory.fits())
    return fail(fmt::format("does not fit: short by {:.1f} GiB ({:.1f} GiB needed, {:.1f} there)",
                            memory.short_by() / kGibibyte, memory.total / kGibibyte,
                            memory.available / kGibibyte));
  return plan;
}

Result<WorkPlan> best_layout(const Work& work, const Accelerator& gpu, std::uint32_t gpus) {
  SearchOptions options;
  options.model = &work.model;
  options.gpu = &gpu;
  options.stack = default_stack(gpu.generation);
  options.precision = work.precision;
  options.sequence = work.profile.sequence;
  options.global_batch = work.profile.batch;
  options.keep = 1;
  constexpr std::uint32_t kLongSequence = 16'384;  // Shorter ones gain nothing from context parallelism.
  options.context_max = work.profile.sequence > kLongSequence ? 16 : 1;
  TrainingMemory nearest;
  std::uint32_t count = gpus;
  for (std::uint32_t tried = 0; tried < kMostTried && count > 0; ++tried) {
    options.gpus = count;
    const SearchResult result = search_layouts(options, published_calibration());
    if (!result.best.empty()) return WorkPlan{count, result.best.front().layout};
    if (nearest.total == 0) nearest = result.nearest.memory;
    // Whole nodes less, as eight GPUs are; below eight one GPU less.
    count = count > 8 ? (count - 1) / 8 * 8 : count - 1;
  }
  if (nearest.total == 0)
    return fail(fmt::format("no layout divides {} GPUs and a batch of {}; change `batch` or the size", gpus,
                            work.profile.batch));
  return fail(fmt::format(
      "does not fit on {} GPUs: short by {:.1f} GiB ({:.1f} GiB needed on each, {:.1f} there)", gpus,
      nearest.short_by() / kGibibyte, nearest.total / kGibibyte, nearest.available / kGibibyte));
}

}  // namespace

Result<void> check_work(const Work& work) {
  if (work.profile.kind != WorkKind::kTraining) return {};
  if (Result<void> sound = check_shape(work.model); !sound) return sound;
  if (work.profile.batch == 0 || work.profile.sequence == 0)
    return fail("`batch` and `sequence` must be at least 1");
  return {};
}

Result<WorkPlan> plan_work(const Work& work, const Accelerator& gpu, std::uint32_t gpus) {
  if (gpu.memory_bytes_s <= 0)
    return fail(fmt::format("the catalog does not know the memory bandwidth of {}", gpu.name));
  if (work.profile.kind != WorkKind::kTraining) return WorkPlan{gpus, {}};
  if (gpu.peak_flops(work.precision) <= 0)
    return fail(fmt::format("{} has no peak rate for {}; take another precision", gpu.name,
                            precision_name(work.precision)));
  return work.profile.layout.best ? best_layout(work, gpu, gpus) : given_layout(work, gpu, gpus);
}

WorkSpeed work_speed(const Work& work, const WorkPlan& plan, const Accelerator& gpu, const Placed& placed) {
  const Accelerator seen = as_placed(gpu, placed);
  WorkSpeed speed;
  if (work.profile.kind == WorkKind::kTraining) {
    const TrainingRun run = run_of(work, plan.layout, seen);
    const StepTime step = step_time(run, published_calibration());
    const NetworkTraffic traffic = training_traffic(run);
    speed.units_s = run.global_batch * run.sequence / step.total;
    speed.ring_bytes_s = traffic.ring_bytes / step.total;
    speed.exchange_bytes_s = traffic.exchange_bytes / step.total;
  } else {
    const ThroughputStep step = throughput_step(work.profile, seen, plan.gpus, placed.clock);
    speed.units_s = step.units / step.seconds;
    speed.ring_bytes_s = step.ring_bytes / step.seconds;
  }
  return speed;
}

}  // namespace gw::physics
