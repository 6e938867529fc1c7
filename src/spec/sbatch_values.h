// The values of sbatch's options: times, sizes, counts, GPUs, signals, environments.
//
// The errors say what is wrong with the value, not which option it stood behind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "model/job_spec.h"
#include "spec/sbatch.h"

namespace gw::spec {

/// Minutes, m:s, h:m:s, d-h, d-h:m, d-h:m:s; UNLIMITED, INFINITE, -1 and 0 are the longest limit there is.
Result<Nanoseconds> sbatch_time(std::string_view text);

/// MiB of `N`, `NK`, `NM`, `NG`, `NT`, also with a B behind; part of a MiB counts as one.
Result<std::int64_t> sbatch_memory(std::string_view text);

/// A whole number from `low` to `high`.
Result<std::int64_t> sbatch_count(std::string_view text, std::int64_t low, std::int64_t high);

/// `N`, or `N-N`; N may end with k (1024) or m.
struct SbatchNodes {
  std::int64_t least = 1;
  std::int64_t most = 1;
  friend bool operator==(const SbatchNodes&, const SbatchNodes&) = default;
};
Result<SbatchNodes> sbatch_nodes(std::string_view text);

struct SbatchGpus {
  std::int64_t count = 1;
  std::string type;  ///< Empty: any.
  friend bool operator==(const SbatchGpus&, const SbatchGpus&) = default;
};

/// `N`, `TYPE:N` or `TYPE`.
Result<SbatchGpus> sbatch_gpus(std::string_view text);

/// One entry of --gres, --tres-per-node or --tres-per-task: `gpu:h100:2`, `gres/gpu=2`, `cpu=4`.
struct SbatchResource {
  std::string name;   ///< `gpu`, `cpu`, or one that Gigawerk does not have.
  std::string value;  ///< What stands behind it.
};
std::vector<SbatchResource> sbatch_resources(std::string_view text);

struct SbatchSignal {
  int signal = 0;
  std::int64_t before_s = 60;
  bool shell_only = false;
  bool within_reservation = false;  ///< `R:`
};
Result<SbatchSignal> sbatch_signal(std::string_view text);

Result<SbatchExport> sbatch_export(std::string_view text);

/// `type:id:id,type:id`, or with `?` in place of each comma.
struct SbatchDependencies {
  std::vector<Dependency> jobs;
  bool any = false;
  std::vector<std::string> unsupported;  ///< `singleton`, `aftercorr:12`, `after:12+5`, `afterok:12_3`.
};
Result<SbatchDependencies> sbatch_dependencies(std::string_view text);

/// Unix time of what Slurm's parse_time takes, in the local time zone.
Result<std::int64_t> sbatch_begin(std::string_view text, std::int64_t now_unix);

}  // namespace gw::spec
