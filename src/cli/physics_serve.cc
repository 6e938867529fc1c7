// `gw physics serve`: what a serving replica yields, how long users wait, and how many replicas a load needs.
#include "cli/physics_serve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/app.h"
#include "cli/physics_serve_search.h"
#include "cli/physics_types.h"
#include "workload/request_trace.h"

namespace gw {
namespace {

struct PoolOptions {
  std::string gpu;
  std::uint32_t gpus = 0;
  std::uint32_t tensor = 0;
  std::uint32_t data = 0;
  std::uint32_t expert = 0;
};

struct Options {
  std::string model;
  PoolOptions pool{.gpu = "h100"};
  PoolOptions prompts;
  bool disaggregated = false;
  double prompt_replicas = 1;
  std::string precision = "bf16";
  std::string cache_precision;
  std::string engine;
  std::string cooling = "air";
  double outside_c = 15;
  double carbon = 0;
  std::uint32_t batch = 0;
  std::uint32_t input = 1000;
  std::uint32_t output = 200;
  double spread = 0;
  double rate = 0;
  std::string trace;
  double scale = 1;
  std::uint32_t requests = 4000;
  std::uint64_t seed = 1;
  double first_token_ms = 0;
  double per_token_ms = 0;
  double percentile = 99;
  std::uint32_t replicas = 0;
  bool search = false;
  std::uint32_t gpus_max = 0;
  std::uint32_t top = 5;
  bool json = false;
};

constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
constexpr std::uint32_t kMostReplicas = 100'000;
// Without targets, replicas are counted so that none is fuller than this.
constexpr double kFullness = 0.9;

/// Names that the answer refers to.
struct Subject {
  physics::ModelShape model;
  physics::Accelerator gpu;
  physics::Accelerator prompt_gpu;
};

physics::ServingLayout layout_of(const PoolOptions& options, std::uint32_t gpus, bool mixture) {
  physics::ServingLayout layout;
  layout.data = std::max(1U, options.data);
  layout.tensor = options.tensor != 0 ? options.tensor : std::max(1U, gpus / layout.data);
  layout.expert = options.expert != 0 ? options.expert : (mixture ? layout.tensor * layout.data : 1);
  return layout;
}

/// The deployment as asked for; without any count, the fewest GPUs (a power of two) that hold one request.
Result<physics::Deployment> deployment_of(const PoolOptions& options, const physics::Deployment& base,
                                          double tokens) {
  physics::Deployment deployment = base;
  const bool mixture = deployment.model->mixture();
  const bool given = options.gpus != 0 || options.tensor != 0 || options.data != 0;
  for (std::uint32_t gpus = std::max(1U, options.gpus);; gpus *= 2) {
    deployment.layout = layout_of(options, gpus, mixture);
    if (!given && mixture && deployment.model->experts.count % deployment.layout.expert != 0) break;
    if (const Result<void> sound = physics::check_deployment(deployment); !sound)
      return std::unexpected(sound.error());
    if (physics::cache_sequences(deployment, tokens) >= 1) return deployment;
    if (given || gpus >= 1024) break;
  }
  const physics::ServingMemory memory = physics::serving_memory(deployment);
  if (memory.fits())
    return fail(fmt::format(
        "{:.0f} x {} hold the weights, but no request of {:.0f} tokens: it needs {:.1f} GiB of cache on each "
        "GPU and there are {:.1f}; give more --gpus, --tp or another --kv-precision",
        deployment.layout.gpus(), deployment.gpu->name, tokens,
        physics::cache_bytes_kept(deployment, tokens) / kGibibyte, memory.cache() / kGibibyte));
  return fail(
      fmt::format("{} in {} does not fit on {:.0f} x {}: short by {:.1f} GiB on each GPU ({:.1f} GiB needed, "
                  "{:.1f} there); "
                  "give more --gpus or another --precision",
                  deployment.model->name, physics::weight_format_name(deployment.weights),
                  deployment.layout.gpus(), deployment.gpu->name, memory.short_by() / kGibibyte,
                  (memory.weights + memory.workspace) / kGibibyte, memory.available / kGibibyte));
}

Result<void> check_counts(const PoolOptions& options, const char* prefix) {
  const std::uint32_t product = std::max(1U, options.tensor) * std::max(1U, options.data);
  if (options.gpus != 0 && options.tensor != 0 && options.gpus != product)
    return fail(fmt::format("--{}gpus {} is not tensor {} x data {} = {}; leave one of them out", prefix,
                            options.gpus, options.tensor, std::max(1U, options.data), product));
  if (options.gpus != 0 && options.data != 0 && options.gpus % options.data != 0)
    return fail(fmt::format("--{}gpus {} does not divide over --{}dp {}", prefix, options.gpus, prefix,
                            options.data));
  return {};
}

Result<std::vector<physics::ServingRequest>> requests_of(const Options& options, ServeAnswer& answer) {
  std::vector<physics::ServingRequest> requests;
  if (options.trace.empty()) {
    answer.input = options.input;
    answer.output = options.output;
    if (options.rate <= 0) return requests;
    answer.rate = options.rate;
    answer.requests_from = fmt::format("{} drawn, seed {}", options.requests, options.seed);
    return physics::random_requests(options.rate, options.input, options.output, options.spread,
                                    options.requests, options.seed);
  }
  const Result<std::unique_ptr<workload::ByteSource>> source = workload::open_file(options.trace);
  if (!source) return std::unexpected(source.error());
  const Result<workload::RequestTrace> trace = workload::read_requests(**source);
  if (!trace) return std::unexpected(trace.error());
  const auto count = static_cast<double>(trace->requests.size());
  double repeated = 0;
  for (const workload::TraceRequest& each : trace->requests) {
    const double at = static_cast<double>(each.arrival.count()) * 1e-9 / options.scale;
    requests.push_back({at, double{1} * each.input, double{1} * each.output});
    answer.input += each.input / count;
    answer.output += each.output / count;
    repeated += each.repeated;
  }
  answer.repeated = repeated / (answer.input * count);
  const double span = requests.back().at_s;
  answer.rate = span > 0 ? count / span : count;
  answer.requests_from = fmt::format("{} of {}, {} left out", trace->requests.size(), options.trace,
                                     trace->counts.rows - trace->counts.accepted);
  return requests;
}

/// All but the layout.
Result<physics::Deployment> base_of(const Options& options, const Subject& subject) {
  physics::Deployment base;
  base.model = &subject.model;
  base.gpu = &subject.gpu;
  base.engine = physics::default_serving_engine(subject.gpu);
  if (!options.engine.empty()) {
    const Result<int> engine = physics::find_serving_engine(options.engine);
    if (!engine) return std::unexpected(engine.error());
    base.engine = *engine;
  }
  for (int i = 0; i < physics::kWeightFormats; ++i) {
    const auto format = static_cast<physics::WeightFormat>(i);
    if (physics::weight_format_name(format) == options.precision) base.weights = format;
  }
  if (base.weights == physics::WeightFormat::kMxfp4 && !subject.model.mixture())
    return fail("--precision mxfp4 narrows experts only, and " + subject.model.name +
                " has none; take nvfp4");
  base.cache_bytes = options.cache_precision == "fp8" ? 1 : 2;
  return base;
}

/// Fills in how the replica is deployed and what its steady state yields.
Result<void> deploy(const Options& options, const Subject& subject, double longest, ServeAnswer& answer) {
  Result<physics::Deployment> found = base_of(options, subject);
  if (!found) return std::unexpected(found.error());
  physics::Deployment& base = *found;
  if (const Result<void> sound = check_counts(options.pool, ""); !sound) return sound;
  const Result<physics::Deployment> deployment = deployment_of(options.pool, base, longest);
  if (!deployment) return std::unexpected(deployment.error());
  answer.pool.deployment = *deployment;
  if (options.disaggregated) {
    base.gpu = &subject.prompt_gpu;
    if (const Result<void> sound = check_counts(options.prompts, "prompt-"); !sound) return sound;
    const Result<physics::Deployment> prompts = deployment_of(options.prompts, base, answer.input);
    if (!prompts) return std::unexpected(prompts.error());
    answer.pool.prompt_deployment = *prompts;
    answer.pool.prompt_replicas = options.prompt_replicas;
  }
  return {};
}

void compute_steady_state(const Options& options, ServeAnswer& answer) {
  const physics::ServingCalibration& calibration = physics::published_serving_calibration();
  const physics::Deployment& deployment = answer.pool.deployment;
  const physics::Deployment& prompts =
      answer.pool.disaggregated() ? answer.pool.prompt_deployment : deployment;
  answer.fitting = physics::most_sequences(deployment, answer.input, answer.output);
  answer.load.input = answer.input;
  answer.load.output = answer.output;
  answer.load.sequences = options.batch != 0 ? options.batch : std::max(1.0, std::floor(answer.fitting));
  answer.load.prompts_here = !answer.pool.disaggregated();
  answer.state = physics::steady_state(deployment, answer.load, calibration);
  answer.prompt_s = physics::prompt_seconds(prompts, answer.input, calibration);
  const double chunk = physics::serving_engines()[static_cast<std::size_t>(prompts.engine)].chunk;
  physics::Pass full;
  full.prompt_tokens = std::max(answer.input, chunk * prompts.layout.data);
  full.prompt_context = answer.input / 2;
  answer.prompt_tokens_s = full.prompt_tokens / physics::pass_time(prompts, full, calibration).total;
}

void size(const Options& options, const std::vector<physics::ServingRequest>& requests, ServeAnswer& answer) {
  const physics::ServingCalibration& calibration = physics::published_serving_calibration();
  const bool targets = answer.targets.first_token_s > 0 || answer.targets.per_token_s > 0;
  if (targets && options.trace.empty()) {
    answer.replica_rate = physics::highest_rate(answer.pool, answer.input, answer.output, options.spread,
                                                answer.targets, options.seed, calibration);
    answer.unreachable = *answer.replica_rate <= 0;
  }
  if (requests.empty()) return;
  if (options.replicas != 0) {
    answer.replicas = options.replicas;
    answer.replicas_given = true;
  } else if (targets && !options.trace.empty()) {
    answer.replicas = physics::replicas_for(
        answer.pool, requests, answer.targets,
        std::min<std::uint32_t>(kMostReplicas, static_cast<std::uint32_t>(requests.size())), calibration);
    answer.unreachable = answer.replicas == 0;
  } else {
    physics::ServingLoad full = answer.load;
    full.sequences = std::max(1.0, answer.fitting);
    const double each =
        targets ? *answer.replica_rate
                : kFullness * physics::steady_state(answer.pool.deployment, full, calibration).requests_s;
    if (each > 0)
      answer.replicas =
          static_cast<std::uint32_t>(std::clamp(std::ceil(*answer.rate / each), 1.0, 1.0 * kMostReplicas));
  }
  if (answer.replicas == 0) return;
  if (!options.trace.empty()) {
    answer.queue = physics::simulate_replicas(answer.pool, requests, answer.replicas, calibration);
    return;
  }
  // Drawn requests are alike for all replicas: one of them, with its share of the rate.
  answer.queue = physics::simulate_queue(
      answer.pool,
      physics::random_requests(*answer.rate / answer.replicas, answer.input, answer.output, options.spread,
                               options.requests, options.seed),
      calibration);
  answer.queue.tokens_s *= answer.replicas;
}

Result<ExitCode> search(const Options& options, const Subject& subject) {
  const Result<physics::Deployment> base = base_of(options, subject);
  if (!base) return std::unexpected(base.error());
  if (const Result<void> sound = check_counts(options.pool, ""); !sound)
    return std::unexpected(sound.error());
  physics::ServingSearchOptions wanted;
  wanted.base = *base;
  wanted.prompt_gpu = &subject.prompt_gpu;
  wanted.load = {double{1} * options.input, double{1} * options.output, options.spread, options.seed};
  wanted.targets = {options.first_token_ms * 1e-3, options.per_token_ms * 1e-3, options.percentile};
  wanted.rate = options.rate;
  wanted.keep = options.top;
  wanted.gpus_max = options.gpus_max;
  wanted.gpus = options.pool.gpus;
  wanted.tensor = options.pool.tensor;
  wanted.data = options.pool.data;
  wanted.expert = options.pool.expert;
  wanted.sequences_max = options.batch;
  wanted.together = !options.disaggregated;
  return search_serving(wanted, options.json);
}

Result<ExitCode> serve(const Options& options) {
  if (!options.trace.empty() && options.rate > 0)
    return fail("--rate and --trace are two ways to say what comes; give one (--scale speeds a trace up)");
  const Result<physics::KnownTypes> known = known_types();
  if (!known) return std::unexpected(known.error());
  Subject subject;
  Result<physics::ModelShape> model = find_model(*known, options.model);
  if (!model) return std::unexpected(model.error());
  if (const Result<void> sound = physics::check_shape(*model); !sound) return std::unexpected(sound.error());
  Result<physics::Accelerator> gpu = find_gpu(*known, options.pool.gpu);
  if (!gpu) return std::unexpected(gpu.error());
  Result<physics::Accelerator> prompt_gpu =
      options.prompts.gpu.empty() ? gpu : find_gpu(*known, options.prompts.gpu);
  if (!prompt_gpu) return std::unexpected(prompt_gpu.error());
  subject.model = *std::move(model);
  subject.gpu = *std::move(gpu);
  subject.prompt_gpu = *std::move(prompt_gpu);
  if (options.search) return search(options, subject);
  ServeAnswer answer;
  const Result<std::vector<physics::ServingRequest>> requests = requests_of(options, answer);
  if (!requests) return std::unexpected(requests.error());
  if (const Result<void> there = deploy(options, subject, answer.input + answer.output, answer); !there)
    return std::unexpected(there.error());
  answer.targets = {.first_token_s = options.first_token_ms * 1e-3,
                    .per_token_s = options.per_token_ms * 1e-3,
                    .percentile = options.percentile};
  compute_steady_state(options, answer);
  if (answer.load.sequences > answer.fitting)
    return fail(
        fmt::format("--batch {}: memory and engine allow {:.0f} sequences of {:.0f} + {:.0f} tokens at "
                    "once; give more --gpus or a smaller batch",
                    options.batch, std::floor(answer.fitting), answer.input, answer.output));
  size(options, *requests, answer);
  const Result<physics::Cooling> cooling = physics::find_cooling(options.cooling);
  if (!cooling) return std::unexpected(cooling.error());
  answer.plant.cooling = *cooling;
  answer.weather.outside = physics::Celsius{options.outside_c};
  answer.carbon = physics::CarbonIntensity{options.carbon};
  compute_energy(answer);
  if (options.json)
    print_serve_json(answer);
  else
    print_serve(answer);
  return ExitCode::ok;
}

void add_pool_options(CLI::App& command, PoolOptions& pool, const std::string& prefix, const char* whose) {
  command.add_option("--" + prefix + "gpu", pool.gpu, fmt::format("GPU type of {}", whose))
      ->type_name("NAME");
  const auto count = [&](const char* name, std::uint32_t& value, const std::string& help) {
    command.add_option("--" + prefix + name, value, help)->check(whole_number(1, 100'000))->type_name("N");
  };
  count("gpus", pool.gpus, fmt::format("GPUs of {}; the fewest that hold it if not given", whose));
  count("tp", pool.tensor, "Tensor-parallel GPUs; all if not given");
  count("dp", pool.data, "Data-parallel groups that share experts; 1 if not given");
  count("ep", pool.expert, "GPUs that experts are spread over; all if not given");
}

}  // namespace

void add_physics_serve_command(CLI::App& physics, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      physics.add_subcommand("serve", "Tokens, latencies and replicas of a model that is served");
  command->add_option("MODEL", options->model, "Model of the catalog: gw catalog models")
      ->required()
      ->type_name("NAME");
  add_pool_options(*command, options->pool, "", "a replica");
  command->add_option("--precision", options->precision, "Numbers of the weights")
      ->check(CLI::IsMember({"bf16", "fp8", "mxfp4", "nvfp4"}))
      ->capture_default_str();
  command
      ->add_option("--kv-precision", options->cache_precision,
                   "Numbers of keys and values; bf16 if not given")
      ->check(CLI::IsMember({"bf16", "fp8"}));
  command->add_option("--engine", options->engine, "Serving software, such as vllm-0.11 or trtllm-1.1")
      ->type_name("NAME");
  command
      ->add_option("--batch", options->batch,
                   "Requests at once in the steady state; as many as fit if not given")
      ->check(whole_number(1, 10'000'000))
      ->type_name("N");
  command->add_option("--input", options->input, "Mean tokens of a prompt")
      ->check(whole_number(1, 10'000'000))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--cooling", options->cooling, "How heat leaves the nodes")
      ->check(CLI::IsMember({"air", "rear-door", "direct-liquid", "immersion"}))
      ->capture_default_str();
  command->add_option("--outside-c", options->outside_c, "Temperature outside")
      ->check(number(-40, 60))
      ->type_name("T")
      ->capture_default_str();
  command->add_option("--carbon", options->carbon, "Carbon of the electricity")
      ->check(number(0, 2000))
      ->type_name("G_PER_KWH")
      ->capture_default_str();
  command->add_option("--output", options->output, "Mean tokens of an answer")
      ->check(whole_number(1, 10'000'000))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--spread", options->spread, "Standard deviation of both over the mean; 0 = all alike")
      ->check(number(0, 10))
      ->type_name("FACTOR");
  command->add_option("--rate", options->rate, "Requests per second, in all")
      ->check(number(1e-6, 1e9))
      ->type_name("R");
  command
      ->add_option("--trace", options->trace,
                   "Recorded requests of Azure, BurstGPT or Mooncake, instead of --rate")
      ->type_name("FILE");
  command->add_option("--scale", options->scale, "Let a trace's requests come so many times as fast")
      ->check(number(1e-6, 1e9))
      ->type_name("FACTOR");
  command->add_option("--requests", options->requests, "With --rate: how many are drawn")
      ->check(whole_number(10, 10'000'000))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of the drawn requests")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--ttft", options->first_token_ms, "Target: milliseconds to the first token")
      ->check(number(1e-3, 1e9))
      ->type_name("MS");
  command->add_option("--tpot", options->per_token_ms, "Target: milliseconds for each further token")
      ->check(number(1e-3, 1e9))
      ->type_name("MS");
  command->add_option("--percentile", options->percentile, "Share of requests that must keep the targets")
      ->check(number(1, 100))
      ->type_name("P")
      ->capture_default_str();
  command->add_option("--replicas", options->replicas, "So many, instead of as many as are needed")
      ->check(whole_number(1, kMostReplicas))
      ->type_name("N");
  CLI::Option* apart = command->add_flag("--disaggregated", options->disaggregated,
                                         "Replicas of their own compute the prompts");
  add_pool_options(*command, options->prompts, "prompt-", "a replica that computes prompts");
  command
      ->add_option("--prompt-replicas", options->prompt_replicas, "How many of these for each other replica")
      ->check(number(0.01, 1000))
      ->type_name("X")
      ->capture_default_str();
  for (const char* name :
       {"--prompt-gpu", "--prompt-gpus", "--prompt-tp", "--prompt-dp", "--prompt-ep", "--prompt-replicas"})
    command->get_option(name)->needs(apart);
  CLI::Option* searched = command->add_flag(
      "--search", options->search,
      "The best replicas for the targets: over the degrees that are not given, batch limits, "
      "prompts apart or not; with --rate on the fewest GPUs, else most tokens for each");
  command
      ->add_option("--max-gpus", options->gpus_max,
                   "With --search: most GPUs of a replica; those of a "
                   "scale-up domain if not given")
      ->check(whole_number(1, 1024))
      ->type_name("N")
      ->needs(searched);
  command->add_option("--top", options->top, "With --search: how many to show")
      ->check(whole_number(1, 1000))
      ->type_name("N")
      ->capture_default_str()
      ->needs(searched);
  for (const char* name :
       {"--trace", "--replicas", "--requests", "--prompt-gpus", "--prompt-tp", "--prompt-dp", "--prompt-ep",
        "--prompt-replicas", "--cooling", "--outside-c", "--carbon"})
    command->get_option(name)->excludes(searched);
  command->add_flag("--json", options->json, "Print JSON");
  set_action(*command, context, [options] { return serve(*options); });
}

}  // namespace gw
