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

// Of NCCL's src/graph/tuning.cc: shares of the nominal bandwidth where the switch reduces, and microseconds
// of a step of a tree over a network with protocols Simple and LL.
constexpr double kSwitchHopper = 0.85;
constexpr double kSwitchBlackwell = 0.74;
constexpr double kNetworkBulkHops = 14.0 / 5.0;
/// Of 50 GB/s: ib_write over ConnectX-7 reaches 48 to 49 (NVIDIA/nccl-tests, issue 267).
constexpr double kNetworkEfficiency = 0.97;

LinkConstants& of(FabricConstants& c, Generation generation) {
  return c.scaleup[static_cast<std::size_t>(generation)];
}

/// What is fitted. Priors: latencies of NCCL's tuning.cc (a launch with its first step 7 to 15 us, a step
/// over NVLink some us, a switch 25 us; LL of 4 GB/s in one channel), shares of the bandwidth that nccl-tests
/// reach on any links. What Hopper has here, Ampere and Blackwell have, too, but for the first four.
std::vector<Constant> constants_of(FabricConstants& c) {
  std::vector<Constant> all;
  const auto add = [&](std::string name, double& value, double prior, double sigma, double least,
                       double most) { all.push_back({std::move(name), &value, prior, sigma, least, most}); };
  for (const Generation generation : kMeasured) {
    LinkConstants& links = of(c, generation);
    const std::string name(physics::generation_name(generation));
    add(name + ".base_s", links.base_s, 8e-6, 0.5, 1e-6, 1e-4);
    add(name + ".hop_s", links.hop_s, 4e-6, 0.7, 1e-7, 1e-4);
    add(name + ".fill_s", links.fill_s, 4e-5, 0.8, 1e-6, 1e-3);
    add(name + ".fill_gpu_s", links.fill_gpu_s, 8e-6, 0.5, 1e-8, 1e-4);
  }
  LinkConstants& links = of(c, Generation::kHopper);
  add("efficiency", links.efficiency, 0.78, 0.05, 0.3, 1);
  add("switch_efficiency", links.switch_efficiency, 1, 0.1, 0.5, 1.2);
  add("switch_s", links.switch_s, 2.5e-5, 0.5, 1e-6, 1e-4);
  add("bulk_s", links.bulk_s, 4e-6, 0.7, 1e-7, 1e-4);
  add("low_latency_share", links.low_latency_share, 0.02, 0.7, 1e-3, 1);
  add("fill_bytes", links.fill_bytes, 2e7, 0.4, 1e6, 1e9);
  add("network.base_s", c.network.base_s, 2e-5, 0.5, 1e-6, 1e-4);
  add("network.hop_s", c.network.hop_s, 1e-5, 0.5, 1e-6, 1e-4);
  add("network.low_latency_share", c.network.low_latency_share, 0.3, 0.3, 1e-2, 1);
  add("network.fill_s", c.network.fill_s, 5e-5, 0.8, 1e-6, 1e-3);
  add("network.fill_gpu_s", c.network.fill_gpu_s, 3e-6, 0.2, 1e-8, 1e-4);
  add("network.rail_bytes", c.network.rail_bytes, 3e6, 1, 1e4, 1e8);
  return all;
}

/// What is not fitted of its own: the shared constants of scale-up links, and generations without
/// measurements: of Volta those of Ampere (the same algorithms, no switch that reduces), of Blackwell Ultra
/// those of Blackwell (the same NVLink), of others what is the least known.
void complete(FabricConstants& c) {
  const LinkConstants& hopper = of(c, Generation::kHopper);
  for (const Generation generation : {Generation::kAmpere, Generation::kBlackwell}) {
    LinkConstants& links = of(c, generation);
    links.efficiency = hopper.efficiency;
    links.bulk_s = hopper.bulk_s;
    links.low_latency_share = hopper.low_latency_share;
    links.fill_bytes = hopper.fill_bytes;
  }
  LinkConstants& blackwell = of(c, Generation::kBlackwell);
  blackwell.switch_s = hopper.switch_s;
  blackwell.switch_efficiency = hopper.switch_efficiency * kSwitchBlackwell / kSwitchHopper;
  c.network.efficiency = kNetworkEfficiency;
  c.network.bulk_hops = kNetworkBulkHops;
  c.network.fill_bytes = hopper.fill_bytes;
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
      "{{.base_s = {:.4g},\n     .hop_s = {:.4g},\n     .low_latency_share = {:.4g},\n     .bulk_s = "
      "{:.4g},\n"
      "     .bulk_hops = {:.4g},\n     .switch_s = {:.4g},\n     .efficiency = {:.4g},\n     .fill_s = "
      "{:.4g},\n"
      "     .fill_gpu_s = {:.4g},\n     .fill_bytes = {:.4g},\n     .rail_bytes = {:.4g},\n     "
      ".switch_efficiency = {:.4g}}}",
      links.base_s, links.hop_s, links.low_latency_share, links.bulk_s, links.bulk_hops, links.switch_s,
      links.efficiency, links.fill_s, links.fill_gpu_s, links.fill_bytes, links.rail_bytes,
      links.switch_efficiency);
}

void write_values(const FabricConstants& c, const char* path) {
  std::FILE* file = std::fopen(path, "w");
  if (file == nullptr) return;
  fmt::print(file,
             "// Constants of FabricConstants in its order, as tools/physics_fit/collectives.cc found them; "
             "included in\n// an initializer.\n.scaleup = {{{{\n");
  for (const LinkConstants& links : c.scaleup) fmt::print(file, "    {},\n", values_text(links));
  fmt::print(file, "}}}},\n.network =\n    {},\n", values_text(c.network));
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
