// EtaBench: asks a replayed factory "when does my job start?" as its users would, and notes what came.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/id_table.h"
#include "runtime/seams.h"
#include "twin/arrivals.h"
#include "twin/calibration.h"
#include "twin/forecast.h"
#include "twin/run_times.h"

namespace gw::twin {

/// One question, its answers, and the truth.
struct EtaSample {
  JobId job;
  JobKind kind;
  Instant asked;                     ///< When it arrived; it did not start at once.
  std::uint32_t waiting = 0;         ///< Jobs that waited then, itself among them.
  StartForecast raw;                 ///< The ensemble's.
  StartForecast told;                ///< The same, corrected by what came of earlier ones.
  Instant by_limits;                 ///< The point estimate of EASY with users' limits; max(): none.
  Instant started = Instant::max();  ///< The truth, once it is there.
};

struct EtaBenchOptions {
  ForecastOptions forecast;  ///< `jobs` and `first_member` are set by the bench.
  /// Of `waiting` jobs that do not start at once (as an earlier run has counted) so many are asked for,
  /// evenly spread; 0 = none are.
  std::uint64_t samples = 0;
  std::uint64_t waiting = 0;
  Nanoseconds every;  ///< Instead: the first that waits in each such span; 0 = by `samples`.
  /// Tells the time of day, if the cost of answers is wanted; it changes none of them.
  std::function<double()> wall_s;
  /// After each instant's answers: what they cost, how many they were, and the simulated time.
  std::function<void(double wall_s, std::size_t samples, Instant now)> on_answers;
};

struct EtaCounts {
  std::uint64_t submitted = 0;
  std::uint64_t at_once = 0;  ///< Started in the pass of their arrival.
  std::uint64_t waiting = 0;  ///< Did not, and were not rejected.
  std::uint64_t rejected = 0;
  std::uint64_t events = 0;  ///< Simulated for the ensembles.
  friend bool operator==(const EtaCounts&, const EtaCounts&) = default;
};

/// Stands where a live factory's journal stands, so that it knows what such a factory knows and no more:
/// requests when they come, starts when they are decided, ends when they happen. What a job that has not
/// ended will really run is out of its sight. Each answer is given before its outcome is known, by what was
/// learned from earlier ones (prequential).
class EtaBench final : public runtime::Store {
 public:
  /// Fleet and policy must outlive this.
  EtaBench(const Fleet& fleet, const PolicyConfig& policy, EtaBenchOptions options);

  Result<void> append_events(Instant now, const std::vector<sched::Event>& events) override;
  Result<void> append_plan(Instant now, const sched::Plan& plan) override;
  Result<void> append_snapshot(Instant now, std::string_view snapshot) override;
  [[nodiscard]] std::uint64_t snapshot_interval() const override { return asked_.empty() ? 0 : 1; }

  /// In order of asking.
  [[nodiscard]] const std::vector<EtaSample>& samples() const { return samples_; }
  [[nodiscard]] const EtaCounts& counts() const { return counts_; }

 private:
  struct Known {
    JobId id;
    JobRequest request;
    Instant started;
    bool running = false;
    bool interrupted = false;  ///< Once: how long it runs in all is no observation then.
    std::uint32_t sample = kNone;
  };
  static constexpr std::uint32_t kNone = 0xffffffffU;
  [[nodiscard]] bool wanted(Instant now);

  const Fleet& fleet_;
  const PolicyConfig& policy_;
  EtaBenchOptions options_;
  RunTimeModel run_times_;
  ArrivalModel arrivals_;
  Calibration calibration_;
  IdTable<Known> jobs_;
  std::vector<JobId> arrived_;  ///< In the batch at hand.
  std::vector<JobId> asked_;    ///< Of these, those to ask for.
  std::vector<EtaSample> samples_;
  EtaCounts counts_;
  std::uint32_t waiting_now_ = 0;
  Instant next_due_;  ///< With `every`.
};

}  // namespace gw::twin
