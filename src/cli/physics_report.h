// A comparison with measurements as text for a terminal, as JSON and as a page.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "physics/validation.h"

namespace gw {

/// Totals, groups and cells with their errors, and the `worst` rows that are furthest off.
nlohmann::ordered_json validation_json(const physics::ValidationReport& report, std::size_t worst);
std::string validation_text(const physics::ValidationReport& report, std::size_t worst);

struct NamedReport {
  std::string subject;
  physics::ValidationReport report;
};

/// One page with every row of every report, which needs no network. An Error where the page's template is
/// missing or the file cannot be written.
Result<void> write_validation_page(const std::string& file, const std::vector<NamedReport>& reports,
                                   std::size_t worst);

}  // namespace gw
