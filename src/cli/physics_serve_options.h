// What `gw physics serve` is asked: its options, and the replicas that they describe.
#pragma once

#include <cstdint>
#include <string>

#include "cli/app.h"
#include "cli/physics_serve.h"

namespace gw {

/// GPUs of a replica; 0 = not given.
struct PoolOptions {
  std::string gpu;
  std::uint32_t gpus = 0;
  std::uint32_t tensor = 0;
  std::uint32_t data = 0;
  std::uint32_t expert = 0;
};

struct ServeOptions {
  std::string model;
  PoolOptions pool{.gpu = "h100"};
  PoolOptions prompts;
  bool disaggregated = false;
  double prompt_replicas = 1;
  std::string precision;  ///< Empty: bf16, or fp16 where the GPU has none.
  std::string cache_precision;
  std::string engine;
  std::string cooling;
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

/// More replicas than any factory has: what asks for them is a slip.
inline constexpr std::uint32_t kMostReplicas = 1'000'000'000;

/// Adds the model and all options, which refer to `options`.
void add_serve_options(CLI::App& command, ServeOptions& options);

/// Names that the answer refers to.
struct ServeSubject {
  physics::ModelShape model;
  physics::Accelerator gpu;
  physics::Accelerator prompt_gpu;
};

/// How a replica is deployed but for its layout. An Error where engine, numbers and model do not go together.
Result<physics::Deployment> base_deployment(const ServeOptions& options, const ServeSubject& subject);

/// Whether the counts of `options.pool` go together.
Result<void> check_pool_counts(const PoolOptions& options, const char* prefix);

/// Fills in how the replica is deployed, and the one that computes prompts: as asked for, or on the fewest
/// GPUs that hold a request of `longest` tokens.
Result<void> deploy_pool(const ServeOptions& options, const ServeSubject& subject, double longest,
                         ServeAnswer& answer);

}  // namespace gw
