// The answer of `gw physics serve` as text and as JSON.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "cli/app.h"
#include "cli/physics_power.h"
#include "cli/physics_serve.h"
#include "cli/physics_types.h"
#include "cli/text_table.h"
#include "report/text.h"

namespace gw {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;

struct NamedPart {
  const char* key;
  const char* title;
  double physics::PassTime::* seconds;
};
constexpr std::array kParts = {
    NamedPart{"dense_s", "matrix products", &physics::PassTime::dense},
    NamedPart{"experts_s", "experts", &physics::PassTime::experts},
    NamedPart{"cache_s", "keys and values", &physics::PassTime::cache},
    NamedPart{"attention_s", "attention of prompts", &physics::PassTime::attention},
    NamedPart{"elementwise_s", "element-wise", &physics::PassTime::elementwise},
    NamedPart{"output_s", "output layer", &physics::PassTime::output},
    NamedPart{"communication_s", "communication", &physics::PassTime::communication},
    NamedPart{"launches_s", "launches", &physics::PassTime::launches},
    NamedPart{"host_s", "host", &physics::PassTime::host},
};

std::string_view engine_name(const physics::Deployment& deployment) {
  return physics::serving_engines()[static_cast<std::size_t>(deployment.engine)].name;
}

Json json_of(const physics::Deployment& deployment) {
  const physics::ServingMemory memory = physics::serving_memory(deployment);
  return {{"gpu", deployment.gpu->name},
          {"gpus", deployment.layout.gpus()},
          {"tensor", deployment.layout.tensor},
          {"data", deployment.layout.data},
          {"expert", deployment.layout.expert},
          {"precision", physics::weights_name(deployment)},
          {"cache_bytes_per_number", deployment.cache_bytes},
          {"engine", engine_name(deployment)},
          {"memory",
           {{"weights_bytes", memory.weights},
            {"workspace_bytes", memory.workspace},
            {"cache_bytes", memory.cache()},
            {"available_bytes", memory.available}}}};
}

Json json_of(const physics::LatencySummary& summary) {
  return {{"mean_s", summary.mean}, {"p50_s", summary.p50}, {"p90_s", summary.p90}, {"p99_s", summary.p99}};
}

std::string deployment_text(const physics::Deployment& deployment) {
  const physics::ServingLayout& layout = deployment.layout;
  std::string text =
      fmt::format("{:.0f} x {}, {}, {}-bit cache, {}", layout.gpus(), deployment.gpu->name,
                  physics::weights_name(deployment), 8 * deployment.cache_bytes, engine_name(deployment));
  if (layout.gpus() > 1)
    text += fmt::format(" (tensor {}, data {}, expert {})", layout.tensor, layout.data, layout.expert);
  return text;
}

constexpr double kMillion = 1e6;
constexpr double kJoulesPerKilowattHour = 3.6e6;

void print_energy(const ServeAnswer& answer, const ServeAnswer::Energy& energy) {
  fmt::print("power: GPUs {}, with nodes and network {}, facility {} ({}, {:g} degrees outside)\n",
             power_text(energy.power.gpus), power_text(energy.power.it), power_text(energy.power.facility),
             physics::cooling_name(answer.plant.cooling), answer.weather.outside.value());
  fmt::print(
      "energy of an output token: GPUs {:.3g} J, with nodes and network {:.3g} J, facility {:.3g} J; {:.3g} "
      "kWh",
      energy.token.gpus_j, energy.token.it_j, energy.token.facility_j,
      kMillion * energy.token.facility_j / kJoulesPerKilowattHour);
  if (answer.carbon.value() > 0) fmt::print(" and {:.3g} g of CO2", kMillion * energy.token.carbon.value());
  fmt::print(" a million\n");
}

Json json_of(const ServeAnswer& answer, const ServeAnswer::Energy& energy) {
  return {{"gpus_w", energy.power.gpus.value()},
          {"it_w", energy.power.it.value()},
          {"facility_w", energy.power.facility.value()},
          {"cooling", physics::cooling_name(answer.plant.cooling)},
          {"outside_c", answer.weather.outside.value()},
          {"gpus_j_per_token", energy.token.gpus_j},
          {"it_j_per_token", energy.token.it_j},
          {"facility_j_per_token", energy.token.facility_j},
          {"facility_kwh_per_million_tokens", kMillion * energy.token.facility_j / kJoulesPerKilowattHour},
          {"carbon_g_per_million_tokens", kMillion * energy.token.carbon.value()}};
}

/// Where the engine gives all tokens to all GPUs and that is most of a pass: what of it costs so much, and
/// which engine to take instead; else empty.
std::string gather_hint(const ServeAnswer& answer) {
  const physics::Deployment& deployment = answer.pool.deployment;
  const auto& engines = physics::serving_engines();
  const physics::ServingEngine& own = engines[static_cast<std::size_t>(deployment.engine)];
  if (!own.gathers_tokens || !deployment.model->mixture() || deployment.layout.data <= 1) return "";
  constexpr double kMuch = 2;
  const bool amd = deployment.gpu->name.starts_with("mi");
  const physics::ServingCalibration& calibration = physics::published_serving_calibration();
  physics::Pass pass;
  pass.sequences = answer.load.sequences;
  pass.context = answer.input + answer.output / 2;
  const double here = physics::pass_time(deployment, pass, calibration).total;
  double best = here / kMuch;
  int other = -1;
  for (int i = 0; i < physics::kServingEngines; ++i) {
    const physics::ServingEngine& each = engines[static_cast<std::size_t>(i)];
    if (each.gathers_tokens || each.name.ends_with("rocm") != amd) continue;
    physics::Deployment with = deployment;
    with.engine = i;
    if (physics::most_sequences(with, answer.input, answer.output) < answer.load.sequences) continue;
    const double there = physics::pass_time(with, pass, calibration).total;
    if (there >= best) continue;
    best = there;
    other = i;
  }
  if (other < 0) return "";
  return fmt::format(
      "{} gathers the tokens of all {} data-parallel groups on every GPU: that is most of the {} of "
      "communication and element-wise work. With an engine that sends tokens to their experts alone a pass "
      "takes {} in place of {}: --engine {}",
      own.name, deployment.layout.data,
      report::format_duration(answer.state.decode.communication + answer.state.decode.elementwise),
      report::format_duration(best), report::format_duration(here),
      engines[static_cast<std::size_t>(other)].name);
}

void print_latencies(const ServeAnswer& answer) {
  TextTable table("lrrrr");
  table.add({"", "MEAN", "P50", "P90", "P99"});
  const auto add = [&](const char* name, const physics::LatencySummary& each) {
    table.add({name, report::format_duration(each.mean), report::format_duration(each.p50),
               report::format_duration(each.p90), report::format_duration(each.p99)});
  };
  add("time to first token", answer.queue.first_token);
  add("time per output token", answer.queue.per_token);
  fmt::print("{}", table.text());
}

void print_targets(const ServeAnswer& answer) {
  std::string text;
  if (answer.targets.first_token_s > 0)
    text += fmt::format("first token within {}", report::format_duration(answer.targets.first_token_s));
  if (answer.targets.per_token_s > 0)
    text += fmt::format("{}further ones every {}", text.empty() ? "" : ", ",
                        report::format_duration(answer.targets.per_token_s));
  fmt::print("target: {}, for {} % of requests\n", text, answer.targets.percentile);
  if (answer.replica_rate)
    fmt::print("one replica keeps that up to {:.3g} requests/s\n", *answer.replica_rate);
  if (answer.unreachable) fmt::print("no number of such replicas keeps that\n");
}

}  // namespace

namespace {

void print_answer(const ServeAnswer& answer) {
  const physics::Deployment& deployment = answer.pool.deployment;
  const physics::ServingMemory memory = physics::serving_memory(deployment);
  const physics::ServingState& state = answer.state;
  fmt::print("{}: a replica is {}\n", deployment.model->name, deployment_text(deployment));
  if (answer.pool.disaggregated())
    fmt::print("prompts: {:.3g} replicas for each of these, of {}\n", answer.pool.prompt_replicas,
               deployment_text(answer.pool.prompt_deployment));
  fmt::print("memory of a GPU: weights {:.1f} GiB, workspace {:.1f} GiB, cache {:.1f} GiB of {:.1f} GiB\n",
             memory.weights / kGibibyte, memory.workspace / kGibibyte, memory.cache() / kGibibyte,
             memory.available / kGibibyte);
  fmt::print("prompts of {:.0f}, answers of {:.0f} tokens: room for {:.0f} at once\n", answer.input,
             answer.output, std::floor(answer.fitting));
  fmt::print("a prompt alone takes {}; prompts only: {:.0f} tokens/s, {:.0f} per GPU\n\n",
             report::format_duration(answer.prompt_s), answer.prompt_tokens_s,
             answer.prompt_tokens_s /
                 (answer.pool.disaggregated() ? answer.pool.prompt_deployment : deployment).layout.gpus());
  if (answer.fed) {
    fmt::print("prompt replicas feed a replica {:.4g} requests/s", *answer.fed);
    if (answer.unfed > 0)
      fmt::print(
          ": they hold it back, {:.3g} are at once where {:.0f} could be{}; give more --prompt-replicas",
          answer.load.sequences, answer.unfed,
          answer.busy < 1 ? fmt::format(", {:.0f} % of the time", 100 * answer.busy) : "");
    fmt::print("\n");
  }
  fmt::print("{:.0f} at once: one token each takes {}\n", answer.load.sequences,
             report::format_duration(state.decode.total));
  TextTable table("lrr");
  for (const NamedPart& part : kParts) {
    const double seconds = state.decode.*part.seconds;
    if (seconds > 5e-4 * state.decode.total)
      table.add({part.title, report::format_duration(seconds),
                 fmt::format("{:.1f} %", 100 * seconds / state.decode.total)});
  }
  fmt::print("{}", table.text());
  if (const std::string hint = gather_hint(answer); !hint.empty()) fmt::print("{}\n", hint);
  if (state.prompt_share > 0)
    fmt::print("with prompts between, {}; these take {:.0f} % of the time\n",
               report::format_duration(state.pass_s), 100 * state.prompt_share);
  const double gpus = answer.pool.gpus();
  fmt::print(
      "kept so: {:.1f} tokens/s per GPU, {:.4g} requests/s a replica, {:.0f} GPU-seconds for a million "
      "tokens; memory {:.0f} %, arithmetic {:.0f} % used\n",
      state.tokens_s / gpus, state.requests_s, 1e6 * gpus / state.tokens_s, 100 * state.memory_use,
      100 * state.arithmetic_use);
  if (answer.energy)
    print_energy(answer, *answer.energy);
  else
    fmt::print("the catalog does not know the power of {}: no watts\n",
               (deployment.gpu->power_max_w <= 0 ? deployment : answer.pool.prompt_deployment).gpu->name);
  const bool targets = answer.targets.first_token_s > 0 || answer.targets.per_token_s > 0;
  if (targets || answer.rate) fmt::print("\n");
  if (targets) print_targets(answer);
  if (!answer.rate) return;
  fmt::print("{:.4g} requests/s ({})\n", *answer.rate, answer.requests_from);
  if (answer.repeated > 0)
    fmt::print("{:.0f} % of prompt tokens began an earlier prompt too; a cache of them is not modelled\n",
               100 * answer.repeated);
  if (answer.replicas == 0) return;
  const double all_gpus = answer.pool.gpus_of(answer.replicas);
  const std::string beside =
      answer.pool.disaggregated()
          ? fmt::format(" with {:.0f} of prompts", answer.pool.whole_prompt_replicas(answer.replicas))
          : "";
  fmt::print(
      "{} replica{}{}{}, {:.0f} GPUs: {:.0f} % busy, {:.1f} sequences in a pass, {:.1f} tokens/s per GPU\n",
      answer.replicas, answer.replicas > 1 ? "s" : "", beside, answer.replicas_given ? "" : " needed",
      all_gpus, 100 * answer.queue.busy, answer.queue.sequences, answer.queue.tokens_s / all_gpus);
  if (answer.served_at_most > 0)
    fmt::print(
        "more comes than these serve, {:.4g} requests/s: they wait ever longer, below as of {} requests\n",
        answer.served_at_most, answer.queue.requests);
  if (answer.queue.impossible > 0)
    fmt::print("{} requests are longer than the cache and were refused\n", answer.queue.impossible);
  print_latencies(answer);
  if (answer.missed) fmt::print("that does not keep the target\n");
  if (answer.queue.tokens_s > 0)
    fmt::print("{:.0f} GPU-seconds for a million tokens\n", 1e6 * all_gpus / answer.queue.tokens_s);
  if (answer.queue_energy) print_energy(answer, *answer.queue_energy);
}

}  // namespace

void print_serve(const ServeAnswer& answer) {
  print_answer(answer);
  print_basis(answer.basis);
}

void print_serve_json(const ServeAnswer& answer) {
  const physics::ServingState& state = answer.state;
  Json json = {{"model", answer.pool.deployment.model->name}, {"replica", json_of(answer.pool.deployment)}};
  if (answer.pool.disaggregated()) {
    json["prompt_replica"] = json_of(answer.pool.prompt_deployment);
    json["prompt_replicas_per_replica"] = answer.pool.prompt_replicas;
  }
  json["basis"] = json_of(answer.basis);
  if (const std::string hint = gather_hint(answer); !hint.empty()) json["hint"] = hint;
  const double gpus = answer.pool.gpus();
  json["input_tokens"] = answer.input;
  json["output_tokens"] = answer.output;
  json["sequences_fitting"] = answer.fitting;
  json["prompt_s"] = answer.prompt_s;
  json["prompt_tokens_s"] = answer.prompt_tokens_s;
  if (answer.fed) {
    json["prompt_replicas_feed_requests_s"] = *answer.fed;
    json["held_back_by_prompts"] = answer.unfed > 0;
  }
  Json parts;
  for (const NamedPart& part : kParts) parts[part.key] = state.decode.*part.seconds;
  json["steady_state"] = {{"sequences", answer.load.sequences},
                          {"decode_s", state.decode.total},
                          {"parts", parts},
                          {"pass_s", state.pass_s},
                          {"prompt_share", state.prompt_share},
                          {"tokens_s", state.tokens_s},
                          {"tokens_s_gpu", state.tokens_s / gpus},
                          {"requests_s", state.requests_s},
                          {"gpu_s_per_million_tokens", 1e6 * gpus / state.tokens_s},
                          {"memory_use", state.memory_use},
                          {"arithmetic_use", state.arithmetic_use},
                          {"kernel_share", state.kernel_share},
                          {"busy", answer.busy}};
  json["steady_state"]["energy"] = nullptr;
  if (answer.energy) json["steady_state"]["energy"] = json_of(answer, *answer.energy);
  const bool targets = answer.targets.first_token_s > 0 || answer.targets.per_token_s > 0;
  if (targets) {
    json["targets"] = {{"ttft_s", answer.targets.first_token_s},
                       {"tpot_s", answer.targets.per_token_s},
                       {"percentile", answer.targets.percentile},
                       {"reachable", !answer.unreachable},
                       {"kept", !answer.unreachable && !answer.missed}};
    if (answer.replica_rate) json["targets"]["highest_rate_of_a_replica"] = *answer.replica_rate;
  }
  if (answer.rate) {
    json["rate"] = *answer.rate;
    json["requests_from"] = answer.requests_from;
    if (answer.repeated > 0) json["repeated_share"] = answer.repeated;
    if (answer.replicas > 0) {
      json["replicas"] = answer.replicas;
      const double all_gpus = answer.pool.gpus_of(answer.replicas);
      if (answer.pool.disaggregated())
        json["prompt_replicas"] = answer.pool.whole_prompt_replicas(answer.replicas);
      json["overloaded"] = answer.served_at_most > 0;
      json["gpus"] = all_gpus;
      json["queue"] = {{"requests", answer.queue.requests},
                       {"refused", answer.queue.impossible},
                       {"ttft", json_of(answer.queue.first_token)},
                       {"tpot", json_of(answer.queue.per_token)},
                       {"tokens_s", answer.queue.tokens_s},
                       {"tokens_s_gpu", answer.queue.tokens_s / all_gpus},
                       {"busy", answer.queue.busy},
                       {"sequences", answer.queue.sequences},
                       {"gpu_s_per_million_tokens", 1e6 * all_gpus / answer.queue.tokens_s},
                       {"memory_use", answer.queue.memory_use},
                       {"arithmetic_use", answer.queue.arithmetic_use}};
      if (answer.queue_energy) json["queue"]["energy"] = json_of(answer, *answer.queue_energy);
    }
  }
  fmt::print("{}\n", json_out(json));
}

}  // namespace gw
