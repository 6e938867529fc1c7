// Catalog: the GPU and node types, model architectures and job classes that files refer to by name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/fleet.h"
#include "model/law.h"
#include "model/workload_mix.h"
#include "spec/described.h"
#include "spec/diagnostic.h"
#include "spec/law_spec.h"

namespace gw::spec {

/// An accelerator: what the model keeps of it and what else is known.
struct GpuEntry {
  static constexpr std::string_view kRecord = "gpu";
  static constexpr std::string_view kHelp = "An accelerator type. Rates are dense (without sparsity).";
  GpuType type;
  double equivalents = 1;
  std::string form;
  std::uint32_t launched = 0;
  double measured_bf16_tflops = 0;
  double measured_fp8_tflops = 0;
  double measured_memory_tb_s = 0;
  double network_gbit_s = 0;
  double power_floor = 0.6;
  double floor_speed = 0.82;
  std::string quality;
  std::string notes;
  Mark at;
};

/// A kind of server.
struct NodeEntry {
  static constexpr std::string_view kRecord = "node";
  static constexpr std::string_view kHelp =
      "A kind of server (or, in a rack-scale system, one of its trays).";
  std::string name;
  std::string title;
  Located<std::string> gpu;  ///< Empty: no GPU type (a node without GPUs, or GPUs of no particular type).
  std::uint32_t gpus = 0;
  double cores = 0;
  Bytes memory;
  Milliwatts power_max;
  Milliwatts power_idle;
  std::uint32_t per_rack = 0;  ///< Of a rack-scale system; 0 = as the hall allows.
  std::string quality;
  std::string source;
  std::string notes;
  Mark at;
};

/// A mixture of experts.
struct ExpertsSpec {
  static constexpr std::string_view kRecord = "experts";
  static constexpr std::string_view kHelp = "The mixture of experts in a model's layers.";
  std::uint32_t count = 0;
  std::uint32_t active = 0;
  std::uint32_t shared = 0;
  std::uint32_t ffn = 0;
  std::uint32_t dense_layers = 0;  ///< First layers that are not mixtures.
};

/// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434).
struct LatentAttentionSpec {
  static constexpr std::string_view kRecord = "latent_attention";
  static constexpr std::string_view kHelp =
      "Multi-head latent attention: sizes of its compressed vectors and heads.";
  std::uint32_t query_rank = 0;
  std::uint32_t key_value_rank = 0;
  std::uint32_t head_plain = 0;   ///< Key and query dimensions per head without position.
  std::uint32_t head_rotary = 0;  ///< Dimensions with rotary position, shared by all heads for keys.
  std::uint32_t head_value = 0;
};

/// A transformer's architecture.
struct ModelEntry {
  static constexpr std::string_view kRecord = "model";
  static constexpr std::string_view kHelp = "The architecture of a decoder-only transformer.";
  std::string name;
  std::string title;
  std::uint32_t layers = 0;
  std::uint32_t hidden = 0;
  std::uint32_t heads = 0;
  std::optional<std::uint32_t> kv_heads;   ///< Absent: as many as heads.
  std::optional<std::uint32_t> head_size;  ///< Absent: hidden / heads.
  std::uint32_t ffn = 0;                   ///< Of dense layers; 0 where every layer is a mixture.
  std::uint32_t vocabulary = 0;
  std::uint32_t context = 0;
  bool gated = true;             ///< Three feed-forward matrices (SwiGLU) rather than two.
  bool tied_embeddings = false;  ///< The output layer is the embedding.
  bool biases = false;           ///< On every linear layer, and norms with biases (GPT-2 and GPT-3).
  bool query_key_value_biases = false;
  bool query_key_norms = false;
  std::uint32_t learned_positions = 0;
  std::uint32_t window = 0;           ///< Tokens that layers with a window look back; 0 = no such layers.
  std::uint32_t windowed_layers = 0;  ///< How many layers have it.
  std::optional<ExpertsSpec> experts;
  std::optional<LatentAttentionSpec> latent_attention;
  double parameters = 0;         ///< As published.
  double active_parameters = 0;  ///< Per token, as published; 0 = all.
  std::string source;
  Mark at;

  /// Parameters by the architecture's own arithmetic, in all or used per token.
  [[nodiscard]] double computed_parameters(bool active_only = false) const;
};

/// Work that comes and goes with the day and the week.
struct RhythmSpec {
  static constexpr std::string_view kRecord = "rhythm";
  static constexpr std::string_view kHelp =
      "How much more or less work arrives by hour and weekday, relative to the mean.";
  std::string name;
  std::vector<double> hour = std::vector<double>(24, 1.0);
  std::vector<double> weekday = std::vector<double>(7, 1.0);
  std::string source;
  Mark at;
};

struct DurationSpec {
  static constexpr std::string_view kRecord = "duration";
  static constexpr std::string_view kHelp = "One log-normal part of a class's run times.";
  DurationComponent part;
};

struct LimitSpec {
  static constexpr std::string_view kRecord = "limit";
  static constexpr std::string_view kHelp = "How wrong users' time limits are.";
  LimitModel model;
};

/// How a training run is spread over GPUs.
struct WorkLayoutSpec {
  static constexpr std::string_view kRecord = "work_layout";
  static constexpr std::string_view kHelp =
      "How a training run is spread over its GPUs; data parallel by what is left.";
  std::string choose;
  std::uint32_t tensor = 1;
  std::uint32_t pipeline = 1;
  std::uint32_t context = 1;
  std::uint32_t expert = 1;
  std::uint32_t micro_batch = 1;
  std::string sharding = "optimizer";
  bool recompute = false;
  Mark at;
};

/// What jobs compute.
struct WorkSpec {
  static constexpr std::string_view kRecord = "work";
  static constexpr std::string_view kHelp =
      "What the class's jobs compute: they then run as fast as physics says for the place they got "
      "(docs/physics-twin.md).";
  std::string kind;
  Located<std::string> model;
  std::string precision = "bf16";
  std::uint32_t sequence = 4096;
  std::uint32_t batch = 512;
  std::optional<double> tokens;
  std::optional<double> steps;
  std::optional<double> samples;
  std::optional<WorkLayoutSpec> layout;
  double per_gpu = 0;
  double cost = 1;
  double parameters = 0;
  Mark at;
};

/// A kind of work, as JobClass but with names in place of indices.
struct JobClassSpec {
  static constexpr std::string_view kRecord = "job_class";
  static constexpr std::string_view kHelp = "A kind of work with its sizes, durations and habits.";
  JobClass job_class;  ///< Without sizes, durations, limit and rhythm, which stand below.
  Shares sizes;        ///< By number of GPUs.
  std::vector<DurationSpec> durations;
  Located<std::string> rhythm;
  LimitSpec limit;
  double cores_per_gpu = 0;
  std::optional<WorkSpec> work;
  Mark at;
};

/// What something costs, from a date on.
struct PriceEntry {
  static constexpr std::string_view kRecord = "price";
  static constexpr std::string_view kHelp =
      "What something costs at a date. Of an item the newest row up to the purchase holds.";
  std::string item;
  Located<std::string> gpu;  ///< Empty: for every GPU type without a row of its own.
  double value = 0;
  std::string unit;
  std::optional<double> low;
  std::optional<double> high;
  std::string date;
  double yearly = 0;
  double life = 0;
  std::string depreciation = "straight-line";
  std::string quality;
  std::string source;
  std::string notes;
  Mark at;
  Day day = 0;  ///< Of `date`, once it was read.
};

/// The contents of one file in the catalog.
struct CatalogFile {
  static constexpr std::string_view kRecord = "catalog";
  static constexpr std::string_view kHelp =
      "A file of the catalog: types that scenario files refer to by name.";
  std::vector<GpuEntry> gpus;
  std::vector<NodeEntry> nodes;
  std::vector<ModelEntry> models;
  std::vector<RhythmSpec> rhythms;
  std::vector<JobClassSpec> classes;
  std::vector<CountryGroupSpec> country_groups;
  std::vector<RuleSpec> rules;
  std::vector<PriceEntry> prices;
};

using Catalog = CatalogFile;

/// The entry with that name, or nullptr.
template <class Entry>
const Entry* find_entry(const std::vector<Entry>& entries, std::string_view name);
[[nodiscard]] std::string_view entry_name(const GpuEntry& entry);
[[nodiscard]] std::string_view entry_name(const NodeEntry& entry);
[[nodiscard]] std::string_view entry_name(const ModelEntry& entry);
[[nodiscard]] std::string_view entry_name(const RhythmSpec& entry);
[[nodiscard]] std::string_view entry_name(const JobClassSpec& entry);
[[nodiscard]] std::string_view entry_name(const CountryGroupSpec& entry);
[[nodiscard]] std::string_view entry_name(const RuleSpec& entry);

template <class Entry>
const Entry* find_entry(const std::vector<Entry>& entries, std::string_view name) {
  for (const Entry& entry : entries) {
    if (entry_name(entry) == name) return &entry;
  }
  return nullptr;
}

template <class Entry>
std::vector<std::string> entry_names(const std::vector<Entry>& entries) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) names.emplace_back(entry_name(entry));
  return names;
}

/// Where the catalog is: $GIGAWERK_SHARE/catalog; `../share/gigawerk/catalog` seen from the program;
/// `catalog` in the program's folder or one above it (a source checkout), else in the working directory or
/// one above it. Empty where there is none.
std::filesystem::path default_catalog_folder();

/// Reads gpus.yaml, nodes.yaml, models.yaml, job-classes.yaml, jurisdictions.yaml, rules.yaml and prices.yaml
/// in `folder` (default_catalog_folder() if empty).
Checked<Catalog> read_catalog(const std::filesystem::path& folder = {});

/// One file of a catalog, for checking it by itself.
Checked<CatalogFile> parse_catalog_file(std::string_view text, const std::string& file);

/// Whether a text is meant as a catalog file: it has a catalog's keys and no fleet.
bool looks_like_catalog(std::string_view text);

/// The text of a file, or an error that says why not.
Checked<std::string> read_text_file(const std::string& path);

}  // namespace gw::spec
