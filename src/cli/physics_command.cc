// `gw physics`: how long a training step or a collective takes, and how well that is known.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <memory>

#include "cli/app.h"
#include "cli/commands.h"
#include "cli/physics_basis.h"
#include "cli/physics_types.h"
#include "cli/spec_files.h"
#include "cli/text_table.h"
#include "physics/from_catalog.h"
#include "report/text.h"
#include "spec/near_miss.h"
#include "spec/unit_text.h"
#include "workload/byte_source.h"
#include "workload/rows.h"

namespace gw {

Result<physics::KnownTypes> known_types() {
  const Result<spec::Catalog> catalog = load_catalog();
  if (!catalog) return std::unexpected(catalog.error());
  return physics::known_types_of(*catalog);
}

namespace {

/// A name as people vary it: `Llama3-405B` and `llama-3-405b` are one.
std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char letter : name) {
    if (letter == '-' || letter == '.' || letter == '_' || letter == ' ') continue;
    plain += static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
  }
  return plain;
}

/// The entry of that name, or the only one whose name differs in dashes, dots and capitals alone.
template <class Entry>
Result<Entry> find_named(const std::vector<Entry>& entries, const std::string& name, const char* what,
                         const char* list) {
  std::vector<std::string> names;
  std::vector<const Entry*> alike;
  for (const Entry& each : entries) {
    if (each.name == name) return each;
    names.push_back(each.name);
    if (plain_name(each.name) == plain_name(name)) alike.push_back(&each);
  }
  if (alike.size() == 1) return *alike.front();
  return fail(fmt::format("there is no {} \"{}\" in the catalog{}; see {}", what, name,
                          spec::suggestion(name, names), list));
}

}  // namespace

Result<physics::ModelShape> find_model(const physics::KnownTypes& known, const std::string& name) {
  return find_named(known.models, name, "model", "gw catalog models");
}

Result<physics::Accelerator> find_gpu(const physics::KnownTypes& known, const std::string& name) {
  return find_named(known.accelerators, name, "GPU type", "gw catalog gpus");
}

Result<physics::Precision> find_precision(const std::string& name) {
  for (const physics::Precision each :
       {physics::Precision::kFp16, physics::Precision::kBf16, physics::Precision::kFp8,
        physics::Precision::kMxfp8, physics::Precision::kNvfp4}) {
    if (physics::precision_name(each) == name) return each;
  }
  return fail(fmt::format("there is no precision \"{}\"; take fp16, bf16, fp8, mxfp8 or nvfp4", name));
}

Result<physics::PublishedTable> read_published_table(const std::string& path) {
  Result<std::unique_ptr<workload::ByteSource>> source = workload::open_file(path);
  if (!source) return std::unexpected(source.error());
  const std::unique_ptr<workload::RowSource> rows = workload::csv_rows(**source);
  physics::PublishedTable table;
  workload::Row row;
  for (bool first = true;; first = false) {
    const Result<bool> there = rows->next(row);
    if (!there) return std::unexpected(there.error());
    if (!*there) break;
    if (row.problem != nullptr)
      return fail(fmt::format("{}:{}: {}; mend the row or take it out", path, row.line, row.problem));
    std::vector<std::string> fields(row.fields.begin(), row.fields.end());
    if (first)
      table.columns = std::move(fields);
    else
      table.rows.push_back(std::move(fields));
  }
  return table;
}

namespace {

struct CollectiveOptions {
  std::string operation;
  std::string gpu = "h100";
  std::string bytes = "64 MiB";
  std::uint32_t gpus = 8;
  std::uint32_t per_node = 0;
  std::uint32_t rails = 0;
  double oversubscription = 1;
  bool json = false;
};

constexpr std::array kOperations = {physics::Collective::kAllReduce,     physics::Collective::kAllGather,
                                    physics::Collective::kReduceScatter, physics::Collective::kAllToAll,
                                    physics::Collective::kBroadcast,     physics::Collective::kSendReceive};

Result<ExitCode> collective(const CollectiveOptions& options) {
  const Result<physics::KnownTypes> known = known_types();
  if (!known) return std::unexpected(known.error());
  const Result<physics::Accelerator> gpu = find_gpu(*known, options.gpu);
  if (!gpu) return std::unexpected(gpu.error());
  if (const Result<void> links = physics::check_links(*gpu, options.gpus); !links && options.per_node != 1)
    return std::unexpected(links.error());
  if (options.per_node > 1 && gpu->scaleup_bytes_s <= 0)
    return fail(fmt::format("--domain {}: {} has no scale-up links in the catalog; leave it out",
                            options.per_node, gpu->name));
  const std::optional<double> bytes = spec::parse_amount(options.bytes, spec::Unit::kMessageBytes);
  if (!bytes || *bytes <= 0)
    return fail(fmt::format("--bytes {}: write a size, such as {}", options.bytes,
                            spec::unit_example(spec::Unit::kMessageBytes)));
  physics::Fabric fabric = physics::fabric_of(*gpu);
  if (options.per_node > 0) fabric.domain = options.per_node;
  fabric.rails = options.rails;
  fabric.oversubscription = options.oversubscription;
  const physics::Group group = physics::group_of(fabric, options.gpus);
  const double domains = std::round(group.domains());
  physics::Collective operation = physics::Collective::kAllReduce;
  for (const physics::Collective each : kOperations) {
    if (physics::collective_name(each) == options.operation) operation = each;
  }
  const double seconds = physics::collective_seconds(operation, *bytes, group, fabric);
  const Basis basis = collective_basis(*gpu, group);
  const double bus = physics::bus_bandwidth(operation, *bytes, group, seconds);
  if (options.json) {
    const nlohmann::ordered_json json = {{"operation", options.operation},
                                         {"gpu", gpu->name},
                                         {"gpus", options.gpus},
                                         {"domains", domains},
                                         {"basis", json_of(basis)},
                                         {"bytes", *bytes},
                                         {"seconds", seconds},
                                         {"bus_gbyte_s", bus * 1e-9}};
    fmt::print("{}\n", json_out(json));
    return ExitCode::ok;
  }
  fmt::print("{} of {} between {} x {} in {} scale-up domain{}: {}, {:.4g} GB/s on the bus\n",
             options.operation, spec::amount_text(*bytes, spec::Unit::kMessageBytes), options.gpus, gpu->name,
             domains, domains > 1 ? "s" : "", report::format_duration(seconds), bus * 1e-9);
  print_basis(basis);
  return ExitCode::ok;
}

}  // namespace

void add_physics_collective_command(CLI::App& physics, AppContext& context) {
  auto options = std::make_shared<CollectiveOptions>();
  CLI::App* command = physics.add_subcommand("collective", "Time of one collective operation between GPUs");
  std::vector<std::string> names;
  for (const physics::Collective each : kOperations) names.emplace_back(physics::collective_name(each));
  command->add_option("OPERATION", options->operation, "Which operation")
      ->required()
      ->check(CLI::IsMember(names));
  command->add_option("--gpu", options->gpu, "GPU type of the catalog")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--gpus", options->gpus, "GPUs that take part")
      ->check(whole_number(2, 10'000'000))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--bytes", options->bytes, "Size of one GPU's buffer, as nccl-tests count it")
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_option("--domain", options->per_node, "GPUs in a scale-up domain, instead of the type's own")
      ->check(whole_number(1, 100'000))
      ->type_name("N");
  command->add_option("--rails", options->rails, "Network rails of a domain, instead of one for each GPU")
      ->check(whole_number(1, 100'000))
      ->type_name("N");
  command->add_option("--oversubscription", options->oversubscription, "Of the network beyond a leaf")
      ->check(number(1, 100))
      ->type_name("FACTOR");
  command->add_flag("--json", options->json, "Print JSON");
  set_action(*command, context, [options] { return collective(*options); });
}

void add_physics_command(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand(
      "physics",
      "How fast, how hot, how often broken, at what cost: models of factories, and how well each is known");
  command->group(kGroupInspect);
  command->require_subcommand(1);
  add_physics_train_command(*command, context);
  add_physics_serve_command(*command, context);
  add_physics_collective_command(*command, context);
  add_physics_power_command(*command, context);
  add_physics_link_command(*command, context);
  add_physics_failures_command(*command, context);
  add_physics_cost_command(*command, context);
  add_physics_validate_command(*command, context);
}

}  // namespace gw
