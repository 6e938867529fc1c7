// The live loop through thousands of seeds of crashes, failing stores, slow and repeated engine answers and
// jumping clocks: no acknowledged job is lost, none runs twice, the ledger is exact, the journal verifies.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "live/archive.h"
#include "live/fake_world.h"
#include "live/loop.h"
#include "live/sql_store.h"
#include "live/verify.h"
#include "sched/codec.h"
#include "sched/random_case.h"
#include "spec/job_json.h"
#include "sql/testing/power_cut_vfs.h"

namespace gw::live {
namespace {

using fake::Crash;
using fake::Device;
using fake::FakeEngine;
using fake::FlakyStore;
using fake::World;

Fleet small_fleet(Rng& rng) {
  sched::random_case::FleetWish wish;
  wish.most_nodes = 8;
  return sched::random_case::random_fleet(rng, wish);
}

/// Its nodes draw power from racks of two below one site.
void power(Fleet& fleet) {
  for (NodeType& type : fleet.node_types) {
    type.power_idle = Milliwatts{1'000'000};
    type.power_max = Milliwatts{9'000'000};
  }
  for (GpuType& type : fleet.gpu_types) {
    type.power_floor_permille = 600;
    type.floor_speed_permille = 800;
  }
  FeedLevel racks{{"rack", {0}}, {}, {}};
  while (racks.partition.first.back() < fleet.nodes())
    racks.partition.first.push_back(std::min(racks.partition.first.back() + 2, fleet.nodes()));
  racks.capacity.assign(racks.partition.vertices(), Milliwatts{0});
  fleet.feed = {racks, {{"site", {0, fleet.nodes()}}, {Milliwatts{0}}, {"here"}}};
}

Fleet named(Fleet fleet) {
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node)
    fleet.node_names.push_back(fmt::format("n{}", node));
  return fleet;
}

/// One factory and its users, through its crashes.
class Simulation {
 public:
  Simulation(std::uint64_t seed, Device& device)
      : rng_(seed), chaos_(Rng(seed).split("chaos")), device_(device) {
    Rng fleet_rng = rng_.split("fleet");
    whole_fleet_ = named(small_fleet(fleet_rng));
    if (seed % 2 == 0) power(whole_fleet_);
    options_.fleet = whole_fleet_;
    options_.clocks = seed % 4 == 0;
    options_.policy = random_policy(rng_);
    options_.engine_id = "fake:0";
    options_.array_ahead = 1 + static_cast<std::uint32_t>(seed % 5);
    options_.snapshot_events = static_cast<std::uint64_t>(rng_.between(5, 200));
    options_.prices["default"].per_other_gpu_hour = MicroEuros{2'500'000};
    options_.prices["default"].per_core_hour = MicroEuros{10'000};
    wish_.late = rng_.uniform() * 0.6;
    wish_.twice = rng_.uniform() * 0.4;
    wish_.lost = rng_.chance(0.5) ? 0.1 : 0;
  }

  void run() {
    safety();
    recovery();
    judge();
  }
  [[nodiscard]] std::uint64_t crashes() const { return crashes_; }
  [[nodiscard]] std::uint64_t failures() const { return failures_; }
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_.size(); }
  [[nodiscard]] const std::map<Outcome, int>& outcomes() const { return outcomes_; }
  [[nodiscard]] std::uint64_t made_room() const { return made_room_; }
  [[nodiscard]] std::uint64_t credits() const { return credits_; }
  [[nodiscard]] std::uint64_t resized() const { return resized_; }
  [[nodiscard]] std::uint64_t shared() const { return shared_; }

 private:
  static PolicyConfig random_policy(Rng& rng) {
    const std::vector<PolicyName>& names = policy_names();
    PolicyConfig policy = *policy_by_name(names[rng.below(names.size())].name);
    if (rng.chance(0.5)) policy.preemption = static_cast<PreemptionKind>(rng.below(4));
    policy.protected_run_time = seconds(rng.between(0, 120));
    policy.grace = seconds(rng.between(0, 60));
    policy.resize_interval = seconds(rng.between(0, 120));
    policy.restart_estimate = seconds(rng.between(0, 60));
    policy.shrink_for_waiting = rng.chance(0.7);
    return policy;
  }

  /// Everything may go wrong.
  void safety() {
    fails_ = chaos_.chance(0.5) ? 0.03 : 0;
    store_crashes_ = 0.02;
    const std::int64_t turns = rng_.between(40, 160);
    for (std::int64_t turn = 0; turn < turns; ++turn) {
      advance();
      std::vector<Command> commands;
      if (rng_.chance(0.6)) commands = some_commands();
      step(std::move(commands));
      if (::testing::Test::HasFatalFailure()) return;
      if (chaos_.chance(0.02)) crash();
    }
  }

  /// Nothing goes wrong any more: all work ends.
  void recovery() {
    fails_ = store_crashes_ = 0;
    wish_.lost = wish_.launch_fails = 0;
    crash_points_ = false;
    wish_.late = wish_.twice = 0;
    crash();
    for (int turn = 0; turn < 20'000; ++turn) {
      world_.wall += 60'000'000'000;
      std::vector<Command> commands;
      if (turn == 0 && loop_ == nullptr) boot();
      // What is held or can never start must not keep the end away. By now nothing runs elsewhere.
      if (turn == 30 || turn == 60) {
        std::vector<std::uint64_t> held;
        for (const auto& [number, job] : controller_->book().jobs) {
          if (job.record.state == JobState::kHeld)
            held.push_back(job.record.stands_for > 1 ? job.record.array_job : number);
        }
        for (const LiveTenant& tenant : controller_->book().tenants) {
          if (tenant.path.empty()) continue;
          QuotaOrder unlimited;
          unlimited.path = tenant.path;
          for (const QuotaRecord& quota : tenant.record.quotas)
            unlimited.changes.push_back(
                {quota.gpu_type, 0, QuotaTerms::kUnlimited, QuotaTerms::kUnlimited, QuotaTerms::kUnlimited});
          unlimited.budget = QuotaOrder::BudgetChange::all_of({});
          commands.push_back({next_ticket_++, admin(), unlimited});
        }
        for (const auto& [name, record] : controller_->book().reservations) {
          ReserveOrder remove;
          remove.name = name;
          remove.remove = true;
          commands.push_back({next_ticket_++, admin(), remove});
        }
        for (const auto& [id, cap] : controller_->book().caps) {
          CapOrder clear;
          clear.remove = id;
          commands.push_back({next_ticket_++, admin(), clear});
        }
        for (const auto& [name, mark] : controller_->book().marks)
          commands.push_back({next_ticket_++, admin(), NodeOrder{name, false, "back"}});
        for (const std::uint64_t number : held)
          commands.push_back({next_ticket_++, admin(), JobOrder{JobOrder::Kind::kRelease, number, {}}});
      }
      step(std::move(commands));
      if (::testing::Test::HasFatalFailure() || controller_->book().jobs.empty()) return;
    }
    for (const auto& [number, job] : controller_->book().jobs)
      ADD_FAILURE() << "job " << number << " is still " << name_of(job.record.state) << " "
                    << name_of(job.blocked) << " " << sched::reason_name(job.reason);
  }

  void judge() {
    crash();
    store_ = device_.content();
    for (const std::string& violation : world_.violations) ADD_FAILURE() << violation;
    // No acknowledged job is lost, and each has ended.
    for (const auto& [number, ticket] : acknowledged_) {
      auto record = store_.jobs.upper_bound(number);
      ASSERT_TRUE(record != store_.jobs.begin() && number < (--record)->first + record->second.stands_for)
          << "job " << number << " was acknowledged and is gone";
      EXPECT_EQ(record->second.state, JobState::kEnded) << "job " << number;
    }
    for (const auto& [number, job] : store_.jobs) ++outcomes_[job.outcome];
    // Each task of an array is in one record, by itself or with others that nothing was done for.
    std::uint64_t next = 1;
    for (const auto& [number, job] : store_.jobs) {
      EXPECT_GE(number, next) << "two records have the same number";
      if (job.array_job != 0 && number != job.array_job) {
        EXPECT_EQ(number, next) << "a task is missing";
      }
      next = number + job.stands_for;
      if (job.stands_for == 1) continue;
      ++shared_;
      EXPECT_EQ(job.attempt, 0U);
      EXPECT_LE(next, job.array_job + job.array_tasks);
    }
    // A key stands for one submission, however often it was sent.
    std::map<std::string, std::set<std::uint64_t>> by_name;
    for (const auto& [number, job] : store_.jobs)
      by_name[job.name].insert(job.array_job != 0 ? job.array_job : number);
    for (const auto& [name, numbers] : by_name) {
      if (name.starts_with("keyed-")) {
        EXPECT_EQ(numbers.size(), 1U) << name;
      }
    }
    // A job that completed did so in one attempt, the last; others were lost or sent back. (What runs on
    // nodes that are taken out of the factory is lost to it, though it may have completed unseen.)
    std::map<std::uint64_t, int> completed;
    for (const auto& [id, process] : world_.processes) {
      const auto attempt = store_.attempts.find(id);
      const bool lost = attempt != store_.attempts.end() && attempt->second.end == AttemptEnd::kLost;
      if (process.end == AttemptEnd::kExited && process.exit_code == 0 && !lost) ++completed[id.job];
    }
    for (const auto& [number, times] : completed)
      EXPECT_LE(times, 1) << "job " << number << " completed twice";
    // The ledger has each attempt once, for the very time that it ran; what was preempted gets something
    // back.
    std::map<AttemptId, const TransferRecord*> transfers, credits;
    for (const TransferRecord& transfer : store_.transfers) {
      const bool credit = transfer.kind == TransferKind::kPreemptionCredit;
      EXPECT_TRUE((credit ? credits : transfers).emplace(transfer.attempt, &transfer).second)
          << "an attempt is charged twice";
    }
    for (const auto& [id, credit] : credits) {
      ++credits_;
      EXPECT_LT(credit->price.count(), 0);
      EXPECT_EQ(credit->micro_gpu_s, 0);
      EXPECT_EQ(store_.attempts.at(id).end, AttemptEnd::kPreempted);
    }
    for (const auto& [id, attempt] : store_.attempts) {
      EXPECT_TRUE(attempt.ended) << "attempt " << id.job << "." << id.attempt;
      ByteReader place(attempt.placement);
      std::int64_t gpus = 0;
      for (const sched::Piece& piece : sched::decode_placement(place).pieces)
        gpus += std::int64_t{piece.count} * std::popcount(piece.gpu_mask);
      if (attempt.gpu_milli >= 1000) {
        EXPECT_EQ(attempt.gpu_milli, gpus * 1000);
      }
      const std::int64_t milliseconds = (attempt.ended_at - attempt.started).count() / 1'000'000;
      const auto transfer = transfers.find(id);
      const bool nothing = attempt.gpu_milli * milliseconds == 0 && attempt.cpu_milli * milliseconds == 0;
      ASSERT_EQ(transfer == transfers.end(), nothing);
      if (nothing) continue;
      EXPECT_EQ(transfer->second->micro_gpu_s, attempt.gpu_milli * milliseconds);
      EXPECT_EQ(transfer->second->micro_core_s, attempt.cpu_milli * milliseconds);
      const auto process = world_.processes.find(id);
      ASSERT_NE(process, world_.processes.end());
      if (jumped_ || process->second.stopped || attempt.end == AttemptEnd::kLost) continue;
      // With an honest clock also for the time that the machine knows of (whole milliseconds of both).
      const std::int64_t true_ms = (process->second.ends - process->second.begins) / 1'000'000;
      EXPECT_NEAR(static_cast<double>(milliseconds), static_cast<double>(true_ms), 1.0);
    }
    judge_preemptions();
    const Result<LiveVerifyReport> verified = verify_live_journal(
        [&](const std::function<bool(JournalEntry)>& entry) { return fake::journal_of(store_, entry); });
    EXPECT_TRUE(verified) << verified.error().message;
    if (verified && store_.snapshots.size() > 1) {
      EXPECT_GT(verified->snapshots + verified->segments, 1U);
    }
  }

  /// Whoever was made to leave left for a start that came, in the very turn in which the last of them had
  /// gone; but for the loss of a node, a window that has come too near, a cap that has fallen, a
  /// cancellation, or another fleet or policy.
  void judge_preemptions() {
    std::map<JobId, std::set<JobId>> claims;
    bool reserved = false;  // One who left late may have left too little time before a window.
    bool capped = false;    // A cap may have fallen below what it would draw.
    const auto gone = [&](JobId victim) {
      for (auto& [id, victims] : claims) victims.erase(victim);
    };
    ASSERT_TRUE(fake::journal_of(store_, [&](const JournalEntry& entry) {
      if (const auto* snapshot = std::get_if<SnapshotRow>(&entry)) {
        if (!snapshot->follows) claims.clear();
        return true;
      }
      const JournalRow& row = std::get<JournalRow>(entry);
      ByteReader events(row.events);
      for (std::uint32_t index = 0; index < row.count; ++index) {
        const sched::Event event = sched::decode_event(events);
        using enum sched::EventKind;
        if (event.kind == kNodeDown || event.kind == kNodeClosed) claims.clear();
        if (event.kind == kJobCancelled) claims.erase(event.job);
        reserved = reserved || event.kind == kWindowAdded;
        capped = capped || event.kind == kFeedCap;
        if (event.kind == kJobCancelled || event.kind == kJobEnded || event.kind == kJobRequeued)
          gone(event.job);
      }
      ByteReader bytes(row.plan);
      const sched::Plan plan = sched::decode_plan(bytes);
      for (const JobId stopped : plan.stopped) gone(stopped);  // For want of power, before anything starts.
      for (const sched::Plan::Start& start : plan.starts) {
        const auto claim = claims.find(start.job);
        if (claim == claims.end()) continue;
        EXPECT_TRUE(claim->second.empty())
            << "job " << start.job.value() << " starts before others have left";
        claims.erase(claim);
        ++made_room_;
      }
      for (auto claim = claims.begin(); claim != claims.end();) {
        const bool came_to_nothing = claim->second.empty();
        EXPECT_TRUE(!came_to_nothing || reserved || capped)
            << "all have left for job " << claim->first.value() << ", and it does not start";
        claim = came_to_nothing ? claims.erase(claim) : std::next(claim);
      }
      resized_ += plan.resizes.size();
      for (const sched::Plan::Preemption& preemption : plan.preemptions) {
        if (preemption.for_job.valid()) claims[preemption.for_job].insert(preemption.job);
      }
      return true;
    }));
  }

  void advance() {
    world_.wall +=
        chaos_.chance(0.1) ? chaos_.between(0, 600'000'000'000) : chaos_.between(0, 20'000'000'000);
    if (chaos_.chance(0.02)) {  // The system's clock is set, forwards or back.
      world_.skew += chaos_.between(-3'000'000'000'000, 3'000'000'000'000);
      jumped_ = true;
    }
  }

  void boot() {
    flaky_ = std::make_unique<FlakyStore>(chaos_, device_.open(), fails_, store_crashes_);
    controller_ = std::make_unique<Controller>(options_, *flaky_);
    engine_ = std::make_unique<FakeEngine>(world_, chaos_, wish_, [this](std::int64_t unix_ns) {
      return Instant{unix_ns - controller_->book().origin_unix_ns};
    });
    LoopHooks hooks;
    hooks.answer = [this](const Reply& reply) { hear(reply); };
    hooks.at_point = [this](std::string_view) {
      if (crash_points_ && chaos_.chance(0.002)) throw Crash{};
    };
    loop_ = std::make_unique<Loop>(
        *controller_, *flaky_, *engine_, [this] { return world_.wall + world_.skew; }, hooks);
    const Result<std::vector<std::string>> opened = loop_->open();
    ASSERT_TRUE(opened) << opened.error().message;
  }

  /// The fleet without some of its nodes.
  Fleet fewer_nodes() {
    Fleet fleet = whole_fleet_;
    fleet.node_type_of.clear();
    fleet.node_names.clear();
    for (std::uint32_t node = 0; node < whole_fleet_.nodes(); ++node) {
      if (chaos_.chance(0.3) && node + 1 < whole_fleet_.nodes()) continue;
      fleet.node_type_of.push_back(whole_fleet_.node_type_of[node]);
      fleet.node_names.push_back(whole_fleet_.node_names[node]);
    }
    fleet.fabric = {{"site", {0, fleet.nodes()}}};
    if (!fleet.feed.empty()) power(fleet);
    return fleet;
  }

  void crash() {
    ++crashes_;
    if (crash_points_ && chaos_.chance(0.1)) {  // The next one is started with another policy or fleet.
      options_.policy = random_policy(chaos_);
      if (chaos_.chance(0.5)) options_.fleet = chaos_.chance(0.5) ? whole_fleet_ : fewer_nodes();
    }
    if (crash_points_ && chaos_.chance(0.05)) {  // A standby on another machine takes over.
      world_.machine = static_cast<int>(chaos_.below(3));
      options_.engine_id = fmt::format("fake:{}", world_.machine);
    }
    loop_.reset();
    engine_.reset();
    controller_.reset();
    flaky_.reset();
    device_.crash();
    for (const auto& [ticket, command] : in_flight_) unanswered_.push_back(command);
    in_flight_.clear();
  }

  void step(std::vector<Command> commands) {
    try {
      if (loop_ == nullptr) boot();
      if (::testing::Test::HasFatalFailure()) return;
      for (const Command& command : commands) in_flight_.emplace(command.ticket, command);
      if (Result<void> done = loop_->step(std::move(commands)); !done) ++failures_;
      if (loop_->healthy()) {
        ASSERT_EQ(controller_->check(), "");
      }
      for (int more = 0; more < 5 && loop_->again() && loop_->healthy(); ++more) {
        if (Result<void> done = loop_->step({}); !done) ++failures_;
      }
    } catch (const Crash&) {
      crash();
    }
  }

  void hear(const Reply& reply) {
    const auto at = in_flight_.find(reply.ticket);
    ASSERT_NE(at, in_flight_.end()) << "answered twice";
    const Command command = at->second;
    in_flight_.erase(at);
    if (reply.refusal) {
      if (reply.refusal->status == 503) unanswered_.push_back(command);
      return;
    }
    if (!std::holds_alternative<Submit>(command.what)) return;
    for (std::uint32_t index = 0; index < reply.count; ++index)
      acknowledged_[reply.number + index] = reply.ticket;
    numbers_.push_back(reply.number);
  }

  static Actor admin() { return {"t", "root", Role::kAdmin, TenantId{0}, "test"}; }

  Command submit() {
    JobSpec spec;
    const Shape shape = sched::random_case::random_shape(rng_, options_.fleet);
    spec.nodes = shape.nodes;
    spec.gpus = shape.gpus;
    spec.gpu_milli = shape.gpu_milli;
    spec.cpu_milli = shape.gpus == 0 && shape.gpu_milli == 0 ? 1000 : shape.cpu_milli;
    spec.memory_mib = shape.memory_mib;
    spec.command = {"true"};
    spec.limit = seconds(rng_.between(1, 1200));
    spec.requeue = rng_.chance(0.7);
    spec.hold = rng_.chance(0.1);
    spec.preemptible = rng_.chance(0.6);
    if (rng_.chance(0.4)) spec.priority = static_cast<std::int32_t>(rng_.between(1, 3));
    if (rng_.chance(0.5)) spec.checkpoint_interval = seconds(rng_.between(10, 300));
    if (spec.nodes > 1 && spec.gpu_milli == 0) {
      spec.keep_on_failure = spec.requeue && rng_.chance(0.5);
      const std::string& level = options_.fleet.fabric.front().level;
      if (rng_.chance(0.2)) {
        spec.spread_level = level;
      } else if (spec.nodes % 2 == 0 && rng_.chance(0.3)) {
        spec.segment_nodes = 2;
        spec.segment_level = level;
      }
    }
    if (controller_ != nullptr && !controller_->book().reservations.empty() && rng_.chance(0.2))
      spec.reservation = controller_->book().reservations.begin()->first;
    if (spec.nodes > 0 && spec.gpu_milli == 0 && (spec.requeue || spec.checkpoint_interval.count() == 0) &&
        spec.segment_nodes == 0 && spec.spread_level.empty() && rng_.chance(0.6))
      spec.nodes_max = spec.nodes + static_cast<std::uint32_t>(rng_.between(1, 8));
    if (rng_.chance(0.15))
      spec.begin_unix = (world_.wall + world_.skew) / 1'000'000'000 + rng_.between(-50, 500);
    if (rng_.chance(0.1)) {
      spec.array.emplace();
      spec.array->ranges.push_back({0, static_cast<std::uint32_t>(rng_.between(0, 14)), 1});
      spec.array->most_running = static_cast<std::uint32_t>(rng_.below(3));
    }
    if (!numbers_.empty() && rng_.chance(0.3)) {
      for (std::int64_t count = rng_.between(1, 3); count > 0; --count)
        spec.dependencies.push_back(
            {static_cast<DependencyKind>(rng_.below(4)),
             numbers_[rng_.below(numbers_.size())] + (rng_.chance(0.1) ? rng_.below(8) : 0)});
      spec.any_dependency = rng_.chance(0.3);
    }
    Submit what;
    const bool keyed = rng_.chance(0.5);
    spec.name = fmt::format("{}-{}", keyed ? "keyed" : "job", next_ticket_);
    if (keyed) what.key = spec.name;
    what.request_hash = spec.name;
    const std::size_t tenants = controller_ != nullptr ? controller_->book().tenants.size() : 1;
    what.tenant = TenantId{static_cast<std::uint32_t>(rng_.below(std::max<std::size_t>(1, tenants)))};
    what.text = std::make_shared<const std::string>(spec::job_json(spec));
    what.spec = std::move(spec);
    return {next_ticket_++, admin(), std::move(what)};
  }

  std::vector<Command> some_commands() {
    std::vector<Command> commands;
    for (std::int64_t count = rng_.between(1, 4); count > 0; --count) {
      const double what = rng_.uniform();
      if (!unanswered_.empty() && rng_.chance(0.5)) {  // Users ask again with the same key.
        Command again = unanswered_.back();
        unanswered_.pop_back();
        const Submit* job = std::get_if<Submit>(&again.what);
        if (job != nullptr && job->key.empty()) continue;
        again.ticket = next_ticket_++;
        commands.push_back(std::move(again));
      } else if (what < 0.6) {
        commands.push_back(submit());
      } else if (what < 0.8 && !numbers_.empty()) {
        JobOrder order{static_cast<JobOrder::Kind>(rng_.below(4)), numbers_[rng_.below(numbers_.size())], {}};
        if (rng_.chance(0.2))
          order.index = static_cast<std::uint32_t>(rng_.below(15));  // Of an array's tasks one.
        if (order.kind == JobOrder::Kind::kRelease) {
          for (std::uint64_t task = 0; task < 15; ++task) world_.released.insert(order.number + task);
        }
        commands.push_back({next_ticket_++, admin(), order});
      } else if (what < 0.86) {
        const NodeId node{static_cast<std::uint32_t>(rng_.below(options_.fleet.nodes()))};
        commands.push_back(
            {next_ticket_++, admin(), NodeOrder{options_.fleet.node_name(node), rng_.chance(0.4), "test"}});
      } else if (what < 0.91) {
        commands.push_back({next_ticket_++, admin(), quota_order()});
      } else if (what < 0.95) {
        commands.push_back({next_ticket_++, admin(), reserve_order()});
      } else if (what < 0.97) {
        commands.push_back({next_ticket_++, admin(), cap_order()});
      } else {
        TenantOrder order;
        order.path = fmt::format("team-{}", rng_.below(4));
        order.create = rng_.chance(0.5);
        order.weight = static_cast<std::uint32_t>(rng_.between(1, 5));
        if (rng_.chance(0.3)) order.gpu_milli = 1000 * rng_.between(0, 20);
        commands.push_back({next_ticket_++, admin(), order});
      }
    }
    return commands;
  }

  CapOrder cap_order() {
    CapOrder order;
    const Instant now = controller_ == nullptr ? Instant{} : controller_->book().now;
    if (rng_.chance(0.3)) {
      order.remove = static_cast<std::uint32_t>(rng_.between(1, 6));
      return order;
    }
    order.feed = rng_.chance(0.5) ? "here" : fmt::format("here/rack-{:02}", rng_.between(1, 4));
    order.cap = Milliwatts{rng_.between(1, 40) * 1'000'000};
    order.from = now + seconds(rng_.between(-100, 1000));
    if (rng_.chance(0.8)) order.until = now + seconds(rng_.between(1, 4000));
    return order;
  }

  ReserveOrder reserve_order() {
    ReserveOrder order;
    order.name = fmt::format("window-{}", rng_.below(4));
    order.remove = rng_.chance(0.3);
    if (!numbers_.empty() && rng_.chance(0.2)) {
      order.job = numbers_[rng_.below(numbers_.size())];
      order.slack = seconds(rng_.between(0, 100));
      return order;
    }
    WindowTerms& terms = order.wish.terms;
    if (controller_ != nullptr && rng_.chance(0.7))
      terms.tenant = TenantId{static_cast<std::uint32_t>(rng_.below(controller_->book().tenants.size()))};
    const Instant now = controller_ == nullptr ? Instant{} : controller_->book().now;
    terms.from = now + seconds(rng_.between(0, 2000));
    terms.length = seconds(rng_.between(1, 2000));
    if (rng_.chance(0.3)) {
      terms.every = terms.length + seconds(rng_.between(0, 2000));
      terms.until = terms.from + seconds(rng_.between(1, 10'000));
    }
    terms.preempt = rng_.chance(0.4);
    order.wish.nodes = static_cast<std::uint32_t>(rng_.between(1, options_.fleet.nodes()));
    return order;
  }

  QuotaOrder quota_order() {
    QuotaOrder order;
    order.path = fmt::format("team-{}", rng_.below(4));
    if (rng_.chance(0.7)) {
      QuotaOrder::Change change;
      if (!options_.fleet.gpu_types.empty() && rng_.chance(0.3))
        change.gpu_type = options_.fleet.gpu_types[rng_.below(options_.fleet.gpu_types.size())].name;
      const auto amount = [&] {
        return rng_.chance(0.3) ? QuotaTerms::kUnlimited : 1000 * rng_.between(0, 12);
      };
      change.guaranteed_milli = 1000 * rng_.between(0, 8);
      if (rng_.chance(0.4)) change.borrow_milli = amount();
      if (rng_.chance(0.4)) change.lend_milli = amount();
      if (rng_.chance(0.4)) change.limit_milli = amount();
      order.changes.push_back(change);
    }
    if (rng_.chance(0.4)) {
      Budget budget;
      if (rng_.chance(0.6)) budget.micro_euros = rng_.between(0, 3'000'000);
      if (rng_.chance(0.4)) budget.gpu_milli_hours = rng_.between(0, 1000);
      budget.action = static_cast<BudgetAction>(rng_.below(3));
      order.budget = QuotaOrder::BudgetChange::all_of(budget);
    }
    return order;
  }

  Rng rng_;
  Rng chaos_;
  World world_;
  Device& device_;
  MemoryStore store_;  ///< At the end, to be judged.
  std::unique_ptr<FlakyStore> flaky_;
  double fails_ = 0;
  double store_crashes_ = 0;
  ControllerOptions options_;
  Fleet whole_fleet_;
  fake::EngineWish wish_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<FakeEngine> engine_;
  std::unique_ptr<Loop> loop_;
  bool crash_points_ = true;
  bool jumped_ = false;
  std::uint64_t next_ticket_ = 1;
  std::map<std::uint64_t, Command> in_flight_;
  std::vector<Command> unanswered_;
  std::map<std::uint64_t, std::uint64_t> acknowledged_;
  std::vector<std::uint64_t> numbers_;
  std::uint64_t crashes_ = 0;
  std::uint64_t failures_ = 0;
  std::map<Outcome, int> outcomes_;
  std::uint64_t credits_ = 0;
  std::uint64_t resized_ = 0;    ///< Times that the core told an elastic job to change its size.
  std::uint64_t shared_ = 0;     ///< Records of several tasks that ended as one.
  std::uint64_t made_room_ = 0;  ///< Starts that others had to leave for.
};

/// SQLite on a disk that forgets what was not synced when the power is cut.
class SqlDevice final : public Device {
 public:
  explicit SqlDevice(std::uint64_t seed) : rng_(Rng(seed).split("power")), vfs_({.seed = seed}) {}

  Store& open() override {
    Result<std::unique_ptr<sql::Database>> database = sql::open_sqlite("factory.db", {.vfs = vfs_.name()});
    if (!database) throw std::runtime_error(database.error().message);
    Result<std::unique_ptr<SqlStore>> store = SqlStore::open(std::move(*database));
    if (!store) throw std::runtime_error(store.error().message);
    store_ = std::move(*store);
    return *store_;
  }

  void crash() override {
    // The process dies first: what it had not committed is rolled back by whoever opens the file next.
    if (rng_.chance(0.7)) vfs_.cut_power(rng_), ++*total;
    store_.reset();
  }

  MemoryStore content() override {
    open();
    MemoryStore content;
    sql::Database& database = store_->database();
    const std::string jobs = fmt::format("SELECT {} FROM jobs", kJobColumns);
    const std::string attempts = fmt::format("SELECT {} FROM attempts", kAttemptColumns);
    EXPECT_TRUE(database.query({jobs.c_str()}, {}, [&](const sql::Row& row) {
      const JobRecord job = read_job(row);
      content.jobs[job.number] = job;
      return true;
    }));
    EXPECT_TRUE(database.query({attempts.c_str()}, {}, [&](const sql::Row& row) {
      const AttemptRecord attempt = read_attempt(row);
      content.attempts[attempt.id] = attempt;
      return true;
    }));
    EXPECT_TRUE(database.query(
        {"SELECT sequence, job, attempt, micro_gpu_s, micro_core_s, kind, micro_eur FROM transfers ORDER BY "
         "sequence"},
        {}, [&](const sql::Row& row) {
          TransferRecord transfer;
          transfer.sequence = static_cast<std::uint64_t>(row.integer(0));
          transfer.attempt = {static_cast<std::uint64_t>(row.integer(1)),
                              static_cast<std::uint32_t>(row.integer(2))};
          transfer.micro_gpu_s = row.integer(3);
          transfer.micro_core_s = row.integer(4);
          transfer.kind = transfer_kind_by_name(row.text(5)).value();
          transfer.price = MicroEuros{row.integer(6)};
          content.transfers.push_back(transfer);
          return true;
        }));
    EXPECT_TRUE(journal_source(database)([&](const JournalEntry& entry) {
      if (const auto* row = std::get_if<JournalRow>(&entry)) content.journal.push_back(*row);
      if (const auto* snapshot = std::get_if<SnapshotRow>(&entry)) content.snapshots.push_back(*snapshot);
      return true;
    }));
    Result<std::unique_ptr<sql::Database>> reader = database.open_reader();
    EXPECT_TRUE(reader);
    const Result<LedgerCheck> ledger = Archive(std::move(*reader)).check_ledger();
    EXPECT_TRUE(ledger) << ledger.error().message;
    store_.reset();
    return content;
  }

  std::uint64_t* total = nullptr;  ///< Counts the cuts.

 private:
  Rng rng_;
  sql::testing::PowerCutVfs vfs_;
  std::unique_ptr<SqlStore> store_;
};

std::uint64_t seeds(std::uint64_t usual) {
  const char* wanted = std::getenv("GW_SEEDS");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : usual;
}

/// Runs the seeds, or the one that GW_SEED names, and says what happened in all.
struct Campaign {
  std::uint64_t crashes = 0, failures = 0, jobs = 0, made_room = 0, credits = 0, resized = 0, shared = 0,
                last = 0;
  bool alone = false;
  std::map<Outcome, int> outcomes;

  template <class MakeDevice>
  void run(std::uint64_t usual, MakeDevice&& make_device) {
    const char* only = std::getenv("GW_SEED");
    alone = only != nullptr;
    const std::uint64_t first = alone ? std::strtoull(only, nullptr, 10) : 1;
    last = alone ? first : seeds(usual);
    for (std::uint64_t seed = first; seed <= last; ++seed) {
      SCOPED_TRACE(fmt::format("seed {} (run it alone with GW_SEED={})", seed, seed));
      const std::unique_ptr<Device> device = make_device(seed);
      Simulation simulation(seed, *device);
      simulation.run();
      crashes += simulation.crashes();
      failures += simulation.failures();
      jobs += simulation.acknowledged();
      made_room += simulation.made_room();
      credits += simulation.credits();
      resized += simulation.resized();
      shared += simulation.shared();
      for (const auto& [outcome, count] : simulation.outcomes()) outcomes[outcome] += count;
      if (::testing::Test::HasFailure()) return;
    }
  }
};

TEST(LoopSimulation, ThousandsOfSeedsOfTrouble) {
  Campaign campaign;
  campaign.run(800, [](std::uint64_t) { return std::make_unique<fake::MemoryDevice>(); });
  if (HasFailure() || campaign.alone) return;
  // The trouble did happen.
  EXPECT_GT(campaign.crashes, campaign.last * 2);
  EXPECT_GT(campaign.failures, campaign.last / 10);
  EXPECT_GT(campaign.jobs, campaign.last * 20);
  EXPECT_GT(campaign.made_room, campaign.last / 4);
  EXPECT_GT(campaign.resized, campaign.last / 4);
  EXPECT_GT(campaign.credits, campaign.last / 4);
  EXPECT_GT(campaign.shared, campaign.last / 10);
  for (const Outcome outcome :
       {Outcome::kCompleted, Outcome::kFailed, Outcome::kCancelled, Outcome::kTimeLimit, Outcome::kLost,
        Outcome::kLaunchFailed, Outcome::kDependency})
    EXPECT_GT(campaign.outcomes[outcome], 0) << name_of(outcome);
}

TEST(LoopSimulation, SqliteOnADiskWhosePowerIsCut) {
  Campaign campaign;
  std::uint64_t cuts = 0;
  campaign.run(120, [&](std::uint64_t seed) {
    auto device = std::make_unique<SqlDevice>(seed);
    device->total = &cuts;
    return device;
  });
  if (HasFailure() || campaign.alone) return;
  EXPECT_GT(cuts, campaign.last * 2);
  EXPECT_GT(campaign.jobs, campaign.last * 20);
}

}  // namespace
}  // namespace gw::live
