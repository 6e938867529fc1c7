// Rows of power.csv: what ran, how cooled, where measured, and what is assumed of the work's use of the GPU.
#include "physics/published_power.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/math.h"
#include "physics/published_fields.h"

namespace gw::physics {

namespace {

/// What kinds of work do with a GPU while they run on one node, and how long the whole MLPerf run takes on
/// eight H100 (MLPerf Training v4.0, minutes rounded, recalled). Rates are of the same results: images or
/// samples a second times the operations of one. Memory is by kind: convolutions and embeddings are bound by
/// it.
struct Work {
  std::string_view name;
  Use use;
  double run_s = 0;  ///< 0 = steady, no start and end within the measurement.
  std::string_view kind;
};
constexpr std::array kWorks = {
    Work{"bert", {0.45, 0.25}, 330, "encoder training"},
    Work{"dlrm", {0.70, 0.10}, 235, "recommendation training"},
    Work{"llama2_70b_lora", {0.35, 0.40}, 1700, "fine-tuning"},
    Work{"resnet", {0.70, 0.18}, 800, "convolution training"},
    Work{"ssd", {0.70, 0.18}, 2150, "convolution training"},
    Work{"unet3d", {0.70, 0.18}, 730, "convolution training"},
    Work{"gpt3", {0.30, 0.42}, 0, "language training"},
    Work{"stable-diffusion", {0.30, 0.21}, 0, "diffusion"},
    Work{"rgat", {0.45, 0.03, 0.5}, 0, "graph inference"},
    Work{"whisper", {0.45, 0.03, 0.5}, 0, "speech inference"},
    Work{"llama2-70b", {0.45, 0.40}, 0, "served language model"},
    Work{"llama3.1-405b", {0.45, 0.30}, 0, "served language model"},
    Work{"llama3.1-8b", {0.45, 0.15}, 0, "served language model"},
    Work{"ResNet, Llama2-13b training", {0.70, 0.40}, 0, "training"},
};

Cooling cooling_of(std::string_view text) {
  if (contains(text, "immersion")) return Cooling::kImmersion;
  if (contains(text, "water") || contains(text, "liquid")) return Cooling::kDirectLiquid;
  if (contains(text, "rear")) return Cooling::kRearDoor;
  return Cooling::kAir;
}

/// Power of the whole node by its datasheet, or 0.
double nameplate_of(const Accelerator& gpu) {
  switch (gpu.generation) {
    case Generation::kAmpere:
      return 6500;
    case Generation::kHopper:
      return 10200;
    case Generation::kBlackwell:
      return 14300;
    case Generation::kBlackwellUltra:
      return 14500;
    default:
      return 0;
  }
}

/// A model of the catalog on as few GPUs as leave 40 % of the memory for caches.
std::optional<ServingState> served_state(const Accelerator& gpu, const KnownTypes& known,
                                         std::string_view name, WeightFormat weights, int engine,
                                         double input, double output, double sequences_of_gpu) {
  constexpr double kWeightShare = 0.6;
  const auto model = std::find_if(known.models.begin(), known.models.end(),
                                  [&](const ModelShape& each) { return each.name == name; });
  if (model == known.models.end()) return std::nullopt;
  Deployment deployment{&*model, &gpu, engine, {}, weights, weights == WeightFormat::kNvfp4 ? 1.0 : 2.0};
  for (std::uint32_t gpus = 1; gpus <= 8; gpus *= 2) {
    deployment.layout = {gpus, 1, model->mixture() ? gpus : 1};
    if (serving_memory(deployment).weights <= kWeightShare * gpu.memory_bytes) break;
  }
  const double most = most_sequences(deployment, input, output);
  if (most < 1) return std::nullopt;
  const ServingLoad load{.input = input,
                         .output = output,
                         .sequences = std::min(sequences_of_gpu * deployment.layout.gpus(), most)};
  return steady_state(deployment, load, published_serving_calibration());
}

/// Decoding with so many sequences a GPU, as rows that give medians over configurations have it: the mean use
/// of usual models of two sizes. Of mixtures the larger one is served in 8 bits.
Use decoding_use(const Accelerator& gpu, const KnownTypes& known, double batch, bool mixture) {
  constexpr double kPrompt = 250;
  constexpr double kAnswer = 600;
  struct Usual {
    std::string_view name;
    WeightFormat weights;
  };
  using Models = std::array<Usual, 2>;
  const Models models =
      mixture ? Models{{{"deepseek-v3", WeightFormat::k8Bit}, {"qwen3-235b-a22b", WeightFormat::k8Bit}}}
              : Models{{{"llama-3-70b", WeightFormat::k16Bit}, {"llama-3-405b", WeightFormat::k16Bit}}};
  Use sum{0, 0, 0};
  double found = 0;
  for (const Usual& each : models) {
    const std::optional<ServingState> state = served_state(
        gpu, known, each.name, each.weights, default_serving_engine(gpu), kPrompt, kAnswer, batch);
    if (!state) continue;
    sum.memory += state->memory_use;
    sum.arithmetic += state->arithmetic_use;
    sum.kernels += state->kernel_share;
    found += 1;
  }
  return found > 0 ? Use{sum.memory / found, sum.arithmetic / found, sum.kernels / found} : Use{};
}

/// Language models of MLPerf Inference: mean tokens of prompts and answers as the benchmarks have them
/// (Llama 3.1 405B: recalled).
struct ServedWork {
  std::string_view name;
  std::string_view model;
  double input = 0;
  double output = 0;
};
constexpr std::array kServedWorks = {
    ServedWork{"llama2-70b", "llama-2-70b", 200, 294},
    ServedWork{"llama3.1-405b", "llama-3-405b", 9428, 684},
    ServedWork{"llama3.1-8b", "llama-3-8b", 778, 128},
};

/// As MLPerf submitters serve: in the narrowest numbers, as many at once as fit, at the tokens per second of
/// the node that were measured, where the row says.
bool set_served(PublishedPower& row, const KnownTypes& known, std::string_view workload, double tokens_s) {
  for (const ServedWork& each : kServedWorks) {
    if (!workload.starts_with(each.name)) continue;
    const Result<int> engine = find_serving_engine("mlperf-5.1");
    if (!engine) return false;
    const WeightFormat weights = row.gpu.dense_4bit_flops > 0 ? WeightFormat::kNvfp4 : WeightFormat::k8Bit;
    const std::optional<ServingState> state =
        served_state(row.gpu, known, each.model, weights, *engine, each.input, each.output, 1e6);
    if (!state) return false;
    const double rate = tokens_s > 0 ? tokens_s / row.gpus_of_node / state->tokens_s_gpu : 1;
    row.use = {std::min(1.0, state->memory_use * rate), std::min(1.0, state->arithmetic_use * rate),
               std::min(1.0, state->kernel_share * rate)};
    assume(row, fmt::format("memory {:.0f} %, arithmetic {:.0f} %, kernels {:.0f} %", 100 * row.use.memory,
                            100 * row.use.arithmetic, 100 * row.use.kernels));
    return true;
  }
  return false;
}

/// GPT-3 on 512 H100 as MLPerf Training v4.0 lays it out: its step is the training model's own.
bool set_gpt3(PublishedPower& row, const KnownTypes& known, double gpus) {
  const auto found = std::find_if(known.models.begin(), known.models.end(),
                                  [](const ModelShape& each) { return each.name == "gpt-3-175b"; });
  const Result<int> stack = find_stack("nemo-24.04");
  if (found == known.models.end() || !stack || gpus < 64) return false;
  Layout layout;
  layout.tensor = 4;
  layout.pipeline = 8;
  layout.chunks = 4;
  layout.data = static_cast<std::uint32_t>(gpus / 32);
  layout.micro_batch = 2;
  const double batch = 4.5 * gpus;
  const TrainingRun run{&*found, &row.gpu, *stack, layout, Precision::kFp8, 2048, batch};
  row.step = step_time(run, published_calibration());
  row.precision = Precision::kFp8;
  row.step_known = true;
  return true;
}

/// Batch per GPU of `batch per GPU 4-16`, `<=4`, `>256`: the middle of the band, by factors.
double batch_of(std::string_view context) {
  const std::size_t digit = context.find_first_of("0123456789");
  if (digit == std::string_view::npos) return 0;
  const double first = leading_number(context.substr(digit));
  if (contains(context, "<=")) return first / 2;
  if (contains(context, ">")) return first * 2;
  const std::size_t dash = context.find('-', digit);
  return dash == std::string_view::npos ? first : std::sqrt(first * leading_number(context.substr(dash + 1)));
}

std::string read_node(const PublishedTable& table, std::size_t at, const KnownTypes& known,
                      PublishedPower& row) {
  const std::string_view workload = table.field(at, "workload");
  const std::string_view system = table.field(at, "system");
  const double gpus = leading_number(table.field(at, "gpus"));
  row.gpus_of_node = 8;
  row.nameplate = nameplate_of(row.gpu);
  row.behind_supplies = contains(table.field(at, "cooling"), "DC side");
  const auto work = std::find_if(kWorks.begin(), kWorks.end(),
                                 [&](const Work& each) { return workload.starts_with(each.name); });
  if (work == kWorks.end()) return "work whose use of the GPU is not known";
  row.use = work->use;
  const std::string_view notes = table.field(at, "notes");
  set_served(row, known, workload, contains(notes, "Tokens/s") ? leading_number(notes) : 0);
  const double nodes = std::max(1.0, gpus / row.gpus_of_node);
  if (work->name == "gpt3" && !set_gpt3(row, known, gpus)) return "no layout known of this run";
  if (contains(table.field(at, "utilisation_context"), "whole run") && work->run_s > 0) {
    row.strong_nodes = nodes;
    row.run_s = work->run_s / nodes;
    assume(row, fmt::format("{} for {:.0f} s", work->kind, row.run_s));
  }
  if (contains(system, "MaxQ")) return "power-capped to a cap that is not given";
  return {};
}

/// How to express row `at`, or why not.
std::string read_row(const PublishedTable& table, std::size_t at, const KnownTypes& known,
                     PublishedPower& row) {
  const std::string_view kind = table.field(at, "kind");
  const std::string_view metric = table.field(at, "metric");
  const std::string_view cooling = table.field(at, "cooling");
  if (kind == "nameplate") return "a nameplate, not what is drawn";
  if (kind == "PUE") {
    if (cooling.empty() || contains(cooling, "mixed")) return "PUE of mixed plants";
    row.quantity = PowerQuantity::kPue;
    row.cooling = cooling_of(cooling);
    assume(row, "yearly mean at 11 degrees");
    return {};
  }
  if (metric == "facility kW per GPU" && !contains(table.field(at, "system"), "GB300") &&
      !contains(table.field(at, "system"), "GB200"))
    return "a site's plan without a GPU type";
  if (metric == "facility kW per GPU") {
    const std::string_view system = table.field(at, "system");
    const Accelerator* gpu = find_accelerator(known, contains(system, "GB300") ? "GB300" : "GB200");
    if (gpu == nullptr) return "GPU type not in the catalog";
    row.gpu = *gpu;
    row.quantity = PowerQuantity::kFacility;
    row.cooling = Cooling::kDirectLiquid;
    row.measured *= 1000;
    row.gpus_of_node = 4;
    row.use = {1, 1};
    assume(row, "full load, on the warmest day");
    return {};
  }
  if (kind != "measurement") return fmt::format("no measurement of power: {}", kind);
  const Accelerator* gpu = find_accelerator(known, table.field(at, "gpu_type"));
  if (gpu == nullptr) return "no GPU type of the catalog";
  row.gpu = *gpu;
  row.cooling = cooling_of(cooling);
  if (metric == "mean node power" || metric == "mean node power under load" || metric == "p95 node power")
    return read_node(table, at, known, row);
  if (metric == "maximum observed node power") {
    row.quantity = PowerQuantity::kPeakNode;
    return read_node(table, at, known, row);
  }
  if (metric == "mean training power share of 10.2 kW TDP" || metric == "typical power") {
    if (table.field(at, "unit") == "%") row.measured *= 102;
    row.nameplate = nameplate_of(row.gpu);
    row.use = {0.35, 0.40};
    assume(row, "language training, air");
    return {};
  }
  if (metric == "idle power") {
    row.nameplate = nameplate_of(row.gpu);
    row.busy_share = 0;
    return {};
  }
  if (contains(metric, "GPU board power")) {
    const double batch = batch_of(table.field(at, "utilisation_context"));
    if (batch <= 0) return "no batch";
    row.quantity = PowerQuantity::kGpu;
    row.nameplate = row.gpu.power_max_w;
    row.use = decoding_use(row.gpu, known, batch, contains(table.field(at, "workload"), "MoE"));
    assume(row, fmt::format("decoding at batch {:.0f}", batch));
    return {};
  }
  return "not a mean power of a node or GPU";
}

}  // namespace

std::string_view quantity_name(PowerQuantity quantity) {
  constexpr std::array<std::string_view, 5> kNames = {"mean node power", "GPU power", "highest node power",
                                                      "PUE", "facility power per GPU"};
  return kNames[static_cast<std::size_t>(quantity)];
}

Result<std::vector<PublishedPower>> read_published_power(const PublishedTable& table,
                                                         const KnownTypes& known) {
  if (const Result<void> named =
          require_columns(table, "power.csv",
                          {"id", "group", "kind", "system", "gpus", "gpu_type", "cooling", "workload",
                           "utilisation_context", "metric", "value", "unit"});
      !named)
    return std::unexpected(named.error());
  std::vector<PublishedPower> rows;
  rows.reserve(table.rows.size());
  for (std::size_t at = 0; at < table.rows.size(); ++at) {
    PublishedPower row;
    row.id = table.field(at, "id");
    row.group = table.field(at, "group");
    row.measured = leading_number(table.field(at, "value"));
    row.what = fmt::format("{} {} {}", table.field(at, "system").substr(0, 34), table.field(at, "workload"),
                           table.field(at, "utilisation_context").substr(0, 24));
    row.reason = row.measured > 0 ? read_row(table, at, known, row) : "no value";
    rows.push_back(std::move(row));
  }
  return rows;
}

double predicted_power(const PublishedPower& row, const PowerConstants& constants) {
  if (row.quantity == PowerQuantity::kPue) {
    Plant plant;
    plant.cooling = row.cooling;
    return yearly_pue(plant, {});
  }
  Watts busy = row.step_known ? training_power(constants, row.gpu, row.precision, row.step).mean
                              : gpu_power(constants, row.gpu, row.use);
  const Watts idle = gpu_idle_power(row.gpu);
  if (row.busy_share < 1) busy = idle + (busy - idle) * row.busy_share;
  if (row.quantity == PowerQuantity::kGpu) return busy.value();
  if (row.strong_nodes > 1) {
    // Of the rest of the time GPUs wait for each other, kernels resident.
    const double computing = stable_pow(row.strong_nodes, -constants.strong_scaling);
    busy = busy * computing + gpu_power(constants, row.gpu, Use{}) * (1 - computing);
  }
  if (row.run_s > 0) {
    // GPUs that wait a part of the time take as much longer over the same work.
    const double run_s = row.run_s * stable_pow(row.strong_nodes, constants.strong_scaling);
    const double started = constants.start_s / (constants.start_s + run_s);
    busy = busy * (1 - started) + idle * started;
  }
  const NodePower node = node_power(constants, row.gpu, row.gpus_of_node, busy, row.cooling);
  if (row.quantity == PowerQuantity::kFacility) {
    Plant plant;
    plant.cooling = row.cooling;
    const RackPower rack = rack_power(node, 1, row.gpus_of_node, row.gpu);
    return (facility_power(plant, rack.total(), {.outside = Celsius{32}}).total / row.gpus_of_node).value();
  }
  return (row.behind_supplies ? node.inside() : node.total).value();
}

}  // namespace gw::physics
