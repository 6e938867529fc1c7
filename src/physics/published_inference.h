// Published measurements of serving as steady states of the model: a table's rows, or the reason why one
// cannot be.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "physics/inference.h"
#include "physics/published.h"
#include "physics/serving_queue.h"

namespace gw::physics {

struct PublishedInference {
  std::string id;
  std::string group;
  std::string model;
  std::string gpu_type;
  std::string scenario;
  std::string reason;   ///< Why the model cannot express the row; empty where it can.
  std::string assumed;  ///< What the row does not say and was assumed.
  ModelShape shape;
  Accelerator gpu;
  int engine = 0;
  ServingLayout layout;
  WeightFormat weights = WeightFormat::k16Bit;
  double cache_bytes = 2;
  double active_parameters = 0;  ///< As the table has it.
  int prompts = -1;              ///< Index into prompt_sets() where the row has no lengths of its own.
  double input = 0;
  double output = 0;
  double sequences = 0;    ///< At once in one replica; 0 = as many as memory and engine allow.
  double measured = 0;     ///< Output tokens per second of one GPU.
  double power_w_gpu = 0;  ///< Measured, of the GPU alone; 0 where it was not.
  bool offline = false;    ///< As many requests at once as one likes; else a fixed number.
  /// Limits that requests had to keep, which come at random: `measured` is the most within them. None: it is
  /// throughput alone.
  LatencyTargets limits;
  std::uint32_t system_gpus = 1;  ///< That served it, in any number of replicas.
  double gap_p50_s = 0;           ///< Between two tokens of a request, measured; 0 where it was not.
  double gap_p99_s = 0;

  [[nodiscard]] bool limited() const { return limits.first_token_s > 0; }

  /// Refers to this object.
  [[nodiscard]] Deployment deployment() const;
  /// With as many requests at once as there were, or as fit.
  [[nodiscard]] ServingLoad load(const ServingCalibration& calibration) const;
};

/// A set of prompts whose mean length the tables do not give.
struct PromptSet {
  std::string_view name;
  double input = 0;   ///< Mean tokens as published, or where `fitted` a first guess.
  double output = 0;  ///< Mean tokens of answers; 0 = the rows say.
  bool fitted = false;
  double spread = 0;  ///< Standard deviation of answers' lengths over their mean (assumed).
  std::string_view source;
  double beams = 1;  ///< Answers searched at once for each prompt.
};
[[nodiscard]] const std::array<PromptSet, kPromptSets>& prompt_sets();

/// Rows that are summed up together: GPU type, numbers, dense or mixture.
[[nodiscard]] std::string serving_cell(const PublishedInference& row);

/// An Error where the table is not of that kind: it names the columns that are missing.
[[nodiscard]] Result<std::vector<PublishedInference>> read_published_inference(const PublishedTable& table,
                                                                               const KnownTypes& known);

}  // namespace gw::physics
