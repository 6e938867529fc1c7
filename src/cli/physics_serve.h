// What `gw physics serve` found, for its two outputs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/physics_basis.h"
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
  std::optional<double> fed;   ///< Requests a second that prompts computed apart allow a replica.
  double unfed = 0;            ///< Sequences that would be under way if they allowed more; 0: as many as are.
  double busy = 1;             ///< Share of the time in which a replica in the steady state computes.
  double prompt_s = 0;         ///< A prompt alone,
  double prompt_tokens_s = 0;  ///< and prompt tokens of a replica that computes nothing else.

  std::optional<double> rate;  ///< Requests a second that come, in all replicas.
  std::string requests_from;   ///< What came: a file, or what was drawn.
  double repeated = 0;         ///< Share of prompt tokens that began an earlier prompt, where a trace says.
  physics::LatencyTargets targets;
  std::optional<double> replica_rate;  ///< Highest that one replica keeps the targets at; of drawn requests.
  std::uint32_t replicas = 0;
  bool replicas_given = false;
  double served_at_most = 0;  ///< Requests a second; 0: no fewer than come. Of a given number of replicas.
  bool unreachable = false;   ///< No number of replicas keeps the targets.
  bool missed = false;        ///< The number that was given does not.
  physics::QueueResult queue;

  /// What is drawn and what a token costs; none where the catalog does not know the power of a GPU.
  struct Energy {
    physics::ServingPower power;
    physics::TokenEnergy token;
  };
  Basis basis;  ///< What the answer rests on.
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
