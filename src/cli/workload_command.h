// What the parts of `gw workload` share: where jobs come from, and how figures are laid out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "spec/scenario.h"
#include "workload/job_stream.h"
#include "workload/studies_marginals.h"

namespace CLI {
class App;
}

namespace gw {

struct AppContext;

/// Changes to a scenario's demand from the command line.
struct DemandOptions {
  std::optional<double> days;
  std::optional<std::uint64_t> seed;
  std::optional<double> load;  ///< Share of the fleet's GPUs, all tenants together.
};

/// `--days`, `--seed`, `--load`.
void add_demand_options(CLI::App& command, DemandOptions& options);

/// Reads `path` and applies `options`; an Error for a scenario without demand.
Result<spec::Scenario> read_demand(const std::string& path, const DemandOptions& options);

/// The scenario's generated jobs.
std::unique_ptr<workload::JobStream> generated_jobs(const spec::Scenario& scenario);

/// 90 s, 15 min, 3.5 h, 12 d: three digits at most.
std::string short_time(double seconds);
std::string percent(double share);

void add_workload_generate_command(CLI::App& workload, AppContext& context);
void add_workload_describe_command(CLI::App& workload, AppContext& context);
void add_workload_studies_command(CLI::App& workload, AppContext& context);
void add_workload_check_command(CLI::App& workload, AppContext& context);

}  // namespace gw
