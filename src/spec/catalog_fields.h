// The fields of the catalog's records: one description for the reader, the schema and the reference.
#pragma once

#include "spec/catalog.h"
#include "spec/described.h"
#include "spec/law_fields.h"

namespace gw::spec {

inline constexpr std::string_view kQualities[] = {"A", "B", "C", "R"};
inline constexpr std::string_view kQualityHelp =
    "How well the figures are known. A: read in a primary table; B: primary with recalled columns, or good "
    "secondary; "
    "C: secondary; R: recalled.";

template <class Visitor>
void describe(Visitor& visit, GpuEntry& gpu) {
  GpuType& type = gpu.type;
  visit.field("name", type.name, {.help = "Key that files refer to.", .required = true, .text = Text::kName});
  visit.field("title", type.title, {.help = "As the vendor writes it.", .required = true});
  visit.field("vendor", type.vendor, {.help = "Who makes it.", .required = true});
  visit.field("form", gpu.form, {.help = "SXM, PCIe, OAM, superchip, ..."});
  visit.field(
      "launched", gpu.launched,
      {.help = "Year of the first shipments.", .min = 2000, .max = 2100, .default_text = "not given"});
  visit.field("dense_bf16", type.dense_bf16_tflops,
              {.help = "Peak matrix rate in bf16, dense.", .unit = Unit::kTflops, .min = 0, .max = 1e7});
  visit.field("dense_fp8", type.dense_fp8_tflops,
              {.help = "Peak matrix rate in fp8, dense.", .unit = Unit::kTflops, .min = 0, .max = 1e7});
  visit.field("dense_fp4", type.dense_fp4_tflops,
              {.help = "Peak matrix rate in fp4, dense.", .unit = Unit::kTflops, .min = 0, .max = 1e7});
  visit.field(
      "measured_bf16", gpu.measured_bf16_tflops,
      {.help = "Largest bf16 matrix rate that was measured.", .unit = Unit::kTflops, .min = 0, .max = 1e7});
  visit.field(
      "measured_fp8", gpu.measured_fp8_tflops,
      {.help = "Largest fp8 matrix rate that was measured.", .unit = Unit::kTflops, .min = 0, .max = 1e7});
  visit.field("memory", type.memory, {.help = "Device memory.", .required = true});
  visit.field("memory_bandwidth", type.memory_tb_s,
              {.help = "Of the device memory.", .unit = Unit::kTbytePerSecond, .min = 0, .max = 1e5});
  visit.field(
      "measured_memory_bandwidth", gpu.measured_memory_tb_s,
      {.help = "Largest copy rate that was measured.", .unit = Unit::kTbytePerSecond, .min = 0, .max = 1e5});
  visit.field("scaleup_bandwidth", type.scaleup_gbyte_s,
              {.help = "NVLink or like, per GPU in one direction.",
               .unit = Unit::kGbytePerSecond,
               .min = 0,
               .max = 1e6});
  visit.field("scaleup_domain", type.scaleup_domain_gpus,
              {.help = "GPUs that NVLink or like connects.", .min = 1, .max = 1e6});
  visit.field("network_bandwidth", gpu.network_gbit_s,
              {.help = "Scale-out network per GPU in one direction.",
               .unit = Unit::kGbitPerSecond,
               .min = 0,
               .max = 1e6});
  visit.field(
      "equivalents", gpu.equivalents,
      {.help =
           "What one counts for in quotas in GPU-equivalents; 1 for the type that others are measured by.",
       .min = 0.001,
       .max = 1000});
  visit.field("power_max", type.power_max,
              {.help = "Thermal design power of one GPU.", .min = 0, .max = 1e9});
  visit.field("power_idle", type.power_idle, {.help = "Of one idle GPU.", .min = 0, .max = 1e9});
  visit.field("power_floor", gpu.power_floor,
              {.help = "Least share of the power that work draws above idle to which its clocks may be "
                       "capped; 1 = never capped.",
               .min = 0.1,
               .max = 1});
  visit.field("floor_speed", gpu.floor_speed,
              {.help = "How fast work goes at `power_floor`, as a share; between, it is linear. The power of "
                       "switching goes with the cube of the clock: 0.6 of it gives 0.84.",
               .min = 0.1,
               .max = 1});
  visit.field("quality", gpu.quality, {.help = kQualityHelp, .choices = kQualities});
  visit.field("source", type.source, {.help = "Where the figures are from.", .required = true});
  visit.field("notes", gpu.notes, {.help = "Traps in the figures."});
}

template <class Visitor>
void describe(Visitor& visit, NodeEntry& node) {
  visit.field("name", node.name, {.help = "Key that files refer to.", .required = true, .text = Text::kName});
  visit.field("title", node.title, {.help = "As the vendor writes it."});
  visit.field("gpu", node.gpu,
              {.help = "GPU type, by name.", .text = Text::kName, .default_text = "no type"});
  visit.field("gpus", node.gpus, {.help = "GPUs in one node.", .required = true, .min = 0, .max = 64});
  visit.field("cores", node.cores,
              {.help = "Processor cores; 0 = not tracked, never binds.", .min = 0, .max = 1e6});
  visit.field("memory", node.memory,
              {.help = "Main memory; left out = not tracked, never binds.", .default_text = "not tracked"});
  visit.field("power_max", node.power_max, {.help = "The whole node at full load.", .min = 0, .max = 1e10});
  visit.field("power_idle", node.power_idle, {.help = "The whole node, idle.", .min = 0, .max = 1e10});
  visit.field(
      "per_rack", node.per_rack,
      {.help = "Nodes in a rack of a rack-scale system; 0 = as the hall allows.", .min = 0, .max = 1000});
  visit.field("quality", node.quality, {.help = kQualityHelp, .choices = kQualities});
  visit.field("source", node.source, {.help = "Where the figures are from."});
  visit.field("notes", node.notes, {.help = "Traps in the figures."});
}

template <class Visitor>
void describe(Visitor& visit, ExpertsSpec& experts) {
  visit.field("count", experts.count,
              {.help = "Routed experts per layer.", .required = true, .min = 1, .max = 1e6});
  visit.field("active", experts.active,
              {.help = "Routed experts per token.", .required = true, .min = 1, .max = 1e6});
  visit.field("shared", experts.shared, {.help = "Experts that see every token.", .max = 1e6});
  visit.field("ffn", experts.ffn,
              {.help = "Inner size of one expert.", .required = true, .min = 1, .max = 1e8});
  visit.field("dense_layers", experts.dense_layers, {.help = "First layers without experts.", .max = 1e5});
}

template <class Visitor>
void describe(Visitor& visit, LatentAttentionSpec& latent) {
  visit.field("query_rank", latent.query_rank,
              {.help = "Compressed query size.", .required = true, .min = 1, .max = 1e6});
  visit.field("key_value_rank", latent.key_value_rank,
              {.help = "Compressed key and value size.", .required = true, .min = 1, .max = 1e6});
  visit.field("head_plain", latent.head_plain,
              {.help = "Query and key dimensions per head without position.",
               .required = true,
               .min = 1,
               .max = 1e6});
  visit.field("head_rotary", latent.head_rotary,
              {.help = "Dimensions with rotary position.", .required = true, .min = 1, .max = 1e6});
  visit.field("head_value", latent.head_value,
              {.help = "Value dimensions per head.", .required = true, .min = 1, .max = 1e6});
}

template <class Visitor>
void describe(Visitor& visit, ModelEntry& model) {
  visit.field("name", model.name,
              {.help = "Key that files refer to.", .required = true, .text = Text::kName});
  visit.field("title", model.title, {.help = "As its makers write it.", .required = true});
  visit.field("layers", model.layers,
              {.help = "Transformer blocks.", .required = true, .min = 1, .max = 1e5});
  visit.field("hidden", model.hidden,
              {.help = "Size of the residual stream.", .required = true, .min = 1, .max = 1e7});
  visit.field("heads", model.heads, {.help = "Query heads.", .required = true, .min = 1, .max = 1e5});
  visit.field("kv_heads", model.kv_heads,
              {.help = "Key and value heads.", .min = 1, .max = 1e5, .default_text = "as heads"});
  visit.field("head_size", model.head_size,
              {.help = "Dimensions per head.", .min = 1, .max = 1e5, .default_text = "hidden / heads"});
  visit.field("ffn", model.ffn, {.help = "Inner size of the dense feed-forward layers.", .max = 1e8});
  visit.field("vocabulary", model.vocabulary, {.help = "Tokens.", .required = true, .min = 1, .max = 1e8});
  visit.field("context", model.context, {.help = "Longest sequence in tokens.", .max = 1e9});
  visit.field("gated", model.gated, {.help = "Three feed-forward matrices (SwiGLU) rather than two."});
  visit.field("tied_embeddings", model.tied_embeddings, {.help = "The output layer is the embedding."});
  visit.field("biases", model.biases, {.help = "Every linear layer and norm has biases."});
  visit.field("query_key_value_biases", model.query_key_value_biases,
              {.help = "Only the attention's inputs have biases."});
  visit.field("query_key_norms", model.query_key_norms,
              {.help = "Queries and keys are normalised per head."});
  visit.field("learned_positions", model.learned_positions,
              {.help = "Rows of a learned position table.", .max = 1e9});
  visit.field("window", model.window,
              {.help = "Tokens that layers with a sliding window (or chunks) look back; 0 = all look back "
                       "to the beginning.",
               .max = 1e9});
  visit.field("windowed_layers", model.windowed_layers,
              {.help = "How many layers have that window.", .max = 1e5});
  visit.field("experts", model.experts, {.help = "Mixture of experts.", .default_text = "dense"});
  visit.field("latent_attention", model.latent_attention,
              {.help = "Multi-head latent attention.", .default_text = "grouped-query attention"});
  visit.field("parameters", model.parameters,
              {.help = "In all, as published.", .required = true, .min = 1, .max = 1e15});
  visit.field("active_parameters", model.active_parameters,
              {.help = "Per token, as published; 0 = all.", .min = 0, .max = 1e15});
  visit.field("source", model.source, {.help = "Model card or paper.", .required = true});
}

template <class Visitor>
void describe(Visitor& visit, RhythmSpec& rhythm) {
  visit.field("name", rhythm.name,
              {.help = "Key that classes refer to.", .required = true, .text = Text::kName});
  visit.field("hour", rhythm.hour,
              {.help = "24 weights by local hour of day.",
               .min = 0,
               .max = 1e6,
               .items_min = 24,
               .items_max = 24,
               .default_text = "all 1"});
  visit.field("weekday", rhythm.weekday,
              {.help = "7 weights, Monday first.",
               .min = 0,
               .max = 1e6,
               .items_min = 7,
               .items_max = 7,
               .default_text = "all 1"});
  visit.field("source", rhythm.source, {.help = "Where the figures are from."});
}

template <class Visitor>
void describe(Visitor& visit, DurationSpec& duration) {
  visit.field("median", duration.part.median_s,
              {.help = "Median run time.",
               .required = true,
               .unit = Unit::kSeconds,
               .min = 0,
               .max = 1e9,
               .above_min = true});
  visit.field("sigma", duration.part.sigma,
              {.help = "Standard deviation of ln(run time).", .min = 0, .max = 10});
  visit.field("share", duration.part.share, {.help = "Weight of this part.", .min = 0, .max = 1e9});
}

template <class Visitor>
void describe(Visitor& visit, LimitSpec& limit) {
  LimitModel& model = limit.model;
  visit.field("exact_share", model.exact_share,
              {.help = "Share of jobs that ask for nearly what they use.", .min = 0, .max = 1});
  visit.field("default_share", model.default_share,
              {.help = "Share that asks for the default limit.", .min = 0, .max = 1});
  visit.field("median_factor", model.median_factor,
              {.help = "Median of limit over run time, for the others.", .min = 1, .max = 1e6});
  visit.field("sigma", model.sigma,
              {.help = "Standard deviation of ln(limit over run time).", .min = 0, .max = 10});
  visit.field("default", model.default_s,
              {.help = "The class's default limit.",
               .unit = Unit::kSeconds,
               .min = 0,
               .max = 1e9,
               .above_min = true});
  visit.field("max", model.max_s,
              {.help = "Longest limit that is allowed.",
               .unit = Unit::kSeconds,
               .min = 0,
               .max = 1e9,
               .above_min = true});
}

inline constexpr std::string_view kWorkKinds[] = {"training", "perception", "robotics", "cfd"};
inline constexpr std::string_view kPrecisions[] = {"fp16", "bf16", "fp8", "mxfp8", "nvfp4"};
inline constexpr std::string_view kWorkLayouts[] = {"best"};
inline constexpr std::string_view kWorkShardings[] = {"optimizer", "full"};

template <class Visitor>
void describe(Visitor& visit, WorkLayoutSpec& layout) {
  constexpr double kMost = 100'000;
  visit.shorthand("choose");
  visit.field("choose", layout.choose,
              {.help = "`best`: the fastest that fits, for each number of GPUs.",
               .choices = kWorkLayouts,
               .default_text = "by the other keys"});
  visit.field("tensor", layout.tensor, {.help = "Tensor parallel.", .min = 1, .max = kMost});
  visit.field("pipeline", layout.pipeline, {.help = "Pipeline stages.", .min = 1, .max = kMost});
  visit.field("context", layout.context, {.help = "Context parallel.", .min = 1, .max = kMost});
  visit.field("expert", layout.expert, {.help = "Expert parallel.", .min = 1, .max = kMost});
  visit.field("micro_batch", layout.micro_batch,
              {.help = "Sequences of one replica at a time.", .min = 1, .max = kMost});
  visit.field("sharding", layout.sharding,
              {.help = "What is spread over replicas: the optimizer's state, or weights and gradients too.",
               .choices = kWorkShardings});
  visit.field("recompute", layout.recompute, {.help = "Forward passes are done again in the backward pass."});
}

template <class Visitor>
void describe(Visitor& visit, WorkSpec& work) {
  visit.field("kind", work.kind,
              {.help = "Training of a transformer (`model`), of a vision model on images (perception), "
                       "simulation of robots, or fluid dynamics.",
               .choices = kWorkKinds,
               .default_text = "training"});
  visit.field("model", work.model,
              {.help = "Which transformer is trained: a model of the catalog.",
               .text = Text::kName,
               .default_text = "none"});
  visit.field("precision", work.precision, {.help = "Of its matrix products.", .choices = kPrecisions});
  visit.field("sequence", work.sequence, {.help = "Tokens in a sequence.", .min = 1, .max = 1e7});
  visit.field("batch", work.batch, {.help = "Sequences in one step, on all GPUs.", .min = 1, .max = 1e7});
  constexpr double kMostUnits = 1e18;
  visit.field("tokens", work.tokens,
              {.help = "How much one job trains.",
               .min = 0,
               .max = kMostUnits,
               .above_min = true,
               .default_text = "by `durations`"});
  visit.field("steps", work.steps,
              {.help = "The same in steps.",
               .min = 0,
               .max = kMostUnits,
               .above_min = true,
               .default_text = "by `durations`"});
  visit.field("samples", work.samples,
              {.help = "How much one job of the other kinds does: images, steps of robots, updates of cells.",
               .min = 0,
               .max = kMostUnits,
               .above_min = true,
               .default_text = "by `durations`"});
  visit.field("layout", work.layout,
              {.help = "How the training is spread over GPUs.", .default_text = "best"});
  visit.field("per_gpu", work.per_gpu,
              {.help = "Images, robots or cells that one GPU has at a time; 0 = the source's.",
               .min = 0,
               .max = 1e12});
  visit.field(
      "cost", work.cost,
      {.help = "What a sample costs, over an image of 224 x 224 in ResNet-50, a step of the G1 robot, or a "
               "D3Q19 cell.",
       .min = 1e-6,
       .max = 1e9});
  visit.field(
      "parameters", work.parameters,
      {.help = "Of the model whose gradients are exchanged; 0 = the source's.", .min = 0, .max = 1e13});
  visit.at_most_one({"tokens", "steps", "samples"});
}

template <class Visitor>
void describe(Visitor& visit, JobClassSpec& spec) {
  JobClass& job = spec.job_class;
  visit.field("name", job.name,
              {.help = "Key that tenants refer to.", .required = true, .text = Text::kName});
  visit.field("title", job.title, {.help = "For reports."});
  visit.field("sizes", spec.sizes,
              {.help = "Share of jobs by number of GPUs.", .required = true, .items_min = 1});
  visit.field(
      "durations", spec.durations,
      {.help = "Run times: a mixture of log-normal parts. With `work`, where the jobs are at their best.",
       .items_min = 1,
       .items_max = 100,
       .default_text = "by the amount that `work` names"});
  visit.field("duration_min", job.duration_min_s,
              {.help = "Shortest run time.", .unit = Unit::kSeconds, .min = 0, .max = 1e9});
  visit.field("duration_max", job.duration_max_s,
              {.help = "Longest run time.", .unit = Unit::kSeconds, .min = 0, .max = 1e9, .above_min = true});
  visit.field("duration_size_exponent", job.duration_size_exponent,
              {.help = "Run times scale with GPUs to this power.", .min = -3, .max = 3});
  visit.field("rhythm", spec.rhythm,
              {.help = "Rhythm of arrivals, by name.", .text = Text::kName, .default_text = "even"});
  visit.field("limit", spec.limit, {.help = "How wrong users' time limits are."});
  visit.field("failed_share", job.failed_share, {.help = "Share that fails by itself.", .min = 0, .max = 1});
  visit.field(
      "failed_early", job.failed_early,
      {.help = "A failing job ends at its duration times u^this, u uniform in (0, 1].", .min = 0, .max = 20});
  visit.field("cancelled_share", job.cancelled_share,
              {.help = "Share that the user cancels.", .min = 0, .max = 1});
  visit.field("burst_mean", job.burst_mean,
              {.help = "Mean number of jobs submitted together.", .min = 1, .max = 1e6});
  visit.field("gpu_milli_share", job.gpu_milli_share,
              {.help = "Share of one-GPU jobs that ask for a part of a GPU.", .min = 0, .max = 1});
  visit.field("priority", job.priority, {.help = "Larger is sooner.", .min = -1e6, .max = 1e6});
  visit.field("checkpoint_interval", job.checkpoint_interval_s,
              {.help = "Time between checkpoints; 0s = none.", .unit = Unit::kSeconds, .min = 0, .max = 1e9});
  visit.field("preemptible", job.preemptible, {.help = "May be stopped for others' sake."});
  visit.field("power_typical", job.power_typical,
              {.help = "What a job draws on average, as a share of what lies between idle and nameplate.",
               .min = 0.001,
               .max = 1});
  visit.field("power_peak", job.power_peak, {.help = "What it draws at most.", .min = 0.001, .max = 1});
  visit.field(
      "gpu_types", job.gpu_types,
      {.help = "GPU types that will do, best first; none = any.", .text = Text::kName, .items_max = 64});
  visit.field("level", job.level, {.help = "Fabric level that should hold the job.", .text = Text::kName});
  visit.field("level_required", job.level_required, {.help = "Wait rather than span more than `level`."});
  visit.field("cpus_per_gpu", spec.cores_per_gpu,
              {.help = "Processor cores per GPU; 0 = no wish.", .min = 0, .max = 1e4});
  visit.field("memory_per_gpu", job.memory_mib_per_gpu,
              {.help = "Main memory per GPU.",
               .unit = Unit::kMebibytes,
               .min = 0,
               .max = 1e9,
               .default_text = "no wish"});
  visit.field("residency", job.law.residency,
              {.help = "Countries or groups where its code, data, checkpoints and outputs may be.",
               .text = Text::kName,
               .items_max = 300,
               .default_text = "anywhere"});
  visit.field("excluded_jurisdictions", job.law.excluded_jurisdictions,
              {.help = "No site that answers to one of these.",
               .text = Text::kName,
               .items_max = 300,
               .default_text = "none"});
  visit.field("certifications", job.law.certifications,
              {.help = "Only sites that have all of these.",
               .text = Text::kName,
               .items_max = 100,
               .default_text = "none"});
  visit.field("data", job.law.data,
              {.help = "Classes of its data that rules look at: personal, german-health, ...",
               .text = Text::kName,
               .items_max = 100,
               .default_text = "none"});
  visit.field(
      "segment", job.segment,
      {.help = "Gangs are blocks of so many nodes, each inside one part of the fleet's lowest level; 0 "
               "= no blocks.",
       .min = 0,
       .max = 1e6});
  visit.field("exclusive", job.exclusive,
              {.help = "Fabric level, or `node`, of which jobs have whole ones to themselves.",
               .text = Text::kName,
               .default_text = "none"});
  visit.field(
      "spread", job.spread,
      {.help = "Fabric level over which gangs are spread.", .text = Text::kName, .default_text = "none"});
  visit.field("spread_required", job.spread_required,
              {.help = "Wait rather than have more than an even share in one."});
  visit.field("keep_on_failure", job.keep_on_failure,
              {.help = "Gangs that lose a node go on with a spare one, if there is one near."});
  visit.field(
      "elastic_factor", job.elastic_factor,
      {.help = "Gangs are elastic: as many nodes as were drawn are the least, this many times as many the "
               "most; 1 = they are not.",
       .min = 1,
       .max = 1e6});
  visit.field(
      "elastic_scaling", job.elastic_scaling,
      {.help = "What each node of an elastic gang beyond the least adds, as a share of what one of those "
               "does.",
       .min = 0.001,
       .max = 1});
  visit.field("flexible", job.flexible_share,
              {.help = "Share of its jobs that may wait for a cheaper or greener hour (`power`: `price`, "
                       "`carbon`).",
               .min = 0,
               .max = 1});
  visit.field("slack", job.slack_s,
              {.help = "The deadline of those: so long after their submission and time limit together.",
               .unit = Unit::kSeconds,
               .min = 0,
               .max = 1e9});
  visit.field(
      "work", spec.work,
      {.help = "What its jobs compute; they run as fast as physics says.", .default_text = "not said"});
  visit.field("source", job.source, {.help = "Study that the figures are fitted to."});
}

inline constexpr std::string_view kPriceItems[] = {"gpu",     "server",      "network", "storage", "building",
                                                   "cooling", "grid",        "land",    "energy",  "staff",
                                                   "transit", "maintenance", "rental",  "exchange"};
inline constexpr std::string_view kPriceUnits[] = {
    "USD/GPU",     "EUR/GPU",      "USD/MW",       "EUR/MW",     "USD/MWh",   "EUR/MWh",   "USD/MW/year",
    "EUR/MW/year", "USD/GPU/year", "EUR/GPU/year", "share/year", "USD/GPU-h", "EUR/GPU-h", "USD/EUR"};
inline constexpr std::string_view kDepreciations[] = {"straight-line", "declining"};

template <class Visitor>
void describe(Visitor& visit, PriceEntry& price) {
  visit.field(
      "item", price.item,
      {.help =
           "What is bought. `gpu`, `server` (the rest of it), `network` and `storage`: per GPU; `building` "
           "(with power distribution), `cooling`, `grid` and `land`: per MW of facility power; `energy`: "
           "per MWh; `staff`: per MW and year; `transit`: per GPU and year; `maintenance`: a share of the "
           "price of machines per year; `rental`: per GPU-hour; `exchange`: dollars for a euro.",
       .required = true,
       .choices = kPriceItems});
  visit.field(
      "gpu", price.gpu,
      {.help = "GPU type, by name.", .text = Text::kName, .default_text = "all without a row of their own"});
  visit.field("value", price.value, {.help = "The price.", .required = true, .min = -1e12, .max = 1e12});
  visit.field("unit", price.unit,
              {.help = "What `value`, `low` and `high` count.", .required = true, .choices = kPriceUnits});
  visit.field("low", price.low,
              {.help = "About 19 of 20 prices lie from here",
               .min = -1e12,
               .max = 1e12,
               .default_text = "0.75 value"});
  visit.field("high", price.high,
              {.help = "to here.", .min = -1e12, .max = 1e12, .default_text = "1.25 value"});
  visit.field("date", price.date,
              {.help = "When it held.",
               .required = true,
               .pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
               .example = "2025-08-28"});
  visit.field("yearly", price.yearly,
              {.help = "Change in a year, for purchases at another date: -0.1 becomes a tenth cheaper.",
               .min = -0.9,
               .max = 1});
  visit.field("life", price.life, {.help = "Years until it is worn out; 0 = never.", .min = 0, .max = 200});
  visit.field("depreciation", price.depreciation,
              {.help = "`declining`: twice the rate of a straight line, of what is left.",
               .choices = kDepreciations});
  visit.field("quality", price.quality, {.help = kQualityHelp, .choices = kQualities});
  visit.field("source", price.source, {.help = "Where the price is from."});
  visit.field("notes", price.notes, {.help = "Traps in the price."});
}

template <class Visitor>
void describe(Visitor& visit, CatalogFile& file) {
  visit.field("gpus", file.gpus, {.help = "Accelerator types."});
  visit.field("nodes", file.nodes, {.help = "Kinds of servers."});
  visit.field("models", file.models, {.help = "Model architectures."});
  visit.field("rhythms", file.rhythms, {.help = "Daily and weekly rhythms of arrivals."});
  visit.field("classes", file.classes, {.help = "Kinds of work."});
  visit.field("country_groups", file.country_groups, {.help = "Countries under one name."});
  visit.field("rules", file.rules, {.help = "Rules on who may run where, for files to take by name."});
  visit.field("prices", file.prices, {.help = "What a factory buys."});
}

}  // namespace gw::spec
