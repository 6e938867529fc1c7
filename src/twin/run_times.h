// RunTimeModel: what part of their time limits the jobs of each tenant have used so far, and draws from it
// for jobs whose end is not known yet.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/job.h"

namespace gw::twin {

/// Jobs that are taken to be alike: of one tenant, one size and one limit.
struct JobKind {
  TenantId tenant;
  std::int64_t gpu_milli = 0;
  Nanoseconds limit;
  friend auto operator<=>(const JobKind&, const JobKind&) = default;
};
inline JobKind kind_of(const JobRequest& request) {
  if (!request.is_elastic()) return {request.tenant, request.shape.total_gpu_milli(), request.limit};
  return {request.tenant, std::int64_t{1000} * request.shape.gpus * request.nodes_min, request.limit};
}

/// What an elastic job does in `span` on the nodes that it has, as time on its least: its work is
/// node-seconds.
inline Nanoseconds work_in(const JobRequest& request, Nanoseconds span) {
  if (!request.is_elastic() || request.shape.nodes == request.nodes_min) return span;
  __extension__ using Wide = __int128;
  return Nanoseconds{static_cast<std::int64_t>(
      std::min<Wide>(Wide{span.count()} * request.shape.nodes / request.nodes_min, kLongestSpan.count()))};
}
/// How long it takes for that work.
inline Nanoseconds span_of(const JobRequest& request, Nanoseconds work) {
  if (!request.is_elastic() || request.shape.nodes == request.nodes_min) return work;
  __extension__ using Wide = __int128;
  return Nanoseconds{static_cast<std::int64_t>(
      (Wide{work.count()} * request.nodes_min + request.shape.nodes - 1) / request.shape.nodes)};
}

/// Observed run times over time limits, in (0, 1].
struct RunTimeModel {
  static constexpr std::size_t kKept = 64;        ///< Of one tenant.
  static constexpr std::size_t kEnough = 8;       ///< Fewer than this are not drawn from alone.
  static constexpr std::size_t kMostSeen = 4096;  ///< Of all kinds together.

  struct Seen {
    JobKind kind;
    double fraction = 1;
  };

  std::vector<std::vector<double>> by_tenant;  ///< Of each tenant's own jobs, newest first; may be short.
  std::deque<Seen> seen;                       ///< The last jobs whose kind is known, newest last.
  /// How often jobs of one kind that end in the same future run alike: a batch of one user shares its fate.
  double alike = 0.3;

  /// A job of `tenant` has ended after `run_time`. Its oldest observation makes way for the 65th.
  void observe(TenantId tenant, Nanoseconds run_time, Nanoseconds limit);
  /// The same where the job's size is known too.
  void observe(const JobKind& kind, Nanoseconds run_time);
};

/// What is taken where fewer than kEnough jobs of the whole factory have been observed: the 5 % steps (2.5
/// %, 7.5 %,
/// ...) of 23,911 jobs of ALCF Theta, 2022 (4,360 nodes; public job logs): a third ends within a tenth of its
/// limit, another third at it.
std::span<const double> prior_fractions();

/// Draws from a model for a given tree of tenants. Each tenant's jobs are drawn from its own observations if
/// there are enough, else from those of the nearest tenant above it that has enough with all below it, else
/// from the prior. For the kinds named beforehand, what jobs of the same kind have run counts most, then what
/// the tenant's jobs of about that limit have, then the pool above: n observations weigh n / (n + kDoubt) of
/// what is left to those behind them. Safe to use from several threads.
class RunTimeSampler {
 public:
  /// `parents[t]` is the parent of tenant t; the root is tenant 0, and parents come before their children.
  RunTimeSampler(const RunTimeModel& model, std::span<const TenantId> parents,
                 std::vector<JobKind> kinds = {});

  /// The run time in all of a job of that limit that has run for `elapsed` already: > elapsed if that is
  /// under the limit, else `elapsed`. `uniform` in [0, 1) picks one of the observations that are still
  /// possible.
  [[nodiscard]] Nanoseconds draw(TenantId tenant, Nanoseconds limit, Nanoseconds elapsed,
                                 double uniform) const;
  /// The same by what is known of its kind.
  [[nodiscard]] Nanoseconds draw(const JobKind& kind, Nanoseconds elapsed, double uniform) const {
    return draw(index_of(kind), kind, elapsed, uniform);
  }
  /// The same where `index` is known to be that of the kind.
  [[nodiscard]] Nanoseconds draw(std::uint32_t index, const JobKind& kind, Nanoseconds elapsed,
                                 double uniform) const;
  static constexpr std::uint32_t kUnnamed = ~0U;
  /// Of a kind that was named; else kUnnamed.
  [[nodiscard]] std::uint32_t index_of(const JobKind& kind) const;
  [[nodiscard]] double alike() const { return alike_; }

  /// Ascending; what the jobs of a tenant are drawn from.
  [[nodiscard]] std::span<const double> fractions(TenantId tenant) const;

 private:
  static constexpr std::uint32_t kPrior = 0;
  static constexpr double kDoubt = 6;
  static constexpr std::size_t kMostAlike = 48;  ///< Observations of one kind or class that are drawn from.

  /// A fraction and the share of all weight at or below it.
  struct Step {
    double fraction;
    double weight_to;
  };
  std::uint32_t add_pool();
  [[nodiscard]] std::uint32_t pool_of(TenantId tenant) const;
  void add_kinds(const RunTimeModel& model);
  [[nodiscard]] std::vector<Step> steps_of(const JobKind& kind, std::span<const double> same,
                                           std::span<const double> near) const;

  std::vector<std::uint32_t> pool_of_;      ///< By tenant.
  std::vector<std::vector<double>> pools_;  ///< Each ascending and not empty; the first is the prior.
  std::vector<JobKind> kinds_;              ///< Ascending.
  std::vector<std::uint32_t> steps_of_;     ///< By kind.
  std::vector<std::vector<Step>> steps_;    ///< Each ascending. Kinds of which nothing is known share them.
  double alike_;
};

}  // namespace gw::twin
