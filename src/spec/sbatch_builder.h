// SbatchBuilder: from the options of a batch script to a job.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spec/sbatch.h"
#include "spec/sbatch_options.h"
#include "spec/sbatch_values.h"

namespace gw::spec {

class SbatchBuilder {
 public:
  SbatchBuilder(SbatchJob& result, const SbatchContext& context, SbatchFindings& findings)
      : result_(result), job_(result.job), context_(context), findings_(findings) {}

  /// Takes in one option; a later one of the same name wins. Those of the script come before the command
  /// line's.
  void apply(const SbatchUse& use);
  /// Once all are in: works out the resources and checks the job.
  void finish();

  /// The text of --wrap, if there was one.
  [[nodiscard]] const std::optional<SbatchUse>& wrap() const { return wrap_; }
  [[nodiscard]] bool ignores_pbs() const { return ignores_pbs_; }

 private:
  template <class T>
  struct Wish {
    T value;
    SbatchUse use;
  };
  template <class T>
  using Wished = std::optional<Wish<T>>;

  /// The value, or nothing after reporting what is wrong with it.
  template <class T>
  std::optional<T> good(const SbatchUse& use, Result<T> value);
  void wish(Wished<std::int64_t>& wished, const SbatchUse& use, Result<std::int64_t> value);
  void wish(Wished<SbatchNodes>& wished, const SbatchUse& use, Result<SbatchNodes> value);
  void wish(Wished<SbatchGpus>& wished, const SbatchUse& use, Result<SbatchGpus> value);
  void not_supported(const SbatchUse& use, std::string_view why);
  /// Where an option that sets that key of the job stands.
  void set(std::string_view key, const SbatchUse& use) { places_.emplace_back(key, use); }

  void apply_text(const SbatchUse& use);
  void apply_resources(const SbatchUse& use);
  void apply_times(const SbatchUse& use);
  void apply_client(const SbatchUse& use);
  void path(const SbatchUse& use, std::string& out);
  void chdir(const SbatchUse& use);
  void gres(const SbatchUse& use);
  void tres_per_task(const SbatchUse& use);
  void memory(const SbatchUse& use);
  void signal(const SbatchUse& use);
  void dependencies(const SbatchUse& use);
  void priority();

  void command_line_wins();
  std::int64_t tasks_in_all();
  void nodes_and_tasks();
  void gpus();
  void gpus_of(const Wished<SbatchGpus>& wished, std::optional<std::int64_t> per_node);
  void cpus();
  void memory_in_all();
  std::int64_t product(std::string_view key, const SbatchUse& use, std::int64_t a, std::int64_t b);
  void report(const std::string& key, const std::string& message);

  SbatchJob& result_;
  JobSpec& job_;
  const SbatchContext& context_;
  SbatchFindings& findings_;
  std::vector<std::pair<std::string, SbatchUse>> places_;

  Wished<SbatchNodes> nodes_;
  Wished<std::int64_t> ntasks_;
  Wished<std::int64_t> ntasks_per_node_;
  Wished<std::int64_t> cpus_per_task_;
  Wished<std::int64_t> cpus_per_gpu_;
  Wished<std::int64_t> mem_;
  Wished<std::int64_t> mem_per_cpu_;
  Wished<std::int64_t> mem_per_gpu_;
  Wished<SbatchGpus> gpus_;
  Wished<SbatchGpus> gpus_per_node_;
  Wished<SbatchGpus> gpus_per_task_;
  Wished<SbatchGpus> gres_;
  Wished<std::int64_t> priority_;
  Wished<std::int64_t> nice_;
  std::optional<SbatchUse> wrap_;
  std::optional<SbatchUse> counted_gpus_;  ///< The option that the job's GPUs were counted from.
  bool ignores_pbs_ = false;
};

}  // namespace gw::spec
