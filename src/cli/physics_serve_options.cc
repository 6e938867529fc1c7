// The options of `gw physics serve`.
#include "cli/physics_serve_options.h"

#include <fmt/format.h>

namespace gw {

namespace {

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

void add_serve_options(CLI::App& command, ServeOptions& options) {
  command.add_option("MODEL", options.model, "Model of the catalog: gw catalog models")
      ->required()
      ->type_name("NAME");
  add_pool_options(command, options.pool, "", "a replica");
  command
      .add_option("--precision", options.precision,
                  "Numbers of the weights; bf16 if not given, fp16 on GPUs without it")
      ->check(CLI::IsMember({"fp16", "bf16", "fp8", "mxfp4", "nvfp4"}));
  command
      .add_option("--kv-precision", options.cache_precision, "Numbers of keys and values; bf16 if not given")
      ->check(CLI::IsMember({"bf16", "fp8"}));
  command.add_option("--engine", options.engine, "Serving software, such as vllm-0.11 or trtllm-1.1")
      ->type_name("NAME");
  command
      .add_option("--batch", options.batch,
                  "Requests at once in the steady state; as many as fit if not given")
      ->check(whole_number(1, 10'000'000))
      ->type_name("N");
  command.add_option("--input", options.input, "Mean tokens of a prompt")
      ->check(whole_number(1, 10'000'000))
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--cooling", options.cooling,
                  "How heat leaves the nodes; as usual for the GPU type if not given")
      ->check(CLI::IsMember({"air", "rear-door", "direct-liquid", "immersion"}));
  command.add_option("--outside-c", options.outside_c, "Temperature outside")
      ->check(number(-40, 60))
      ->type_name("T")
      ->capture_default_str();
  command.add_option("--carbon", options.carbon, "Carbon of the electricity")
      ->check(number(0, 2000))
      ->type_name("G_PER_KWH")
      ->capture_default_str();
  command.add_option("--output", options.output, "Mean tokens of an answer")
      ->check(whole_number(1, 10'000'000))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--spread", options.spread, "Standard deviation of both over the mean; 0 = all alike")
      ->check(number(0, 10))
      ->type_name("FACTOR");
  command.add_option("--rate", options.rate, "Requests per second, in all")
      ->check(number(1e-6, 1e9))
      ->type_name("R");
  command
      .add_option("--trace", options.trace,
                  "Recorded requests of Azure, BurstGPT or Mooncake, instead of --rate")
      ->type_name("FILE");
  command.add_option("--scale", options.scale, "Let a trace's requests come so many times as fast")
      ->check(number(1e-6, 1e9))
      ->type_name("FACTOR");
  command.add_option("--requests", options.requests, "With --rate: how many are drawn")
      ->check(whole_number(10, 10'000'000))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Of the drawn requests")->type_name("N")->capture_default_str();
  command.add_option("--ttft", options.first_token_ms, "Target: milliseconds to the first token")
      ->check(number(1e-3, 1e9))
      ->type_name("MS");
  command.add_option("--tpot", options.per_token_ms, "Target: milliseconds for each further token")
      ->check(number(1e-3, 1e9))
      ->type_name("MS");
  command.add_option("--percentile", options.percentile, "Share of requests that must keep the targets")
      ->check(number(1, 100))
      ->type_name("P")
      ->capture_default_str();
  command.add_option("--replicas", options.replicas, "So many, instead of as many as are needed")
      ->check(whole_number(1, kMostReplicas))
      ->type_name("N");
  CLI::Option* apart =
      command.add_flag("--disaggregated", options.disaggregated, "Replicas of their own compute the prompts");
  add_pool_options(command, options.prompts, "prompt-", "a replica that computes prompts");
  command
      .add_option("--prompt-replicas", options.prompt_replicas, "How many of these for each other replica")
      ->check(number(0.01, 1000))
      ->type_name("X")
      ->capture_default_str();
  for (const char* name :
       {"--prompt-gpu", "--prompt-gpus", "--prompt-tp", "--prompt-dp", "--prompt-ep", "--prompt-replicas"})
    command.get_option(name)->needs(apart);
  CLI::Option* searched = command.add_flag(
      "--search", options.search,
      "The best replicas for the targets: over the degrees that are not given, batch limits, "
      "prompts apart or not; with --rate on the fewest GPUs, else most tokens for each");
  command
      .add_option("--max-gpus", options.gpus_max,
                  "With --search: most GPUs of a replica; those of a "
                  "scale-up domain if not given")
      ->check(whole_number(1, 1024))
      ->type_name("N")
      ->needs(searched);
  command.add_option("--top", options.top, "With --search: how many to show")
      ->check(whole_number(1, 1000))
      ->type_name("N")
      ->capture_default_str()
      ->needs(searched);
  command.get_option("--scale")->needs(command.get_option("--trace"));
  command.get_option("--requests")->needs(command.get_option("--rate"));
  command.get_option("--spread")->excludes(command.get_option("--trace"));
  for (const char* name :
       {"--trace", "--replicas", "--requests", "--prompt-gpus", "--prompt-tp", "--prompt-dp", "--prompt-ep",
        "--prompt-replicas", "--cooling", "--outside-c", "--carbon"})
    command.get_option(name)->excludes(searched);
  command.add_flag("--json", options.json, "Print JSON");
}

}  // namespace gw
