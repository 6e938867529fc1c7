// What `gw physics serve` found, for its two outputs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

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
};

void print_serve(const ServeAnswer& answer);
void print_serve_json(const ServeAnswer& answer);

}  // namespace gw
