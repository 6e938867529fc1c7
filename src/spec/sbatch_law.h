// What a batch script says to Gigawerk about where it may run, in comments that Slurm passes over:
//
//   #GW residency: EU, CH
#pragma once

#include <string_view>

#include "model/law.h"
#include "spec/sbatch_options.h"

namespace gw::spec {

/// Reads the `#GW` lines before the first command; keys are those of a job file: residency,
/// excluded_jurisdictions, certifications, data. Mistakes are reported with their lines.
void read_gigawerk_lines(std::string_view script, LegalWishes& law, SbatchFindings& findings);

}  // namespace gw::spec
