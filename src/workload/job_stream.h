// JobStream: jobs in order of submission, one at a time, from a recorded trace or a generator.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/job.h"
#include "model/tenant.h"

namespace gw::workload {

/// What reading did with the rows: nothing is dropped without being counted here.
struct RowCounts {
  std::uint64_t rows = 0;  ///< Data rows seen.
  std::uint64_t accepted = 0;
  /// Rows left out, by reason; each reason with the place of its first row (`file:line`).
  struct Skipped {
    std::uint64_t count = 0;
    std::string first;
  };
  std::map<std::string, Skipped> skipped;
  /// Rows taken after a repair (e.g. `no requested time: run time used`), by reason.
  std::map<std::string, Skipped> adjusted;
};

/// A source of jobs. Memory does not grow with the number of jobs delivered.
class JobStream {
 public:
  virtual ~JobStream() = default;

  /// Fills `job` with the next one; false at the end. Submit times never decrease, and the first is >= 0.
  /// An Error is final: unreadable input, or a senseless row under `strict`.
  virtual Result<bool> next(TraceJob& job) = 0;

  /// Tenants named so far; grows while reading. TraceJob::request.tenant indexes it.
  [[nodiscard]] virtual const TenantTree& tenants() const = 0;
  /// GPU type names that bits of TraceJob::request.shape.gpu_types stand for; grows while reading.
  [[nodiscard]] virtual const std::vector<std::string>& gpu_types() const = 0;
  /// Names of job classes; never empty (`job` where the source has none).
  [[nodiscard]] virtual const std::vector<std::string>& classes() const = 0;
  [[nodiscard]] virtual const RowCounts& counts() const = 0;
};

}  // namespace gw::workload
