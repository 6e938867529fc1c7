// Fits the constants of src/physics/fabric_values.inc to published collectives, and says how well they
// predict groups that were left out.
//
//   gw_physics_fit_collectives collectives.csv catalog/ values.inc
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "harness.h"
#include "physics/published.h"
#include "physics/validation_collectives.h"

namespace gw::physics_fit {
namespace {

using physics::FabricConstants;
using physics::Generation;
using physics::LinkConstants;
using physics::PublishedCollective;

constexpr Generation kMeasured[] = {Generation::kAmpere, Generation::kHopper, Generation::kBlackwell};

LinkConstants& of(FabricConstants& c, Generation generation) {
  return c.scaleup[static_cast<std::size_t>(generation)];
}

/// What is fitted. Priors: latencies of NCCL's tuning.cc (a launch with its first step 7 to 15 us, a step
/// over NVLink some us, over a network 14 us), shares of the bandwidth that nccl-tests reach on any links.
std::vector<Constant> constants_of(FabricConstants& c) {
  std::vector<Constant> all;
  const auto add = [&](std::string name, double& value, double prior, double sigma, double least,
                       double most) { all.push_back({std::move(name), &value, prior, sigma, least, most}); };
  for (const Generation generation : kMeasured) {
    LinkConstants& links = of(c, generation);
    const std::string name(physics::generation_name(generation));
    add(name + ".base_s", links.base_s, 1e-5, 0.5, 1e-6, 1e-4);
    add(name + ".hop_s", links.hop_s, 7e-6, 1, 1e-7, 1e-4);
    add(name + ".efficiency", links.efficiency, 0.78, 0.05, 0.3, 1);
    add(name + ".fill_s", links.fill_s, 4e-5, 0.8, 1e-6, 1e-3);
    add(name + ".fill_gpu_s", links.fill_gpu_s, 1e-5, 0.5, 1e-8, 1e-4);
    add(name + ".fill_bytes", links.fill_bytes, 2e7, 0.4, 1e6, 1e9);
    if (generation != Generation::kAmpere)
      add(name + ".switch_efficiency", links.switch_efficiency, 1, 0.1, 0.5, 1.2);
  }
  add("network.base_s", c.network.base_s, 2e-5, 0.5, 1e-6, 1e-4);
  add("network.hop_s", c.network.hop_s, 1.4e-5, 0.5, 1e-6, 1e-4);
  add("network.efficiency", c.network.efficiency, 0.95, 0.05, 0.3, 1);
  add("network.fill_s", c.network.fill_s, 5e-5, 0.8, 1e-6, 1e-3);
  add("network.fill_gpu_s", c.network.fill_gpu_s, 3e-6, 0.2, 1e-8, 1e-4);
  add("network.fill_bytes", c.network.fill_bytes, 2e7, 0.4, 1e6, 1e9);
  add("network.rail_bytes", c.network.rail_bytes, 3e6, 1, 1e4, 1e8);
  add("bridge_hop_s", c.bridge_hop_s, 9e-6, 0.5, 1e-7, 1e-4);
  return all;
}

/// Generations without measurements of their own: of Volta those of Ampere (the same algorithms, no switch
/// that reduces), of Blackwell Ultra those of Blackwell (the same NVLink), of others what is the least known.
void complete(FabricConstants& c) {
  of(c, Generation::kVolta) = of(c, Generation::kAmpere);
  of(c, Generation::kBlackwellUltra) = of(c, Generation::kBlackwell);
  LinkConstants& other = of(c, Generation::kOther);
  other = of(c, Generation::kAmpere);
  other.efficiency = 0.75;
}

double error_of(const PublishedCollective& row) {
  return physics::collective_seconds(row.collective, row.bytes, row.members, row.fabric) / row.measured_s - 1;
}

std::string values_text(const LinkConstants& links) {
  return fmt::format(
      "{{.base_s = {:.4g},\n     .hop_s = {:.4g},\n     .efficiency = {:.4g},\n     .fill_s = {:.4g},\n"
      "     .fill_gpu_s = {:.4g},\n     .fill_bytes = {:.4g},\n     .rail_bytes = {:.4g},\n     "
      ".switch_efficiency = {:.4g}}}",
      links.base_s, links.hop_s, links.efficiency, links.fill_s, links.fill_gpu_s, links.fill_bytes,
      links.rail_bytes, links.switch_efficiency);
}

void write_values(const FabricConstants& c, const char* path) {
  std::FILE* file = std::fopen(path, "w");
  if (file == nullptr) return;
  fmt::print(file,
             "// Constants of FabricConstants in its order, as tools/physics_fit/collectives.cc found them; "
             "included in\n// an initializer.\n.scaleup = {{{{\n");
  for (const LinkConstants& links : c.scaleup) fmt::print(file, "    {},\n", values_text(links));
  fmt::print(file, "}}}},\n.network =\n    {},\n.bridge_hop_s = {:.4g},\n", values_text(c.network),
             c.bridge_hop_s);
  std::fclose(file);
}

int run(const char* table_path, const char* catalog_path, const char* values_path) {
  const std::optional<physics::KnownTypes> known = read_types(catalog_path);
  if (!known) return 1;
  const physics::PublishedTable table = read_table(table_path);
  FabricConstants c = physics::published_fabric_constants();
  std::vector<Constant> constants = constants_of(c);
  const auto read = [&] {
    complete(c);
    return physics::read_published_collectives(table, *known, c).value_or(std::vector<PublishedCollective>{});
  };
  if (const auto first = physics::read_published_collectives(table, *known); !first) {
    fmt::print(stderr, "{}\n", first.error().message);
    return 1;
  }
  std::set<std::string> groups;
  std::size_t points = 0;
  std::vector<PublishedCollective> rows = read();
  for (const PublishedCollective& row : rows) {
    if (!row.reason.empty()) continue;
    groups.insert(row.group);
    ++points;
  }

  constexpr int kRounds = 60;
  constexpr double kScale = 0.05;
  std::string left_out;
  const Residuals residuals = [&](std::vector<double>& out) {
    out.clear();
    rows = read();
    for (const PublishedCollective& row : rows) {
      if (!row.reason.empty() || row.group == left_out) continue;
      // Relative errors, as they are reported; short operations of short runs scatter by factors.
      out.push_back((row.bytes < 1e6 ? 0.7 : row.bytes < 64e6 ? 1.0 : 2.0) * error_of(row));
    }
  };
  const auto fit_and_read = [&] {
    fit_anew(constants, residuals, kRounds, kScale);
    rows = read();
  };
  Errors by_group;
  Errors by_cell;
  for (const std::string& group : groups) {
    left_out = group;
    fit_and_read();
    for (const PublishedCollective& row : rows) {
      if (!row.reason.empty() || row.group != group) continue;
      by_group[group].push_back(error_of(row));
      by_cell[physics::collective_cell(row)].push_back(error_of(row));
    }
  }
  print_errors("Left out of the fit, group by group:", by_group);
  print_errors("The same by cell:", by_cell);
  left_out.clear();
  fit_and_read();
  by_group.clear();
  by_cell.clear();
  for (const PublishedCollective& row : rows) {
    if (!row.reason.empty()) continue;
    by_group[row.group].push_back(error_of(row));
    by_cell[physics::collective_cell(row)].push_back(error_of(row));
  }
  print_fitted(constants, points, by_group);
  print_errors("The same by cell:", by_cell);
  print_constants(constants);
  write_values(c, values_path);
  return 0;
}

}  // namespace
}  // namespace gw::physics_fit

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "gw_physics_fit_collectives COLLECTIVES_CSV CATALOG_FOLDER VALUES_FILE\n");
    return 2;
  }
  return gw::physics_fit::run(argv[1], argv[2], argv[3]);
}
