// Book: what a live factory knows now: jobs that have not ended, tenants, nodes, tokens. It is written by the
// controller alone and read by everybody else.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "live/budget_meter.h"
#include "live/ending_power.h"
#include "live/records.h"
#include "live/task_indices.h"
#include "model/fleet.h"
#include "model/job.h"
#include "model/law.h"
#include "model/tenant.h"
#include "sched/core.h"

namespace gw::live {

/// What a job, or an array as a whole, waits for.
struct Waits {
  struct One {
    Dependency on;
    bool impossible = false;  ///< It can be met no more.
  };
  std::vector<One> open;  ///< That have not been met.
  bool any = false;       ///< One of them will do.

  [[nodiscard]] bool over() const { return open.empty(); }
  /// Whatever comes, it waits in vain.
  [[nodiscard]] bool doomed() const {
    const auto impossible = [](const One& one) { return one.impossible; };
    return any ? !open.empty() && std::all_of(open.begin(), open.end(), impossible)
               : std::any_of(open.begin(), open.end(), impossible);
  }
};

/// A job that has not ended, or the tasks of an array that share one record.
struct LiveJob {
  JobRecord record;
  JobRequest request;
  std::shared_ptr<const LegalWishes> law;  ///< Shared by the tasks of an array; none: it has no wishes.
  BlockReason blocked = BlockReason::kNone;
  sched::Reason reason = sched::Reason::kNone;  ///< As last looked at.
  Instant reason_since;
  std::optional<AttemptRecord> attempt;  ///< The one that runs.
  Waits waits;                           ///< A task's are its array's.
  Instant begin;
  std::uint32_t clock = 1000;     ///< Thousandths that the engine has been told last.
  bool leaving = false;           ///< It runs, and has been told to go: as the core has it.
  std::uint64_t leaving_for = 0;  ///< The job that starts once it has gone; 0: none, or another tenant's.
  bool compensated = false;       ///< ... for which the work that it loses is credited.
  std::string leaving_why;        ///< For people.
  /// Of tasks that share a record: their ids in the core are reserved, so that each keeps its place in the
  /// order however late it comes in; the first one's is in `record`.
  bool in_line = false;
  bool is_new = false;      ///< The store does not know it yet.
  bool is_changed = false;  ///< The store knows an older state of it.
};

/// What the tasks of an array share.
struct LiveArray {
  TaskIndices indices;
  std::uint32_t most_running = 0;   ///< 0 = any number.
  std::uint32_t in_core = 0;        ///< Tasks that wait or run.
  std::uint32_t running = 0;        ///< Of them.
  std::uint32_t ahead = 0;          ///< So many may wait in the core; the others share records until then.
  std::uint32_t tasks = 0;          ///< That have not ended.
  std::uint32_t unstarted = 0;      ///< That have never started; of those that have not ended.
  std::uint32_t bad = 0;            ///< That have ended otherwise than completed.
  std::set<std::uint64_t> blocked;  ///< By the limit, or as enough wait in the core.
  Waits waits;                      ///< Shared by all tasks.
};

/// A cap that is not over, and the feed that it is of; none where the fleet has no such feed any more.
struct LiveCap {
  CapRecord record;
  std::optional<Fleet::FeedAt> feed;
};

/// A tenant and what it and everything below it has in the system.
struct LiveTenant {
  TenantRecord record;
  std::string path;
  std::int64_t gpu_milli = 0;  ///< Asked for or in use: of jobs in the core.
  std::int64_t running_milli = 0;
  std::uint32_t jobs = 0;  ///< That have not ended.
  std::uint32_t running = 0;
};

/// Counted since the book was loaded, for monitoring.
struct Tally {
  std::array<std::uint64_t, 10> ended{};  ///< By outcome.
  std::uint64_t started = 0;              ///< Attempts.
  std::uint64_t first_starts = 0;         ///< Jobs.
  std::int64_t waited_ns = 0;             ///< Those jobs, from submission to first start.
  std::uint64_t preemptions = 0;          ///< Attempts told to leave.
};

class Book {
 public:
  Fleet fleet;
  std::map<std::uint64_t, LiveJob> jobs;
  std::unordered_map<std::uint32_t, std::uint64_t> by_core;            ///< Core id to number.
  std::unordered_map<std::uint64_t, LiveArray> arrays;                 ///< By the number of the first task.
  std::vector<LiveTenant> tenants;                                     ///< By id; 0 is the root.
  std::map<std::string, NodeRecord, std::less<>> marks;                ///< Nodes that are closed or down.
  std::map<std::string, ReservationRecord, std::less<>> reservations;  ///< By name; those that are not over.
  std::uint32_t next_window = 0;
  std::map<std::uint32_t, LiveCap> caps;  ///< By number; those that are not over.
  std::uint32_t next_cap = 1;
  EndingPower ending;  ///< Since the book was loaded.
  /// Feeds that draw more than their caps, with what is ending, and since when.
  std::map<sched::FeedId, Instant> unmet;
  std::map<std::string, TokenRecord, std::less<>> tokens;  ///< By id.
  std::unique_ptr<sched::Core> core;
  BudgetMeter meter;  ///< In use once a tenant has a budget.
  Tally tally;
  Instant now;
  std::int64_t origin_unix_ns = 0;  ///< Unix time of Instant{}.
  std::uint64_t lineage = 0;        ///< See ControllerOptions; 0: of a store from before there was one.
  std::uint64_t next_number = 1;
  std::uint64_t journal_sequence = 0;

  [[nodiscard]] const LiveJob* job(std::uint64_t number) const;
  [[nodiscard]] LiveJob* job(std::uint64_t number);
  /// The job of that number, or the one whose record the task of that number shares.
  [[nodiscard]] const LiveJob* entry(std::uint64_t number) const;
  /// The same for a task by its index; none if the array has no such task that has not ended.
  [[nodiscard]] const LiveJob* task(std::uint64_t array_job, std::uint32_t index) const;
  [[nodiscard]] LiveJob* job_of(JobId core_id);
  /// By path; none if there is no such tenant. The empty path is the root.
  [[nodiscard]] TenantId tenant(std::string_view path) const;
  [[nodiscard]] const std::string& path(TenantId id) const { return tenants[id.value()].path; }
  [[nodiscard]] std::int64_t unix_ns(Instant when) const { return origin_unix_ns + when.count(); }
  /// Of a second since 1970; what is too far away for nanoseconds (in 2262) is never.
  [[nodiscard]] Instant instant_of_second(std::int64_t unix_s) const;
  /// May those who see the one tenant's jobs hear the numbers of the other's? It is so within one tenant of
  /// the first level.
  [[nodiscard]] bool may_name(TenantId to, TenantId whose) const;
  /// Is `id` the tenant `top` or below it?
  [[nodiscard]] bool is_within(TenantId id, TenantId top) const;
  /// Tells a running attempt apart from others of its number; 0 = by nothing.
  [[nodiscard]] std::uint64_t identity_of(const AttemptRecord& attempt) const;
  /// 0 for one that does not run: it was told apart when it did.
  [[nodiscard]] std::uint64_t identity_of_running(AttemptId id) const;
  /// Do tasks that share a record count among those that their tenants have in the core? They would be there,
  /// but for what that costs; where the array's own limit keeps them back they would not.
  [[nodiscard]] bool in_line(const LiveJob& job) const;
  TenantId add_tenant(const TenantRecord& record);
  /// A setting that the tenant has or inherits.
  [[nodiscard]] const std::string& unix_user(TenantId id) const;
  [[nodiscard]] std::string price_plan(TenantId id) const;
  /// Of its own, as they were set.
  [[nodiscard]] QuotaTerms quota(TenantId id, std::string_view gpu_type) const;
  /// All that the fleet has, in thousandths.
  [[nodiscard]] std::int64_t gpus_milli(QuotaResource resource) const;
  /// What rules see of a tenant: its own or inherited facts.
  [[nodiscard]] TenantFacts legal_facts(TenantId id) const;

  /// The node of that name; none if there is none.
  [[nodiscard]] NodeId node(std::string_view name) const;
  [[nodiscard]] const std::string& node_name(NodeId id) const { return node_names_[id.value()]; }
  /// Fills the look-ups of `fleet`; to be called whenever it has been set.
  void index_fleet();
  /// A copy of `fleet`, for those who work with it without the book's lock: another fleet may take its place
  /// meanwhile.
  [[nodiscard]] const std::shared_ptr<const Fleet>& shared_fleet() const { return shared_fleet_; }

  /// Calls visit(node id, gpu mask) for each node of a running job, in the order of ranks.
  template <class Visit>
  void for_each_node(const sched::Job& job, Visit&& visit) const {
    for (const sched::Piece& piece : job.placement.pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
        visit(core->state().fleet_node(job.placement, node), piece.gpu_mask);
    }
  }

 private:
  std::shared_ptr<const Fleet> shared_fleet_;
  std::vector<std::string> node_names_;
  std::map<std::string, NodeId, std::less<>> node_ids_;
  std::map<std::string, TenantId, std::less<>> tenant_ids_;
};

}  // namespace gw::live
