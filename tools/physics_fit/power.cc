// Fits the constants of src/physics/power_values.inc to published power, and says how well they predict
// groups that were left out.
//
//   gw_physics_fit_power power.csv inference.csv catalog/ values.inc
//   gw_physics_fit_power --check SOURCE    whether the values in SOURCE are what the fit finds today
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>

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

/// What is fitted. Priors of memory: HBM takes about 5 pJ for a bit moved (recalled), 134 of H100's 700 W and
/// 320 of B200's 1000 W at full bandwidth.
std::vector<Constant> constants_of(PowerConstants& c) {
  std::vector<Constant> all;
  const auto add = [&](std::string name, double& value, double prior, double sigma, double least,
                       double most) { all.push_back({std::move(name), &value, prior, sigma, least, most}); };
  add("hopper.base", c.gpus[kHopper].base, 0.5, 0.4, 0.15, 0.8);
  add("hopper.memory", c.gpus[kHopper].memory, 0.19, 0.3, 0.05, 1);
  add("hopper.arithmetic", c.gpus[kHopper].arithmetic, 0.7, 0.6, 0.05, 3);
  add("blackwell.base", c.gpus[kBlackwell].base, 0.5, 0.4, 0.15, 0.8);
  add("blackwell.memory", c.gpus[kBlackwell].memory, 0.32, 0.3, 0.05, 1);
  add("blackwell.arithmetic", c.gpus[kBlackwell].arithmetic, 0.7, 0.6, 0.05, 3);
  add("between_kernels", c.between_kernels, 0.2, 0.4, 0.1, 0.5);
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
             "}}}},\n.between_kernels = {:.4g},\n.memory_exponent = {:.4g},\n.arithmetic_exponent = "
             "{:.4g},\n.host_w = {:.4g},\n"
             ".host_share = {:.4g},\n.air_fans = {:.4g},\n.liquid_fans = {:.4g},\n.supply_loss = {:.4g},\n"
             ".strong_scaling = {:.4g},\n.start_s = {:.4g},\n",
             c.between_kernels, c.memory_exponent, c.arithmetic_exponent, c.host_w, c.host_share, c.air_fans,
             c.liquid_fans, c.supply_loss, c.strong_scaling, c.start_s);
  std::fclose(file);
}

/// Rows and constants of the fit.
struct Fit {
  std::vector<PublishedPower> rows;
  std::set<std::string> groups;
  PowerConstants c = physics::published_power();
  std::vector<Constant> constants = constants_of(c);
  std::string left_out;

  double error_of(const PublishedPower& row) {
    follow(c);
    return physics::predicted_power(row, c) / row.measured - 1;
  }

  void run() {
    constexpr int kRounds = 80;
    constexpr double kScale = 0.05;
    const Residuals residuals = [this](std::vector<double>& out) {
      out.clear();
      for (const PublishedPower& row : rows) {
        if (row.group == left_out) continue;
        // Hundreds of rows of one harness must not outvote the few nodes.
        const bool node = row.quantity != physics::PowerQuantity::kGpu;
        out.push_back((node ? 2.0 : 0.5) * std::log1p(error_of(row)));
      }
    };
    fit_anew(constants, residuals, kRounds, kScale);
    follow(c);
  }
};

bool read_rows(const std::string& power_path, const std::string& served_path, const std::string& catalog_path,
               Fit& fit) {
  const std::optional<physics::KnownTypes> known = read_types(catalog_path);
  if (!known) return false;
  const auto power = physics::read_published_power(read_table(power_path), *known);
  const auto served = physics::read_published_inference(read_table(served_path), *known);
  if (!power || !served) {
    fmt::print(stderr, "{}\n", power ? served.error().message : power.error().message);
    return false;
  }
  for (const auto& rows : {*power, physics::served_power_of(*served)}) {
    for (const PublishedPower& row : rows) {
      // Plants are not fitted: their constants are of what plants are built of.
      if (!row.reason.empty() || row.quantity == physics::PowerQuantity::kPue ||
          row.quantity == physics::PowerQuantity::kFacility)
        continue;
      fit.rows.push_back(row);
      fit.groups.insert(row.group);
    }
  }
  return true;
}

int check(const std::filesystem::path& source) {
  const auto folder = reference_folder(source, {"power.csv", "inference.csv"});
  if (!folder) return kSkipped;
  Fit fit;
  if (!read_rows(*folder / "power.csv", *folder / "inference.csv", source / "catalog", fit)) return 1;
  return check_constants(
      fit.constants, [&] { fit.run(); }, "gw_physics_fit_power (src/physics/power_values.inc)");
}

int run(const char* power_path, const char* served_path, const char* catalog_path, const char* values_path) {
  Fit fit;
  if (!read_rows(power_path, served_path, catalog_path, fit)) return 1;
  Errors errors;
  for (const std::string& group : fit.groups) {
    fit.left_out = group;
    fit.run();
    for (const PublishedPower& row : fit.rows) {
      if (row.group != group) continue;
      errors[group].push_back(fit.error_of(row));
      errors[fmt::format("~all, {}", physics::quantity_name(row.quantity))].push_back(fit.error_of(row));
    }
  }
  print_errors("Left out of the fit, group by group:", errors);
  fit.left_out.clear();
  fit.run();
  errors.clear();
  for (const PublishedPower& row : fit.rows) {
    errors[fmt::format("{}, {}", physics::quantity_name(row.quantity), row.gpu.name)].push_back(
        fit.error_of(row));
    errors[row.group].push_back(fit.error_of(row));
  }
  print_fitted(fit.constants, fit.rows.size(), errors);
  print_constants(fit.constants);
  write_values(fit.c, values_path);
  return 0;
}

}  // namespace
}  // namespace gw::physics_fit

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--check") return gw::physics_fit::check(argv[2]);
  if (argc != 5) {
    fmt::print(stderr,
               "usage: gw_physics_fit_power power.csv inference.csv catalog/ values.inc\n"
               "       gw_physics_fit_power --check SOURCE\n");
    return 2;
  }
  return gw::physics_fit::run(argv[1], argv[2], argv[3], argv[4]);
}
