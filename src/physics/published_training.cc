// Rows of published training runs as TrainingRuns: shapes, layouts, what is assumed where a row is silent.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "physics/memory.h"
#include "physics/published.h"
#include "physics/published_fields.h"

namespace gw::physics {

namespace {

/// No table counts beyond this; a greater number is a broken field, and products of two must not overflow.
constexpr double kMost = 1e9;

/// Bytes/s a GPU of Jean Zay's A100 nodes gets from their four Omni-Path links of 100 Gbit/s,
/// nominally 6.25e9
/// ("an issue with nccl that doesn't fully utilize Intel OPA": 44 to 57 Gbit/s of 400, experiments/bandwidth
/// of bigscience-workshop/bigscience). From the table "Batchsize Warmup" of its
/// tr11-176B-ml/chronicles-prequel.md (182B, fp16, 512 to 2048 sequences: 12.0 s + 23.8 s for each 512, of
/// which 8.2 s are the bubble): 19.7 GB go between the two GPUs of a replica group in a node and the other
/// nodes in 3.8 s.
constexpr double kJeanZayBytes = 2.6e9;

std::uint32_t whole(std::string_view text) {
  return static_cast<std::uint32_t>(std::clamp(leading_number(text), 0.0, kMost));
}

/// `2048 x (8+1 of 256)`, `768 x 8 of 128`, `18432 dense / 2048 x (8+1 of 256)` or a number.
void read_ffn(std::string_view text, ModelShape& shape) {
  const std::size_t dense = text.find(" dense");
  if (dense != std::string_view::npos) {
    shape.ffn = whole(text);
    text = text.substr(std::min(text.size(), text.find('/', dense) + 2));
  }
  const std::size_t times = text.find(" x ");
  if (times == std::string_view::npos) {
    if (dense == std::string_view::npos) shape.ffn = whole(text);
    return;
  }
  shape.experts.ffn = whole(text);
  std::string_view rest = text.substr(times + 3);
  if (rest.starts_with("(")) rest.remove_prefix(1);
  shape.experts.active = whole(rest);
  if (const std::size_t plus = rest.find('+'); plus != std::string_view::npos)
    shape.experts.shared = whole(rest.substr(plus + 1));
  if (const std::size_t of = rest.find(" of "); of != std::string_view::npos)
    shape.experts.count = whole(rest.substr(of + 4));
}

/// The catalog's model with those layers and sizes.
const ModelShape* alike(const KnownTypes& known, const ModelShape& shape) {
  for (const ModelShape& each : known.models) {
    const bool same = each.layers == shape.layers && each.hidden == shape.hidden &&
                      each.heads == shape.heads && each.experts.count == shape.experts.count;
    const bool width = shape.mixture() || shape.ffn == 0 || each.ffn == shape.ffn;
    const bool keys = shape.kv_heads == 0 || each.kv_heads == shape.kv_heads;
    if (same && width && keys) return &each;
  }
  return nullptr;
}

void read_shape(const PublishedTable& table, std::size_t at, const KnownTypes& known,
                PublishedTraining& row) {
  ModelShape& shape = row.shape;
  shape.name = row.model;
  shape.layers = whole(table.field(at, "layers"));
  shape.hidden = whole(table.field(at, "hidden"));
  shape.heads = whole(table.field(at, "heads"));
  shape.vocabulary = whole(table.field(at, "vocab"));
  const std::string_view ffn = table.field(at, "ffn");
  const std::string_view kv = table.field(at, "kv_heads");
  read_ffn(ffn, shape);
  shape.kv_heads = whole(kv);
  if (shape.layers == 0 || shape.hidden == 0 || shape.heads == 0) return;
  const ModelShape* same = alike(known, shape);
  if (same != nullptr) {
    shape.gated = same->gated;
    shape.head_size = same->head_size;
    shape.latent = same->latent;
    shape.attention_share = same->attention_share;
    shape.experts.dense_layers = same->experts.dense_layers;
    shape.experts.shared = std::max(shape.experts.shared, same->experts.shared);
    if (shape.ffn == 0) shape.ffn = same->ffn;
    if (shape.kv_heads == 0) shape.kv_heads = same->kv_heads;
  } else {
    // GPT's feed-forward has two matrices and four times the width; gated ones are sized otherwise.
    shape.gated = ffn.empty() ? false : shape.mixture() || shape.ffn != 4 * shape.hidden;
  }
  if (shape.ffn == 0 && !shape.mixture()) shape.ffn = 4 * shape.hidden;
  if (shape.kv_heads == 0) shape.kv_heads = shape.heads;
  if (shape.head_size == 0) shape.head_size = shape.hidden / shape.heads;
  if (kv == "MLA" && shape.latent.key_value_rank == 0)
    shape.latent = {
        .query_rank = 1536, .key_value_rank = 512, .head_plain = 128, .head_rotary = 64, .head_value = 128};
  // The floating-point operations that the row counts per token tell whether a module predicts further
  // tokens.
  const double tokens = leading_number(table.field(at, "tokens_s_gpu"));
  const double tflops = leading_number(table.field(at, "tflops_per_gpu"));
  if (shape.latent.key_value_rank != 0 && tokens > 0 && tflops > 0) {
    const double counted = tflops * 1e12 / tokens;
    ModelShape with = shape;
    with.more_predictions = 1;
    const double sequence = leading_number(table.field(at, "seq"));
    const double plain = shape.training_flops_per_token(sequence);
    const double more = with.training_flops_per_token(sequence);
    if (counted > (plain + more) / 2) shape.more_predictions = 1;
  }
}

bool read_precision(std::string_view text, PublishedTraining& row) {
  if (text == "fp16") {
    row.precision = Precision::kFp16;
  } else if (text == "bf16" || text == "BF16") {
    row.precision = Precision::kBf16;
  } else if (text == "MXFP8" || text == "FP8-MX") {
    row.precision = Precision::kMxfp8;
  } else if (text == "fp8" || text == "FP8" || text == "FP8-CS") {
    row.precision = Precision::kFp8;
  } else if (text == "NVFP4") {
    row.precision = Precision::kNvfp4;
  } else {
    return false;
  }
  return true;
}

struct GroupStack {
  std::string_view prefix;
  std::string_view stack;
};
// Nemotron-4 340B was trained from December 2023 on (its model card), before mcore-0.8.
constexpr std::array kGroupStacks = {
    GroupStack{"megatron20", "megatron-2020"},      GroupStack{"megatron21", "megatron-2021"},
    GroupStack{"megatron-readme", "megatron-2021"}, GroupStack{"mtnlg", "megatron-deepspeed-2022"},
    GroupStack{"bloom", "megatron-deepspeed-2022"}, GroupStack{"opt", "megatron-2021"},
    GroupStack{"korthikanti22", "megatron-2022"},   GroupStack{"deepseek", "deepseek"},
    GroupStack{"nemotron4", "megatron-2023"},       GroupStack{"mcore-r08", "mcore-0.8"},
    GroupStack{"dgxc-2505", "nemo-25.04"},          GroupStack{"mlperf-train-v3.0", "nemo-23.04"},
    GroupStack{"mlperf-train-v3.1", "nemo-23.09"},  GroupStack{"mlperf-train-v4.0", "nemo-24.04"},
    GroupStack{"mlperf-train-v4.1", "nemo-24.09"},  GroupStack{"mlperf-train-v5", "nemo-25.04"},
    GroupStack{"bridge-25.09", "bridge-25.09"},     GroupStack{"bridge-25.11", "bridge-25.11"},
    GroupStack{"bridge-26.02", "bridge-26.02"},     GroupStack{"bridge-26.04", "bridge-26.04"},
};

/// By group, and where two are compared in one by the notes; else what was usual on such GPUs.
int stack_of(const PublishedTraining& row, std::string_view notes) {
  std::string_view name;
  if (row.group.starts_with("llm-foundry")) {
    // The tables of A100 80 GB were measured anew with PyTorch 2.1 for the README of October 2023 (b2a43a1),
    // but for the 70B model; those of A100 40 GB are of May 2023.
    const bool kept = row.gpu.name == "a100-40gb" || row.shape.hidden == 8192;
    name = row.gpu.generation != Generation::kAmpere ? "composer-2024"
           : kept                                    ? "composer-2023"
                                                     : "composer-2023.10";
  } else if (contains(notes, "ZeRO-3 (")) {
    name = "deepspeed-2021";
  } else if (row.group.starts_with("megascale")) {
    name =
        contains(notes, "MegaScale uses") || contains(notes, "MegaScale;") || notes.starts_with("MegaScale")
            ? "megascale"
            : "megatron-2023";
  } else {
    for (const GroupStack& each : kGroupStacks) {
      if (row.group.starts_with(each.prefix)) name = each.stack;
    }
  }
  const Result<int> index = find_stack(name);
  return index ? *index : default_stack(row.gpu.generation);
}

std::uint32_t largest_divisor(std::uint32_t number, std::uint32_t most) {
  for (std::uint32_t each = most; each > 1; --each) {
    if (number % each == 0) return each;
  }
  return 1;
}

/// Interleaving where a row does not say. Megatron-DeepSpeed has none. Megatron-Bridge's tables print it
/// where it is used, but one of 26.02.01; its recipes for Llama 3 70B with a pipeline of four have five
/// chunks at each release (scripts/performance/configs/llama/llama3_workload_base_configs.py at v0.2.0 to
/// v0.4.1). MLPerf entries of NVIDIA use as much as the layers allow; else two chunks.
std::uint32_t assumed_chunks(const PublishedTraining& row) {
  const bool deepspeed = stacks()[static_cast<std::size_t>(row.stack)].family == Family::kDeepspeed;
  if (row.layout.pipeline == 1 || deepspeed) return 1;
  if (row.group.starts_with("bridge")) return contains(row.model, "LLAMA3_70B") ? 5 : 1;
  const std::uint32_t per_stage = row.shape.layers / row.layout.pipeline;
  if (row.group.starts_with("mlperf")) return std::max(1U, per_stage);
  return largest_divisor(per_stage, 2);
}

/// How tokens reach their experts where a row does not say, after the recipes of Megatron-Bridge
/// (scripts/performance of NVIDIA-NeMo/Megatron-Bridge, v0.1.0rc4 to v0.4.2). On servers of eight GPUs Qwen3
/// 235B sets no moe_flex_dispatcher_backend, which leaves the plain all-to-all, and the runs whose pipeline
/// is interleaved set moe_a2a_overlap (Qwen3 on H100, B200 and B300, DeepSeek-V3 on H100 and B200). Dropping
/// tokens needs the plain all-to-all (moe_token_drop.py) and is not overlapped.
void assume_exchange(PublishedTraining& row) {
  if (!row.shape.mixture() || !row.group.starts_with("bridge") || row.drops_tokens) return;
  if (row.gpu.scaleup_domain > 8) return;
  row.copies_per_expert = contains(row.model, "235B");
  row.overlaps_experts = row.layout.pipeline > 1 && row.layout.chunks > 1;
  if (row.copies_per_expert) assume(row, "plain all-to-all");
  if (row.overlaps_experts) assume(row, "all-to-all overlapped");
}

void read_layout(const PublishedTable& table, std::size_t at, PublishedTraining& row) {
  Layout& layout = row.layout;
  const std::string_view notes = table.field(at, "notes");
  const auto degree = [&](std::string_view column) { return std::max(1U, whole(table.field(at, column))); };
  layout.tensor = degree("tp");
  layout.pipeline = degree("pp");
  layout.context = degree("cp");
  layout.expert = degree("ep");
  const std::uint32_t gpus = whole(table.field(at, "gpus"));
  const double split = double{1} * layout.tensor * layout.pipeline * layout.context;
  layout.data = std::max(1U, static_cast<std::uint32_t>(gpus / split));
  const Stack& stack = stacks()[static_cast<std::size_t>(row.stack)];
  layout.chunks = whole(table.field(at, "vpp"));
  if (layout.chunks == 0) {
    layout.chunks = assumed_chunks(row);
    if (layout.pipeline > 1)
      assume(row, layout.chunks > 1 ? fmt::format("{} chunks a stage", layout.chunks) : "no interleaving");
  }
  if (stack.name == "deepseek") layout.chunks = 2;  // DualPipe feeds both ends.
  if (contains(notes, "SHARD_GRAD_OP"))
    layout.sharding = Sharding::kGradients;
  else if (contains(notes, "FSDP") || contains(notes, "ZeRO-3 ("))
    layout.sharding = Sharding::kFull;
  else if (stack.family == Family::kMegatron && stack.year < 2023 && !contains(notes, "ZeRO-1"))
    layout.sharding = Sharding::kNone;
  else
    layout.sharding = Sharding::kOptimizer;
  const std::string_view recompute = table.field(at, "recompute");
  row.recompute_known = !recompute.empty();
  layout.sequence_parallel = stack.year >= 2022.4 && !contains(notes, "no sequence parallel");
  if (recompute.starts_with("full") || recompute == "yes")
    layout.recompute = Recompute::kFull;
  else if (recompute.starts_with("selective") || recompute.starts_with("partial"))
    layout.recompute = Recompute::kSelective;
  layout.micro_batch = whole(table.field(at, "micro_batch"));
  const bool batch_known = layout.micro_batch != 0;
  const auto fits = [&] {
    return training_memory(row.shape, layout, row.sequence, row.precision, row.gpu, stack).fits();
  };
  if (!batch_known) {
    layout.micro_batch = 1;
    const auto replica = static_cast<std::uint32_t>(row.global_batch) / std::max(1U, layout.data);
    if (layout.pipeline == 1) {
      for (std::uint32_t each = 2; each <= 16 && replica % each == 0; each *= 2) {
        layout.micro_batch = each;
        if (!fits()) {
          layout.micro_batch = each / 2;
          break;
        }
      }
    }
    assume(row, fmt::format("micro-batch {}", layout.micro_batch));
  }
}

}  // namespace

TrainingRun PublishedTraining::run() const {
  return {&shape,          &gpu,         stack,        layout,  precision,
          sequence,        global_batch, drops_tokens, nullptr, copies_per_expert,
          overlaps_experts};
}

Result<std::vector<PublishedTraining>> read_published_training(const PublishedTable& table,
                                                               const KnownTypes& known) {
  if (const Result<void> named =
          require_columns(table, "training.csv",
                          {"id", "group", "model", "layers", "hidden", "heads", "ffn", "seq", "vocab", "gpus",
                           "gpu_type", "tp", "pp", "global_batch", "precision"});
      !named)
    return std::unexpected(named.error());
  std::vector<PublishedTraining> rows;
  rows.reserve(table.rows.size());
  for (std::size_t at = 0; at < table.rows.size(); ++at) {
    PublishedTraining row;
    row.id = table.field(at, "id");
    row.group = table.field(at, "group");
    row.model = table.field(at, "model");
    row.gpu_type = table.field(at, "gpu_type");
    row.drops_tokens = contains(row.model, "tokendrop");
    row.sequence = leading_number(table.field(at, "seq"));
    row.global_batch = leading_number(table.field(at, "global_batch"));
    row.measured_s = leading_number(table.field(at, "step_time_s"));
    const double gpus = leading_number(table.field(at, "gpus"));
    const double tokens = leading_number(table.field(at, "tokens_s_gpu"));
    if (row.measured_s == 0 && tokens > 0 && gpus > 0)
      row.measured_s = row.global_batch * row.sequence / (tokens * gpus);
    const auto give = [&](std::string reason) {
      row.reason = std::move(reason);
      rows.push_back(std::move(row));
    };
    if (row.measured_s <= 0) {
      give("no step time and no tokens per second");
      continue;
    }
    const Accelerator* gpu = find_accelerator(known, row.gpu_type);
    if (gpu == nullptr) {
      give("GPU type not in the catalog");
      continue;
    }
    row.gpu = *gpu;
    if (row.group.starts_with("bloom")) row.gpu.network_bytes_s = kJeanZayBytes;
    if (row.gpu.name.starts_with("tpu")) {
      give("TPU: tori and compilers are not modelled");
      continue;
    }
    if (!read_precision(table.field(at, "precision"), row)) {
      give("precision not modelled");
      continue;
    }
    if (contains(row.model, "Nemotron_3")) {
      give("hybrid of state-space and attention layers");
      continue;
    }
    read_shape(table, at, known, row);
    if (row.shape.layers == 0 || row.shape.hidden == 0) {
      give("architecture not published");
      continue;
    }
    if (table.field(at, "tp").empty() || table.field(at, "pp").empty()) {
      give("parallel layout not published");
      continue;
    }
    const double tflops = leading_number(table.field(at, "tflops_per_gpu"));
    const double mfu = leading_number(table.field(at, "mfu"));
    if (row.precision == Precision::kBf16 && tflops > 0 && mfu > 0 && row.gpu.dense_8bit_flops > 0) {
      // Some tables say bf16 of fp8 runs: the peak that they compare with tells.
      const double peak = tflops * 1e12 / mfu;
      if (std::abs(peak / row.gpu.dense_8bit_flops - 1) < 0.05) {
        row.precision = Precision::kFp8;
        assume(row, "fp8, after the peak of its MFU");
      }
    }
    if (row.gpu.peak_flops(row.precision) == 0) {
      give("catalog has no peak for that precision");
      continue;
    }
    if (row.sequence < 1 || row.sequence > kMost || row.global_batch < 1 || row.global_batch > kMost) {
      give("no sequence length or no global batch");
      continue;
    }
    row.stack = stack_of(row, table.field(at, "notes"));
    read_layout(table, at, row);
    assume_exchange(row);
    if (row.layout.gpus() * row.layout.micro_batch * std::max(1U, row.layout.expert) > kMost) {
      give("layout of more GPUs than there are");
      continue;
    }
    if (const Result<void> sound = check_shape(row.shape); !sound) {
      give("architecture does not add up");
      continue;
    }
    const Result<void> divides =
        check_layout(row.layout, row.shape, static_cast<std::uint32_t>(row.global_batch));
    if (!divides) {
      give(divides.error().message);
      continue;
    }
    give("");
  }
  return rows;
}

}  // namespace gw::physics
