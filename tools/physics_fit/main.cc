// Fits the constants of src/physics/calibration_values.inc to published training runs, and says how well they
// predict groups that were left out.
//
//   gw_physics_fit training.csv catalog/ values.inc
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "harness.h"
#include "physics/published.h"

namespace gw::physics_fit {
namespace {

using physics::Calibration;
using physics::PublishedTraining;

/// What is fitted, with priors: products from the largest measured matrix rates, shares from what they mean.
std::vector<Constant> constants_of(Calibration& c) {
  std::vector<Constant> all;
  const auto add = [&](std::string name, double& value, double prior, double sigma, double least = 1e-9,
                       double most = 1e9) {
    all.push_back({std::move(name), &value, prior, sigma, least, most});
  };
  const double products[] = {0.83, 0.87, 0.79, 0.76, 0.74};
  const double products_8bit[] = {0, 0, 0.70, 0.74, 0.73};
  for (std::size_t i = 1; i < 5; ++i) {
    physics::ChipConstants& chip = c.chips[i];
    const std::string name(physics::generation_name(static_cast<physics::Generation>(i)));
    add(name + ".gemm_16bit", chip.gemm_16bit, products[i], 0.06, 0.2, 0.97);
    if (i >= 2) add(name + ".gemm_8bit", chip.gemm_8bit, products_8bit[i], 0.08, 0.2, 0.97);
    if (i >= 3) add(name + ".gemm_4bit", chip.gemm_4bit, 0.55, 0.3, 0.1, 0.97);
    add(name + ".attention", chip.attention, 0.5, 0.3, 0.1, 0.97);
    add(name + ".memory", chip.memory, 0.75, 0.2, 0.2, 1);
  }
  physics::FamilyConstants& megatron = c.families[0];
  physics::FamilyConstants& nemo = c.families[1];
  physics::FamilyConstants& composer = c.families[2];
  add("megatron.elementwise", megatron.elementwise, 0.8, 0.4);
  add("megatron.tensor_exposed", megatron.tensor_exposed, 0.8, 0.5, 0.01, 1.5);
  add("megatron.data_overlap", megatron.data_overlap, 0.2, 0.7);
  add("megatron.shard_overlap", megatron.shard_overlap, 0.6, 0.5);
  add("nemo.tensor_exposed", nemo.tensor_exposed, 0.4, 0.6, 0.01, 1.5);
  add("nemo.context_exposed", nemo.context_exposed, 0.3, 0.8, 0.01, 1.5);
  add("nemo.expert_exposed", nemo.expert_exposed, 0.6, 0.6, 0.01, 1.5);
  add("nemo.expert_network_exposed", nemo.expert_network_exposed, 0.4, 0.6, 0.01, 1.5);
  add("nemo.pipeline_exposed", nemo.pipeline_exposed, 0.2, 0.6, 0.01, 1.5);
  add("nemo.data_overlap", nemo.data_overlap, 0.7, 0.5, 0.01, 2);
  add("nemo.host_expert_s", nemo.host_expert_s, 4e-4, 0.7);
  add("nemo.step_s", nemo.step_s, 0.02, 0.7);
  add("composer.attention", composer.attention, 0.7, 0.4);
  // One stack of each generation is what the chip's constants are of; those with few rows keep 1.
  const std::set<std::string_view> kept = {"megatron-2020", "deepspeed-2021", "megatron-2022",
                                           "deepseek",      "composer-2023",  "composer-2023.10",
                                           "nemo-24.04",    "nemo-24.09",     "bridge-26.04"};
  for (std::size_t i = 0; i < physics::kStacks; ++i) {
    const std::string_view name = physics::stacks()[i].name;
    c.speed[i] = 1;
    if (!kept.contains(name)) add(fmt::format("speed.{}", name), c.speed[i], 1, 0.12);
  }
  add("gemm_bytes", c.gemm_bytes, 0.8, 0.5);
  add("kernel_s", c.kernel_s, 5e-6, 1);
  add("softmax_flops", c.softmax_flops, 64, 0.8);
  add("score_bytes", c.score_bytes, 30, 0.5);
  add("cast_bytes", c.cast_bytes, 4, 0.7);
  add("block_scaling", c.block_scaling, 0.92, 0.1);
  add("overlap_slowdown", c.overlap_slowdown, 0.15, 0.5);
  add("straggler", c.straggler, 0.003, 0.8);
  add("routed_bytes", c.routed_bytes, 12, 0.6);
  add("unaligned", c.unaligned, 1.5, 0.6);
  return all;
}

/// Megatron-DeepSpeed runs Megatron's layers. What its pipeline sends and its gradients hide behind nothing:
/// both are sent between passes, by the thread that launches them.
void follow(Calibration& c) {
  physics::FamilyConstants& deepspeed = c.families[4];
  deepspeed = c.families[0];
  deepspeed.pipeline_exposed = 1;
  deepspeed.data_overlap = 0;
}

double error_of(const PublishedTraining& row, const Calibration& calibration) {
  return physics::step_time(row.run(), calibration).total / row.measured_s - 1;
}

void write_values(const Calibration& c, const char* path) {
  std::FILE* file = std::fopen(path, "w");
  if (file == nullptr) return;
  fmt::print(file,
             "// Constants of Calibration in its order, as tools/physics_fit found them; included in an "
             "initializer.\n");
  fmt::print(file, ".chips = {{{{\n");
  for (const physics::ChipConstants& chip : c.chips)
    fmt::print(file,
               "    {{.gemm_16bit = {:.4g}, .gemm_8bit = {:.4g}, .gemm_4bit = {:.4g}, .attention = {:.4g}, "
               ".memory = {:.4g}}},\n",
               chip.gemm_16bit, chip.gemm_8bit, chip.gemm_4bit, chip.attention, chip.memory);
  fmt::print(file, "}}}},\n.families = {{{{\n");
  for (const physics::FamilyConstants& f : c.families)
    fmt::print(file,
               "    {{.attention = {:.4g},\n     .elementwise = {:.4g},\n     .tensor_exposed = {:.4g},\n"
               "     .context_exposed = {:.4g},\n     .expert_exposed = {:.4g},\n"
               "     .expert_network_exposed = {:.4g},\n     .pipeline_exposed = {:.4g},\n"
               "     .data_overlap = {:.4g},\n     .shard_overlap = {:.4g},\n     .host_layer_s = {:.4g},\n"
               "     .host_expert_s = {:.4g},\n     .step_s = {:.4g}}},\n",
               f.attention, f.elementwise, f.tensor_exposed, f.context_exposed, f.expert_exposed,
               f.expert_network_exposed, f.pipeline_exposed, f.data_overlap, f.shard_overlap, f.host_layer_s,
               f.host_expert_s, f.step_s);
  fmt::print(file, "}}}},\n.speed = {{{{");
  for (std::size_t i = 0; i < c.speed.size(); ++i)
    fmt::print(file, "{}{:.4g}", i == 0 ? "" : ", ", c.speed[i]);
  fmt::print(
      file,
      "}}}},\n.gemm_bytes = {:.4g},\n.kernel_s = {:.4g},\n.softmax_flops = {:.4g},\n.score_bytes = {:.4g},\n"
      ".cast_bytes = {:.4g},\n.block_scaling = {:.4g},\n.overlap_slowdown = {:.4g},\n.straggler = {:.4g},\n"
      ".routed_bytes = {:.4g},\n.unaligned = {:.4g},\n.grouped_penalty = {:.4g},\n",
      c.gemm_bytes, c.kernel_s, c.softmax_flops, c.score_bytes, c.cast_bytes, c.block_scaling,
      c.overlap_slowdown, c.straggler, c.routed_bytes, c.unaligned, c.grouped_penalty);
  std::fclose(file);
}

int run(const char* table_path, const char* catalog_path, const char* values_path) {
  const std::optional<physics::KnownTypes> known = read_types(catalog_path);
  if (!known) return 1;
  const auto all = physics::read_published_training(read_table(table_path), *known);
  if (!all) {
    fmt::print(stderr, "{}\n", all.error().message);
    return 1;
  }
  std::vector<PublishedTraining> rows;
  std::set<std::string> groups;
  for (const PublishedTraining& row : *all) {
    if (!row.reason.empty()) continue;
    rows.push_back(row);
    groups.insert(row.group);
  }

  constexpr int kRounds = 80;
  constexpr double kScale = 0.05;
  Calibration calibration = physics::published_calibration();
  calibration.families[2].elementwise = 1;
  std::vector<Constant> constants = constants_of(calibration);
  std::string left_out;
  const Residuals residuals = [&](std::vector<double>& out) {
    out.clear();
    follow(calibration);
    for (const PublishedTraining& row : rows) {
      if (row.group == left_out) continue;
      // One table holds 216 of the rows: it must not outvote the others.
      const double weight = row.group == "llm-foundry" ? 0.6 : 1.0;
      out.push_back(weight * std::log1p(error_of(row, calibration)));
    }
  };
  const auto kind = [](const PublishedTraining& row) { return row.shape.mixture() ? " MoE" : " dense"; };
  Errors errors;
  for (const std::string& group : groups) {
    left_out = group;
    fit_anew(constants, residuals, kRounds, kScale);
    for (const PublishedTraining& row : rows) {
      if (row.group != group) continue;
      errors[group + kind(row)].push_back(error_of(row, calibration));
      errors[std::string("~all") + kind(row)].push_back(error_of(row, calibration));
    }
  }
  print_errors("Left out of the fit, group by group:", errors);
  left_out.clear();
  fit_anew(constants, residuals, kRounds, kScale);
  errors.clear();
  for (const PublishedTraining& row : rows)
    errors[std::string("all") + kind(row)].push_back(error_of(row, calibration));
  print_fitted(constants, rows.size(), errors);
  print_constants(constants);
  write_values(calibration, values_path);
  return 0;
}

}  // namespace
}  // namespace gw::physics_fit

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "gw_physics_fit TRAINING_CSV CATALOG_FOLDER VALUES_FILE\n");
    return 2;
  }
  return gw::physics_fit::run(argv[1], argv[2], argv[3]);
}
