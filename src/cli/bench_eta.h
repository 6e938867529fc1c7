// What `gw bench eta` found, as text, JSON and CSV.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "twin/eta_score.h"

namespace gw {

struct EtaBenchReport {
  std::string trace;
  std::string policy;
  std::string fleet;
  std::string limits;  ///< Where time limits come from.
  double faster = 1;
  twin::EtaCounts counts;
  std::vector<twin::EtaSample> samples;
  std::uint32_t members_most = 0;
  double wall_s = 0;            ///< Of the whole.
  double forecasts_wall_s = 0;  ///< Of the questions.
  double slowest_s = 0;
};

std::string eta_text(const EtaBenchReport& report);
nlohmann::ordered_json eta_json(const EtaBenchReport& report);
/// One row a sample; times are seconds since it was asked, but `asked_s`.
std::string eta_csv(const EtaBenchReport& report);

}  // namespace gw
