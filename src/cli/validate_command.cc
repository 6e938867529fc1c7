// `gw validate`: every mistake in scenario, fleet, catalog, price and job files and in sbatch scripts, with
// its place and what would be right.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/commands.h"
#include "cli/job_source.h"
#include "cli/physics_setup.h"
#include "cli/spec_files.h"
#include "cli/suggest.h"
#include "cli/text_table.h"
#include "live/admission.h"
#include "live/price_file.h"
#include "report/text.h"
#include "spec/catalog.h"
#include "spec/job_spec_file.h"
#include "spec/job_text.h"
#include "spec/near_miss.h"
#include "spec/sbatch.h"
#include "spec/scenario.h"

namespace gw {

namespace {

using spec::Diagnostic;

struct FileReport {
  std::string file;
  std::string kind = "scenario";
  std::string contents;  ///< What is in it, where it is good.
  std::vector<Diagnostic> findings;
  [[nodiscard]] std::size_t errors() const {
    return static_cast<std::size_t>(
        std::count_if(findings.begin(), findings.end(),
                      [](const Diagnostic& finding) { return finding.severity == spec::Severity::kError; }));
  }
};

std::string counted(std::uint64_t count, std::string_view what, std::string_view plural = {}) {
  if (count == 1) return fmt::format("1 {}", what);
  return plural.empty() ? fmt::format("{} {}s", with_thousands(count), what)
                        : fmt::format("{} {}", with_thousands(count), plural);
}

std::string contents_of(const spec::Scenario& scenario) {
  std::string text =
      fmt::format("{} in {}", counted(scenario.fleet.gpus(), "GPU"), counted(scenario.fleet.nodes(), "node"));
  if (scenario.tenants.size() > 1) {
    double load = 0;
    for (const TenantDemand& demand : scenario.mix.tenants) load += demand.load;
    text += fmt::format(", {} tenants, load {:.3g}", with_thousands(scenario.tenants.size() - 1),
                        scenario.fleet.gpus() > 0 ? load / static_cast<double>(scenario.fleet.gpus()) : 0);
  }
  return text;
}

std::string contents_of(const spec::CatalogFile& file) {
  std::string text;
  const auto add = [&text](std::size_t count, std::string_view what, std::string_view plural = {}) {
    if (count > 0) text += (text.empty() ? "" : ", ") + counted(count, what, plural);
  };
  add(file.gpus.size(), "GPU type");
  add(file.nodes.size(), "node type");
  add(file.models.size(), "model");
  add(file.rhythms.size(), "rhythm");
  add(file.classes.size(), "job class", "job classes");
  add(file.prices.size(), "price");
  return text;
}

std::string contents_of(const JobSpec& job) {
  std::string text;
  if (job.nodes == 0) {
    text = counted(job.gpus, "GPU") + " on any nodes";
  } else {
    text = job.nodes_max != 0 ? fmt::format("{} to {} nodes", job.nodes, job.nodes_max)
                              : counted(job.nodes, "node");
    if (job.gpus > 0)
      text += fmt::format(" with {}{}", counted(job.gpus, "GPU"), job.nodes > 1 ? " each" : "");
    if (job.gpu_milli > 0) text += fmt::format(" with {} of a GPU", job.gpu_milli / 1000.0);
  }
  if (job.array) text += fmt::format(", {}", counted(spec::array_tasks(*job.array), "task"));
  if (job.limit.count() > 0) text += fmt::format(", limit {}", spec::span_text(job.limit));
  return text;
}

/// What gw simulate would refuse to time: an error where physics is on, as it is by itself.
void check_work(const spec::Scenario& scenario, const std::string& path, std::vector<Diagnostic>& findings) {
  const spec::Severity severity = scenario.physics ? spec::Severity::kError : spec::Severity::kWarning;
  const Result<std::unique_ptr<twin::PhysicsSetup>> setup = physics_setup(scenario);
  if (!setup) {
    findings.push_back({severity, path, {}, setup.error().message});
    return;
  }
  for (const WorkMisfit& misfit : work_misfits(setup->get(), scenario))
    findings.push_back({severity, path, scenario.work_marks.at(misfit.job_class), misfit.text});
}

/// A job's places and classes of data against those of a factory, or where none is given of the catalog:
/// there a word that is no near miss is only warned of, as a factory may have rules of its own.
void check_wishes(const LegalWishes& wishes, const Law& law, bool is_factory, FileReport& report) {
  const auto add = [&](spec::Severity severity, std::string message) {
    report.findings.push_back({severity, report.file, {}, std::move(message)});
  };
  if (is_factory) {
    if (std::string problem = spec::unknown_data(law, wishes.data); !problem.empty())
      add(spec::Severity::kError, "\"data\": " + problem);
    for (const auto& [key, names] : {std::pair{"residency", &wishes.residency},
                                     std::pair{"excluded_jurisdictions", &wishes.excluded_jurisdictions}}) {
      if (const Result<Places> places = law.places(*names); !places)
        add(spec::Severity::kError, fmt::format("\"{}\": {}", key, places.error().message));
    }
    return;
  }
  const std::vector<std::string> known = law.known_data();
  for (const std::string& word : wishes.data) {
    if (std::find(known.begin(), known.end(), word) != known.end()) continue;
    add(nearest_word(word, known) ? spec::Severity::kError : spec::Severity::kWarning,
        fmt::format(
            "\"data\": \"{}\" is a class of data that no rule of the catalog names{} (if a factory has "
            "it of its own, check against its file by --fleet)",
            word, spec::suggestion(word, known)));
  }
}

/// GPU types and parts of the network that a job names against those of a factory, and else whatever keeps it
/// from being asked for there. What may run today, gw submit --dry-run says.
void check_names(const JobSpec& job, const Fleet& fleet, FileReport& report) {
  const auto add = [&](std::string message) {
    report.findings.push_back({spec::Severity::kError, report.file, {}, std::move(message)});
  };
  const std::size_t before = report.findings.size();
  std::vector<std::string> types;
  for (const GpuType& type : fleet.gpu_types) types.push_back(type.name);
  for (const std::string& type : job.gpu_types) {
    if (std::find(types.begin(), types.end(), type) == types.end())
      add(fmt::format("\"gpu_types\": this factory has no GPU type \"{}\"{}", type,
                      spec::suggestion(type, types)));
  }
  for (const auto& [key, level] :
       {std::pair{"within", &job.level}, std::pair{"segment_level", &job.segment_level},
        std::pair{"exclusive", &job.exclusive_level}, std::pair{"spread", &job.spread_level}}) {
    std::vector<std::string> levels;
    if (std::string_view(key) != "segment_level") levels.emplace_back("node");
    for (const Partition& each : fleet.fabric) levels.push_back(each.level);
    if (!level->empty() && std::find(levels.begin(), levels.end(), *level) == levels.end())
      add(fmt::format("\"{}\": this factory has no fabric level \"{}\"{}", key, *level,
                      spec::suggestion(*level, levels)));
  }
  if (report.findings.size() > before) return;
  JobSpec whole = job;
  if (whole.limit.count() == 0) whole.limit = hours(1);  // Else the server's own, whatever that is.
  if (const std::expected<JobRequest, live::Refusal> request = live::request_of(whole, fleet); !request)
    add(request.error().message);
}

/// `factory`: that of --fleet.
void check_job(const JobSpec& job, const Law& law, const spec::Scenario* factory, FileReport& report) {
  check_wishes(job.law, law, factory != nullptr, report);
  if (factory != nullptr) check_names(job, factory->fleet, report);
}

FileReport check_file(const std::string& path, const spec::Catalog& catalog, const Law& law,
                      const spec::Scenario* factory) {
  FileReport report;
  report.file = path;
  const spec::Checked<std::string> text = spec::read_text_file(path);
  if (!text) {
    report.findings = text.error();
    return report;
  }
  if (is_job_json(*text) || spec::looks_like_job(*text)) {
    report.kind = "job";
    const spec::Checked<JobSpec> job = parse_job_source(*text, path);
    if (job) {
      report.contents = contents_of(*job);
      check_job(*job, law, factory, report);
    } else {
      report.findings = job.error();
    }
    return report;
  }
  if (live::looks_like_prices(*text)) {
    report.kind = "price file";
    const spec::Checked<live::Prices> prices = live::parse_prices(*text, path);
    if (prices) report.contents = counted(prices->size(), "price plan");
    if (!prices) report.findings = prices.error();
    return report;
  }
  if (spec::looks_like_catalog(*text)) {
    report.kind = "catalog";
    const spec::Checked<spec::CatalogFile> file = spec::parse_catalog_file(*text, path);
    if (file) report.contents = contents_of(*file);
    if (!file) report.findings = file.error();
    return report;
  }
  if (is_script(*text)) {
    report.kind = "sbatch script";
    const spec::Checked<spec::SbatchJob> script = spec::parse_sbatch(*text, path);
    report.findings = script ? script->unsupported : script.error();
    for (Diagnostic& finding : report.findings) {
      if (finding.severity == spec::Severity::kError) continue;  // The others are not supported.
      finding.severity = spec::Severity::kError;
      finding.message += " (gw submit goes on without it by --skip-unsupported)";
    }
    if (!script) return report;
    report.contents = contents_of(script->job);
    report.findings.insert(report.findings.end(), script->warnings.begin(), script->warnings.end());
    check_job(script->job, law, factory, report);
    return report;
  }
  const spec::Checked<spec::Scenario> scenario = spec::parse_scenario(*text, path, catalog);
  if (scenario) {
    report.contents = contents_of(*scenario);
    report.findings = scenario->warnings;
    if (scenario->tenants.size() <= 1) report.kind = "fleet";
    check_work(*scenario, path, report.findings);
  } else {
    report.findings = scenario.error();
  }
  return report;
}

void print_json(const std::vector<FileReport>& reports) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const FileReport& report : reports) {
    nlohmann::ordered_json findings = nlohmann::ordered_json::array();
    for (const Diagnostic& finding : report.findings) {
      findings.push_back({{"severity", finding.severity == spec::Severity::kError ? "error" : "warning"},
                          {"file", finding.file},
                          {"line", finding.at.line},
                          {"column", finding.at.column},
                          {"message", finding.message}});
    }
    files.push_back({{"file", report.file},
                     {"kind", report.kind},
                     {"valid", report.errors() == 0},
                     {"errors", report.errors()},
                     {"warnings", report.findings.size() - report.errors()},
                     {"findings", findings}});
  }
  fmt::print("{}\n", json_out(nlohmann::ordered_json{{"files", files}}));
}

void print_text(const std::vector<FileReport>& reports) {
  std::size_t errors = 0;
  std::size_t warnings = 0;
  std::size_t bad = 0;
  for (const FileReport& report : reports) {
    for (const Diagnostic& finding : report.findings) fmt::print("{}\n", report::printable(finding.text()));
    if (report.errors() == 0) fmt::print("{}: valid {}: {}\n", report.file, report.kind, report.contents);
    errors += report.errors();
    warnings += report.findings.size() - report.errors();
    if (report.errors() > 0) ++bad;
  }
  if (bad == 0 && reports.size() == 1 && warnings == 0) return;  // Its one line says it all.
  fmt::print("{}, {} valid: {}, {}\n", counted(reports.size(), "file"), reports.size() - bad,
             counted(errors, "error"), counted(warnings, "warning"));
}

}  // namespace

void add_validate_command(CLI::App& app, AppContext& context) {
  struct Options {
    std::vector<std::string> files;
    std::string fleet;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "validate",
      "Check scenario, fleet, catalog, price and job files and sbatch scripts, and name every mistake");
  command->group(kGroupInspect);
  command->add_option("FILE", options->files, "Files to check")->required()->type_name("FILE");
  command
      ->add_option(
          "--fleet", options->fleet,
          "Check what jobs name against this factory: GPU types, fabric levels, classes of data, places")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Each finding is FILE:LINE:COLUMN: what is wrong; what would be right. Exits with 1 if a file has an "
      "error;\n"
      "warnings do not count. What gw submit and gw simulate refuse is an error. Without --fleet, a class of "
      "data\n"
      "is an error where it is nearly one that the catalog's rules name, else a warning.");
  set_action(*command, context, [options]() -> Result<ExitCode> {
    const Result<spec::Catalog> catalog = load_catalog();
    if (!catalog) return std::unexpected(catalog.error());
    Law law;
    std::optional<spec::Scenario> factory;
    if (!options->fleet.empty()) {
      Result<spec::Scenario> read = load_scenario(options->fleet);
      if (!read) return std::unexpected(read.error());
      factory.emplace(std::move(*read));
      law = factory->law;
    } else {
      spec::Findings findings("catalog");
      law = spec::build_law(catalog->rules, catalog->country_groups, findings);
    }
    std::vector<FileReport> reports;
    bool good = true;
    for (const std::string& file : options->files) {
      reports.push_back(check_file(file, *catalog, law, factory ? &*factory : nullptr));
      good = good && reports.back().errors() == 0;
    }
    options->json ? print_json(reports) : print_text(reports);
    return good ? ExitCode::ok : ExitCode::failed;
  });
}

}  // namespace gw
