// Advisor: what would start a waiting job sooner, and what a job that is not submitted yet would meet.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>
#include <utility>

#include "api/api.h"
#include "api/json.h"
#include "live/commands.h"
#include "live/factory.h"
#include "model/fleet.h"
#include "model/job.h"
#include "model/law.h"
#include "serve/forecaster.h"
#include "serve/fork.h"
#include "twin/counterfactual.h"

namespace gw::serve {

/// All calls may come from any thread; each takes up to a second of two cores.
class Advisor {
 public:
  Advisor(live::Factory& factory, Forecaster& forecaster) : factory_(factory), forecaster_(forecaster) {}

  /// `changes`, the nearest that start the job sooner, and `forecast`, when it starts as it is: what
  /// Forecaster::eta says of it; neither where it does not wait in line.
  std::expected<api::Json, live::Refusal> changes(std::uint64_t number);

  /// When a job that is submitted now starts, and what it costs.
  std::expected<api::Json, live::Refusal> dry_run(const api::DryRun& job);

  /// The nearest shapes that some part of the factory could hold, for one that none could.
  api::Json nearest_possible(const JobRequest& request);

 private:
  void add_cost(const api::DryRun& job, const Fork& fork, api::Json& json);

  live::Factory& factory_;
  Forecaster& forecaster_;
};

/// One change in words (`30 nodes instead of 32 (240 GPUs instead of 256)`), as options of gw submit (none
/// where there are none for it), and as fields of a job.
struct ChangeWords {
  std::string text;
  std::string options;
  api::Json set = api::Json::object();
};
ChangeWords words_of(const Fleet& fleet, twin::ChangeKind kind, const JobRequest& before,
                     const JobRequest& after);

}  // namespace gw::serve
