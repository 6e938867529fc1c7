// JobTap: what stands between a stream of jobs and the twin: tenants get the weights of a scenario file, GPU
// types are renamed, and the jobs that the core rejects are told apart.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/fleet.h"
#include "report/run_facts.h"
#include "runtime/seams.h"
#include "workload/job_stream.h"

namespace gw {

/// Puts a log's tenants into the tree of a scenario. A tenant takes the place and weight of the scenario's
/// tenant of the same path; where its parent is none of the scenario's, also of the only one of its name.
/// Others keep their place with weight 1.
class TenantPlacer {
 public:
  /// `known` must outlive this.
  explicit TenantPlacer(const TenantTree& known) : known_(known) {}

  /// Takes in the tenants that `log` has gained.
  void update(const TenantTree& log);
  [[nodiscard]] TenantId placed(TenantId of_log) const { return placed_[of_log.value()]; }
  [[nodiscard]] const TenantTree& tree() const { return tree_; }
  /// `3 of the log's 40 tenants have their weights from FILE; ...`
  [[nodiscard]] std::string note(std::string_view file) const;

 private:
  TenantId map_known(TenantId known);
  [[nodiscard]] TenantId only_one_named(const std::string& name);

  const TenantTree& known_;
  TenantTree tree_;
  std::map<std::string, std::vector<TenantId>> by_name_;  ///< Of known_, once needed.
  std::map<TenantId, TenantId> of_known_;                 ///< In tree_.
  std::vector<TenantId> known_of_{
      TenantTree::root()};  ///< Per tenant of tree_; none where it is the log's own.
  std::vector<TenantId> placed_{TenantTree::root()};  ///< Per tenant of the log.
  std::uint64_t matched_ = 0, below_ = 0, own_ = 0;
};

struct JobTapOptions {
  const TenantTree* tenants = nullptr;           ///< Of the scenario file; none: the stream's own stay.
  std::map<std::string, std::string> gpu_types;  ///< From to; kAnyGpuType drops the wish.
};
inline constexpr std::string_view kAnyGpuType = "any";

/// A stream and, as the run's store, the listener to what became of its jobs. Passes everything on to
/// `inner`.
class JobTap final : public workload::JobStream, public runtime::Store {
 public:
  /// All must outlive this; `journal` may be none.
  JobTap(workload::JobStream& source, const Fleet& fleet, JobTapOptions options, runtime::Store* journal);

  Result<bool> next(TraceJob& job) override;
  [[nodiscard]] const TenantTree& tenants() const override;
  [[nodiscard]] const std::vector<std::string>& gpu_types() const override { return gpu_types_; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return source_.classes(); }
  [[nodiscard]] const workload::RowCounts& counts() const override { return source_.counts(); }

  Result<void> append_events(Instant now, const std::vector<sched::Event>& events) override;
  Result<void> append_plan(Instant now, const sched::Plan& plan) override;
  Result<void> append_snapshot(Instant now, std::string_view snapshot) override;
  [[nodiscard]] std::uint64_t snapshot_interval() const override {
    return journal_ == nullptr ? 0 : journal_->snapshot_interval();
  }

  /// Names of JobTapOptions::gpu_types that no job asked for: probably mistyped.
  [[nodiscard]] std::vector<std::string> unused_gpu_types() const;
  /// The tenants' note, or nothing.
  [[nodiscard]] std::string tenants_note(std::string_view file) const;
  /// Adds what was seen: `jobs`, `fingerprint`, `rows` and `rejected`.
  void fill(report::RunFacts& facts) const;

 private:
  struct Waiting {
    std::string id;
    Shape shape;
  };
  struct Group {
    report::RejectedGroup told;
    std::string key;
    std::uint64_t wanted = 0;  ///< The most that a job of the group asked for.
    std::uint64_t there = 0;
  };
  void map_gpu_types(Shape& shape);
  void hash(const TraceJob& job);
  void reject(const Waiting& job, sched::Reason reason);
  [[nodiscard]] Group group_of(const Shape& shape) const;

  workload::JobStream& source_;
  const Fleet& fleet_;
  JobTapOptions options_;
  runtime::Store* journal_;
  std::optional<TenantPlacer> placer_;
  std::vector<std::string> gpu_types_;  ///< The source's, renamed.
  std::uint64_t any_types_ = 0;         ///< Bits of names that became kAnyGpuType.
  std::deque<Waiting> delivered_;       ///< Jobs that no plan has answered yet; the first is job first_.
  std::uint32_t first_ = 0;
  std::uint32_t submitted_ = 0;  ///< Events seen.
  std::uint64_t jobs_ = 0;
  std::uint64_t hash_ = 14695981039346656037ULL;
  std::vector<Group> rejected_;
  std::vector<std::uint64_t> nodes_by_type_;
};

}  // namespace gw
