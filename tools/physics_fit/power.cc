// Fits the constants of src/physics/power_values.inc to published power, and says how well they predict
// groups that were left out.
//
//   gw_physics_fit_power power.csv inference.csv catalog/ values.inc
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "harness.h"
#include "physics/published_power.h"

namespace gw::physics_fit {
namespace {

using physics::PowerConstants;
using physics::PublishedPower;

/// Hopper and Blackwell are measured; the others follow them.
constexpr std::size_t kHopper = 2;
constexpr std::size_t kBlackwell = 3;

void follow(PowerConstants& c) {
  for (const std::size_t like_hopper : {0U, 1U, 5U}) c.gpus[like_hopper] = c.gpus[kHopper];
  c.gpus[4] = c.gpus[kBlackwell];
}

std::vector<Constant> constants_of(PowerConstants& c) {
  std::vector<Constant> all;
  const auto add = [&](std::string name, double& value, double prior, double sigma, double least,
                       double most) { all.push_back({std::move(name), &value, prior, sigma, least, most}); };
  add("hopper.base", c.gpus[kHopper].base, 0.45, 0.4, 0.15, 0.7);
  add("hopper.memory", c.gpus[kHopper].memory, 0.3, 0.6, 0.05, 1);
  add("hopper.arithmetic", c.gpus[kHopper].arithmetic, 0.7, 0.6, 0.05, 3);
  add("blackwell.base", c.gpus[kBlackwell].base, 0.5, 0.4, 0.15, 0.7);
  add("blackwell.memory", c.gpus[kBlackwell].memory, 0.4, 0.6, 0.05, 1);
  add("blackwell.arithmetic", c.gpus[kBlackwell].arithmetic, 0.7, 0.6, 0.05, 3);
  add("memory_exponent", c.memory_exponent, 1, 0.5, 0.3, 4);
  add("arithmetic_exponent", c.arithmetic_exponent, 0.6, 0.5, 0.2, 2);
  add("host_w", c.host_w, 130, 0.3, 50, 300);
  add("host_share", c.host_share, 0.1, 0.5, 0.01, 0.3);
  add("air_fans", c.air_fans, 0.13, 0.3, 0.03, 0.25);
  add("liquid_fans", c.liquid_fans, 0.04, 0.4, 0.005, 0.1);
  add("supply_loss", c.supply_loss, 0.03, 0.3, 0.01, 0.08);
  add("strong_scaling", c.strong_scaling, 0.25, 0.5, 0.01, 0.8);
  add("start_s", c.start_s, 45, 0.5, 5, 120);
  return all;
}

void write_values(const PowerConstants& c, const char* path) {
  std::FILE* file = std::fopen(path, "w");
  if (file == nullptr) return;
  fmt::print(
      file,
      "// Constants of PowerConstants in its order, as tools/physics_fit/power.cc found them; included in an "
      "initializer.\n.gpus = {{{{\n");
  for (const physics::GpuPowerConstants& gpu : c.gpus)
    fmt::print(file, "    {{.base = {:.4g}, .memory = {:.4g}, .arithmetic = {:.4g}}},\n", gpu.base,
               gpu.memory, gpu.arithmetic);
  fmt::print(file,
             "}}}},\n.memory_exponent = {:.4g},\n.arithmetic_exponent = {:.4g},\n.host_w = {:.4g},\n"
             ".host_share = {:.4g},\n.air_fans = {:.4g},\n.liquid_fans = {:.4g},\n.supply_loss = {:.4g},\n"
             ".strong_scaling = {:.4g},\n.start_s = {:.4g},\n",
             c.memory_exponent, c.arithmetic_exponent, c.host_w, c.host_share, c.air_fans, c.liquid_fans,
             c.supply_loss, c.strong_scaling, c.start_s);
  std::fclose(file);
}

int run(const char* power_path, const char* served_path, const char* catalog_path, const char* values_path) {
  const std::optional<physics::KnownTypes> known = read_types(catalog_path);
  if (!known) return 1;
  std::vector<PublishedPower> rows;
  std::set<std::string> groups;
  for (const auto& read : {physics::read_published_power(read_table(power_path), *known),
                           physics::read_served_power(read_table(served_path), *known)}) {
    if (!read) {
      fmt::print(stderr, "{}\n", read.error().message);
      return 1;
    }
    for (const PublishedPower& row : *read) {
      // Plants are not fitted: their constants are of what plants are built of.
      if (!row.reason.empty() || row.quantity == physics::PowerQuantity::kPue ||
          row.quantity == physics::PowerQuantity::kFacility)
        continue;
      rows.push_back(row);
      groups.insert(row.group);
    }
  }
  constexpr int kRounds = 80;
  constexpr double kScale = 0.05;
  PowerConstants c = physics::published_power();
  std::vector<Constant> constants = constants_of(c);
  std::string left_out;
  const auto error_of = [&](const PublishedPower& row) {
    follow(c);
    return physics::predicted_power(row, c) / row.measured - 1;
  };
  const Residuals residuals = [&](std::vector<double>& out) {
    out.clear();
    for (const PublishedPower& row : rows) {
      if (row.group == left_out) continue;
      // Hundreds of rows of one harness must not outvote the few nodes.
      const bool node = row.quantity != physics::PowerQuantity::kGpu;
      out.push_back((node ? 2.0 : 0.5) * std::log1p(error_of(row)));
    }
  };
  Errors errors;
  for (const std::string& group : groups) {
    left_out = group;
    fit_anew(constants, residuals, kRounds, kScale);
    for (const PublishedPower& row : rows) {
      if (row.group != group) continue;
      errors[group].push_back(error_of(row));
      errors[fmt::format("~all, {}", physics::quantity_name(row.quantity))].push_back(error_of(row));
    }
  }
  print_errors("Left out of the fit, group by group:", errors);
  left_out.clear();
  fit_anew(constants, residuals, kRounds, kScale);
  errors.clear();
  for (const PublishedPower& row : rows) {
    errors[fmt::format("{}, {}", physics::quantity_name(row.quantity), row.gpu.name)].push_back(
        error_of(row));
    errors[row.group].push_back(error_of(row));
  }
  print_fitted(constants, rows.size(), errors);
  print_constants(constants);
  follow(c);
  write_values(c, values_path);
  return 0;
}

}  // namespace
}  // namespace gw::physics_fit

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: gw_physics_fit_power power.csv inference.csv catalog/ values.inc\n");
    return 2;
  }
  return gw::physics_fit::run(argv[1], argv[2], argv[3], argv[4]);
}
