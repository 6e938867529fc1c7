// `gw catalog`: the GPU and node types and model architectures that files refer to by name.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/app.h"
#include "cli/commands.h"
#include "cli/spec_files.h"
#include "cli/text_table.h"
#include "spec/catalog.h"

namespace gw {

namespace {

using Json = nlohmann::ordered_json;

std::string number_or_gap(double number, std::string_view unit) {
  return number == 0 ? std::string() : fmt::format("{:g}{}", number, unit);
}

/// `405.9 B`: parameters in units of 10^9.
std::string billions(double parameters) {
  return parameters == 0 ? "" : fmt::format("{:.4g} B", parameters * 1e-9);
}

/// Adds a key where something is known.
void add_known(Json& entry, const char* key, double number) {
  if (number != 0) entry[key] = number;
}
void add_known(Json& entry, const char* key, const std::string& text) {
  if (!text.empty()) entry[key] = text;
}

Json json_of(const spec::GpuEntry& gpu) {
  const GpuType& type = gpu.type;
  Json entry = {{"name", type.name}, {"title", type.title}, {"vendor", type.vendor}};
  add_known(entry, "form", gpu.form);
  add_known(entry, "launched", gpu.launched);
  add_known(entry, "dense_bf16_tflops", type.dense_bf16_tflops);
  add_known(entry, "dense_fp8_tflops", type.dense_fp8_tflops);
  add_known(entry, "dense_fp4_tflops", type.dense_fp4_tflops);
  add_known(entry, "measured_bf16_tflops", gpu.measured_bf16_tflops);
  add_known(entry, "measured_fp8_tflops", gpu.measured_fp8_tflops);
  entry["memory_bytes"] = type.memory.count();
  add_known(entry, "memory_tb_s", type.memory_tb_s);
  add_known(entry, "measured_memory_tb_s", gpu.measured_memory_tb_s);
  add_known(entry, "scaleup_gbyte_s", type.scaleup_gbyte_s);
  entry["scaleup_domain_gpus"] = type.scaleup_domain_gpus;
  add_known(entry, "network_gbit_s", gpu.network_gbit_s);
  add_known(entry, "power_max_w", static_cast<double>(type.power_max.count()) * 1e-3);
  add_known(entry, "power_idle_w", static_cast<double>(type.power_idle.count()) * 1e-3);
  add_known(entry, "quality", gpu.quality);
  add_known(entry, "source", type.source);
  add_known(entry, "notes", gpu.notes);
  return entry;
}

Json json_of(const spec::NodeEntry& node) {
  Json entry = {{"name", node.name}};
  add_known(entry, "title", node.title);
  add_known(entry, "gpu", node.gpu.value);
  entry["gpus"] = node.gpus;
  add_known(entry, "cores", node.cores);
  add_known(entry, "memory_bytes", static_cast<double>(node.memory.count()));
  add_known(entry, "power_max_w", static_cast<double>(node.power_max.count()) * 1e-3);
  add_known(entry, "power_idle_w", static_cast<double>(node.power_idle.count()) * 1e-3);
  add_known(entry, "per_rack", node.per_rack);
  add_known(entry, "quality", node.quality);
  add_known(entry, "source", node.source);
  add_known(entry, "notes", node.notes);
  return entry;
}

Json json_of(const spec::ModelEntry& model) {
  Json entry = {{"name", model.name},     {"title", model.title},
                {"layers", model.layers}, {"hidden", model.hidden},
                {"heads", model.heads},   {"kv_heads", model.kv_heads.value_or(model.heads)}};
  add_known(entry, "head_size", model.head_size ? *model.head_size : model.hidden / model.heads);
  add_known(entry, "ffn", model.ffn);
  entry["vocabulary"] = model.vocabulary;
  add_known(entry, "context", model.context);
  if (model.experts) {
    entry["experts"] = {{"count", model.experts->count},
                        {"active", model.experts->active},
                        {"shared", model.experts->shared},
                        {"ffn", model.experts->ffn},
                        {"dense_layers", model.experts->dense_layers}};
  }
  entry["parameters"] = model.parameters;
  entry["active_parameters"] = model.active_parameters == 0 ? model.parameters : model.active_parameters;
  entry["computed_parameters"] = model.computed_parameters();
  entry["source"] = model.source;
  return entry;
}

template <class Entry>
void print_json(const std::vector<Entry>& entries) {
  Json list = Json::array();
  for (const Entry& entry : entries) list.push_back(json_of(entry));
  fmt::print("{}\n", json_out(list));
}

void print_table(const std::vector<spec::GpuEntry>& gpus) {
  TextTable table("llrrrrrrrrl");
  table.add(
      {"NAME", "TITLE", "BF16", "FP8", "FP4", "MEMORY", "TB/s", "SCALE-UP", "DOMAIN", "POWER", "KNOWN"});
  for (const spec::GpuEntry& gpu : gpus) {
    const GpuType& type = gpu.type;
    table.add({type.name, type.title, number_or_gap(type.dense_bf16_tflops, ""),
               number_or_gap(type.dense_fp8_tflops, ""), number_or_gap(type.dense_fp4_tflops, ""),
               size_text(static_cast<double>(type.memory.count())), number_or_gap(type.memory_tb_s, ""),
               number_or_gap(type.scaleup_gbyte_s, " GB/s"), fmt::format("{}", type.scaleup_domain_gpus),
               type.power_max.count() == 0 ? "" : power_text(static_cast<double>(type.power_max.count())),
               gpu.quality});
  }
  fmt::print(
      "{}\nRates are dense TFLOP/s. KNOWN: A read in a primary table, B derived or secondary in part, C "
      "secondary, "
      "R recalled.\nSources: gw catalog gpus --json\n",
      table.text());
}

void print_table(const std::vector<spec::NodeEntry>& nodes) {
  TextTable table("llrlrrrrl");
  table.add({"NAME", "TITLE", "GPUS", "TYPE", "CORES", "MEMORY", "IDLE", "MAX", "KNOWN"});
  for (const spec::NodeEntry& node : nodes) {
    const auto power = [](Milliwatts watts) {
      return watts.count() == 0 ? std::string() : power_text(static_cast<double>(watts.count()));
    };
    table.add({node.name, node.title, fmt::format("{}", node.gpus), node.gpu.value,
               number_or_gap(node.cores, ""), node.memory.count() == 0 ? "" : spec::amount_text(node.memory),
               power(node.power_idle), power(node.power_max), node.quality});
  }
  fmt::print("{}\nSources: gw catalog nodes --json\n", table.text());
}

void print_table(const std::vector<spec::ModelEntry>& models) {
  TextTable table("llrrrrrrrrr");
  table.add({"NAME", "TITLE", "LAYERS", "HIDDEN", "HEADS", "KV", "FFN", "EXPERTS", "VOCABULARY", "PARAMETERS",
             "ACTIVE"});
  for (const spec::ModelEntry& model : models) {
    const std::string experts = model.experts ? fmt::format("{} of {} x {}", model.experts->active,
                                                            model.experts->count, model.experts->ffn)
                                              : "";
    table.add({model.name, model.title, fmt::format("{}", model.layers), fmt::format("{}", model.hidden),
               fmt::format("{}", model.heads), fmt::format("{}", model.kv_heads.value_or(model.heads)),
               number_or_gap(model.ffn, ""), experts, fmt::format("{}", model.vocabulary),
               billions(model.parameters), billions(model.active_parameters)});
  }
  fmt::print("{}\nSources: gw catalog models --json\n", table.text());
}

template <class Entry>
void add_list(CLI::App& parent, AppContext& context, const char* name, const char* help,
              std::vector<Entry> spec::Catalog::* entries) {
  CLI::App* command = parent.add_subcommand(name, help);
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON: all figures, with their sources");
  set_action(*command, context, [json, entries]() -> Result<ExitCode> {
    const Result<spec::Catalog> catalog = load_catalog();
    if (!catalog) return std::unexpected(catalog.error());
    *json ? print_json((*catalog).*entries) : print_table((*catalog).*entries);
    return ExitCode::ok;
  });
}

}  // namespace

void add_catalog_command(CLI::App& app, AppContext& context) {
  CLI::App* command =
      app.add_subcommand("catalog", "List the GPU types, node types and models that gw knows");
  command->group(kGroupInspect);
  command->require_subcommand(1);
  add_list(*command, context, "gpus", "Accelerators: rates, memory, links, power", &spec::Catalog::gpus);
  add_list(*command, context, "nodes", "Kinds of servers: GPUs, cores, memory, power", &spec::Catalog::nodes);
  add_list(*command, context, "models", "Model architectures: layers, sizes, parameters",
           &spec::Catalog::models);
}

}  // namespace gw
