// Seeded whole-system runs: every seed is a factory with failures and the rules of sharing, and what must
// hold in all of them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "base/rng.h"
#include "runtime/journal.h"
#include "sched/codec.h"
#include "sched/core.h"
#include "twin/twin.h"
#include "workload/list_stream.h"

namespace gw::twin {
namespace {

struct RandomRun {
  Fleet fleet;
  std::vector<TraceJob> jobs;
  TenantTree tenants;
  TwinOptions options;
};

/// Zones of the law, and feeds whose caps drop for a time. Its numbers are its own, so that the seeds of what
/// was here before mean what they did.
void draw_places(Rng& rng, RandomRun& run) {
  const std::uint32_t nodes = run.fleet.nodes();
  if (rng.chance(0.3) && nodes > 1) {
    run.fleet.zones = {Zone{}, Zone{}};
    run.fleet.zones[0].name = "here";
    run.fleet.zones[1].name = "there";
    run.fleet.zone_of_node.assign(nodes, 0);
    for (std::uint32_t node = nodes / 3 + 1; node < nodes; ++node) run.fleet.zone_of_node[node] = 1;
    for (TraceJob& job : run.jobs) {
      if (rng.chance(0.4)) job.request.shape.zones = 1 + rng.below(3);
    }
  }
  if (!rng.chance(0.5)) return;
  GpuType gpu;
  gpu.name = "gpu";
  gpu.power_floor_permille = 600;
  gpu.floor_speed_permille = 800;
  run.fleet.gpu_types.push_back(gpu);
  for (NodeType& type : run.fleet.node_types) {
    type.gpu_type = 0;
    type.power_idle = Milliwatts{2'000'000};
    type.power_max = Milliwatts{10'000'000};
  }
  const auto megawatts_of = [](std::uint32_t count) { return Milliwatts{std::int64_t{count} * 10'000'000}; };
  if (run.fleet.fabric.size() > 1) {
    FeedLevel rows{run.fleet.fabric.front(), {}, {}};
    rows.partition.level = "row";
    for (std::size_t row = 0; row + 1 < rows.partition.first.size(); ++row)
      rows.capacity.push_back(megawatts_of(rows.partition.first[row + 1] - rows.partition.first[row]));
    run.fleet.feed.push_back(std::move(rows));
  }
  run.fleet.feed.push_back({Partition{"site", {0, nodes}}, {megawatts_of(nodes)}, {}});
  const std::int64_t horizon_s = run.jobs.back().request.submit.count() / kNanosecondsPerSecond + 40'000;
  for (std::uint64_t count = rng.below(4); count > 0; --count) {
    CapEvent event;
    event.at = Instant{} + seconds(rng.between(0, horizon_s));
    event.until = event.at + seconds(rng.between(600, 20'000));
    event.level = static_cast<std::uint32_t>(rng.below(run.fleet.feed.size()));
    const FeedLevel& level = run.fleet.feed[event.level];
    event.vertex = static_cast<std::uint32_t>(rng.below(level.capacity.size()));
    event.cap = Milliwatts{level.capacity[event.vertex].count() * rng.between(25, 100) / 100};
    run.options.power.events.push_back(event);
  }
  std::stable_sort(run.options.power.events.begin(), run.options.power.events.end(),
                   [](const CapEvent& a, const CapEvent& b) { return a.at < b.at; });
}

/// Reserved times, spare nodes, blocks and spread.
void draw_wishes(Rng& rng, RandomRun& run) {
  const std::int64_t horizon_s = run.jobs.back().request.submit.count() / kNanosecondsPerSecond + 10'000;
  for (std::uint64_t count = rng.below(5); count > 0; --count) {
    Reservation reservation;
    reservation.name = "window-" + std::to_string(count);
    reservation.wish.nodes = static_cast<std::uint32_t>(rng.between(1, run.fleet.nodes()));
    WindowTerms& terms = reservation.wish.terms;
    if (rng.chance(0.7))
      terms.tenant = TenantId{static_cast<std::uint32_t>(rng.between(1, run.tenants.size() - 1))};
    terms.from = Instant{} + seconds(rng.between(0, horizon_s));
    terms.length = seconds(rng.between(600, 20'000));
    if (rng.chance(0.3)) {
      terms.every = terms.length + seconds(rng.between(0, 30'000));
      terms.until = terms.from + seconds(100'000);
    }
    terms.preempt = rng.chance(0.3);
    reservation.made = Instant{rng.between(0, terms.from.count())};
    run.options.reservations.push_back(reservation);
  }
  const std::uint8_t lowest = 0;
  for (TraceJob& job : run.jobs) {
    Shape& shape = job.request.shape;
    if (shape.nodes < 2 || shape.gpu_milli != 0) continue;
    job.request.keep_on_failure = rng.chance(0.5);
    if (rng.chance(0.2)) {
      shape.spread_level = lowest;
      shape.spread_required = rng.chance(0.3);
    } else if (rng.chance(0.3) && shape.nodes % 2 == 0) {
      shape.segment_nodes = 2;
      shape.segment_level = lowest;
    }
  }
}

/// Every seed is a configuration: fleet, fabric, tenants, jobs, policy, failure rate, and the rules of
/// sharing.
RandomRun random_run(std::uint64_t seed) {
  Rng rng = Rng(seed).split("whole-system");
  RandomRun run;
  static constexpr std::uint32_t kGpus[] = {1, 2, 4, 8, 16};
  const std::uint32_t gpus = kGpus[rng.below(5)];
  const auto nodes = static_cast<std::uint32_t>(rng.between(1, 40));
  run.fleet = flat_fleet(nodes, gpus);
  if (rng.chance(0.5)) run.fleet.node_types[0].cpu_milli = 1000 * rng.between(8, 64);
  if (rng.chance(0.3)) {  // A second pool.
    NodeType other = run.fleet.node_types[0];
    other.name = "other";
    other.gpus = kGpus[rng.below(5)];
    run.fleet.node_types.push_back(other);
    for (std::uint32_t node = nodes / 2; node < nodes; ++node) run.fleet.node_type_of[node] = 1;
  }
  if (rng.chance(0.7)) {
    Partition leaf{"leaf", {0}};
    while (leaf.first.back() < nodes)
      leaf.first.push_back(
          std::min(nodes, leaf.first.back() + static_cast<std::uint32_t>(rng.between(1, 9))));
    run.fleet.fabric.insert(run.fleet.fabric.begin(), leaf);
  }
  for (int org = 0; org < 3; ++org) {
    const TenantId id = run.tenants.add(TenantTree::root(), "org-" + std::to_string(org),
                                        static_cast<std::uint32_t>(rng.between(1, 5)));
    run.tenants.add(id, "project");
  }
  const std::vector<PolicyName>& policies = policy_names();
  run.options.policy = *policy_by_name(policies[rng.below(policies.size())].name);
  run.options.policy.patience = hours(rng.between(0, 20));
  run.options.seed = seed;
  run.options.check_every = 1;
  if (rng.chance(0.7)) {
    run.options.faults.node_failures_per_1000_node_days = static_cast<double>(rng.between(10, 200));
    run.options.faults.restart_time = minutes(rng.between(0, 20));
  }
  if (rng.chance(0.6)) {  // Quotas and budgets.
    const auto total = static_cast<std::int64_t>(run.fleet.gpus()) * 1000;
    std::int64_t left = total;
    for (std::uint32_t tenant = 1; tenant < run.tenants.size(); ++tenant) {
      QuotaTerms terms;
      terms.guaranteed_milli =
          run.tenants[TenantId{tenant}].parent == TenantTree::root() ? rng.between(0, left / 1000) * 1000 : 0;
      left -= terms.guaranteed_milli;
      if (rng.chance(0.3)) terms.lend_milli = rng.between(0, terms.guaranteed_milli);
      if (rng.chance(0.2)) terms.borrow_milli = total / 4;
      run.tenants.set_quota(TenantId{tenant}, {{kAllGpus, terms}});
      if (!rng.chance(0.3)) continue;
      Budget budget;
      budget.gpu_milli_hours = rng.between(1, 200) * 1000;
      budget.action = rng.chance(0.5) ? BudgetAction::kWarn : BudgetAction::kStopNew;
      run.tenants.set_budget(TenantId{tenant}, budget);
    }
  }
  Instant now;
  const std::int64_t count = rng.between(20, 150);
  for (std::int64_t index = 0; index < count; ++index) {
    now = now + seconds(rng.between(0, 1800));
    TraceJob job;
    job.id = std::to_string(index + 1);
    job.request.tenant = TenantId{static_cast<std::uint32_t>(rng.between(1, run.tenants.size() - 1))};
    job.request.submit = now;
    job.truth.run_time = seconds(rng.between(0, 40'000));
    job.request.limit = std::max(seconds(1), job.truth.run_time + seconds(rng.between(-100, 20'000)));
    job.request.priority = static_cast<std::int32_t>(rng.between(0, 2));
    job.request.preemptible = rng.chance(0.5);
    if (rng.chance(0.5)) job.request.checkpoint_interval = minutes(rng.between(1, 120));
    Shape& shape = job.request.shape;
    if (rng.chance(0.15)) {
      shape.gpu_milli = static_cast<std::uint32_t>(rng.between(1, 999));
    } else if (rng.chance(0.25)) {
      shape.nodes = 0;
      shape.gpus = static_cast<std::uint32_t>(rng.between(1, 3 * gpus));
    } else {
      shape.nodes = static_cast<std::uint32_t>(rng.chance(0.6) ? 1 : rng.between(1, nodes));
      shape.gpus = static_cast<std::uint32_t>(rng.between(0, gpus));
      if (rng.chance(0.2)) {
        shape.level = 0;
        shape.level_required = rng.chance(0.5);
      }
    }
    if (rng.chance(0.3)) shape.cpu_milli = 1000 * rng.between(1, 10);
    run.jobs.push_back(job);
  }
  Rng rules = Rng(seed).split("whole-system-rules");
  draw_places(rules, run);
  draw_wishes(rules, run);
  if (Rng reclaim = Rng(seed).split("reclaim"); reclaim.chance(0.3)) {
    run.options.policy.reclaim_to = ReclaimTarget::kFairShare;
    run.options.policy.preemption =
        reclaim.chance(0.5) ? PreemptionKind::kReclaim : PreemptionKind::kReclaimAndPriority;
  }
  Rng sizes = Rng(seed).split("elastic");  // Apart, so that all else stays as it was.
  if (sizes.chance(0.5)) {
    run.options.policy.resize_interval = minutes(sizes.between(10, 60));
    for (TraceJob& job : run.jobs) {
      if (job.request.shape.nodes == 0 || job.request.shape.gpu_milli != 0 ||
          job.request.shape.is_grouped() || sizes.chance(0.4))
        continue;
      job.request.nodes_min = job.request.shape.nodes;
      job.request.nodes_max = job.request.nodes_min + static_cast<std::uint32_t>(sizes.between(0, 12));
      job.truth.scaling_permille = static_cast<std::uint32_t>(sizes.between(300, 1000));
    }
  }
  return run;
}

std::string journal_of(const RandomRun& run, const std::filesystem::path& path,
                       std::uint64_t snapshot_interval, RunSummary& summary) {
  workload::ListStream stream(run.jobs, run.tenants);
  auto journal = runtime::JournalWriter::create(path.string(), {"test", run.fleet, run.options.policy},
                                                snapshot_interval);
  EXPECT_TRUE(journal.has_value());
  TwinOptions options = run.options;
  options.store = journal->get();
  Result<RunSummary> result = run_twin(run.fleet, stream, options);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  summary = std::move(*result);
  EXPECT_TRUE((*journal)->close().has_value());
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// Calls visit(run, path) for seeds 1 to `last`, or those from GW_FIRST_SEED to GW_SEEDS, and for `kept`
/// ones.
template <class Visit>
void for_each_seed(std::uint64_t last, std::vector<std::uint64_t> kept, Visit&& visit) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("gw-whole-system-" + std::to_string(::getpid()));
  if (std::getenv("GW_SEEDS") != nullptr) kept.clear();
  for (std::uint64_t seed = number_from("GW_FIRST_SEED", 1); seed <= number_from("GW_SEEDS", last); ++seed)
    kept.push_back(seed);
  for (const std::uint64_t seed : kept) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const RandomRun run = random_run(seed);
    ASSERT_EQ(check_fleet(run.fleet), "");
    ASSERT_NO_FATAL_FAILURE(visit(run, path));
  }
  std::filesystem::remove(path);
}

/// Seeds that have once found a defect.
const std::vector<std::uint64_t> kFindings = {88, 525, 1134};

/// Capacity, index and ledger invariants after every pass (check_every = 1 aborts on a breach); every job
/// ends up somewhere; equal seeds give equal bytes; the journal's every plan is repeated, also from each
/// snapshot.
TEST(WholeSystem, HundredSeededRunsKeepEveryInvariant) {
  std::uint64_t grown = 0;
  std::uint64_t shrunk = 0;
  for_each_seed(100, kFindings, [&](const RandomRun& run, const std::filesystem::path& path) {
    RunSummary summary;
    const std::string first = journal_of(run, path, 7, summary);
    EXPECT_EQ(summary.jobs.submitted, run.jobs.size());
    EXPECT_EQ(summary.jobs.finished + summary.jobs.rejected, run.jobs.size());
    grown += summary.jobs.grown;
    shrunk += summary.jobs.shrunk;
    const Result<runtime::VerifyReport> verified = runtime::verify_journal(path.string());
    ASSERT_TRUE(verified.has_value()) << verified.error().message;
    EXPECT_GT(verified->snapshots, 0U);
    RunSummary again;
    ASSERT_EQ(journal_of(run, path, 7, again), first) << "equal seeds, other bytes";
  });
  if (std::getenv("GW_SEEDS") != nullptr) return;  // Perhaps too few for that.
  EXPECT_GT(grown, 20U);
  EXPECT_GT(shrunk, 20U);
}

/// The plans of a journal must be those of a core that passes over nothing, too.
void expect_thorough_plans(const std::filesystem::path& path) {
  Result<std::unique_ptr<runtime::JournalReader>> reader = runtime::JournalReader::open(path.string());
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  sched::Core core((*reader)->header().fleet, (*reader)->header().policy);
  core.search_thoroughly();
  for (;;) {
    Result<runtime::JournalRecord> record = (*reader)->next();
    ASSERT_TRUE(record.has_value()) << record.error().message;
    if (const auto* events = std::get_if<runtime::EventsRecord>(&*record)) {
      for (const sched::Event& event : events->events) core.apply(event, events->now);
    } else if (const auto* plan = std::get_if<runtime::PlanRecord>(&*record)) {
      ByteWriter bytes;
      bytes.i64(plan->now.count());
      sched::encode(bytes, core.plan(plan->now));
      ASSERT_EQ(bytes.take(), plan->bytes) << "at " << to_seconds(plan->now) << " s";
    } else if (std::holds_alternative<runtime::EndRecord>(*record)) {
      return;
    }
  }
}

/// What the core remembers from one pass to the next, and what it sees without a search, spares work and
/// decides nothing: each plan is that of a core restored from the snapshot before it, and that of a core
/// which searches for everything.
TEST(WholeSystem, NoPlanHangsOnWhatIsRemembered) {
  for_each_seed(60, kFindings, [](RandomRun run, const std::filesystem::path& path) {
    run.options.check_every = 0;
    RunSummary summary;
    journal_of(run, path, 1, summary);
    const Result<runtime::VerifyReport> verified = runtime::verify_journal(path.string());
    ASSERT_TRUE(verified.has_value()) << verified.error().message;
    expect_thorough_plans(path);
  });
}

}  // namespace
}  // namespace gw::twin
