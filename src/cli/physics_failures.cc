// `gw physics failures`: how often a job of that size is interrupted, and what of its time is left.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <memory>
#include <optional>

#include "cli/app.h"
#include "cli/physics_basis.h"
#include "cli/physics_types.h"
#include "cli/text_table.h"
#include "physics/checkpoint.h"
#include "physics/goodput.h"
#include "report/text.h"
#include "spec/unit_text.h"

namespace gw {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string gpu = "h100";
  std::uint32_t gpus = 8;
  std::uint32_t per_node = 0;
  double days = 30;
  std::string model;
  std::string checkpoint;
  double storage_gbyte_s = 0;
  double node_gbyte_s = 0;
  std::string interval = "auto";
  std::string spares = "auto";
  std::uint64_t seed = 1;
  bool synchronous = false;
  bool unscreened = false;
  bool json = false;
};

struct NamedShare {
  const char* key;
  const char* title;
  double physics::TimeShares::* share;
};
constexpr std::array kLost = {
    NamedShare{"checkpoint", "checkpoints", &physics::TimeShares::checkpoint},
    NamedShare{"lost_work", "work done again", &physics::TimeShares::lost_work},
    NamedShare{"detection", "detection", &physics::TimeShares::detection},
    NamedShare{"swap", "nodes swapped or awaited", &physics::TimeShares::swap},
    NamedShare{"restart", "restart", &physics::TimeShares::restart},
    NamedShare{"read", "reading checkpoints", &physics::TimeShares::read},
};

/// All that the answer is made of.
struct Outlook {
  physics::Accelerator gpu;
  Basis basis;
  physics::FailureSetting setting;
  physics::JobFailures failures;
  physics::CheckpointTimes checkpoint;
  physics::GoodputInput input;
  std::uint32_t spares = 0;
  physics::Estimate mtbf;
  physics::Estimate goodput;
  physics::Estimate count;
  physics::TimeShares shares;

  /// No job of that size has been published: intervals only.
  [[nodiscard]] bool beyond() const { return setting.gpus > physics::kLargestPublishedJob; }
  /// What checkpoints cost is known: else there is no best interval, and goodput is a bound.
  [[nodiscard]] bool saves() const { return checkpoint.bytes > 0; }
  bool interval_given = false;
};

Result<double> checkpoint_size(const Options& options, const physics::KnownTypes& known) {
  if (!options.model.empty() && !options.checkpoint.empty())
    return fail("--model and --checkpoint both say how large a checkpoint is; give one of them");
  if (!options.model.empty()) {
    const Result<physics::ModelShape> model = find_model(known, options.model);
    if (!model) return std::unexpected(model.error());
    return physics::checkpoint_bytes(*model);
  }
  if (options.checkpoint.empty()) return 0.0;
  const std::optional<double> bytes = spec::parse_amount(options.checkpoint, spec::Unit::kMessageBytes);
  if (!bytes || *bytes <= 0)
    return fail(fmt::format("--checkpoint {}: write a size, such as 2.3 TB", options.checkpoint));
  return *bytes;
}

Result<Outlook> outlook_of(const Options& options) {
  const Result<physics::KnownTypes> known = known_types();
  if (!known) return std::unexpected(known.error());
  Result<physics::Accelerator> gpu = find_gpu(*known, options.gpu);
  if (!gpu) return std::unexpected(gpu.error());
  const Result<double> bytes = checkpoint_size(options, *known);
  if (!bytes) return std::unexpected(bytes.error());
  Outlook outlook;
  outlook.gpu = *std::move(gpu);
  physics::FailureSetting& setting = outlook.setting;
  setting.generation = outlook.gpu.generation;
  setting.own_generation = outlook.gpu.own_generation;
  setting.gpus = options.gpus;
  setting.gpus_per_node = options.per_node > 0 ? options.per_node : physics::usual_gpus_per_node(outlook.gpu);
  setting.screened = !options.unscreened;
  outlook.failures = physics::job_failures(setting);
  physics::GoodputInput& input = outlook.input;
  input.mtbf_s = outlook.failures.mtbf_s();
  if (*bytes <= 0 && options.storage_gbyte_s > 0)
    return fail(
        "--storage-gb-s says how fast a checkpoint is written; say also how large it is: --model or "
        "--checkpoint");
  if (*bytes > 0) {
    if (options.storage_gbyte_s <= 0)
      return fail("a checkpoint needs --storage-gb-s, the bandwidth of the storage it goes to, in GB/s");
    physics::CheckpointStorage storage;
    storage.total_bytes_s = options.storage_gbyte_s * 1e9;
    storage.node_bytes_s = options.node_gbyte_s > 0
                               ? options.node_gbyte_s * 1e9
                               : physics::usual_node_storage(outlook.gpu, setting.gpus_per_node);
    storage.snapshot_gpu_bytes_s = options.synchronous ? 0 : physics::kSnapshotGpuBytesS;
    outlook.checkpoint = physics::checkpoint_times(*bytes, setting.gpus, setting.nodes(), storage);
  }
  outlook.basis = failures_basis(outlook.gpu, options.gpus, *bytes > 0 && options.node_gbyte_s <= 0);
  input.pause_s = outlook.checkpoint.pause_s;
  input.behind_s = outlook.checkpoint.behind_s;
  input.recovery = physics::usual_recovery(setting.gpus);
  input.recovery.read_s = outlook.checkpoint.read_s;
  const double nodes_per_hour = outlook.failures.nodes_per_hour();
  const double repair_s = physics::mean_repair_s();
  if (options.spares == "auto") {
    outlook.spares = physics::enough_spares(nodes_per_hour, repair_s);
  } else {
    const std::optional<double> count = spec::parse_number(options.spares);
    if (!count || *count < 0 || *count > 1e6 || *count != std::floor(*count))
      return fail(fmt::format("--spares {}: write auto or a number of nodes", options.spares));
    outlook.spares = static_cast<std::uint32_t>(*count);
  }
  input.recovery.swap_s = physics::swap_seconds(nodes_per_hour, repair_s, outlook.spares) * nodes_per_hour /
                          outlook.failures.total_per_hour();
  if (options.interval == "auto") {
    input.interval_s = physics::best_interval(input);
  } else {
    const std::optional<double> minutes = spec::parse_number(options.interval);
    if (!minutes || *minutes < 0.01 || *minutes > 1e6)
      return fail(
          fmt::format("--interval {}: write auto or minutes between 0.01 and 1000000", options.interval));
    input.interval_s = *minutes * 60;
    outlook.interval_given = true;
    if (input.interval_s < input.behind_s)
      return fail(fmt::format(
          "--interval {}: a checkpoint takes {} to write, and the next would begin before; take a "
          "longer interval or more --storage-gb-s",
          options.interval, report::format_duration(input.behind_s)));
  }
  outlook.shares = physics::time_shares(input);
  outlook.mtbf = physics::mtbf_interval(outlook.failures);
  outlook.goodput = physics::goodput_interval(input, outlook.failures, options.days, options.seed);
  outlook.count = physics::count_interval(outlook.failures.total_per_hour() * 24 * options.days,
                                          outlook.failures.sigma, options.seed);
  return outlook;
}

Json json_of(const physics::Estimate& interval, bool beyond) {
  Json json = {{"expected", interval.expected}, {"low", interval.low}, {"high", interval.high}};
  if (beyond) json["expected"] = nullptr;
  return json;
}

void print_json(const Options& options, const Outlook& outlook) {
  const bool beyond = outlook.beyond();
  Json json = {{"gpu", outlook.gpu.name},
               {"gpus", options.gpus},
               {"nodes", outlook.setting.nodes()},
               {"days", options.days},
               {"basis", json_of(outlook.basis)},
               {"beyond_published", beyond},
               {"mtbf_s", json_of(outlook.mtbf, beyond)},
               {"interruptions", json_of(outlook.count, beyond)},
               {"goodput", json_of(outlook.goodput, beyond)},
               {"spares", outlook.spares},
               {"checkpoint_bytes", outlook.checkpoint.bytes},
               {"pause_s", outlook.input.pause_s},
               {"write_behind_s", outlook.input.behind_s},
               {"goodput_is_upper_bound", !outlook.saves()},
               {"interval_s", nullptr},
               {"young_interval_s", nullptr}};
  if (outlook.saves() || outlook.interval_given) json["interval_s"] = outlook.input.interval_s;
  if (outlook.saves()) json["young_interval_s"] = physics::young_interval(outlook.input);
  for (int i = 0; i < physics::kFailureCauses; ++i) {
    const double expected = outlook.failures.per_hour[static_cast<std::size_t>(i)] * 24 * options.days;
    json["causes"].push_back(
        {{"cause", physics::failure_cause_name(static_cast<physics::FailureCause>(i))},
         {"interruptions",
          json_of(physics::count_interval(expected, outlook.failures.sigma, options.seed), beyond)}});
  }
  for (const NamedShare& each : kLost) json["lost"][each.key] = outlook.shares.*each.share;
  fmt::print("{}\n", json_out(json));
}

/// `3.1 h (1.3 h to 7.3 h)`, or without the first where nothing of that size is published.
template <class Text>
std::string interval_text(const physics::Estimate& interval, bool beyond, const Text& text) {
  const std::string range = fmt::format("{} to {}", text(interval.low), text(interval.high));
  return beyond ? range : fmt::format("{} ({})", text(interval.expected), range);
}

/// Whole gigabytes of a large one.
std::string size_text(double bytes) {
  constexpr double kGigabyte = 1e9;
  return spec::amount_text(bytes < 10 * kGigabyte ? bytes : std::round(bytes / kGigabyte) * kGigabyte,
                           spec::Unit::kMessageBytes);
}

void print_text(const Options& options, const Outlook& outlook) {
  const bool beyond = outlook.beyond();
  const auto percent = [](double share) {
    return share > 0.9995 && share < 1 ? fmt::format("{:.4f} %", 100 * share)
                                       : fmt::format("{:.1f} %", 100 * share);
  };
  const auto count_text = [](const physics::Estimate& count) {
    return count.high < 0.5 ? "0" : fmt::format("{:.0f} to {:.0f}", count.low, count.high);
  };
  // Small jobs are interrupted far less than once: two digits of it, however small.
  const auto expected_text = [](double expected) {
    return expected >= 0.995 ? fmt::format("{:.1f}", expected) : fmt::format("{:.2g}", expected);
  };
  fmt::print("{} x {} in {:.0f} nodes over {:g} days; intervals of 95 %\n", options.gpus, outlook.gpu.name,
             std::ceil(outlook.setting.nodes()), options.days);
  fmt::print("interrupted every {}\n", interval_text(outlook.mtbf, beyond, report::format_duration));
  fmt::print("goodput {}{}\n\n", outlook.saves() ? "" : "without what checkpoints cost, at most: ",
             interval_text(outlook.goodput, beyond, percent));
  TextTable causes("lrr");
  causes.add({"CAUSE", beyond ? "" : "INTERRUPTIONS", "95 %"});
  const auto add = [&](std::string_view name, const physics::Estimate& count) {
    causes.add({std::string(name), beyond ? "" : expected_text(count.expected), count_text(count)});
  };
  for (int i = 0; i < physics::kFailureCauses; ++i) {
    const double expected = outlook.failures.per_hour[static_cast<std::size_t>(i)] * 24 * options.days;
    add(physics::failure_cause_name(static_cast<physics::FailureCause>(i)),
        physics::count_interval(expected, outlook.failures.sigma, options.seed));
  }
  add("in all", outlook.count);
  fmt::print("{}\n", causes.text());
  if (outlook.checkpoint.bytes > 0) {
    fmt::print("a checkpoint of {} pauses the job for {}{}; best interval {} (Young: {})\n",
               size_text(outlook.checkpoint.bytes), report::format_duration(outlook.input.pause_s),
               outlook.input.behind_s > 0
                   ? fmt::format(" and is written {} later", report::format_duration(outlook.input.behind_s))
                   : "",
               report::format_duration(physics::best_interval(outlook.input)),
               report::format_duration(physics::young_interval(outlook.input)));
  } else {
    fmt::print(
        "what checkpoints cost, and so the best interval between them, is left out: give --model or "
        "--checkpoint, and --storage-gb-s\n");
  }
  if (outlook.saves() || outlook.interval_given)
    fmt::print("interval {}, ", report::format_duration(outlook.input.interval_s));
  fmt::print("{} spare nodes\n\n", outlook.spares);
  const auto lost_text = [](double share) {
    return share > 0 && share < 0.1 ? fmt::format("{:.2g} %", share) : fmt::format("{:.2f} %", share);
  };
  TextTable lost("lr");
  lost.add({"LOST TO", beyond ? "SHARE (MIDDLE OF THE INTERVAL)" : "SHARE"});
  for (const NamedShare& each : kLost) lost.add({each.title, lost_text(100 * (outlook.shares.*each.share))});
  fmt::print("{}", lost.text());
  print_basis(outlook.basis);
}

}  // namespace

void add_physics_failures_command(CLI::App& physics, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = physics.add_subcommand(
      "failures", "Interruptions of a job by cause, and the share of its time that is left");
  command->add_option("--gpu", options->gpu, "GPU type of the catalog")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--gpus", options->gpus, "GPUs of the job")
      ->check(whole_number(1, 10'000'000))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--per-node", options->per_node, "GPUs in a node, instead of what is usual for the type")
      ->check(whole_number(1, 64))
      ->type_name("N");
  command->add_option("--days", options->days, "How long the job runs")
      ->check(number(0.01, 36'500))
      ->type_name("DAYS")
      ->capture_default_str();
  command->add_option("--model", options->model, "Model of the catalog whose state is saved")
      ->type_name("NAME");
  command->add_option("--checkpoint", options->checkpoint, "Size of a checkpoint, in place of --model")
      ->type_name("SIZE");
  command->add_option("--storage-gb-s", options->storage_gbyte_s, "What the storage takes in all, GB/s")
      ->check(number(1e-3, 1e9))
      ->type_name("GB/S");
  command
      ->add_option("--node-gb-s", options->node_gbyte_s,
                   "What one node moves to storage, GB/s; a quarter of its network if not given")
      ->check(number(1e-3, 1e6))
      ->type_name("GB/S");
  command->add_option("--interval", options->interval, "Minutes of work between checkpoints, or auto")
      ->type_name("MIN")
      ->capture_default_str();
  command->add_option("--spares", options->spares, "Spare nodes, or auto: as many as are hardly ever all out")
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--synchronous", options->synchronous, "The job waits until a checkpoint is written");
  command->add_flag("--unscreened", options->unscreened,
                    "Nodes that fail again and again were not taken out");
  command->add_option("--seed", options->seed, "Of the draws behind the intervals")
      ->check(whole_number(0, kAnyWhole))
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  set_action(*command, context, [options]() -> Result<ExitCode> {
    const Result<Outlook> outlook = outlook_of(*options);
    if (!outlook) return std::unexpected(outlook.error());
    if (options->json)
      print_json(*options, *outlook);
    else
      print_text(*options, *outlook);
    return ExitCode::ok;
  });
}

}  // namespace gw
