// State: everything the core knows (nodes, jobs, order, running set) and the few ways in which it changes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/owned.h"
#include "model/fleet.h"
#include "model/policy.h"
#include "sched/claims.h"
#include "sched/end_profile.h"
#include "sched/energy_prices.h"
#include "sched/events.h"
#include "sched/job_table.h"
#include "sched/least_of.h"
#include "sched/pending.h"
#include "sched/pool.h"
#include "sched/power_tree.h"
#include "sched/quota.h"
#include "sched/shape_classes.h"
#include "sched/victim_index.h"
#include "sched/windows.h"

namespace gw::sched {

/// What a job counts for in an EndProfile: GPUs, at least 1.
[[nodiscard]] std::uint32_t amount_of(const Shape& shape);

class State {
 public:
  State(const Fleet& fleet, const PolicyConfig& policy);

  /// Applies one fact. Consequences (interruptions, rejections) go into `plan`.
  void apply(const Event& event, Instant now, Plan& plan);
  /// Starts a waiting job on a place that is free.
  void start(Job& job, Placement placement, Instant now, Plan& plan);

  /// The same for a job whose limit ends at `expected_end` (a move to another fleet).
  void start_at(Job& job, Placement placement, Instant expected_end, Instant now, Plan& plan);

  /// For snapshots: a job as it was, waiting since `since`. Null if no part of the fleet could ever hold it.
  Job* put_waiting(JobId id, const JobRequest& request, Instant since);
  /// The same of one that runs, on a place that is free.
  Job* put_running(JobId id, const JobRequest& request, Instant since, Placement placement,
                   Instant expected_end, Instant now);

  /// Takes the job out of the queue and tells `victims` to go; it starts on `placement` once they have.
  /// Those of `shrinks` go on with the rest of their nodes afterwards.
  void claim(Job& job, Placement placement, const std::vector<JobId>& victims, Instant now, Plan& plan,
             const std::vector<Shrink>& shrinks = {});
  /// For snapshots: a running job has been told to go.
  void mark_leaving(Job& job);
  /// Tells fair share which of the tenant and those above have less than is guaranteed to them.
  void note_owed(TenantId tenant);
  /// The capacity of a fleet without failures, for `unused_quota`.
  void set_full_capacity();
  /// Tells a running job to go, without a claim to its place.
  void tell_to_leave(JobId job, JobId for_job, Instant now, Plan& plan) {
    leave_now(jobs[job], for_job, now, plan);
  }
  /// Starts those whose places all others have left.
  void start_claimed(Instant now, Plan& plan);
  /// For snapshots: a job as it was, with a claim.
  Job* put_claiming(JobId id, const JobRequest& request, Instant since, Claim claim);

  /// Elastic jobs (state_elastic.cc). While such a job runs, its shape has the nodes that it has; else the
  /// least. Starts a waiting job that fits on `placement` in `view`; an elastic one on as many nodes there as
  /// it may have.
  void start_widest(Job& job, Placement placement, View view, Instant now, Plan& plan);
  /// Running jobs that can be resized.
  [[nodiscard]] const std::set<JobId>& resizable() const { return resizable_; }
  /// A running job has been told to leave, and will go on at `placement` (its nodes then) once it has.
  struct Resizing {
    Placement placement;
    Instant end;  ///< By its limit, had it not been told.
  };
  /// By job. Their places are closed to all others, and their tenants' quota is that of the place.
  std::map<JobId, Resizing> resizes;
  void tell_to_resize(Job& job, Placement placement, JobId for_job, Instant now, Plan& plan);
  /// For snapshots: it has been told.
  void put_resize(const Job& job, Resizing resize);
  /// Nodes that no waiting job can use go to elastic jobs. Call after a pass.
  void grow_elastic(Instant now, Plan& plan);
  /// May a job that runs there leave and come back: is no node claimed by another, or drained?
  [[nodiscard]] bool may_return(const Placement& placement) const;
  /// The same job's amount of quota with another number of nodes.
  [[nodiscard]] QuotaTree::Amount quota_amount(const Job& job, std::uint32_t pool, std::uint32_t nodes) const;
  /// Recounts elastic jobs; empty if all is as it should be.
  [[nodiscard]] std::string check_elastic() const;

  /// What the job takes of its tenant's quota in that pool; what some GPUs of it are, in thousandths.
  [[nodiscard]] QuotaTree::Amount quota_amount(const Job& job, std::uint32_t pool) const;
  [[nodiscard]] QuotaTree::Amount quota_amount(std::int64_t gpu_milli, std::uint32_t pool) const;
  [[nodiscard]] QuotaResource quota_resource(std::uint32_t pool) const {
    return quota_of_pool_[pool].resource;
  }
  /// What of quota and budget keeps the job from every pool that could hold it; `ok()` if one lets it in.
  [[nodiscard]] QuotaTree::Answer quota_bar(const Job& job) const;
  /// Does quota let the job in somewhere? As `quota_bar`, but what is known to be barred is not asked again.
  [[nodiscard]] bool quota_lets(const Job& job);
  /// Jobs of the tenant that ask for more GPUs than this are known to be barred.
  [[nodiscard]] std::int64_t quota_room(TenantId tenant) const;
  /// Are jobs of the tenant that cannot be preempted known to be barred, however few GPUs they ask for?
  [[nodiscard]] bool fixed_barred(TenantId tenant) const;
  /// Could quota let in some job that waits below the child of the root? A quick look for scans.
  [[nodiscard]] bool quota_may_let(TenantId top) const;
  /// Does quota leave it the choice of all pools that could hold it?
  [[nodiscard]] bool quota_leaves_all(const Job& job) const;
  /// Recounts what tenants use; empty if quotas are as they should be.
  [[nodiscard]] std::string check_quota() const;
  /// Before a pass: capacity as it is, and who has waited too long for quota.
  void refresh_quota(Instant now);
  /// A reservation takes its part of the quota too.
  void reserve_quota(const Job& job, std::uint32_t pool);
  void release_quota(const Job& job, std::uint32_t pool);
  void release_quota(TenantId tenant, const QuotaTree::Amount& amount) { quota.release(tenant, amount); }

  /// Before a pass: keeps nodes of windows back or gives them free, as the time wants it, and tells those to
  /// go who are in the way of a window that preempts.
  /// Without a plan nobody is told, and nothing counts as changed (snapshots).
  void refresh_windows(Instant now, Plan* plan);
  /// Has something of that been due since the last pass? For snapshots: it is due again.
  [[nodiscard]] bool windows_due(Instant now) const { return windows_changed_ || now >= window_edge_; }
  void set_windows_due() { windows_changed_ = true; }
  /// After a pass: a job for which a window was made and which has started needs it no more.
  void retire_windows(Instant now);
  [[nodiscard]] static Windows::User window_user(const Job& job) {
    return {job.request.tenant, job.id, job.request.window, job.request.limit};
  }
  /// Do windows let the job be on these nodes from `when` until its limit?
  [[nodiscard]] bool windows_admit(const Job& job, const Placement& placement, Instant when) const;
  /// Does the job wait for a time of the window that it names?
  [[nodiscard]] bool waits_for_window(const Job& job, Instant now) const;
  /// A window of which some node and time are those of the terms too; none if there is none.
  [[nodiscard]] WindowId conflicting_window(const WindowTerms& terms) const;
  [[nodiscard]] std::uint32_t nodes() const { return static_cast<std::uint32_t>(pool_of_node_.size()); }
  /// The pool of a node and its number there.
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> place_of(NodeId node) const {
    const std::uint32_t pool = pool_of_node_[node.value()];
    return {pool, pools[pool]->local_node(node)};
  }

  /// Where the job fits among open (held) nodes now and quota lets it in.
  [[nodiscard]] std::optional<Placement> place(const Job& job, View view) const;

  /// Could an empty fleet without failures hold a job of that shape?
  [[nodiscard]] bool could_ever_fit(const Shape& shape) const { return !pools_for(shape).empty(); }
  /// Is it known that the job would not fit even if all others ended, as too many nodes are down?
  /// Or as its limit is too long for every gap between windows.
  /// Nodes on which nothing new starts for want of power.
  [[nodiscard]] std::uint32_t dark_nodes() const { return dark_nodes_; }
  [[nodiscard]] bool is_hopeless(const Job& job) const;
  void set_hopeless(const Job& job);
  /// Sets since when a waiting job waits (a move to another fleet).
  void set_waits_since(Job& job, Instant since);
  /// From now on places matter, counts no longer do: `uniform` ends.
  void set_structured();

  /// Brings the feeds within their caps: nodes go dark, clocks are capped, jobs are preempted; then, in turn,
  /// clocks rise and nodes are lit as far as the caps allow. True if a node was lit. (state_power.cc)
  bool balance_power(Instant now, Plan& plan);
  /// Nodes go dark as far as it takes to stay within the caps.
  void darken();
  /// Holds so much power on nodes of a pool for a job with a reservation; takes it back.
  void hold_power(const Job& job, std::uint32_t pool, const std::vector<std::uint32_t>& nodes);
  void release_power(std::uint32_t pool, const std::vector<std::uint32_t>& nodes);
  /// Is every feed within its cap if the job starts there and `leaving` have left, those of `shrinks` for the
  /// rest of their nodes?
  [[nodiscard]] bool has_power(const Job& job, const Placement& placement, const std::vector<JobId>& leaving,
                               const std::vector<Shrink>& shrinks = {}) const {
    return has_power(job, placement, leaving, shrinks, true);
  }
  /// Jobs that are put off and whose time has come join the queue. (state_shift.cc)
  void call_in_due(Instant now);
  /// One that is put off joins the queue now; nothing happens to others.
  void call_in(Job& job);
  /// For snapshots: a job as it was, to join the queue at `until`. Null as put_waiting.
  Job* put_put_off(JobId id, const JobRequest& request, Instant since, Instant until);
  /// Recounts them; empty if it is right.
  [[nodiscard]] std::string check_put_off() const;

  /// For those who take over what was decided elsewhere, and for snapshots: since when a running job has run.
  void set_started(Job& job, Instant when);
  /// The same of its clock.
  void set_clock(Job& job, std::uint32_t permille);
  void stop_for_power(Job& job, Instant now, Plan& plan);
  /// How fast a running job's work goes at its clock, in thousandths.
  [[nodiscard]] std::uint32_t speed_of(const Job& job) const {
    const GpuType* type = gpu_type_of(job);
    return type == nullptr ? 1000 : type->speed_permille(job.clock);
  }
  /// As set_clock, and the job's limit moves along with its speed.
  void change_clock(Job& job, std::uint32_t permille, Instant now);
  void set_dark(NodeId node, bool dark);
  /// Recounts the power of all jobs and feeds; empty if it is right (tests and the twin's checks).
  [[nodiscard]] std::string check_power() const;

  /// What changed since the last pass.
  struct Changes {
    bool released = false;   ///< Capacity came free, or the set of nodes changed.
    bool irregular = false;  ///< ... in another way than running jobs ending exactly at their limits.
    bool nodes = false;      ///< A node went down or came up.
    bool windows = false;    ///< A window was made or removed.
    JobId last_seen;         ///< The last job that a pass has looked at; later ids are new.
  };

  PolicyConfig policy;
  std::vector<Owned<Pool>> pools;
  std::vector<EndProfile> running;  ///< Per pool, amounts in GPUs (at least 1 a job).
  JobTable jobs;
  ShapeClasses classes;
  Pending pending;
  QuotaTree quota;
  QuotaTree unused_quota;  ///< The same terms with nothing running: what could ever be let in?
  Claims claims;
  Windows windows;
  Nanoseconds longest_limit;  ///< Of all jobs so far: nodes are kept back from that long before a window.
  std::uint64_t window_edges = 0;  ///< Counts instants in which windows began, ended or changed.
  /// By shape and windows of its own: the least limit that is too long for every gap, at `node_changes`.
  struct Hopeless {
    std::uint64_t at = 0;
    Nanoseconds limit;
  };
  std::map<std::pair<Shape, std::vector<WindowId>>, Hopeless> hopeless;
  Changes changes;
  /// Waiting jobs of more GPUs than a node has, longest waiting first; kept under fair share only.
  std::set<std::pair<Instant, JobId>> waiting_gangs;
  /// Ids up to here have come. A later one may leave a gap behind it, of at most so many ids: those are
  /// reserved, and come late or never.
  std::uint32_t next_job = 0;
  static constexpr std::uint32_t kMostReserved = 1U << 20;
  /// One pool of one-processor nodes without structure, and no job yet that asks for less than a processor:
  /// the textbook setting, decided on counts alone.
  bool uniform = false;
  /// Nothing is passed over because it is known, or seen without a search, that it cannot start: slow, and
  /// plans are the same. For tests.
  bool thorough = false;
  std::uint64_t node_changes = 1;  ///< Counts failures and repairs.
  /// When a plan is due though nothing has happened; Instant::max() if none is.
  Instant wake = Instant::max();
  void wake_at(Instant when) { wake = std::min(wake, when); }
  std::uint64_t releases = 0;  ///< Counts jobs that gave capacity back other than at their limit.
  PowerTree power;
  EnergyPrices prices;
  bool clocks_allowed = false;  ///< Those who run the jobs can cap their clocks, as the last kFeedCap said.
  std::set<JobId> slowed;       ///< Running below full clocks.
  std::set<FeedId> slowed_for;  ///< The feeds for whose sake they do.

  [[nodiscard]] std::int64_t free_gpus() const;
  [[nodiscard]] std::int64_t down_gpus() const;
  [[nodiscard]] std::int64_t allocated_milli() const { return allocated_milli_; }
  /// GPU types (NodeType::kNoGpu: none) by the kind that fair share counts them as.
  [[nodiscard]] const std::vector<std::uint32_t>& gpu_type_of_kind() const { return gpu_type_of_kind_; }
  [[nodiscard]] std::size_t running_jobs() const { return running_jobs_; }
  /// Does it ask for more GPUs than a node has?
  [[nodiscard]] bool is_gang(const Job& job) const {
    return job.request.shape.total_gpu_milli() > largest_node_milli_;
  }
  /// Jobs that could be made to leave, were it for their kind alone, and the lowest priority among them.
  [[nodiscard]] bool preemptible_running() const { return !preemptible_priorities_.empty(); }
  [[nodiscard]] std::int64_t preemptible_milli() const { return preemptible_milli_; }
  /// Running jobs of a pool that could be made to leave; only where policy makes any leave.
  [[nodiscard]] VictimIndex& victims_in(std::uint32_t pool) { return victims_in_[pool]; }
  /// Recounts them; empty if it is right.
  [[nodiscard]] std::string check_victims() const;
  [[nodiscard]] std::int32_t least_preemptible_priority() const {
    return preemptible_priorities_.begin()->first;
  }
  /// The pool that holds a node of the fleet.
  [[nodiscard]] std::uint32_t pool_of(NodeId node) const { return pool_of_node_[node.value()]; }
  /// The zone that a running job is in.
  [[nodiscard]] std::uint32_t zone_of(const Job& job) const { return pools[job.placement.pool]->zone(); }
  [[nodiscard]] NodeId fleet_node(const Placement& placement, std::uint32_t node) const {
    return pools[placement.pool]->fleet_node(node);
  }

 private:
  void enqueue(Job& job);
  void dequeue(Job& job);
  void stop(Job& job, Instant now);
  void wait_again(Job& job, Instant now, Plan& plan);
  Job* admit(JobId id, const JobRequest& request, Instant since, bool runs = false);
  void remove_never(Job& job, Plan& plan);
  void occupy(Job& job, Placement placement, Instant expected_end, Instant now);
  void submit(const Event& event, Instant now, Plan& plan);
  /// Why no part of the fleet could ever hold the shape.
  [[nodiscard]] Reason never_reason(Shape shape) const;
  void set_zones(const Event& event, Plan& plan);
  void node_down(NodeId node, Instant now, Plan& plan);
  void feed_cap(const Event& event);
  void feed_price(const Event& event, Instant now);
  const PriceCurve& price_curve(const std::vector<std::uint32_t>& of_pools);
  [[nodiscard]] Instant joins_at(const Job& job, Instant now);
  /// A job that neither waits nor runs joins the queue, or is put off.
  void line_up(Job& job, Instant now);
  void put_off(Job& job, Instant until);
  void take_from_put_off(Job& job);
  /// Adds a running job's power to its nodes, or takes it away.
  void add_power(const Job& job, int sign);
  [[nodiscard]] const GpuType* gpu_type_of(const Job& job) const;
  void meet_cap(FeedId feed, Instant now, Plan& plan);
  void slow(FeedId feed, const std::vector<JobId>& jobs);
  void stop_below(FeedId feed, const std::vector<JobId>& jobs, std::int64_t kept, Instant now, Plan& plan);
  void raise_clocks(Instant now, Plan& plan);
  [[nodiscard]] std::vector<JobId> jobs_of(FeedId feed) const;
  [[nodiscard]] std::int64_t draw_in(FeedId feed, const Job& job, std::uint32_t clock) const;
  /// It has left since it lost a node in the same instant: nothing is to be said of that.
  static void forget_interruption(const Job& job, Plan& plan);
  /// The gang goes on with a spare node in place of `failed`; false if it does not wish that or there is none
  /// (state_spare.cc).
  bool replace_node(Job& job, std::uint32_t failed, Instant now, Plan& plan);
  [[nodiscard]] std::optional<Piece> spare_for(const Job& job, std::uint32_t failed, Instant now) const;
  [[nodiscard]] std::vector<std::uint32_t> pools_for(const Shape& shape) const;
  void drop_claim(JobId id);
  void drop_resize(JobId id);
  /// A job that neither waits nor runs gets a place that it will start at in the next pass.
  void claim_free(Job& job, Placement placement);
  /// The attempt is over of one that goes on elsewhere: it does so in the next pass. False if it is none.
  bool comes_back(Job& job);
  void set_size(Job& job, std::uint32_t nodes);
  void finish_resize(Job& job, Instant now);
  /// The place without a node, if what is left is enough for an elastic job.
  [[nodiscard]] std::optional<Placement> rest_of(const Job& job, const Placement& placement,
                                                 std::uint32_t node) const;
  /// A running job that loses the node goes on with the others, if they are enough for it.
  bool keep_rest(const Job& job, std::uint32_t failed, Plan& plan);
  [[nodiscard]] std::optional<Placement> widest(const Job& job, std::uint32_t pool, View view,
                                                Instant now) const;
  [[nodiscard]] std::optional<Placement> grown(const Job& job, Instant now) const;
  /// As many nodes of the place as the feeds have power for; none if they are too few for it.
  [[nodiscard]] std::optional<Placement> within_power(const Job& job, const Placement& placement) const;
  void open_place(const Placement& placement);
  /// Takes nodes from elastic jobs until the feed is within its cap; gives what they will draw when they go
  /// on.
  std::int64_t shrink_below(FeedId feed, const std::vector<JobId>& jobs, Instant now, Plan& plan);
  void close_for(const Job& job, const Placement& placement, const std::vector<JobId>& leaving);
  /// `beside_promises`: and what others claim is kept for them.
  [[nodiscard]] bool has_power(const Job& job, const Placement& placement, const std::vector<JobId>& leaving,
                               const std::vector<Shrink>& shrinks, bool beside_promises) const;
  /// What the job draws on the nodes of a claim is among what leaves them, or no more.
  void count_leaving(const Job& job, const Placement& claimed, int sign);
  /// The same in the claim that it leaves for, and in the place that it goes on at.
  void count_leaving(const Job& job, int sign);
  [[nodiscard]] std::string check_promises() const;
  void break_claim(std::uint32_t pool, std::uint32_t node);
  void victim_left(JobId victim);
  void leave_now(Job& job, JobId for_job, Instant now, Plan& plan);
  void apply_quota(const Event& event, Instant now, Plan& plan);
  void change_windows(const Event& event);
  void regroup_windows();
  void tell_in_the_way(const WindowTerms& terms, WindowId id, const Windows::Time& time, Instant now,
                       Plan& plan);
  [[nodiscard]] std::vector<WindowId> own_windows(const Job& job) const;
  void change_quota(TenantId tenant, const QuotaTree::Amount& amount, bool start);

  struct PoolQuota {
    QuotaResource resource = kAllGpus;
    std::int64_t equivalent_milli = 1000;
  };
  void set_gpu_kinds();
  void count_preemptible(const Job& job, int sign);
  /// Before a running job leaves its place, or is told to; after it has got one.
  void unlist_victim(Job& job);
  void list_victim(Job& job);
  /// What is known about a tenant: who asks for so many GPUs of any kind is barred until enough is freed.
  struct Barred {
    struct Mark {
      std::int64_t milli = INT64_MAX;
      std::uint64_t version = 0;  ///< Of the quotas.
      TenantId at;
      QuotaResource resource = kAllGpus;
      std::int64_t until_freed = 0;
    };
    Mark preemptible;  ///< Even if it can be preempted.
    Mark fixed;        ///< If it cannot.
  };
  [[nodiscard]] bool stands(const Barred::Mark& mark) const {
    return mark.version == quota.version() && quota.freed_milli(mark.at, mark.resource) < mark.until_freed;
  }
  std::vector<Barred> barred_;  ///< By tenant.
  std::uint32_t gpu_pools_ = 0;
  std::vector<PoolQuota> quota_of_pool_;
  std::vector<VictimIndex> victims_in_;                           ///< By pool; empty where none is made to.
  std::int64_t preemptible_milli_ = 0;                            ///< GPUs of those jobs, in thousandths.
  std::map<std::int32_t, std::uint32_t> preemptible_priorities_;  ///< Of running jobs that are not leaving.
  /// Waiting jobs, longest waiting first; kept while quotas are in use only.
  std::set<std::pair<Instant, JobId>> waiting_by_age_;
  /// Thousandths of GPUs that waiting jobs ask for, by child of the root; likewise.
  struct Wants {
    LeastOf<std::int64_t> fixed;
    LeastOf<std::int64_t> preemptible;
  };
  std::vector<Wants> wants_;
  void list_for_quota(const Job& job);
  void unlist_for_quota(const Job& job);
  /// What a waiting job asks for in all, where it takes the least.
  [[nodiscard]] std::int64_t asked_milli(const Job& job) const;
  [[nodiscard]] LeastOf<std::int64_t>& wants_of(const Job& job);

  std::set<JobId> resizable_;

  bool windows_changed_ = false;
  Instant window_edge_ = Instant::max();   ///< When the next time begins or ends, or somebody must be told.
  Instant window_close_ = Instant::max();  ///< When more nodes are to be kept back.
  Nanoseconds window_horizon_{0};          ///< With which they were looked at.

  std::vector<std::uint16_t> pool_of_node_;
  std::vector<std::uint32_t> kind_of_pool_;  ///< For fair share.
  std::vector<std::uint32_t> gpu_type_of_kind_;
  std::vector<GpuType> gpu_types_;
  std::uint32_t dark_nodes_ = 0;
  std::map<JobId, std::uint32_t> clocks_before_;  ///< Of those that balance_power has changed.
  std::int64_t largest_node_milli_ = 1000;
  std::int64_t allocated_milli_ = 0;
  std::size_t running_jobs_ = 0;
};

}  // namespace gw::sched
