// A training step as commands of `gw physics` are told of it: options, what they name, and its time and
// memory.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "physics/memory.h"
#include "physics/training.h"

namespace CLI {
class App;
}

namespace gw {

enum class ExitCode : int;

/// What a command is told of a training step: model, GPU, layout.
struct StepOptions {
  std::string model;
  std::string named_model;  ///< Of --model.
  std::string gpu = "h100";
  std::string precision;  ///< Empty: bf16, or fp16 where the GPU has none.
  std::string stack;
  std::string recompute = "none";
  std::string sharding = "optimizer";
  std::uint32_t gpus = 8;
  std::uint32_t tensor = 1;
  std::uint32_t pipeline = 1;
  std::uint32_t chunks = 1;
  std::uint32_t context = 1;
  std::uint32_t expert = 1;
  std::uint32_t micro_batch = 1;
  std::uint32_t batch = 0;
  std::uint32_t sequence = 4096;
  bool plain_all_to_all = false;
  bool overlap_experts = false;
};

/// Everything that names refer to.
struct StepSubject {
  physics::ModelShape model;
  physics::Accelerator gpu;
  physics::Precision precision = physics::Precision::kBf16;
  int stack = 0;
  std::uint32_t batch = 0;
};

Result<StepSubject> subject_of(const StepOptions& options);

/// What --recompute and --shard name.
physics::Recompute recompute_of(const StepOptions& options);
physics::Sharding sharding_of(const StepOptions& options);

struct TimedStep {
  physics::Layout layout;
  physics::StepTime time;
  physics::TrainingMemory memory;
};
/// On `gpus` GPUs, with the batch of `subject`; `whose`: of which GPUs a message speaks, " of a site" or
/// nothing.
Result<TimedStep> timed_step(const StepOptions& options, const StepSubject& subject, std::uint32_t gpus,
                             const char* whose = "");

/// `does not fit: short by 3.1 GiB (...)`.
std::string shortage_text(const physics::TrainingMemory& memory);

/// What a command ends with that has printed its answer: an Error where the layout does not fit.
Result<ExitCode> fit_or_failed(const physics::TrainingMemory& memory);

/// MODEL, --model, --gpu, --gpus, --tp and so on. `options` outlives the parse.
void add_step_options(CLI::App& command, StepOptions& options);

}  // namespace gw
