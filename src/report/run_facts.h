// RunFacts: what is known of a run beside its figures: how its jobs were read, which they were, and which of
// them the fleet could never hold.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "report/json.h"
#include "workload/job_stream.h"

namespace gw::report {

/// Jobs rejected for one reason.
struct RejectedGroup {
  std::string why;  ///< In words, behind "jobs": `of GPU type V100, which the fleet does not have`.
  std::uint64_t jobs = 0;
  std::string example;                 ///< The first one's id.
  std::vector<std::string> gpu_types;  ///< That the fleet lacks, where this is the reason.
};

struct RunFacts {
  bool generated = false;    ///< Jobs from a scenario's generator, not from a log.
  std::uint64_t jobs = 0;    ///< Read.
  std::string fingerprint;   ///< Equal for equal jobs (id, submit, size, run time), whatever the fleet.
  workload::RowCounts rows;  ///< Of a log.
  std::vector<RejectedGroup> rejected;  ///< Most jobs first; a bounded number.
  std::vector<std::string> notes;       ///< Sentences on what the command made of its input.
  bool flat = false;                    ///< The machine is only a number of processors: places mean nothing.
};

/// `3 rows left out, 12 adjusted, of 1,234`; empty where every row was taken as it is.
std::string rows_sentence(const workload::RowCounts& rows);

/// Puts `facts` into a report: `workload`, `rows`, `notes` and `jobs.rejected_detail`.
void add_facts(Json& report, const RunFacts& facts);

}  // namespace gw::report
