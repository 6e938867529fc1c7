// Options of a training step, and what they make of the catalog's entries.
#include "cli/physics_step.h"

#include <fmt/format.h>

#include <utility>

#include "cli/app.h"
#include "cli/physics_types.h"

namespace gw {

Result<StepSubject> subject_of(const StepOptions& options) {
  const Result<physics::KnownTypes> known = known_types();
  if (!known) return std::unexpected(known.error());
  StepSubject subject;
  if (options.model.empty() == options.named_model.empty())
    return fail(
        options.model.empty()
            ? std::string(
                  "which model? Name it behind the command, such as llama-3-8b; gw catalog models lists them")
            : fmt::format("two models, {} and {}: give one", options.model, options.named_model));
  Result<physics::ModelShape> model =
      find_model(*known, options.model.empty() ? options.named_model : options.model);
  if (!model) return std::unexpected(model.error());
  Result<physics::Accelerator> gpu = find_gpu(*known, options.gpu);
  if (!gpu) return std::unexpected(gpu.error());
  const Result<physics::Precision> precision =
      !options.precision.empty() ? find_precision(options.precision)
                                 : (gpu->has_bf16() ? physics::Precision::kBf16 : physics::Precision::kFp16);
  if (!precision) return std::unexpected(precision.error());
  if (const Result<void> sound = physics::check_shape(*model); !sound) return std::unexpected(sound.error());
  if (!model->mixture()) {
    for (const auto& [given, name] : {std::pair{options.plain_all_to_all, "--plain-all-to-all"},
                                      std::pair{options.overlap_experts, "--overlap-experts"}}) {
      if (given)
        return fail(
            fmt::format("{}: {} is dense, no token goes to an expert; leave it out", name, model->name));
    }
  }
  if (const Result<void> known_all = physics::check_known(*gpu, options.gpus); !known_all)
    return std::unexpected(known_all.error());
  if (const Result<void> has = physics::check_precision(*gpu, *precision); !has)
    return std::unexpected(has.error());
  subject.stack = physics::default_stack(gpu->generation);
  if (!options.stack.empty()) {
    const Result<int> stack = physics::find_stack(options.stack);
    if (!stack) return std::unexpected(stack.error());
    subject.stack = *stack;
  }
  subject.model = *std::move(model);
  subject.gpu = *std::move(gpu);
  subject.precision = *precision;
  subject.batch = options.batch != 0 ? options.batch : 512;
  return subject;
}

physics::Recompute recompute_of(const StepOptions& options) {
  for (const physics::Recompute each : {physics::Recompute::kSelective, physics::Recompute::kFull}) {
    if (physics::recompute_name(each) == options.recompute) return each;
  }
  return physics::Recompute::kNone;
}

physics::Sharding sharding_of(const StepOptions& options) {
  for (const physics::Sharding each :
       {physics::Sharding::kOptimizer, physics::Sharding::kGradients, physics::Sharding::kFull}) {
    if (physics::sharding_name(each) == options.sharding) return each;
  }
  return physics::Sharding::kNone;
}

Result<TimedStep> timed_step(const StepOptions& options, const StepSubject& subject, std::uint32_t gpus,
                             const char* whose) {
  TimedStep step;
  physics::Layout& layout = step.layout;
  layout.tensor = options.tensor;
  layout.pipeline = options.pipeline;
  layout.chunks = options.chunks;
  layout.context = options.context;
  layout.expert = options.expert;
  layout.micro_batch = options.micro_batch;
  const std::uint32_t product = options.tensor * options.pipeline * options.context;
  if (gpus % product != 0)
    return fail(fmt::format("{} GPUs{} do not divide over tensor {} x pipeline {} x context {} = {}", gpus,
                            whose, options.tensor, options.pipeline, options.context, product));
  layout.data = gpus / product;
  layout.recompute = recompute_of(options);
  layout.sharding = sharding_of(options);
  if (const Result<void> divides = physics::check_layout(layout, subject.model, subject.batch); !divides)
    return std::unexpected(divides.error());
  physics::TrainingRun run{&subject.model,
                           &subject.gpu,
                           subject.stack,
                           layout,
                           subject.precision,
                           double{1} * options.sequence,
                           double{1} * subject.batch};
  run.copies_per_expert = options.plain_all_to_all;
  run.overlaps_experts = options.overlap_experts;
  step.time = physics::step_time(run, physics::published_calibration());
  step.memory =
      physics::training_memory(subject.model, layout, options.sequence, subject.precision, subject.gpu,
                               physics::stacks()[static_cast<std::size_t>(subject.stack)]);
  return step;
}

std::string shortage_text(const physics::TrainingMemory& memory) {
  constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
  return fmt::format("does not fit: short by {:.1f} GiB ({:.1f} GiB needed, {:.1f} there)",
                     memory.short_by() / kGibibyte, memory.total / kGibibyte, memory.available / kGibibyte);
}

Result<ExitCode> fit_or_failed(const physics::TrainingMemory& memory) {
  if (memory.fits()) return ExitCode::ok;
  return fail(shortage_text(memory) +
              "; spread it over more GPUs (--tp, --pp, --shard), or let gw physics train "
              "--search find a layout that does");
}

void add_step_options(CLI::App& command, StepOptions& options) {
  command.add_option("MODEL", options.model, "Model of the catalog: gw catalog models")->type_name("NAME");
  command.add_option("--model", options.named_model, "The same, as an option")->type_name("NAME");
  command.add_option("--gpu", options.gpu, "GPU type of the catalog")
      ->type_name("NAME")
      ->capture_default_str();
  const auto count = [&](const char* flags, std::uint32_t& value, const char* help,
                         std::uint64_t most = 1'000'000) {
    command.add_option(flags, value, help)
        ->check(whole_number(1, most))
        ->type_name("N")
        ->capture_default_str();
  };
  count("--gpus", options.gpus, "GPUs in all", 10'000'000);
  count("--tp", options.tensor, "Tensor-parallel GPUs");
  count("--pp", options.pipeline, "Pipeline stages");
  count("--vpp", options.chunks, "Chunks of a stage (interleaving)");
  count("--cp", options.context, "Context-parallel GPUs");
  count("--ep", options.expert, "Expert-parallel GPUs");
  count("--micro-batch", options.micro_batch, "Sequences of one replica at a time");
  command.add_option("--batch", options.batch, "Sequences in a step; 512 if not given")
      ->check(whole_number(1, 100'000'000))
      ->type_name("N");
  count("--sequence", options.sequence, "Tokens in a sequence", 100'000'000);
  command
      .add_option("--precision", options.precision,
                  "Of the matrix products; bf16 if not given, fp16 on GPUs without it")
      ->check(CLI::IsMember({"fp16", "bf16", "fp8", "mxfp8", "nvfp4"}));
  command.add_option("--recompute", options.recompute, "Activations that are computed twice")
      ->check(CLI::IsMember({"none", "selective", "full"}))
      ->capture_default_str();
  command.add_option("--shard", options.sharding, "What replicas spread between them")
      ->check(CLI::IsMember({"none", "optimizer", "gradients", "full"}))
      ->capture_default_str();
  command.add_flag("--plain-all-to-all", options.plain_all_to_all,
                   "Tokens go to each of their experts, not once to each scale-up domain");
  command.add_flag("--overlap-experts", options.overlap_experts,
                   "Tokens go to experts beside the computing of another micro-batch");
  command
      .add_option(
          "--stack", options.stack,
          "Training software, such as bridge-26.04 or nemo-24.09; the newest known for the GPU if not given")
      ->type_name("NAME");
}

}  // namespace gw
