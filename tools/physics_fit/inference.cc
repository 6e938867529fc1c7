// Fits the constants of src/physics/serving_calibration_values.inc to published measurements of serving, and
// says how well they predict groups that were left out.
//
//   gw_physics_fit_inference inference.csv catalog/ values.inc [--quick]
//   gw_physics_fit_inference --check SOURCE    whether the values in SOURCE are what the fit finds today
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <string_view>

#include "harness.h"
#include "physics/published_inference.h"

namespace gw::physics_fit {
namespace {

using physics::PublishedInference;
using physics::ServingCalibration;

/// What is fitted, with priors: rates from the largest measured ones, the rest from what it means.
std::vector<Constant> constants_of(ServingCalibration& c) {
  std::vector<Constant> all;
  const auto add = [&](std::string name, double& value, double prior, double sigma, double least = 1e-9,
                       double most = 1e9) {
    all.push_back({std::move(name), &value, prior, sigma, least, most});
  };
  for (const physics::Generation generation :
       {physics::Generation::kHopper, physics::Generation::kBlackwell, physics::Generation::kOther}) {
    physics::ServingChip& chip = c.chips[static_cast<std::size_t>(generation)];
    const std::string name(physics::generation_name(generation));
    add(name + ".memory", chip.memory, 0.8, 0.1, 0.3, 0.98);
    if (generation != physics::Generation::kOther) {
      add(name + ".products_16bit", chip.products_16bit, 0.65, 0.15, 0.1, 0.95);
      add(name + ".attention", chip.attention, 0.45, 0.25, 0.1, 0.9);
    }
    add(name + ".products_8bit", chip.products_8bit, 0.6, 0.15, 0.1, 0.95);
    if (generation != physics::Generation::kHopper)
      add(name + ".products_4bit", chip.products_4bit, 0.5, 0.2, 0.05, 0.95);
  }
  const std::string_view families[] = {"vllm", "tensorrt", "tuned"};
  for (std::size_t i = 0; i < c.families.size(); ++i) {
    physics::EngineConstants& f = c.families[i];
    const std::string name(families[i]);
    if (i > 0) add(name + ".products", f.products, i == 2 ? 1.1 : 0.9, 0.15, 0.3, 1.4);
    add(name + ".expert_products", f.expert_products, 0.6, 0.4, 0.05, 1.2);
    add(name + ".expert_memory", f.expert_memory, 0.8, 0.25, 0.1, 1.2);
    add(name + ".expert_tile_8bit", f.expert_tile_8bit, 40, 0.7, 0.1, 128);
    add(name + ".cache_memory", f.cache_memory, 0.8, 0.25, 0.1, 1.2);
    if (i < 2) add(name + ".collective_latency", f.collective_latency, 0.6, 0.5, 0.01, 5);
    if (i < 2) add(name + ".layer_s", f.layer_s, 1e-5, 0.7);
    if (i == 0) add(name + ".norm_s", f.norm_s, 2e-5, 0.7);
    if (i < 2) add(name + ".expert_layer_s", f.expert_layer_s, 4e-5, 0.7);
    add(name + ".pass_s", f.pass_s, i == 0 ? 1e-3 : 5e-4, 0.7);
    add(name + ".sequence_s", f.sequence_s, i == 0 ? 1e-5 : 3e-6, 0.8);
    if (i == 0) add(name + ".prompt_s", f.prompt_s, 5e-3, 0.8);
    if (i == 0) add(name + ".token_s", f.token_s, 2e-7, 1);
    add(name + ".layer_bytes", f.layer_bytes, 40, 0.4);
  }
  add("speed.mlperf-4.1", c.speed[2], 0.95, 0.15);
  add("speed.mlperf-5.1-rocm", c.speed[4], 0.9, 0.2);
  add("speed.trtllm-1.0", c.speed[5], 0.8, 0.2);
  // A fifth to a third of a millisecond is what vLLM's passes with prompts take more for each layer
  // (docs/physics-inference.md).
  add("launch.tuned", c.launch_s[3], 3e-5, 0.5);
  add("launch.trtllm-1.0", c.launch_s[5], 2.5e-4, 0.5);
  add("leak", c.leak, 0.3, 0.5, 0.01, 1);
  add("routed_bytes", c.routed_bytes, 24, 0.6);
  add("same_experts", c.same_experts, 0.8, 0.2, 0.2, 1);
  add("widened", c.widened, 0.7, 0.3, 0.05, 1);
  add("imbalance", c.imbalance, 0.2, 0.7, 1e-3, 2);
  for (std::size_t i = 0; i < c.prompts.size(); ++i) {
    const physics::PromptSet& set = physics::prompt_sets()[i];
    if (!set.fitted) c.prompts[i] = set.input;
    if (set.fitted) add(fmt::format("prompts.{}", set.name), c.prompts[i], set.input, 0.4);
  }
  return all;
}

/// Constants without measurements of their own follow those that have some.
void follow(ServingCalibration& c) {
  using physics::Generation;
  const auto chip = [&](Generation generation) -> physics::ServingChip& {
    return c.chips[static_cast<std::size_t>(generation)];
  };
  chip(Generation::kOther).products_16bit = chip(Generation::kHopper).products_16bit;
  chip(Generation::kOther).attention = chip(Generation::kHopper).attention;
  chip(Generation::kVolta) = chip(Generation::kHopper);
  chip(Generation::kAmpere) = chip(Generation::kHopper);
  chip(Generation::kHopper).products_4bit = chip(Generation::kBlackwell).products_4bit;
  chip(Generation::kVolta).products_4bit = chip(Generation::kBlackwell).products_4bit;
  chip(Generation::kAmpere).products_4bit = chip(Generation::kBlackwell).products_4bit;
  chip(Generation::kBlackwellUltra) = chip(Generation::kBlackwell);
  // Engines tuned for MLPerf share one; vLLM's and TensorRT-LLM's own are in their layers.
  c.launch_s[0] = c.launch_s[1] = 0;
  c.launch_s[2] = c.launch_s[4] = c.launch_s[3];
  physics::EngineConstants& tensorrt = c.families[1];
  physics::EngineConstants& tuned = c.families[2];
  tuned.layer_s = tensorrt.layer_s;
  tuned.expert_layer_s = tensorrt.expert_layer_s;
  tuned.collective_latency = tensorrt.collective_latency;
  for (physics::EngineConstants* each : {&tensorrt, &tuned}) {
    each->norm_s = c.families[0].norm_s * each->layer_s / c.families[0].layer_s;
    each->prompt_s = 0.25 * c.families[0].prompt_s;
    each->token_s = 0.25 * c.families[0].token_s;
  }
}

/// The longest mean pass that keeps 99 of 100 requests within the limit of the time between tokens: their
/// logs have these 4 to 13 % above the mean, 23 to 33 % where requests join every eighth pass.
double longest_pass(const PublishedInference& row) {
  const auto& engine = physics::serving_engines()[static_cast<std::size_t>(row.engine)];
  return row.limits.per_token_s / (engine.admission_passes > 1 ? 1.28 : 1.08);
}

physics::ServingState state_of(const PublishedInference& row, const ServingCalibration& calibration) {
  const auto load = row.load(calibration);
  if (!row.limited()) return physics::steady_state(row.deployment(), load, calibration);
  return physics::steady_state_within(row.deployment(), load, longest_pass(row), calibration);
}

/// Rows that tell how long a pass of few tokens takes: the limit of the time between tokens is far below a
/// full pass, so that nothing else decides how many requests are under way.
bool tells_short_passes(const PublishedInference& row) {
  constexpr double kTight = 0.08;
  return row.limited() && row.limits.per_token_s <= kTight;
}

double error_of(const PublishedInference& row, const ServingCalibration& calibration) {
  const auto state = state_of(row, calibration);
  return state.tokens_s_gpu / row.measured - 1;
}

void write_values(const ServingCalibration& c, const char* path) {
  std::FILE* file = std::fopen(path, "w");
  if (file == nullptr) return;
  fmt::print(file,
             "// Constants of ServingCalibration in its order, as tools/physics_fit/inference.cc found them; "
             "included in\n// an initializer.\n");
  fmt::print(file, ".chips = {{{{\n");
  for (const physics::ServingChip& chip : c.chips)
    fmt::print(file,
               "    {{.memory = {:.4g}, .products_16bit = {:.4g}, .products_8bit = {:.4g}, .products_4bit = "
               "{:.4g}, .attention = {:.4g}}},\n",
               chip.memory, chip.products_16bit, chip.products_8bit, chip.products_4bit, chip.attention);
  fmt::print(file, "}}}},\n.families = {{{{\n");
  for (const physics::EngineConstants& f : c.families)
    fmt::print(file,
               "    {{.products = {:.4g},\n     .expert_products = {:.4g},\n     .expert_memory = {:.4g},\n"
               "     .expert_tile_8bit = {:.4g},\n     .cache_memory = {:.4g},\n     .collective_latency = "
               "{:.4g},\n     .layer_s = {:.4g},\n"
               "     .expert_layer_s = {:.4g},\n     .norm_s = {:.4g},\n     .pass_s = {:.4g},\n     "
               ".sequence_s = {:.4g},\n"
               "     .prompt_s = {:.4g},\n     .token_s = {:.4g},\n     .layer_bytes = {:.4g}}},\n",
               f.products, f.expert_products, f.expert_memory, f.expert_tile_8bit, f.cache_memory,
               f.collective_latency, f.layer_s, f.expert_layer_s, f.norm_s, f.pass_s, f.sequence_s,
               f.prompt_s, f.token_s, f.layer_bytes);
  const auto list = [&](const auto& values) {
    std::string text;
    for (const double each : values) text += fmt::format("{}{:.4g}", text.empty() ? "" : ", ", each);
    return text;
  };
  fmt::print(
      file,
      "}}}},\n.speed = {{{{{}}}}},\n.launch_s = {{{{{}}}}},\n.leak = {:.4g},\n.routed_bytes = {:.4g},\n"
      ".same_experts = {:.4g},\n.widened = {:.4g},\n.imbalance = {:.4g},\n.prompts = {{{{{}}}}},\n",
      list(c.speed), list(c.launch_s), c.leak, c.routed_bytes, c.same_experts, c.widened, c.imbalance,
      list(c.prompts));
  std::fclose(file);
}

std::string kind_of(const PublishedInference& row) {
  if (row.limited()) return fmt::format("{}, within tight limits", row.shape.mixture() ? "MoE" : "dense");
  const bool narrow =
      row.weights == physics::WeightFormat::kNvfp4 || row.weights == physics::WeightFormat::kMxfp4;
  return fmt::format("{}, {}", row.shape.mixture() || narrow ? "MoE or 4-bit" : "dense",
                     row.offline ? "offline" : "fixed number at once");
}

/// What is left out in turn: all rows of one model family measured by one source.
std::string part_of(const PublishedInference& row) {
  return fmt::format("{} {}", row.group.substr(0, row.group.find_first_of("-")), row.shape.name);
}

struct Fit {
  std::vector<PublishedInference> rows;
  ServingCalibration calibration = physics::published_serving_calibration();
  std::vector<Constant> constants = constants_of(calibration);
  std::map<std::string, double> sizes;  ///< Rows of a part on the same GPUs.
  std::string left_out;

  static std::string size_key(const PublishedInference& row) {
    return fmt::format("{} {} {} {}", part_of(row), row.gpu.name, row.layout.gpus(), row.limited());
  }

  bool read(const std::string& table_path, const std::string& catalog_path) {
    const std::optional<physics::KnownTypes> known = read_types(catalog_path);
    if (!known) return false;
    const auto all = physics::read_published_inference(read_table(table_path), *known);
    if (!all) {
      fmt::print(stderr, "{}\n", all.error().message);
      return false;
    }
    for (const PublishedInference& row : *all) {
      if (!row.reason.empty() || (row.limited() && !tells_short_passes(row))) continue;
      rows.push_back(row);
      sizes[size_key(row)] += 1;
    }
    return true;
  }

  void run() {
    constexpr int kRounds = 60;
    constexpr double kScale = 0.08;
    const Residuals residuals = [&](std::vector<double>& out) {
      out.clear();
      follow(calibration);
      for (const PublishedInference& row : rows) {
        if (part_of(row) == left_out) continue;
        // Entries that many vendors repeat on the same GPUs must not outvote the others.
        const double weight = std::min(1.0, std::sqrt(6 / sizes[size_key(row)]));
        out.push_back(weight * std::log(std::max(1e-6, 1 + error_of(row, calibration))));
      }
    };
    fit_anew(constants, residuals, kRounds, kScale);
    follow(calibration);
  }
};

void print_row(const PublishedInference& row, const ServingCalibration& calibration) {
  const auto load = row.load(calibration);
  const auto state = state_of(row, calibration);
  const physics::PassTime& d = state.decode;
  fmt::print(
      "{} {} {} {} {} x{} {:.0f}/{:.0f} b{:.0f} {:.0f} {:+.1f}% | pass {:.2f} prompts {:.2f} | dense {:.1f} "
      "experts {:.1f} cache {:.1f} elem {:.1f} out {:.1f} comm {:.1f} launch {:.1f} host {:.1f}\n",
      row.id, row.group, row.shape.name, row.gpu.name, physics::weight_format_name(row.weights),
      row.layout.gpus(), load.input, load.output, state.tokens_s * state.pass_s, row.measured,
      100 * error_of(row, calibration), 1e3 * state.pass_s, state.prompt_share, 1e3 * d.dense,
      1e3 * d.experts, 1e3 * d.cache, 1e3 * d.elementwise, 1e3 * d.output, 1e3 * d.communication,
      1e3 * d.launches, 1e3 * d.host);
}

int check(const std::filesystem::path& source) {
  const auto folder = reference_folder(source, {"inference.csv"});
  if (!folder) return kSkipped;
  Fit fit;
  if (!fit.read(*folder / "inference.csv", source / "catalog")) return 1;
  return check_constants(
      fit.constants, [&] { fit.run(); },
      "gw_physics_fit_inference (src/physics/serving_calibration_values.inc)");
}

int run(const char* table_path, const char* catalog_path, const char* values_path, bool quick) {
  Fit fit;
  if (!fit.read(table_path, catalog_path)) return 1;
  Errors errors;
  if (!quick) {
    std::set<std::string> parts;
    for (const PublishedInference& row : fit.rows) parts.insert(part_of(row));
    for (const std::string& part : parts) {
      fit.left_out = part;
      fit.run();
      for (const PublishedInference& row : fit.rows) {
        if (part_of(row) != part) continue;
        errors[part].push_back(error_of(row, fit.calibration));
        errors["~all " + kind_of(row)].push_back(error_of(row, fit.calibration));
      }
    }
    print_errors("Left out of the fit, one model of one source after the other:", errors);
  }
  fit.left_out.clear();
  fit.run();
  errors.clear();
  for (const PublishedInference& row : fit.rows) {
    const double error = error_of(row, fit.calibration);
    errors["all " + kind_of(row)].push_back(error);
    if (!quick) continue;
    errors[fmt::format("{} {} {} x{} {}", part_of(row), row.gpu.name,
                       physics::weight_format_name(row.weights), row.layout.gpus(), row.layout.expert)]
        .push_back(error);
    print_row(row, fit.calibration);
  }
  print_fitted(fit.constants, fit.rows.size(), errors);
  print_constants(fit.constants);
  write_values(fit.calibration, values_path);
  return 0;
}

}  // namespace
}  // namespace gw::physics_fit

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--check") return gw::physics_fit::check(argv[2]);
  const bool quick = argc == 5 && std::string_view(argv[4]) == "--quick";
  if (argc != 4 && !quick) {
    fmt::print(stderr,
               "usage: gw_physics_fit_inference inference.csv catalog/ values.inc [--quick]\n"
               "       gw_physics_fit_inference --check SOURCE\n");
    return 2;
  }
  return gw::physics_fit::run(argv[1], argv[2], argv[3], quick);
}
