// Rows of published serving measurements: models by name, layouts, what is assumed where a row is silent.
#include "physics/published_inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "physics/published_fields.h"

namespace gw::physics {

namespace {

std::uint32_t whole(std::string_view text) {
  const double value = leading_number(text);
  return value > 0 && value < 1e9 ? static_cast<std::uint32_t>(value) : 0;
}

struct Alias {
  std::string_view published;
  std::string_view catalog;
};
/// Names that begin otherwise than in the catalog.
constexpr std::array kAliases = {
    Alias{"llama2-70b", "llama-2-70b"},
    Alias{"llama-3.1-8b", "llama-3-8b"},
    Alias{"llama3.1-8b", "llama-3-8b"},
    Alias{"llama-3.1-70b", "llama-3-70b"},
    Alias{"llama-3.3-70b", "llama-3-70b"},
    Alias{"llama-3.1-405b", "llama-3-405b"},
    Alias{"llama3.1-405b", "llama-3-405b"},
    Alias{"deepseek-v3", "deepseek-v3"},
    Alias{"deepseek-r1", "deepseek-v3"},
    Alias{"qwen3-coder-30b", "qwen3-30b-a3b"},
    Alias{"qwen3-coder-480b", "qwen3-coder-480b-a35b"},
    Alias{"gptj", "gpt-j-6b"},
};

const ModelShape* find_shape(const KnownTypes& known, std::string_view published) {
  std::string name = lower(published);
  if (const std::size_t slash = name.rfind('/'); slash != std::string::npos) name.erase(0, slash + 1);
  std::string_view wanted;
  for (const Alias& each : kAliases) {
    if (name.starts_with(each.published)) wanted = each.catalog;
  }
  const ModelShape* best = nullptr;
  for (const ModelShape& each : known.models) {
    if (wanted.empty() ? name.starts_with(each.name) : each.name == wanted) {
      if (best == nullptr || each.name.size() > best->name.size()) best = &each;
    }
  }
  return best;
}

/// `NVIDIA H200-SXM-141GB`, `DGX-H100_H100-SXM-80GBx8_TRT`, `8xMI300X_2xEPYC-9374F` and the like: the longest
/// name of the catalog that stands in it.
const Accelerator* find_gpu(const KnownTypes& known, std::string_view published) {
  const std::string name = lower(published);
  if (contains(name, "rtx 6000 pro") || contains(name, "rtx pro 6000"))
    return find_accelerator(known, "rtx-pro-6000");
  const Accelerator* best = nullptr;
  for (const Accelerator& each : known.accelerators) {
    const std::size_t at = name.find(each.name);
    if (at == std::string::npos) continue;
    const bool begins = at == 0 || !((name[at - 1] >= 'a' && name[at - 1] <= 'w') || name[at - 1] == 'y' ||
                                     name[at - 1] == 'z');  // An x is a count: `8xMI300X`.
    if (begins && (best == nullptr || each.name.size() > best->name.size())) best = &each;
  }
  return best;
}

bool read_weights(std::string_view precision, PublishedInference& row) {
  if (precision == "bfloat16" || precision == "bf16" || precision == "fp16" || precision == "float16")
    row.weights = WeightFormat::k16Bit;
  else if (precision == "fp8")
    row.weights = WeightFormat::k8Bit;
  else if (precision == "mxfp4")
    row.weights = WeightFormat::kMxfp4;
  else if (precision == "fp4" || precision == "nvfp4")
    row.weights = WeightFormat::kNvfp4;
  else
    return false;
  return true;
}

struct GroupPrompts {
  std::string_view group;  ///< Beginning of the group's name,
  std::string_view model;  ///< and of the model's.
  std::string_view prompts;
};
constexpr std::array kGroupPrompts = {
    GroupPrompts{"ml-energy-lm-arena-chat", "", "lm-arena-chat"},
    GroupPrompts{"ml-energy-gpqa", "", "gpqa"},
    GroupPrompts{"ml-energy-sourcegraph-fim", "", "sourcegraph-fim"},
    GroupPrompts{"mlperf-inf", "llama2-70b", "open-orca"},
    GroupPrompts{"mlperf-inf", "mixtral-8x7b", "mixtral-mix"},
    GroupPrompts{"mlperf-inf", "gptj", "cnn-gptj"},
    GroupPrompts{"mlperf-inf", "llama3.1-8b", "cnn-llama3"},
    GroupPrompts{"mlperf-inf", "deepseek-r1", "reasoning"},
};

struct GroupLimits {
  std::string_view model;  ///< Beginning of its name.
  std::string_view scenario;
  double first_token_s = 0;
  double per_token_s = 0;
};
/// MLPerf Inference rules (mlcommons/inference_policies, inference_rules.adoc, table of benchmarks): TTFT and
/// TPOT, each at the 99th percentile, of requests in a Poisson stream.
constexpr std::array kGroupLimits = {
    GroupLimits{"llama2-70b", "Server", 2, 0.2},
    GroupLimits{"llama2-70b", "Interactive", 0.45, 0.04},
    GroupLimits{"mixtral-8x7b", "Server", 2, 0.2},
    GroupLimits{"llama3.1-405b", "Server", 6, 0.175},
    GroupLimits{"llama3.1-405b", "Interactive", 4.5, 0.08},
    GroupLimits{"llama3.1-8b", "Server", 2, 0.1},
    GroupLimits{"llama3.1-8b", "Interactive", 0.5, 0.03},
    GroupLimits{"deepseek-r1", "Server", 2, 0.08},
};

bool read_limits(PublishedInference& row) {
  for (const GroupLimits& each : kGroupLimits) {
    if (row.scenario != each.scenario || !row.model.starts_with(each.model)) continue;
    row.limits = {.first_token_s = each.first_token_s, .per_token_s = each.per_token_s, .percentile = 99};
    return true;
  }
  return false;
}

void read_prompts(PublishedInference& row) {
  for (const GroupPrompts& each : kGroupPrompts) {
    if (!row.group.starts_with(each.group) || !row.model.starts_with(each.model)) continue;
    for (int i = 0; i < kPromptSets; ++i) {
      const PromptSet& set = prompt_sets()[static_cast<std::size_t>(i)];
      if (set.name != each.prompts) continue;
      row.prompts = i;
      if (row.output == 0) row.output = set.output;
    }
  }
}

int engine_of(const PublishedInference& row, std::string_view engine) {
  std::string_view name = "vllm-0.11";
  if (row.group.starts_with("trtllm") || engine == "TensorRT-LLM") name = "trtllm-1.1";
  if (row.group.starts_with("mlperf")) {
    const bool nvidia = row.gpu.generation != Generation::kOther || contains(engine, "TensorRT");
    name = row.group.ends_with("v4.1") || row.group.ends_with("v4.0") || row.group.ends_with("v3.1")
               ? "mlperf-4.1"
               : (nvidia ? "mlperf-5.1" : "mlperf-5.1-rocm");
    // Entries with vLLM as it is released are served as elsewhere.
    if (nvidia && engine.starts_with("vLLM")) name = "vllm-0.11";
    // Its entries run on the PyTorch backend (`moe_backend` in their configurations).
    if (nvidia && row.model.starts_with("deepseek")) name = "trtllm-1.0";
  }
  const Result<int> index = find_serving_engine(name);
  return index ? *index : 0;
}

/// The fewest GPUs, a power of two, on which weights take no more than a share of the memory.
std::uint32_t fewest_gpus(const PublishedInference& row, double share, std::uint32_t most) {
  std::uint32_t gpus = 1;
  for (; gpus < most; gpus *= 2) {
    Deployment deployment = row.deployment();
    deployment.layout = row.shape.mixture() ? ServingLayout{1, gpus, gpus} : ServingLayout{gpus, 1, 1};
    if (serving_memory(deployment).weights <= share * row.gpu.memory_bytes) break;
  }
  return gpus;
}

void read_layout(const PublishedTable& table, std::size_t at, PublishedInference& row) {
  const std::string_view notes = table.field(at, "notes");
  const std::uint32_t tensor = whole(table.field(at, "tp"));
  const std::uint32_t data = whole(table.field(at, "dp"));
  const std::uint32_t expert = whole(table.field(at, "ep"));
  const std::uint32_t gpus = std::max(1U, whole(table.field(at, "gpus")));
  ServingLayout& layout = row.layout;
  const bool mapped = contains(notes, "mapping DEP");
  if (mapped) {
    // Attention data parallel, experts spread over the same GPUs.
    layout.data = expert;
    if (expert == 0) {
      layout.data = row.gpu.dense_4bit_flops > 0 ? 4 : 8;
      assume(row, fmt::format("{} GPUs in a replica", layout.data));
    }
    layout.expert = layout.data;
  } else if (tensor == 0 && data == 0 && expert == 0) {
    // Tuned entries use as few GPUs for a replica as leave room for caches; where experts do not fit on one
    // they are spread over eight (all entries of DeepSeek-R1 in MLPerf Inference v5.1).
    std::uint32_t few = fewest_gpus(row, 0.6, gpus);
    if (row.shape.mixture() && few > 1) few = std::max(few, std::min(8U, gpus));
    layout = row.shape.mixture() ? ServingLayout{1, few, few} : ServingLayout{few, 1, 1};
    assume(row, fmt::format("{} GPUs in a replica", few));
  } else if (expert > 1) {
    layout.data = std::max(1U, data);
    layout.tensor = std::max(1U, gpus / layout.data);
    layout.expert = expert;
  } else {
    layout.tensor = std::max({1U, tensor, data > 1 ? gpus / data : gpus});
    layout.data = std::max(1U, data);
  }
}

}  // namespace

const std::array<PromptSet, kPromptSets>& prompt_sets() {
  static constexpr std::array<PromptSet, kPromptSets> kSets = {{
      {"lm-arena-chat", 120, 0, true, 0.5, "ML.ENERGY v3: prompt lengths are not stored"},
      {"gpqa", 250, 0, true, 0.5, "the same"},
      {"sourcegraph-fim", 3000, 0, true, 0.5, "the same"},
      {"open-orca", 222.3, 294.45, false, 0.8,
       "MLPerf Inference: 5,463,976 tokens in 24,576 prompts, 294.45 tokens a sample"},
      {"mixtral-mix", 250, 145.9, true, 0.8,
       "MLPerf Inference: 145.9 tokens a sample of OpenOrca, GSM8K and MBXP"},
      {"cnn-gptj", 780, 69, false, 0.3,
       "MLPerf Inference: CNN/DailyMail, 69 tokens a sample (recalled), beam search of four", 4},
      {"cnn-llama3", 778, 128, false, 0,
       "MLPerf Inference v5.1: CNN/DailyMail, 778 tokens in (recalled), answers of 128"},
      {"reasoning", 800, 3886, false, 0.9, "MLPerf Inference v5.1: 3886 tokens a sample, 800 in (recalled)"},
  }};
  return kSets;
}

Deployment PublishedInference::deployment() const {
  return {&shape, &gpu, engine, layout, weights, cache_bytes};
}

ServingLoad PublishedInference::load(const ServingCalibration& calibration) const {
  ServingLoad load;
  load.input = input > 0 || prompts < 0 ? input : calibration.prompts[static_cast<std::size_t>(prompts)];
  load.output = output;
  if (prompts >= 0) load.spread = prompt_sets()[static_cast<std::size_t>(prompts)].spread;
  if (prompts >= 0) load.beams = prompt_sets()[static_cast<std::size_t>(prompts)].beams;
  // Beams share their prompt's keys and values.
  const double most = most_sequences(deployment(), load.input, load.output * load.beams, load.spread);
  load.sequences = sequences > 0 ? std::min(sequences, most) : most;
  return load;
}

std::string serving_cell(const PublishedInference& row) {
  return fmt::format("{} {}{}", row.gpu.name, weight_format_name(row.weights),
                     row.shape.mixture() ? " MoE" : "");
}

Result<std::vector<PublishedInference>> read_published_inference(const PublishedTable& table,
                                                                 const KnownTypes& known) {
  if (const Result<void> named =
          require_columns(table, "inference.csv",
                          {"id", "group", "model", "precision", "gpus", "gpu_type", "engine", "tp", "ep",
                           "scenario", "isl", "osl", "batch", "tok_s_per_gpu"});
      !named)
    return std::unexpected(named.error());
  std::vector<PublishedInference> rows;
  rows.reserve(table.rows.size());
  for (std::size_t at = 0; at < table.rows.size(); ++at) {
    PublishedInference row;
    row.id = table.field(at, "id");
    row.group = table.field(at, "group");
    row.model = table.field(at, "model");
    row.gpu_type = table.field(at, "gpu_type");
    row.scenario = table.field(at, "scenario");
    row.active_parameters = leading_number(table.field(at, "active_params_b")) * 1e9;
    row.measured = leading_number(table.field(at, "tok_s_per_gpu"));
    row.input = leading_number(table.field(at, "isl"));
    row.output = leading_number(table.field(at, "osl"));
    row.sequences = leading_number(table.field(at, "batch"));
    // What is a node's power over its GPUs stands in power.csv, too.
    if (!contains(table.field(at, "notes"), "node power"))
      row.power_w_gpu = leading_number(table.field(at, "power_w_per_gpu"));
    row.offline = row.sequences == 0;
    row.system_gpus = std::max(1U, whole(table.field(at, "gpus")));
    row.gap_p50_s = leading_number(table.field(at, "tpot_ms_p50")) * 1e-3;
    row.gap_p99_s = leading_number(table.field(at, "tpot_ms_p99")) * 1e-3;
    const auto give = [&](std::string reason) {
      row.reason = std::move(reason);
      rows.push_back(std::move(row));
    };
    if (row.group == "sim-validation" || row.group == "mlperf-sla") {
      give("no measurement: a limit, or another simulator's error");
      continue;
    }
    if (row.measured <= 0) {
      give("no throughput");
      continue;
    }
    if (contains(row.gpu_type, ", ")) {
      give("two GPU types in one system");
      continue;
    }
    if (contains(row.gpu_type, "MaxQ")) {
      give("power capped");
      continue;
    }
    const Accelerator* gpu = find_gpu(known, row.gpu_type);
    if (gpu == nullptr) {
      give("GPU type not in the catalog");
      continue;
    }
    row.gpu = *gpu;
    if (contains(row.model, "Nemotron-Nano")) {
      give("hybrid of state-space and attention layers");
      continue;
    }
    const ModelShape* shape = find_shape(known, row.model);
    if (shape == nullptr) {
      give("model not in the catalog");
      continue;
    }
    row.shape = *shape;
    std::string_view precision = table.field(at, "precision");
    if (precision.empty() && row.group.starts_with("mlperf")) {
      precision = row.gpu.dense_4bit_flops > 0 ? "fp4" : (row.gpu.dense_8bit_flops > 0 ? "fp8" : "");
      assume(row, precision);
    }
    if (!read_weights(precision, row)) {
      give("numbers that are not modelled");
      continue;
    }
    const bool host_bound = row.group == "ml-energy-gpqa" && row.gpu.name == "b200" &&
                            contains(row.model, "Qwen3-") && row.shape.parameters() < 40e9;
    if (host_bound) {
      give("bound by the host (small models on B200, gpqa)");
      continue;
    }
    row.engine = engine_of(row, table.field(at, "engine"));
    // vLLM keeps 16-bit caches unless told otherwise; the others use 8 bits with 8- and 4-bit weights.
    // gpt-oss keeps 16 bits on GPUs without 4-bit units.
    const bool wide = row.weights == WeightFormat::k16Bit || row.group.starts_with("ml-energy") ||
                      (row.weights == WeightFormat::kMxfp4 && row.gpu.dense_4bit_flops == 0);
    if (!wide) row.cache_bytes = 1;
    read_layout(table, at, row);
    read_prompts(row);
    if (row.input == 0 && row.prompts < 0) {
      give("no length of prompts");
      continue;
    }
    if (row.output <= 0) {
      give("no length of answers");
      continue;
    }
    if (row.scenario == "Server" || row.scenario == "Interactive") {
      row.offline = false;
      if (!read_limits(row)) {
        give("latency limits that are not known");
        continue;
      }
    }
    if (const Result<void> sound = check_deployment(row.deployment()); !sound) {
      give(sound.error().message);
      continue;
    }
    if (most_sequences(row.deployment(), std::max(row.input, 1.0), row.output) < 1) {
      give("does not fit, says the memory model");
      continue;
    }
    give("");
  }
  return rows;
}

}  // namespace gw::physics
