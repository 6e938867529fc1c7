// Controller: the live factory's state machine. Commands, reports and the time go in; what to keep, what to
// answer and what the engine shall do come out. It has no clock, no threads and no files: equal inputs give
// equal turns, in operation and in simulation.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/chain.h"
#include "audit/decision_record.h"
#include "base/result.h"
#include "live/book.h"
#include "live/commands.h"
#include "live/engine.h"
#include "live/prices.h"
#include "live/store.h"
#include "model/policy.h"
#include "model/power_schedule.h"
#include "sched/window_search.h"

namespace gw::live {

struct ControllerOptions {
  Fleet fleet;
  PolicyConfig policy;
  Prices prices;
  Law law;  ///< By which `fleet` has been divided.
  /// Jobs that run where a rule that came into force, or a changed fact, forbids it are stopped and wait
  /// again; else they may finish.
  bool requeue_forbidden = false;
  Nanoseconds default_limit = hours(24);
  /// Whose attempts these are: one engine on one machine. What another started cannot be taken over: it is
  /// lost.
  std::string engine_id;
  /// A random number: what attempts are told apart by beside their numbers, which come again where a store
  /// goes back to an older state. Kept, and taken anew whenever the engine is another.
  std::uint64_t lineage = 0;
  /// Of a changed fleet: jobs may lose the nodes that they run on, or end because nothing could hold them any
  /// more. False: `load` refuses it.
  bool accept_losses = true;
  /// Jobs in the system at a time, each task of an array counted: a bound on memory.
  std::uint64_t most_jobs = 2'000'000;
  /// Of an array of more tasks so many wait in the core at a time, or more where these start at once; the
  /// others share one record and cost nothing.
  std::uint32_t array_ahead = 256;
  /// The engine can cap the clocks of GPUs; else jobs are stopped where a cap cannot be met otherwise.
  bool clocks = false;
  /// Prices and carbon of sites; only what is the same each day (in UTC) is taken.
  PowerSchedule energy;
  /// A job that was lost so often is given up.
  std::uint32_t most_attempts = 10;
  /// A snapshot of the core is kept when so many events, or as many as it has jobs, have passed since.
  std::uint64_t snapshot_events = 20'000;
  /// Waiting jobs whose reason is looked at in each turn.
  std::uint32_t reasons_per_turn = 8;
};

/// What the engine is to do once a turn has been kept.
struct Orders {
  struct Start {
    Launch launch;  ///< `spec` is still to be read from `text`.
    std::shared_ptr<const std::string> text;
  };
  std::vector<ClockLimit> clocks;  ///< Before the starts.
  std::vector<Start> starts;
  std::vector<Stop> stops;  ///< After the starts.
  std::vector<AttemptId> forgets;

  [[nodiscard]] bool empty() const {
    return clocks.empty() && starts.empty() && stops.empty() && forgets.empty();
  }
};

/// Where a job whose description is `text` wishes to be; none: it does not say.
std::shared_ptr<const LegalWishes> legal_wishes_in(const std::string& text);

struct Turn {
  Changes changes;
  std::vector<Reply> replies;  ///< One for each command, in order; to be sent once `changes` are kept.
  Orders orders;
  bool again = false;  ///< Another turn is due at once.
};

/// Setting of the store: the feeds whose caps are not met, one a line, each behind the time since when.
inline constexpr std::string_view kUnmetCaps = "unmet_caps";

/// What is said of an attempt that a feed has no power for.
inline constexpr std::string_view kNoPower = "stopped, as its feed has no power for it";

class Controller {
 public:
  /// `store` is asked about jobs and keys that are not in memory; writing it is the caller's.
  Controller(ControllerOptions options, Store& store);

  /// Once, before anything else: rebuilds everything from what was kept; a new store begins at `unix_now_ns`.
  /// Gives notes for the log (decisions of another version taken over, a changed fleet); what it changed
  /// itself is in the next turn's changes. The attempts that should be running are in `expected`.
  Result<std::vector<std::string>> load(std::int64_t unix_now_ns, std::vector<Orders::Start>& expected);

  /// After `load`, in the place of a controller of the same store: what is not kept and still holds.
  void take_over(Controller& before);

  /// One turn. `now` never goes back (an earlier one counts as the last).
  Turn turn(Instant now, std::vector<Command> commands, std::span<const Report> reports,
            std::span<const NodeReport> nodes);

  /// The next turn keeps a snapshot of the core: the last one before an end, so that another version can go
  /// on.
  void want_snapshot() { snapshot_wanted_ = true; }

  /// When a turn is due though nothing has come in; Instant::max() if none is.
  [[nodiscard]] Instant next_due() const;

  [[nodiscard]] const Book& book() const { return book_; }
  [[nodiscard]] const ControllerOptions& options() const { return options_; }

  /// Recounts what is counted; empty if all holds (tests, simulation).
  [[nodiscard]] std::string check() const;

 private:
  // controller.cc
  void carry_out(const sched::Plan& plan);
  void sample_reasons();
  void collect_changes();
  void keep_snapshot_if_due();

  // controller_orders.cc
  Reply obey(const Command& command);
  Reply submit(const Command& command, const Submit& what);
  /// In the factory's own time; zero: it has none.
  [[nodiscard]] Instant deadline_of(const JobSpec& spec) const;
  /// What would keep a new job back at first.
  [[nodiscard]] BlockReason would_block(Instant begin, const Waits& waits) const;
  Reply order_jobs(const Command& command, const JobOrder& what);
  Reply order_node(const Command& command, const NodeOrder& what);
  Reply order_tenant(const Command& command, const TenantOrder& what);
  Reply order_reservation(const Command& command, const ReserveOrder& what);
  void end_reservation(ReservationRecord& record);
  void forget_past_reservations();
  /// The reservation that a job of the tenant may name.
  [[nodiscard]] std::expected<WindowId, Refusal> reservation_named(const std::string& name,
                                                                   TenantId tenant) const;
  /// Jobs that name one which is over: they would wait for ever.
  void hold_what_names_past_reservations();
  [[nodiscard]] Refusal not_reserved(const sched::WindowAnswer& answer, bool preempt) const;
  Reply order_quota(const Command& command, const QuotaOrder& what);

  // controller_caps.cc
  Reply order_cap(const Command& command, const CapOrder& what);
  Reply remove_cap(const Command& command, std::uint32_t id);
  void load_caps(const std::vector<CapRecord>& caps, std::vector<std::string>& notes);
  /// Tells the core of caps that begin and end now.
  void settle_caps();
  /// Tells the core whether clocks can be capped, where it believes otherwise.
  void tell_clocks();
  /// Tells the core what energy costs, for the days to come.
  void tell_prices();
  /// Tells the engine which clocks, and which limits, are others than at the start.
  void recall_clocks();
  /// A running job has been stopped for want of power: what it draws until it has gone.
  void note_ending(const LiveJob& job);
  /// Writes down which feeds draw more than their caps, and which do no more.
  void note_unmet(bool planned);
  void load_unmet(const std::string& kept);
  /// Jobs that were stopped for want of power and may not, or shall not, wait again.
  void end_powerless();
  [[nodiscard]] ClockLimit clock_limit(const LiveJob& job) const;
  void set_clocks(const sched::Plan& plan);

  // controller_orders.cc
  Reply order_token(const Command& command, const TokenOrder& what);
  void audit(const Actor& actor, std::string action, std::string target, std::string detail, TenantId tenant);

  /// `decision`: what the law said, where it was asked.
  Reply take_in(const Command& command, const Submit& what, std::optional<LawDecision>& decision);

  // controller_quota.cc
  void set_quota(TenantId id, const QuotaRecord& record);
  void tell_quotas();
  Result<void> begin_metering();
  void set_budget_state(TenantId id);
  void settle_budgets();
  void plan_budgets();

  // controller_law.cc
  [[nodiscard]] LawDecision judge(TenantId tenant, const LegalWishes& wishes) const;
  /// Refused: places and classes of data that the law does not know.
  [[nodiscard]] std::optional<Refusal> unknown_wishes(const LegalWishes& wishes) const;
  /// Notes tenants of kinds that the law does not know, and rules for tenants that there are not.
  void note_strangers(std::vector<std::string>& notes) const;
  /// Shape::zones of a tenant's job with those wishes, now.
  std::uint64_t zones_of(TenantId tenant, const LegalWishes& wishes);
  std::uint64_t zones_of(const LiveJob& job);
  /// Why rules leave it no place.
  [[nodiscard]] std::string law_text(const LiveJob& job) const;
  /// How the note of a running job begins whose place the rules have come to forbid.
  static constexpr std::string_view kReservationOverNote = "its reservation ";
  static constexpr std::string_view kOutlawNote = "it runs where the rules forbid it now";
  /// Adds what is the factory's to `record` and puts it on the chain.
  void record_decision(TenantId tenant, const LegalWishes& wishes, audit::DecisionRecord record,
                       const LawDecision* decision);
  void review_law();
  void turn_page();
  [[nodiscard]] Instant next_law() const;

  // controller_gate.cc
  /// Hands over what nothing keeps back any more.
  void settle();
  BlockReason blocked_by(LiveJob& job);
  void block(LiveJob& job, BlockReason reason, BlockReason before);
  /// Its state has just become `held`: since when, and a row of what has bound it.
  void note_held(LiveJob& job);
  void unblock(LiveJob& job);
  void enter(LiveJob& job);
  void leave(LiveJob& job);
  void withdraw(LiveJob& job);

  // controller_arrays.cc
  void wake_array(std::uint64_t array_job);
  void note_array_start(const LiveJob& job);
  void get_in_line(LiveJob& job);
  void leave_line(LiveJob& job);
  JobId take_core_ids(std::uint32_t count);
  LiveJob& split(LiveJob& job, std::uint32_t count);
  LiveJob* isolate(std::uint64_t number);
  void name_tasks(JobRecord& record) const;

  // controller_dependencies.cc
  Waits& waits_of(LiveJob& job);
  [[nodiscard]] std::optional<bool> holds(const Dependency& dependency, const Outcome* ended) const;
  std::expected<EndedJob, Refusal> ended_job(std::uint64_t number);
  std::expected<Waits, Refusal> waits_for(const std::vector<Dependency>& dependencies, bool any,
                                          const Actor* actor);
  void depend(std::uint64_t number, const Waits& waits);
  void tell_dependents(std::uint64_t number, const Outcome* ended);
  Result<void> link_dependencies();
  /// Calls visit(job) for the job of that number, or for each task of the array.
  template <class Visit>
  void for_each_of(std::uint64_t number, Visit&& visit) {
    if (!book_.arrays.contains(number)) {
      if (LiveJob* job = book_.job(number)) visit(*job);
      return;
    }
    for (auto at = book_.jobs.lower_bound(number);
         at != book_.jobs.end() && at->second.record.array_job == number; ++at)
      visit(at->second);
  }

  // controller_jobs.cc
  void apply(const sched::Event& event);
  void mark(LiveJob& job);
  void end_job(LiveJob& job, Outcome outcome, std::string note, std::optional<Instant> ended = {});
  void start_attempt(LiveJob& job, const sched::Plan::Start& start);
  Instant close_attempt(LiveJob& job, const Report& report);
  [[nodiscard]] Report lost(const LiveJob& job, std::string note) const;
  void hear(const Report& report);
  void hear(const NodeReport& report);
  void stop_or_end(LiveJob& job);
  void preempt(LiveJob& job, JobId for_job);
  void take_size(LiveJob& job, std::uint32_t nodes, bool in_core);
  [[nodiscard]] std::uint32_t most_attempts(const LiveJob& job) const;
  [[nodiscard]] Stop stop_order(const LiveJob& job, StopKind kind) const;
  void note_leaving(LiveJob& job, JobId for_job) const;
  void requeue(LiveJob& job, std::string note);
  Orders::Start start_order(const LiveJob& job) const;
  void transfer(const LiveJob& job, const AttemptRecord& attempt);
  void post(TransferRecord record);
  [[nodiscard]] Milliwatts power_of(const LiveJob& job, const sched::Placement& placement) const;
  void count_job(const LiveJob& job, int sign);
  void count_core(const LiveJob& job, int sign);
  void count_running(const LiveJob& job, int sign);

  // controller_load.cc
  void begin_anew(std::int64_t unix_now_ns);
  Result<void> load_core(const Loaded& loaded, std::vector<std::string>& notes);
  Result<void> replay(const SnapshotRow& snapshot, std::uint64_t adopt_from, std::uint64_t& differs);
  Result<void> load_jobs(Loaded& loaded);
  /// What a text that was parsed last says: the tasks of an array share theirs.
  struct ParsedText {
    std::shared_ptr<const std::string> text;
    std::optional<JobSpec> spec;
    JobRequest request;
    std::shared_ptr<const std::string> wishes_of;
    std::shared_ptr<const LegalWishes> wishes;
  };
  Result<void> load_job(JobRecord& record, ParsedText& last);
  Result<void> parse_text(const JobRecord& record, ParsedText& last) const;
  void lose_foreign_attempts(const Loaded& loaded, const sched::Core::Moved& moved,
                             std::vector<std::string>& notes);
  /// To the fleet and policy of the options, where they are others than those of the store.
  sched::Core::Moved move_to_options(const Fleet& old_fleet, const Loaded& loaded,
                                     std::vector<std::string>& notes);
  void settle_moved(const sched::Core::Moved& moved);
  [[nodiscard]] SnapshotRow snapshot_row(bool follows) const;

  ControllerOptions options_;
  Store* store_;
  Book book_;
  Instant last_kept_;   ///< Before it was loaded.
  std::string header_;  ///< Bytes of the journal header of fleet and policy.

  std::uint32_t next_core_ = 0;           ///< Ids of the core from here on are given to nobody.
  std::set<std::uint64_t> ready_;         ///< To be looked at by `settle`.
  std::vector<std::uint64_t> powerless_;  ///< See end_powerless.
  std::vector<std::uint64_t> doomed_;     ///< A job that they depend on has ended in the wrong way.
  std::set<std::pair<Instant, std::uint64_t>> begins_;
  std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> dependents_;
  Instant budgets_due_ = Instant::max();  ///< See settle_budgets.
  Instant caps_due_ = Instant::max();     ///< See settle_caps.
  Instant prices_due_ = Instant::max();   ///< When they are told anew.
  std::set<sched::FeedId> caps_changed_;  ///< Feeds that have one cap fewer.
  bool feeds_unknown_ = true;             ///< Of none it has been looked at whether its cap is met.
  std::uint64_t events_since_snapshot_ = 0;
  bool snapshot_wanted_ = false;
  bool plan_due_ = false;  ///< Though no event has come: the fleet or the policy is another.
  std::uint64_t audit_sequence_ = 0;
  std::uint64_t transfer_sequence_ = 0;
  audit::Head decision_head_;
  Day day_ = 0;                    ///< Today, for rules that have dates.
  bool reservation_over_ = false;  ///< One is over since the jobs were last looked at for it.
  bool law_due_ = false;           ///< The law or a fact has changed: all jobs are looked at again.
  std::map<std::pair<TenantId, LegalWishes>, std::uint64_t> zones_known_;  ///< Until the next review.
  std::uint64_t reason_cursor_ = 0;

  // Of the turn that is being made.
  Turn turn_;
  ByteWriter events_;
  std::uint32_t event_count_ = 0;
  std::vector<std::uint64_t> touched_;  ///< Jobs that are new or changed.
  std::vector<JobRecord> ended_;        ///< In this turn; out of the book already.
  std::vector<JobRecord> ended_new_;    ///< The same, of those that the store has never seen.
  bool deciding_ = false;               ///< The plan has been made: events belong to the next turn.
};

}  // namespace gw::live
