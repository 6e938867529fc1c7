// Watts of the replicas of `gw physics serve` and joules of a token, from the GPUs to the facility.
#include "cli/physics_power.h"
#include "cli/physics_serve.h"

namespace gw {

void compute_energy(ServeAnswer& answer) {
  const physics::PowerConstants& constants = physics::published_power();
  const physics::ServingCalibration& calibration = physics::published_serving_calibration();
  const physics::ServingPool& pool = answer.pool;
  const auto power_of = [&](const physics::Deployment& deployment, double gpus, const physics::Use& use,
                            double busy) {
    const physics::Accelerator& gpu = *deployment.gpu;
    return physics::serving_power(constants, {&gpu, gpus, node_size(gpu, 8), use, busy}, answer.plant,
                                  answer.weather);
  };
  if (pool.deployment.gpu->power_max_w <= 0) return;
  // Prompts elsewhere keep their GPUs busy for as long as they take there.
  physics::Use prompt_use;
  if (pool.disaggregated()) {
    if (pool.prompt_deployment.gpu->power_max_w <= 0) return;
    physics::Pass pass;
    pass.prompt_tokens = answer.input;
    pass.prompt_context = answer.input / 2;
    prompt_use = physics::use_of(physics::pass_time(pool.prompt_deployment, pass, calibration));
  }
  const auto prompts_busy = [&](double requests_s, double prompt_replicas) {
    return requests_s * answer.input / (answer.prompt_tokens_s * prompt_replicas);
  };
  const auto energy_of = [&](double replicas, double prompt_replicas, const physics::Use& use, double busy,
                             double tokens_s) {
    physics::ServingPower power =
        power_of(pool.deployment, replicas * pool.deployment.layout.gpus(), use, busy);
    if (pool.disaggregated())
      power += power_of(pool.prompt_deployment, prompt_replicas * pool.prompt_deployment.layout.gpus(),
                        prompt_use, prompts_busy(tokens_s / answer.output, prompt_replicas));
    return ServeAnswer::Energy{power, physics::token_energy(power, tokens_s, answer.carbon)};
  };
  if (answer.state.tokens_s > 0)
    answer.energy =
        energy_of(1, pool.prompt_replicas, physics::use_of(answer.state), answer.busy, answer.state.tokens_s);
  // Kernels run in as much of a pass as in the steady state's.
  if (answer.replicas > 0 && answer.queue.tokens_s > 0)
    answer.queue_energy =
        energy_of(answer.replicas, pool.whole_prompt_replicas(answer.replicas),
                  {answer.queue.memory_use, answer.queue.arithmetic_use, answer.state.kernel_share},
                  answer.queue.busy, answer.queue.tokens_s);
}

}  // namespace gw
