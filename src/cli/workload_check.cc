// `gw workload studies` and `gw workload check`: published figures, alone and beside generated ones.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/app.h"
#include "cli/share.h"
#include "cli/text_table.h"
#include "cli/workload_command.h"
#include "workload/studies.h"

namespace gw {
namespace {

using workload::Comparison;
using workload::Study;
using Json = nlohmann::ordered_json;

Json to_json(const Study& study) {
  Json json = {{"name", study.name},
               {"title", study.title},
               {"gpus", study.gpus},
               {"jobs", study.jobs},
               {"mean_run_s", study.mean_run_s},
               {"median_run_s", study.median_run_s},
               {"longest_run_s", study.longest_run_s},
               {"mean_gpus", study.mean_gpus},
               {"mean_gpus_up_to_one", study.mean_gpus_up_to_one},
               {"run_time", Json::array()},
               {"sizes", Json::array()}};
  for (const Study::RunTimePoint& point : study.run_time)
    json["run_time"].push_back({{"run_s", point.run_s}, {"share", point.share}});
  for (const Study::SizePoint& point : study.sizes)
    json["sizes"].push_back({{"gpus", point.gpus}, {"jobs", point.jobs}, {"gpu_time", point.gpu_time}});
  const auto outcomes = [](const Study::Outcomes& each) {
    return Json{each.completed, each.cancelled, each.failed};
  };
  json["outcome_jobs"] = outcomes(study.outcome_jobs);  // Completed, cancelled, failed.
  json["outcome_gpu_time"] = outcomes(study.outcome_gpu_time);
  json["source"] = study.source;
  return json;
}

void print_study(const Study& study) {
  fmt::print("{:<8} {}: {} GPUs, {:.0f} GPU jobs, median run {}, mean {}, {:.2f} GPUs a job\n", study.name,
             study.title, study.gpus, study.jobs, short_time(study.median_run_s),
             short_time(study.mean_run_s), study.mean_gpus);
  fmt::print("         {:<14}", "GPUs up to");
  for (const Study::SizePoint& point : study.sizes) fmt::print("{:>7}", point.gpus);
  fmt::print("\n         {:<14}", "jobs");
  for (const Study::SizePoint& point : study.sizes) fmt::print("{:>7.3f}", point.jobs);
  fmt::print("\n         {:<14}", "GPU time");
  for (const Study::SizePoint& point : study.sizes) fmt::print("{:>7.3f}", point.gpu_time);
  if (study.outcome_jobs.published())
    fmt::print("\n         completed {} of jobs ({} of GPU time), cancelled {} ({}), failed {} ({})",
               percent(study.outcome_jobs.completed), percent(study.outcome_gpu_time.completed),
               percent(study.outcome_jobs.cancelled), percent(study.outcome_gpu_time.cancelled),
               percent(study.outcome_jobs.failed), percent(study.outcome_gpu_time.failed));
  fmt::print("\n         source: {}\n\n", study.source);
}

struct CheckOptions {
  std::string study;
  std::uint64_t jobs = 1'000'000;
  std::uint64_t seed = 1;
  bool points = false;
  bool json = false;
};

/// Bounds hold for a million jobs; of fewer, chance moves the figures further. A few long jobs make most of
/// the GPU time, so its shares and all means move much more than shares of jobs.
double bound_for(const Comparison& each, double jobs) {
  constexpr double kJobs = 1e6;
  if (jobs >= kJobs || jobs <= 0) return each.bound;
  const bool heavy = each.what.find("GPU time") != std::string::npos || each.what.starts_with("mean");
  return heavy ? each.bound * std::sqrt(kJobs / jobs)
               : each.bound + 2 / std::sqrt(jobs) - 2 / std::sqrt(kJobs);
}

Result<std::vector<Comparison>> check(const Study& study, const CheckOptions& options) {
  const Result<std::filesystem::path> path = find_share(fmt::format("scenarios/studies/{}.yaml", study.name));
  if (!path) return std::unexpected(path.error());
  // Long enough for any number of jobs; measuring stops at the number asked for.
  DemandOptions demand;
  demand.days = 36500;
  demand.seed = options.seed;
  const Result<spec::Scenario> scenario = read_demand(path->string(), demand);
  if (!scenario) return std::unexpected(scenario.error());
  const std::unique_ptr<workload::JobStream> jobs = generated_jobs(*scenario);
  const Result<workload::Marginals> marginals = workload::measure(*jobs, {.jobs_max = options.jobs});
  if (!marginals) return std::unexpected(marginals.error());
  std::vector<Comparison> all = workload::compare(study, *marginals);
  for (Comparison& each : all) each.bound = bound_for(each, marginals->all.jobs);
  return all;
}

bool is_point(const Comparison& each) { return each.what.find(" up to ") != std::string::npos; }

void print_comparisons(const Study& study, const std::vector<Comparison>& all, const CheckOptions& options) {
  fmt::print("{} ({}), {} generated jobs\n", study.name, study.title, options.jobs);
  fmt::print("{:<34}{:>12}{:>12}{:>10}{:>10}\n", "", "published", "generated", "error", "bound");
  for (const Comparison& each : all) {
    if (is_point(each) && !options.points) continue;
    const bool distance = each.what.ends_with("distance");
    fmt::print("{:<34}{:>12}{:>12.4g}{:>10.3f}{:>10.3f}{}\n", each.what,
               distance ? "" : fmt::format("{:.4g}", each.published), each.generated, each.error, each.bound,
               each.within() ? "" : "  beyond");
  }
  fmt::print("\n");
}

Result<ExitCode> check_all(const CheckOptions& options) {
  bool all_within = true;
  Json json = Json::array();
  for (const Study& study : workload::studies()) {
    if (!options.study.empty() && options.study != study.name) continue;
    const Result<std::vector<Comparison>> comparisons = check(study, options);
    if (!comparisons) return std::unexpected(comparisons.error());
    Json rows = Json::array();
    for (const Comparison& each : *comparisons) {
      all_within = all_within && each.within();
      rows.push_back({{"what", each.what},
                      {"published", each.published},
                      {"generated", each.generated},
                      {"error", each.error},
                      {"bound", each.bound},
                      {"within", each.within()}});
    }
    json.push_back({{"study", study.name}, {"figures", rows}});
    if (!options.json) print_comparisons(study, *comparisons, options);
  }
  if (options.json) fmt::print("{}\n", json_out(json));
  if (!all_within) fmt::print(stderr, "gw: a generated figure is further from its study than its bound\n");
  return all_within ? ExitCode::ok : ExitCode::failed;
}

}  // namespace

void add_workload_studies_command(CLI::App& workload, AppContext& context) {
  CLI::App* command = workload.add_subcommand("studies", "Print the published figures of cluster studies");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON");
  set_action(*command, context, [json]() -> Result<ExitCode> {
    Json all = Json::array();
    for (const Study& study : workload::studies()) {
      if (*json)
        all.push_back(to_json(study));
      else
        print_study(study);
    }
    if (*json) fmt::print("{}\n", json_out(all));
    return ExitCode::ok;
  });
}

void add_workload_check_command(CLI::App& workload, AppContext& context) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command =
      workload.add_subcommand("check", "Set generated jobs beside the studies they are fitted to");
  std::vector<std::string> names;
  for (const Study& study : workload::studies()) names.emplace_back(study.name);
  command->add_option("STUDY", options->study, "One study instead of all")->check(CLI::IsMember(names));
  command
      ->add_option("--jobs", options->jobs,
                   "How many jobs to generate for each; of fewer than a million the bounds are wider")
      ->check(whole_number(1000, 1'000'000'000))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Seed of the generated jobs")
      ->check(whole_number(0, kAnyWhole))
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--points", options->points, "Also every point of the distributions");
  command->add_flag("--json", options->json, "Print JSON");
  set_action(*command, context, [options]() -> Result<ExitCode> { return check_all(*options); });
}

}  // namespace gw
