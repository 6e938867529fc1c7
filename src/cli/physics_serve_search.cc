// Searches for serving replicas and prints the best few as text and as JSON.
#include "cli/physics_serve_search.h"

#include <fmt/format.h>

#include <cmath>

#include "cli/physics_basis.h"
#include "cli/physics_types.h"
#include "cli/text_table.h"
#include "report/text.h"

namespace gw {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;

std::string layout_text(const physics::Deployment& deployment) {
  const physics::ServingLayout& layout = deployment.layout;
  std::string text = fmt::format("tp {}", layout.tensor);
  if (deployment.model->mixture()) text += fmt::format(" dp {} ep {}", layout.data, layout.expert);
  return text;
}

std::string prompts_text(const physics::ServingCandidate& each) {
  if (!each.pool.disaggregated()) return "-";
  return fmt::format("{:.3g} x {}", each.prompt_replicas, layout_text(each.pool.prompt_deployment));
}

std::string targets_text(const physics::LatencyTargets& targets) {
  std::string text;
  if (targets.first_token_s > 0)
    text += fmt::format("first token within {}", report::format_duration(targets.first_token_s));
  if (targets.per_token_s > 0)
    text += fmt::format("{}further ones every {}", text.empty() ? "" : ", ",
                        report::format_duration(targets.per_token_s));
  if (text.empty()) return "none: replicas as full as they can be kept, nine tenths of it served";
  return fmt::format("{}, for {} % of requests", text, targets.percentile);
}

Json json_of(const physics::Deployment& deployment) {
  const physics::ServingMemory memory = physics::serving_memory(deployment);
  return {{"gpu", deployment.gpu->name},         {"gpus", deployment.layout.gpus()},
          {"tensor", deployment.layout.tensor},  {"data", deployment.layout.data},
          {"expert", deployment.layout.expert},  {"weights_bytes", memory.weights},
          {"workspace_bytes", memory.workspace}, {"cache_bytes", memory.cache()}};
}

Json latencies_of(const std::vector<double>& values, const physics::LatencySummary& summary,
                  double percentile) {
  return {{"p50_s", summary.p50},
          {"p90_s", summary.p90},
          {"p99_s", summary.p99},
          {"at_percentile_s", physics::percentile_of(values, percentile)}};
}

/// Of all that is shown.
Basis basis_of(const physics::ServingSearchOptions& options, const physics::ServingSearchResult& result) {
  Basis basis = serving_basis(*options.base.gpu, false);
  for (const physics::ServingCandidate& each : result.best) {
    const physics::Deployment& deployment = each.pool.deployment;
    basis += serving_basis(*deployment.gpu, each.pool.disaggregated() ||
                                                deployment.layout.gpus() > deployment.gpu->scaleup_domain);
    if (each.pool.disaggregated()) basis += serving_basis(*each.pool.prompt_deployment.gpu, true);
  }
  return basis;
}

void print_json(const physics::ServingSearchOptions& options, const physics::ServingSearchResult& result) {
  Json json = {{"model", options.base.model->name},
               {"gpu", options.base.gpu->name},
               {"precision", physics::weights_name(options.base)},
               {"input", options.load.input},
               {"output", options.load.output},
               {"targets",
                {{"ttft_s", options.targets.first_token_s},
                 {"tpot_s", options.targets.per_token_s},
                 {"percentile", options.targets.percentile}}},
               {"rate", options.rate},
               {"basis", json_of(basis_of(options, result))},
               {"layouts", result.layouts},
               {"too_large", result.too_large},
               {"too_slow", result.too_slow},
               {"best", Json::array()}};
  for (const physics::ServingCandidate& each : result.best) {
    Json entry = {
        {"replica", json_of(each.pool.deployment)},
        {"batch_limit", each.pool.sequences_max},
        {"highest_rate_of_a_replica", each.rate},
        {"tokens_s_gpu", each.tokens_s_gpu},
        {"gpu_s_per_million_tokens", 1e6 / each.tokens_s_gpu},
        {"replicas", each.replicas},
        {"gpus", each.gpus},
        {"sequences", each.queue.sequences},
        {"ttft", latencies_of(each.queue.first_tokens, each.queue.first_token, options.targets.percentile)},
        {"tpot", latencies_of(each.queue.per_tokens, each.queue.per_token, options.targets.percentile)}};
    if (each.pool.disaggregated()) {
      entry["prompt_replica"] = json_of(each.pool.prompt_deployment);
      entry["prompt_replicas"] = each.prompt_replicas;
    }
    json["best"].push_back(std::move(entry));
  }
  fmt::print("{}\n", json_out(json));
}

void print_text(const physics::ServingSearchOptions& options, const physics::ServingSearchResult& result) {
  const std::string share = fmt::format("P{:.4g}", options.targets.percentile);
  fmt::print("{} in {} on {}: prompts of {:.0f}, answers of {:.0f} tokens\n", options.base.model->name,
             physics::weights_name(options.base), options.base.gpu->name, options.load.input,
             options.load.output);
  fmt::print("target: {}\n", targets_text(options.targets));
  if (options.rate > 0) fmt::print("{:.4g} requests/s, on the fewest GPUs\n", options.rate);
  fmt::print("{} layouts: {} too large, {} too slow for the target\n\n", result.layouts, result.too_large,
             result.too_slow);
  TextTable table("llrrrrrrrr");
  table.add({"REPLICA", "PROMPTS", "BATCH", "GIB/GPU", "RATE", "TOKENS/S/GPU", "TTFT " + share,
             "TPOT " + share, "REPLICAS", "GPUS"});
  for (const physics::ServingCandidate& each : result.best) {
    const physics::ServingMemory memory = physics::serving_memory(each.pool.deployment);
    const double fitting = physics::most_sequences(each.pool.deployment, options.load.input,
                                                   options.load.output, options.load.spread);
    table.add(
        {layout_text(each.pool.deployment), prompts_text(each),
         each.pool.sequences_max > 0 ? fmt::format("{:.0f}", each.pool.sequences_max)
                                     : fmt::format("<= {:.0f}", std::floor(fitting)),
         fmt::format("{:.1f} + {:.1f}", (memory.weights + memory.workspace) / kGibibyte,
                     memory.cache() / kGibibyte),
         fmt::format("{:.3g}", each.rate), fmt::format("{:.1f}", each.tokens_s_gpu),
         report::format_duration(physics::percentile_of(each.queue.first_tokens, options.targets.percentile)),
         report::format_duration(physics::percentile_of(each.queue.per_tokens, options.targets.percentile)),
         fmt::format("{}", each.replicas), fmt::format("{:.4g}", each.gpus)});
  }
  fmt::print("{}", table.text());
  fmt::print(
      "\nRATE: requests/s that one replica serves within the target; TOKENS/S/GPU: at that rate.\n"
      "BATCH: requests at once, <= where memory and engine alone set it. GIB/GPU: weights and workspace + "
      "cache.\nTTFT, TPOT: {}.\n",
      options.rate > 0 ? "of a replica with its part of the rate asked" : "at RATE");
  print_basis(basis_of(options, result));
}

}  // namespace

Result<ExitCode> search_serving(const physics::ServingSearchOptions& options, bool json) {
  const physics::ServingSearchResult result =
      physics::search_serving(options, physics::published_serving_calibration());
  const physics::Deployment& base = options.base;
  if (result.layouts == 0)
    return fail(fmt::format("no layout of {} is as given; leave some of --gpus, --tp, --dp and --ep out",
                            base.model->name));
  if (result.best.empty() && result.too_large == result.layouts)
    return fail(fmt::format(
        "{} in {} does not fit on any of {} layouts of {}, with {} of {:.0f} tokens; give more --max-gpus or "
        "another --precision",
        base.model->name, physics::weights_name(base), result.layouts, base.gpu->name,
        options.sequences_max > 1 ? fmt::format("{:.0f} requests", options.sequences_max) : "a request",
        options.load.input + options.load.output));
  if (result.best.empty())
    return fail(fmt::format(
        "no layout of {} on {} keeps the target ({}) at any rate: of {} layouts {} are too large, {} too "
        "slow "
        "even for one request at a time and {} with any number of them; give a longer --ttft or --tpot, or "
        "more --max-gpus",
        base.model->name, base.gpu->name, targets_text(options.targets), result.layouts, result.too_large,
        result.too_slow, result.layouts - result.too_large - result.too_slow));
  if (json)
    print_json(options, result);
  else
    print_text(options, result);
  return ExitCode::ok;
}

}  // namespace gw
