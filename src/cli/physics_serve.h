// What `gw physics serve` found, for its two outputs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "physics/serving_power.h"
#include "physics/serving_queue.h"

namespace gw {

struct ServeAnswer {
  physics::ServingPool pool;  ///< Its pointers outlive this.
  double input = 0;           ///< Mean tokens of prompts
  double output = 0;          ///< and answers.
  double fitting = 0;         ///< Sequences at once that memory and engine allow, in a replica.
  physics::ServingLoad load;  ///< The steady state's.
  physics::ServingState state;
  double prompt_s = 0;         ///< A prompt alone,
  double prompt_tokens_s = 0;  ///< and prompt tokens of a replica that computes nothing else.

  std::optional<double> rate;  ///< Requests a second that come, in all replicas.
  std::string requests_from;   ///< What came: a file, or what was drawn.
  double repeated = 0;         ///< Share of prompt tokens that began an earlier prompt, where a trace says.
  physics::LatencyTargets targets;
  std::optional<double> replica_rate;  ///< Highest that one replica keeps the targets at; of drawn requests.
  std::uint32_t replicas = 0;
  bool replicas_given = false;
  bool unreachable = false;  ///< No number of replicas keeps the targets.
  physics::QueueResult queue;

  /// What is drawn and what a token costs; none where the catalog does not know the power of a GPU.
  struct Energy {
    physics::ServingPower power;
    physics::TokenEnergy token;
  };
  physics::Plant plant;
  physics::Weather weather;
  physics::CarbonIntensity carbon;
  std::optional<Energy> energy;        ///< Of the steady state, one replica;
  std::optional<Energy> queue_energy;  ///< of all replicas with the requests that come.
};

/// Fills in the energy of the steady state and of the requests that come, as far as these are answered.
void compute_energy(ServeAnswer& answer);
void print_serve(const ServeAnswer& answer);
void print_serve_json(const ServeAnswer& answer);

}  // namespace gw
