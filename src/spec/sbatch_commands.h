// What a batch script calls of Slurm's own commands, which a job of Gigawerk does not find.
#pragma once

#include <string_view>

#include "spec/sbatch_options.h"

namespace gw::spec {

/// Warns of srun, salloc, sbatch, scancel, scontrol, squeue and sacct where a shell script calls them: as the
/// first word of a command, also behind `;`, `&&`, `|`, `$(`, `VAR=x`, `time` and the like; once for each,
/// with the lines. Functions of the script by such a name are its own, and what other interpreters do is not
/// known. `text` has Unix line ends.
void warn_of_slurm_commands(std::string_view text, SbatchFindings& findings);

}  // namespace gw::spec
