// `gw physics serve`: what a serving replica yields, how long users wait, and how many replicas a load needs.
#include "cli/physics_serve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "cli/app.h"
#include "cli/physics_basis.h"
#include "cli/physics_power.h"
#include "cli/physics_serve_options.h"
#include "cli/physics_serve_search.h"
#include "cli/physics_types.h"
#include "workload/request_trace.h"

namespace gw {
namespace {

// Without targets, replicas are counted so that none is fuller than this.
constexpr double kFullness = 0.9;

Result<std::vector<physics::ServingRequest>> requests_of(const ServeOptions& options, ServeAnswer& answer) {
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

/// Requests a second that the prompt replicas of one replica feed it: answers of one token, which end with
/// their prompt, leave no other bound.
double fed_rate(const ServeAnswer& answer, const physics::ServingCalibration& calibration) {
  physics::RandomLoad prompts;
  prompts.input = answer.input;
  prompts.output = 1;
  return physics::steady_rate(answer.pool, prompts, calibration);
}

/// Fewer sequences than `answer.load` has are under way where prompts come more slowly than answers end.
void feed_steady_state(const physics::ServingCalibration& calibration, ServeAnswer& answer) {
  answer.fed = fed_rate(answer, calibration);
  if (*answer.fed <= 0 || answer.state.requests_s <= *answer.fed) return;
  const physics::Deployment& deployment = answer.pool.deployment;
  physics::ServingLoad load = answer.load;
  const auto state_at = [&](double sequences) {
    load.sequences = sequences;
    return physics::steady_state(deployment, load, calibration);
  };
  double low = 1;
  double high = answer.load.sequences;
  constexpr int kHalvings = 50;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (state_at(middle).requests_s <= *answer.fed ? low : high) = middle;
  }
  answer.state = state_at(low);
  answer.unfed = answer.load.sequences;
  answer.load.sequences = low;
  // Even one at a time ends sooner than the next prompt is there: the replica waits.
  answer.busy = std::min(1.0, *answer.fed / answer.state.requests_s);
  answer.state.tokens_s *= answer.busy;
  answer.state.tokens_s_gpu *= answer.busy;
  answer.state.requests_s *= answer.busy;
}

void compute_steady_state(const ServeOptions& options, ServeAnswer& answer) {
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
  if (answer.pool.disaggregated()) feed_steady_state(calibration, answer);
  answer.prompt_s = physics::prompt_seconds(prompts, answer.input, calibration);
  const double chunk =
      physics::serving_engines()[static_cast<std::size_t>(prompts.engine)].pass_tokens(*prompts.gpu);
  physics::Pass full;
  full.prompt_tokens = std::max(answer.input, chunk * prompts.layout.data);
  full.prompt_context = answer.input / 2;
  answer.prompt_tokens_s = full.prompt_tokens / physics::pass_time(prompts, full, calibration).total;
}

/// Requests a second that a replica ends which is as full as it can be, and fed.
double full_rate(const ServeAnswer& answer, const physics::ServingCalibration& calibration) {
  physics::ServingLoad full = answer.load;
  full.sequences = std::max(1.0, answer.fitting);
  const double ended = physics::steady_state(answer.pool.deployment, full, calibration).requests_s;
  return answer.fed ? std::min(ended, *answer.fed) : ended;
}

Result<void> size(const ServeOptions& options, const std::vector<physics::ServingRequest>& requests,
                  ServeAnswer& answer) {
  const physics::ServingCalibration& calibration = physics::published_serving_calibration();
  const bool targets = answer.targets.first_token_s > 0 || answer.targets.per_token_s > 0;
  if (targets && options.trace.empty()) {
    answer.replica_rate = physics::highest_rate(answer.pool, answer.input, answer.output, options.spread,
                                                answer.targets, options.seed, calibration);
    answer.unreachable = *answer.replica_rate <= 0;
  }
  if (requests.empty()) return {};
  if (options.replicas != 0) {
    answer.replicas = options.replicas;
    answer.replicas_given = true;
  } else if (targets && !options.trace.empty()) {
    answer.replicas = physics::replicas_for(
        answer.pool, requests, answer.targets,
        std::min<std::uint32_t>(kMostReplicas, static_cast<std::uint32_t>(requests.size())), calibration);
    answer.unreachable = answer.replicas == 0;
  } else {
    const double each = targets ? *answer.replica_rate : kFullness * full_rate(answer, calibration);
    const double needed = each > 0 ? std::max(1.0, std::ceil(*answer.rate / each)) : 0;
    if (needed > kMostReplicas)
      return fail(
          fmt::format("{:g} requests/s need {:.3g} replicas, of which each serves {:.3g}: more than {}; "
                      "give a lower --rate or a larger replica",
                      *answer.rate, needed, each, kMostReplicas));
    answer.replicas = static_cast<std::uint32_t>(needed);
  }
  if (answer.replicas == 0) return {};
  if (answer.replicas_given) {
    const double most = full_rate(answer, calibration);
    if (*answer.rate > most * answer.replicas) answer.served_at_most = most * answer.replicas;
  }
  if (!options.trace.empty()) {
    answer.queue = physics::simulate_replicas(answer.pool, requests, answer.replicas, calibration);
    return {};
  }
  // Drawn requests are alike for all replicas: one of them, with its share of the rate.
  answer.queue = physics::simulate_queue(
      answer.pool,
      physics::random_requests(*answer.rate / answer.replicas, answer.input, answer.output, options.spread,
                               options.requests, options.seed),
      calibration);
  answer.queue.tokens_s *= answer.replicas;
  return {};
}

Result<ExitCode> search(const ServeOptions& options, const ServeSubject& subject) {
  const Result<physics::Deployment> base = base_deployment(options, subject);
  if (!base) return std::unexpected(base.error());
  if (const Result<void> sound = check_pool_counts(options.pool, ""); !sound)
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

/// Why what was asked for cannot be, though the answer is printed; nothing where it can.
std::optional<std::string> what_is_not_kept(const ServeAnswer& answer) {
  if (answer.unreachable)
    return fmt::format(
        "no number of such replicas keeps the target; give a longer --ttft or --tpot, or other "
        "replicas (--search finds them)");
  if (answer.served_at_most > 0)
    return fmt::format("--replicas {} serves {:.4g} of {:.4g} requests/s; give more", answer.replicas,
                       answer.served_at_most, *answer.rate);
  if (answer.missed) return fmt::format("--replicas {} does not keep the target; give more", answer.replicas);
  return std::nullopt;
}

Result<ExitCode> serve(const ServeOptions& options) {
  if (!options.trace.empty() && options.rate > 0)
    return fail("--rate and --trace are two ways to say what comes; give one (--scale speeds a trace up)");
  if (options.replicas != 0 && options.trace.empty() && options.rate <= 0)
    return fail("--replicas says how many serve; say also what comes: --rate or --trace");
  const Result<physics::KnownTypes> known = known_types();
  if (!known) return std::unexpected(known.error());
  ServeSubject subject;
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
  if (const Result<void> there = deploy_pool(options, subject, answer.input + answer.output, answer); !there)
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
  if (const Result<void> sized = size(options, *requests, answer); !sized)
    return std::unexpected(sized.error());
  const bool targets = answer.targets.first_token_s > 0 || answer.targets.per_token_s > 0;
  answer.missed = targets && answer.replicas_given && !physics::meets(answer.queue, answer.targets);
  const Result<physics::Cooling> cooling =
      options.cooling.empty() ? usual_cooling(subject.gpu) : physics::find_cooling(options.cooling);
  if (!cooling) return std::unexpected(cooling.error());
  answer.plant.cooling = *cooling;
  answer.weather.outside = physics::Celsius{options.outside_c};
  answer.carbon = physics::CarbonIntensity{options.carbon};
  compute_energy(answer);
  const auto crosses = [&](const physics::Deployment& deployment) {
    return options.disaggregated || deployment.layout.gpus() > deployment.gpu->scaleup_domain;
  };
  answer.basis = serving_basis(subject.gpu, crosses(answer.pool.deployment));
  if (options.disaggregated)
    answer.basis += serving_basis(subject.prompt_gpu, crosses(answer.pool.prompt_deployment));
  if (answer.energy) answer.basis += power_basis(subject.gpu);
  if (options.json)
    print_serve_json(answer);
  else
    print_serve(answer);
  if (const std::optional<std::string> no = what_is_not_kept(answer)) return fail(*no);
  return ExitCode::ok;
}

}  // namespace

void add_physics_serve_command(CLI::App& physics, AppContext& context) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command =
      physics.add_subcommand("serve", "Tokens, latencies and replicas of a model that is served");
  add_serve_options(*command, *options);
  set_action(*command, context, [options, command]() -> Result<ExitCode> {
    if (command->count("--percentile") > 0 && options->first_token_ms <= 0 && options->per_token_ms <= 0)
      return fail("--percentile needs --ttft or --tpot: it says how many requests keep them");
    return serve(*options);
  });
}

}  // namespace gw
