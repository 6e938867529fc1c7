// Scenario: a factory and its demand, read from one YAML file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/faults.h"
#include "model/fleet.h"
#include "model/law.h"
#include "model/policy.h"
#include "model/power_schedule.h"
#include "model/tenant.h"
#include "model/window.h"
#include "model/workload_mix.h"
#include "spec/catalog.h"
#include "spec/diagnostic.h"
#include "spec/yaml_tree.h"

namespace gw::spec {

struct Scenario {
  std::string name;   ///< The file's own name where it gives none.
  std::string title;  ///< `name` where the file gives none.
  std::uint64_t seed = 1;
  Fleet fleet;
  Law law;                  ///< Its groups are there also where it is not in use.
  std::optional<Day> date;  ///< Of the run's zero.
  TenantTree tenants;
  WorkloadMix mix;  ///< `mix.tenants` is empty where the file names no demand (a fleet for recorded traces).
  PolicyConfig policy;
  FaultSpec faults;  ///< Nothing fails where the file has no `faults`.
  std::vector<Reservation> reservations;
  PowerSchedule power;
  bool physics = true;                ///< Jobs of classes with `work` run as fast as physics says.
  std::vector<GpuEntry> gpu_entries;  ///< By type of the fleet: what the catalog or the file has of it.
  std::vector<ModelEntry> models;     ///< That classes name in `work`.
  std::vector<Mark> work_marks;       ///< By class: its `work`, else the class; line 0: not in this file.
  std::vector<Diagnostic> warnings;   ///< What is allowed but probably not meant.
};

struct ReadLimits {
  std::uint64_t nodes = 20'000'000;
  std::uint32_t tenants = 100'000;
  YamlLimits yaml;
};

struct ReadOptions {
  std::filesystem::path catalog;  ///< Folder; empty: default_catalog_folder().
  ReadLimits limits;
};

/// Reads and checks a scenario or fleet file; on failure all errors, in the order of the text.
[[nodiscard]] Checked<Scenario> read_scenario(const std::string& path, const ReadOptions& options = {});

/// As read_scenario, from memory; `file` stands in messages.
[[nodiscard]] Checked<Scenario> parse_scenario(std::string_view text, const std::string& file,
                                               const Catalog& catalog, const ReadLimits& limits = {});

/// The fleet of a file that may hold nothing but `gigawerk: 1` and `fleet:`.
[[nodiscard]] Checked<Fleet> read_fleet(const std::string& path, const ReadOptions& options = {});

}  // namespace gw::spec
