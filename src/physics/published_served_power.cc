// Rows of inference.csv that name watts: use of memory and arithmetic from the measured throughput and the
// model.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/math.h"
#include "physics/published_fields.h"
#include "physics/published_power.h"

namespace gw::physics {

namespace {

/// Letters and digits only, small; without a publisher before `/`.
std::string plain(std::string_view name) {
  name = name.substr(name.rfind('/') == std::string_view::npos ? 0 : name.rfind('/') + 1);
  std::string text;
  for (const char letter : name) {
    const char small = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
    if ((small >= 'a' && small <= 'z') || (small >= '0' && small <= '9')) text += small;
  }
  if (text.starts_with("llama31")) text.erase(6, 1);  // One architecture; the catalog calls it 3.
  if (text.starts_with("deepseekr1")) text = std::string("deepseekv3");
  return text;
}

const ModelShape* shape_of_name(const KnownTypes& known, std::string_view name) {
  const std::string wanted = plain(name);
  const ModelShape* best = nullptr;
  std::size_t length = 0;
  for (const ModelShape& each : known.models) {
    const std::string own = plain(each.name);
    if (own.size() <= length || !wanted.starts_with(own)) continue;
    best = &each;
    length = own.size();
  }
  return best;
}

/// Bytes of keys and values of one token, in 16 bits.
double token_bytes(const ModelShape* shape, double parameters) {
  if (shape == nullptr) {
    // Eight heads of 128 in about 18 (parameters / 10^9)^0.35 layers, as dense models from 8 to 70 billion
    // have.
    return 2.0 * 2 * 8 * 128 * 18 * stable_pow(parameters * 1e-9, 0.35);
  }
  if (shape->latent.key_value_rank != 0)
    return 2.0 * shape->layers * (shape->latent.key_value_rank + shape->latent.head_rotary);
  return 2.0 * 2 * shape->layers * shape->kv_heads * shape->head_size * shape->attention_share;
}

struct Served {
  double gpus = 1;
  double tensor = 1;
  double batch = 0;
  double tokens_s = 0;
  double step_s = 0;  ///< Time of one decoding step.
  double prompt = 0;
  double answer = 0;
};

/// Of weights: what a step of one GPU reads, where `running` sequences are under way on all.
double weight_bytes(const ModelShape* shape, double parameters, double active, double weight,
                    const Served& served, double running) {
  if (active >= 0.9 * parameters) return parameters * weight / served.gpus;
  // Experts that nobody chose are not read. Without a shape: an eighth of the active parameters is routed
  // ones' choice.
  double routed = shape != nullptr ? shape->routed_expert_parameters() : parameters - 0.5 * active;
  routed = std::min(routed, parameters);
  const double chosen = shape != nullptr && shape->mixture()
                            ? double{1} * shape->experts.active / shape->experts.count
                            : std::clamp(0.5 * active / routed, 0.0, 1.0);
  const double touched = 1 - stable_pow(1 - std::min(chosen, 0.999), std::max(1.0, running));
  return weight * ((parameters - routed) / served.tensor + routed * touched / served.gpus);
}

std::string read_row(const PublishedTable& table, std::size_t at, const KnownTypes& known,
                     PublishedPower& row) {
  const std::string_view model = table.field(at, "model");
  const double parameters = leading_number(table.field(at, "params_b")) * 1e9;
  const double active = leading_number(table.field(at, "active_params_b")) * 1e9;
  const std::string_view type = table.field(at, "gpu_type");
  const Accelerator* gpu = find_accelerator(known, type.starts_with("NVIDIA ") ? type.substr(7) : type);
  if (gpu == nullptr) return "GPU type not in the catalog";
  if (!row.group.starts_with("ml-energy") && contains(table.field(at, "notes"), "node power"))
    return "node power, which power.csv has";
  row.gpu = *gpu;
  row.nameplate = gpu->power_max_w;
  Served served;
  served.gpus = std::max(1.0, leading_number(table.field(at, "gpus")));
  served.tensor = std::max(1.0, leading_number(table.field(at, "tp")));
  served.batch = leading_number(table.field(at, "batch"));
  served.tokens_s = leading_number(table.field(at, "throughput_tok_s"));
  served.step_s = leading_number(table.field(at, "tpot_ms_p50")) * 1e-3;
  if (served.step_s <= 0) served.step_s = leading_number(table.field(at, "tpot_ms_mean")) * 1e-3;
  if (served.batch <= 0 || served.tokens_s <= 0 || served.step_s <= 0 || parameters <= 0 || active <= 0)
    return "no batch, throughput, time per token or parameters";
  if (contains(table.field(at, "notes"), "CAUTION")) return "bound by the host, which the row itself says";
  served.answer = std::max(1.0, leading_number(table.field(at, "osl")));
  served.prompt = leading_number(table.field(at, "isl"));
  if (served.prompt <= 0) {
    served.prompt = contains(row.group, "fim") ? 1500 : 250;
    row.assumed = fmt::format("prompts of {:.0f}", served.prompt);
  }
  const std::string_view precision = table.field(at, "precision");
  double weight = 2;
  row.precision = Precision::kBf16;
  if (precision.starts_with("fp8")) {
    weight = 1;
    row.precision = Precision::kFp8;
  } else if (contains(precision, "fp4")) {
    weight = 0.55;
    // Weights of 4 bits; products in 16 bits where the GPU has none of 8 by 4.
    row.precision = gpu->dense_4bit_flops > 0 ? Precision::kFp8 : Precision::kBf16;
  }
  const ModelShape* shape = shape_of_name(known, model);
  // Sequences beyond the memory for their keys wait; a step serves those under way.
  const double running = std::clamp(served.tokens_s * served.step_s, 1.0, served.batch);
  const double context = served.prompt + served.answer / 2;
  const double steps_s = served.tokens_s / running;
  const double bytes = weight_bytes(shape, parameters, active, weight, served, running) +
                       running * context * token_bytes(shape, parameters) / served.gpus;
  const double operations = 2 * active * served.tokens_s * (1 + served.prompt / served.answer) / served.gpus;
  row.use.memory = std::min(1.0, bytes * steps_s / gpu->memory_bytes_s);
  row.use.arithmetic = std::min(1.0, operations / gpu->peak_flops(row.precision));
  row.assumed += fmt::format("{}memory {:.0f} %, arithmetic {:.1f} %", row.assumed.empty() ? "" : "; ",
                             100 * row.use.memory, 100 * row.use.arithmetic);
  return {};
}

}  // namespace

Result<std::vector<PublishedPower>> read_served_power(const PublishedTable& table, const KnownTypes& known) {
  if (!table.has("power_w_per_gpu")) return std::vector<PublishedPower>{};  // Of serving alone.
  if (const Result<void> named =
          require_columns(table, "inference.csv",
                          {"id", "group", "model", "params_b", "active_params_b", "precision", "gpus",
                           "gpu_type", "batch", "throughput_tok_s", "power_w_per_gpu"});
      !named)
    return std::unexpected(named.error());
  std::vector<PublishedPower> rows;
  for (std::size_t at = 0; at < table.rows.size(); ++at) {
    PublishedPower row;
    row.measured = leading_number(table.field(at, "power_w_per_gpu"));
    if (row.measured <= 0) continue;  // A row of another subject.
    row.id = table.field(at, "id");
    row.group = table.field(at, "group");
    row.quantity = PowerQuantity::kGpu;
    row.what = fmt::format("{} on {} {}, batch {:.0f}", table.field(at, "model"), table.field(at, "gpus"),
                           table.field(at, "gpu_type"), leading_number(table.field(at, "batch")));
    row.reason = read_row(table, at, known, row);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace gw::physics
