// Power: caps hold on random fleets, sums are those of a slow recount, caps that cannot bind change nothing,
// gangs do not starve, and a drop is met in order of cost.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <map>

#include "sched/codec.h"
#include "sched/core.h"
#include "sched/random_case.h"

namespace gw::sched {
namespace {

using random_case::Driver;

std::string plan_bytes(const Plan& plan) {
  ByteWriter out;
  encode(out, plan);
  return out.take();
}

/// Gives the nodes power and the fleet nested feeds with caps of `low` to `high` thousandths of what their
/// nodes could draw.
void add_feeds(Rng& rng, Fleet& fleet, std::int64_t low, std::int64_t high) {
  for (NodeType& type : fleet.node_types) {
    type.power_idle = Milliwatts{rng.between(0, 3000)};
    type.power_max = type.power_idle + Milliwatts{rng.between(1, 9000)};
  }
  for (GpuType& type : fleet.gpu_types) {
    type.power_floor_permille = static_cast<std::uint32_t>(rng.between(300, 1000));
    type.floor_speed_permille = static_cast<std::uint32_t>(rng.between(type.power_floor_permille, 1000));
  }
  Partition level{"nodes", {}};
  for (std::uint32_t node = 0; node <= fleet.nodes(); ++node) level.first.push_back(node);
  static constexpr const char* kNames[] = {"rack", "row", "hall", "site"};
  const auto levels = static_cast<std::uint32_t>(rng.between(1, 4));
  for (std::uint32_t index = 0; index < levels; ++index) {
    Partition next{kNames[index], {0}};
    for (std::size_t at = 0; at + 1 < level.first.size();) {
      at = std::min(at + static_cast<std::size_t>(rng.between(1, 6)), level.first.size() - 1);
      next.first.push_back(level.first[at]);
    }
    FeedLevel feed{next, {}, {}};
    for (std::uint32_t vertex = 0; vertex < next.vertices(); ++vertex) {
      std::int64_t worst = 0;
      for (std::uint32_t node = next.begin(vertex); node < next.end(vertex); ++node)
        worst += fleet.type_of(NodeId{node}).power_max.count();
      feed.capacity.emplace_back(
          rng.chance(0.3) ? 0 : std::max<std::int64_t>(1, worst * rng.between(low, high) / 1000));
    }
    fleet.feed.push_back(std::move(feed));
    level = next;
  }
}

/// What the plans say runs, and where; counted by hand.
struct Mirror {
  struct Running {
    JobRequest request;
    Placement placement;
    std::uint32_t clock = 1000;
  };
  std::map<std::uint32_t, Running> running;

  void apply(const Event& event) {
    if (event.kind == EventKind::kJobEnded || event.kind == EventKind::kJobCancelled ||
        event.kind == EventKind::kJobRequeued)
      running.erase(event.job.value());
  }
  void apply(const Plan& plan, const Core& core) {
    for (const JobId job : plan.interrupted) running.erase(job.value());
    for (const JobId job : plan.stopped) EXPECT_EQ(running.erase(job.value()), 1U);
    for (const Plan::Clock& clock : plan.clocks) running.at(clock.job.value()).clock = clock.permille;
    for (const Plan::Start& start : plan.starts)
      running[start.job.value()] = {core.job(start.job)->request, start.placement, 1000};
  }
  /// The predicted draw of each node.
  std::vector<std::int64_t> draws(const Core& core, const Fleet& fleet) const {
    std::vector<std::int64_t> load(fleet.nodes(), 0);
    for (const auto& [id, job] : running) {
      const Pool& pool = *core.state().pools[job.placement.pool];
      for (const Piece& piece : job.placement.pieces) {
        for (std::uint32_t local = piece.node; local < piece.node + piece.count; ++local) {
          const std::uint32_t node = pool.fleet_node(local).value();
          const NodeType& type = fleet.type_of(NodeId{node});
          const Shape& shape = job.request.shape;
          long double part = 1;
          if (shape.gpu_milli > 0) {
            part = static_cast<long double>(shape.gpu_milli) / (1000.0L * type.gpus);
          } else if (piece.gpu_mask != 0) {
            part = static_cast<long double>(std::popcount(piece.gpu_mask)) / type.gpus;
          } else if (type.cpu_milli > 0 && shape.cpu_milli > 0) {
            part = static_cast<long double>(shape.cpu_milli) / type.cpu_milli;
          }
          const long double exact = static_cast<long double>((type.power_max - type.power_idle).count()) *
                                    part * job.request.power_permille * job.clock / 1e6L;
          load[node] += static_cast<std::int64_t>(std::ceil(exact - 1e-9L));
        }
      }
    }
    for (std::uint32_t node = 0; node < fleet.nodes(); ++node) {
      const NodeType& type = fleet.type_of(NodeId{node});
      const std::uint32_t pool = core.state().pools.size() == 1 ? 0 : pool_of(core, NodeId{node});
      const Pool& nodes = *core.state().pools[pool];
      const bool down = nodes.is_down(nodes.local_node(NodeId{node}));
      EXPECT_TRUE(!down || load[node] == 0);
      load[node] =
          down ? 0
               : type.power_idle.count() + std::min((type.power_max - type.power_idle).count(), load[node]);
    }
    return load;
  }
  static std::uint32_t pool_of(const Core& core, NodeId node) {
    for (std::uint32_t pool = 0; pool < core.state().pools.size(); ++pool) {
      for (std::uint32_t local = 0; local < core.state().pools[pool]->nodes(); ++local)
        if (core.state().pools[pool]->fleet_node(local) == node) return pool;
    }
    return ~0U;
  }
};

struct CapChange {
  std::size_t pass;
  Event event;
};

std::vector<CapChange> random_caps(Rng& rng, const Fleet& fleet) {
  std::vector<CapChange> changes;
  for (std::uint64_t count = rng.below(12); count > 0; --count) {
    const auto level = static_cast<std::uint32_t>(rng.below(fleet.feed.size()));
    const Partition& partition = fleet.feed[level].partition;
    const auto vertex = static_cast<std::uint32_t>(rng.below(partition.vertices()));
    std::int64_t worst = 0;
    for (std::uint32_t node = partition.begin(vertex); node < partition.end(vertex); ++node)
      worst += fleet.type_of(NodeId{node}).power_max.count();
    const std::int64_t cap =
        rng.chance(0.3) ? 0 : std::max<std::int64_t>(1, worst * rng.between(50, 1200) / 1000);
    changes.push_back({rng.below(150), Event::feed_cap(level, vertex, Milliwatts{cap}, rng.chance(0.7))});
  }
  return changes;
}

void keep_caps(const PolicyConfig& policy, std::uint64_t seed) {
  Rng rng(seed);
  Fleet fleet = random_case::random_fleet(rng);
  add_feeds(rng, fleet, 300, 1100);
  random_case::WorkloadWish wish;
  wish.jobs = 80;
  wish.mean_gap_s = rng.between(1, 60);
  random_case::Workload workload = random_workload(rng, fleet, wish);
  for (random_case::Scripted& job : workload.jobs) {
    if (rng.chance(0.6)) job.request.power_permille = static_cast<std::uint32_t>(rng.between(1, 1000));
    job.request.preemptible = rng.chance(0.5);
    if (rng.chance(0.5)) job.request.checkpoint_interval = seconds(rng.between(1, 300));
  }
  const std::vector<CapChange> caps = random_caps(rng, fleet);
  const std::size_t join = rng.below(120);
  Core core(fleet, policy);
  std::unique_ptr<Core> other;
  Mirror mirror;
  Driver driver(workload);
  for (std::size_t pass = 0; !driver.done(); ++pass) {
    std::vector<Event> events = driver.next();
    for (const CapChange& change : caps) {
      if (change.pass == pass) events.push_back(change.event);
    }
    for (const Event& event : events) {
      mirror.apply(event);
      core.apply(event, driver.now());
      if (other) other->apply(event, driver.now());
    }
    const Plan& plan = core.plan(driver.now());
    driver.planned(plan);
    mirror.apply(plan, core);
    ASSERT_EQ(core.check(), "") << "pass " << pass;
    const std::vector<std::int64_t> draws = mirror.draws(core, fleet);
    const PowerTree& power = core.state().power;
    for (std::uint32_t level = 0; level < fleet.feed.size(); ++level) {
      const Partition& partition = fleet.feed[level].partition;
      for (std::uint32_t vertex = 0; vertex < partition.vertices(); ++vertex) {
        std::int64_t draw = 0;
        std::int64_t idle = 0;
        for (std::uint32_t node = partition.begin(vertex); node < partition.end(vertex); ++node) {
          draw += draws[node];
          idle += draws[node] == 0 ? 0 : fleet.type_of(NodeId{node}).power_idle.count();
        }
        const FeedId feed{level, vertex};
        ASSERT_EQ(power.draw(feed).count(), draw) << "pass " << pass << ", level " << level;
        ASSERT_TRUE(draw <= power.limit(feed) || draw == idle)
            << "pass " << pass << ", level " << level << ", vertex " << vertex << ": draws " << draw << " of "
            << power.cap(feed).count() << ", idle " << idle;
      }
    }
    if (other) {
      ASSERT_TRUE(plan_bytes(other->plan(driver.now())) == plan_bytes(plan))
          << "pass " << pass << ", joined " << join;
      ASSERT_TRUE(other->snapshot() == core.snapshot()) << "pass " << pass << ", joined " << join;
    } else if (pass == join) {
      const std::string snapshot = core.snapshot();
      other = std::make_unique<Core>(fleet, policy);
      ASSERT_TRUE(other->restore(snapshot)) << "pass " << pass;
      ASSERT_TRUE(other->snapshot() == snapshot);
    }
  }
}

TEST(Power, CapsHoldWhateverHappens) {
  for (const PolicyName& policy : policy_names()) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      ASSERT_NO_FATAL_FAILURE(keep_caps(*policy_by_name(policy.name), seed))
          << policy.name << ", seed " << seed;
    }
  }
}

TEST(Power, CapsThatCannotBindChangeNoPlan) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Rng rng(seed);
    const Fleet plain = random_case::random_fleet(rng);
    Fleet fed = plain;
    add_feeds(rng, fed, 1000, 1500);
    const random_case::Workload workload = random_case::random_workload(rng, plain);
    const std::vector<PolicyName>& names = policy_names();
    const PolicyConfig policy = *policy_by_name(names[seed % names.size()].name);
    Core without(plain, policy);
    Core with(fed, policy);
    Driver driver(workload);
    while (!driver.done()) {
      for (const Event& event : driver.next()) {
        without.apply(event, driver.now());
        with.apply(event, driver.now());
      }
      const Plan& plan = without.plan(driver.now());
      driver.planned(plan);
      ASSERT_EQ(plan_bytes(with.plan(driver.now())), plan_bytes(plan)) << "seed " << seed;
    }
  }
}

// --- By hand ---

/// Nodes of 8 GPUs, 2 kW idle and 10 kW at most, racks of four; one site.
Fleet hall(std::uint32_t nodes, std::int64_t rack_kw, std::int64_t site_kw) {
  Fleet fleet = flat_fleet(nodes, 8);
  GpuType gpu;
  gpu.name = "h100";
  gpu.power_floor_permille = 600;
  gpu.floor_speed_permille = 800;
  fleet.gpu_types.push_back(gpu);
  fleet.node_types[0].gpu_type = 0;
  fleet.node_types[0].power_idle = Milliwatts{2'000'000};
  fleet.node_types[0].power_max = Milliwatts{10'000'000};
  Partition rack{"rack", {0}};
  while (rack.first.back() < nodes) rack.first.push_back(rack.first.back() + 4);
  fleet.fabric.insert(fleet.fabric.begin(), rack);
  fleet.feed.push_back({rack, std::vector<Milliwatts>(rack.vertices(), Milliwatts{rack_kw * 1'000'000}), {}});
  fleet.feed.push_back({Partition{"site", {0, nodes}}, {Milliwatts{site_kw * 1'000'000}}, {}});
  return fleet;
}

class Case {
 public:
  explicit Case(const Fleet& fleet, std::string_view policy = "easy")
      : core_(fleet, *policy_by_name(policy)) {
    core_.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  }
  void at(std::int64_t second) { now_ = Instant{} + seconds(second); }
  std::uint32_t submit(std::uint32_t nodes, std::uint32_t gpus, std::int64_t limit_s,
                       std::uint32_t power = 1000, bool preemptible = false, std::int32_t priority = 0) {
    JobRequest request;
    request.shape.nodes = nodes;
    request.shape.gpus = gpus;
    request.tenant = TenantId{1};
    request.submit = now_;
    request.limit = seconds(limit_s);
    request.power_permille = power;
    request.preemptible = preemptible;
    request.priority = priority;
    const JobId id{core_.state().next_job};
    core_.apply(Event::job_submitted(id, request), now_);
    return id.value();
  }
  void end(std::uint32_t job) { core_.apply(Event::job_ended(JobId{job}), now_); }
  void cap(std::uint32_t level, std::uint32_t vertex, std::int64_t kw, bool clocks = true) {
    core_.apply(Event::feed_cap(level, vertex, Milliwatts{kw * 1'000'000}, clocks), now_);
  }
  const Plan& plan() {
    const Plan& plan = core_.plan(now_);
    EXPECT_EQ(core_.check(), "");
    return plan;
  }
  std::vector<std::uint32_t> starts() {
    std::vector<std::uint32_t> jobs;
    for (const Plan::Start& start : plan().starts) jobs.push_back(start.job.value());
    return jobs;
  }
  std::int64_t draw_w(std::uint32_t level, std::uint32_t vertex) const {
    return core_.state().power.draw({level, vertex}).count() / 1000;
  }
  Reason reason(std::uint32_t job) const { return core_.binding_reason(JobId{job}); }
  Core& core() { return core_; }

 private:
  Core core_;
  Instant now_;
};

using Jobs = std::vector<std::uint32_t>;

TEST(Power, WhatDoesNotFitUnderACapWaitsForPower) {
  Case site(hall(8, 40, 64));  // 16 kW idle: six of eight nodes can be at full load.
  EXPECT_EQ(site.draw_w(1, 0), 16'000);
  Jobs jobs;
  for (int job = 0; job < 7; ++job) jobs.push_back(site.submit(1, 8, 1000));
  EXPECT_EQ(site.starts(), (Jobs{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(site.draw_w(1, 0), 64'000);
  EXPECT_EQ(site.reason(6), Reason::kPower);
  site.at(10);
  site.end(2);
  EXPECT_EQ(site.starts(), (Jobs{6}));
  EXPECT_EQ(site.draw_w(1, 0), 64'000);
}

TEST(Power, LessHungryWorkLightsNodes) {
  Case site(hall(8, 40, 64));
  for (int job = 0; job < 9; ++job) site.submit(1, 8, 1000, 700);
  EXPECT_EQ(site.starts().size(), 8U);  // 16 + 8 * 5.6 kW = 60.8 kW.
  EXPECT_EQ(site.draw_w(1, 0), 60'800);
  EXPECT_EQ(site.reason(8), Reason::kCapacity);
}

TEST(Power, AGangThatFitsByItsOwnDrawStarts) {
  // A rack carries three of its four nodes at full load: one is dark. A gang of four that draws 70 % fits.
  Case site(hall(4, 33, 100));
  const std::uint32_t full = site.submit(4, 8, 1000);
  EXPECT_TRUE(site.starts().empty());
  EXPECT_EQ(site.reason(full), Reason::kPower);
  site.at(1);
  const std::uint32_t gang = site.submit(4, 8, 1000, 700);
  EXPECT_EQ(site.starts(), (Jobs{gang}));  // The first can never start under this cap: it holds nobody up.
  EXPECT_EQ(site.draw_w(0, 0), 30'400);
  site.at(2);
  site.end(gang);
  site.cap(0, 0, 40);
  EXPECT_EQ(site.starts(), (Jobs{full}));
}

TEST(Power, AGangDoesNotStarveBehindSmallWorkThatTakesThePower) {
  for (const std::uint32_t power : {1000U, 650U}) {
    Case site(hall(16, 40, power == 1000 ? 96 : 80));  // 8 or 6 of 16 nodes at full load.
    Rng rng(5);
    std::multimap<std::int64_t, std::uint32_t> ends;
    std::map<std::uint32_t, std::int64_t> run;
    std::uint32_t gang = ~0U;
    std::int64_t started = -1;
    for (std::int64_t now = 0; now < 20'000 && started < 0; now += 10) {
      site.at(now);
      while (!ends.empty() && ends.begin()->first <= now) {
        site.end(ends.begin()->second);
        ends.erase(ends.begin());
      }
      while (site.core().state().pending.size() < 10) {
        const std::int64_t limit = rng.between(100, 1000);
        const std::uint32_t job = site.submit(1, static_cast<std::uint32_t>(rng.between(1, 8)), limit,
                                              static_cast<std::uint32_t>(rng.between(300, 1000)));
        run[job] = rng.between(1, limit);
      }
      if (now == 3000) gang = site.submit(8, 8, 1000, power);
      for (const std::uint32_t job : site.starts()) {
        if (job == gang) started = now;
        ends.emplace(now + run[job], job);
      }
    }
    EXPECT_GE(started, 3000) << power;
    EXPECT_LE(started, 6000) << power;
  }
}

TEST(Power, ADropIsMetByClocksThenByPreemption) {
  Case site(hall(4, 40, 40));
  const std::uint32_t first = site.submit(2, 8, 1000);
  const std::uint32_t second = site.submit(1, 8, 1000, 1000, true);
  const std::uint32_t third = site.submit(1, 8, 1000);
  EXPECT_EQ(site.starts(), (Jobs{first, second, third}));
  site.at(100);
  site.cap(1, 0, 32);  // 8 kW less of 32 kW above idle: three quarters.
  Plan plan = site.plan();
  ASSERT_EQ(plan.clocks.size(), 3U);
  EXPECT_TRUE(plan.stopped.empty());
  for (const Plan::Clock& clock : plan.clocks) EXPECT_EQ(clock.permille, 750U);
  EXPECT_EQ(site.draw_w(1, 0), 32'000);
  // At 75 % of the power the speed is 875 ‰: 900 s of limit become 1028.57 s.
  EXPECT_NEAR(to_seconds(site.core().job(JobId{first})->expected_end), 100 + 900 / 0.875, 0.001);

  site.at(200);
  site.cap(1, 0, 26);  // At the floor of 60 %: 8 + 19.2 kW. One must go: the preemptible one.
  plan = site.plan();
  ASSERT_EQ(plan.stopped.size(), 1U);
  EXPECT_EQ(plan.stopped[0].value(), second);
  EXPECT_LE(site.draw_w(1, 0), 26'000);
  EXPECT_EQ(site.reason(second), Reason::kPower);
  for (const Plan::Clock& clock : plan.clocks) EXPECT_EQ(clock.permille, 750U);  // 8 + 24 * 0.75 = 26.

  site.at(300);
  site.cap(1, 0, 40);  // Clocks first, then those that wait.
  plan = site.plan();
  ASSERT_EQ(plan.clocks.size(), 2U);
  for (const Plan::Clock& clock : plan.clocks) EXPECT_EQ(clock.permille, 1000U);
  ASSERT_EQ(plan.starts.size(), 1U);
  EXPECT_EQ(plan.starts[0].job.value(), second);
}

TEST(Power, ACapBelowWhatMayNotBePreemptedStopsThatTooAndOnlyIdlePowerIsLeft) {
  Case site(hall(4, 40, 40));
  const std::uint32_t low = site.submit(1, 8, 1000, 1000, false, 1);
  const std::uint32_t high = site.submit(1, 8, 1000, 1000, false, 2);
  const std::uint32_t spare = site.submit(1, 8, 1000, 1000, true, 3);
  EXPECT_EQ(site.starts().size(), 3U);
  site.at(100);
  site.cap(1, 0, 16);  // 8 kW of idle power, and at the floor of 60 % 4.8 kW a job: one goes on.
  Plan plan = site.plan();
  ASSERT_EQ(plan.stopped.size(), 2U);
  EXPECT_EQ((std::set{plan.stopped[0].value(), plan.stopped[1].value()}), (std::set{low, spare}));
  EXPECT_LE(site.draw_w(1, 0), 16'000);
  site.at(200);
  site.cap(1, 0, 7);
  plan = site.plan();
  ASSERT_EQ(plan.stopped.size(), 1U);
  EXPECT_EQ(plan.stopped[0].value(), high);
  EXPECT_EQ(site.draw_w(1, 0), 8'000);  // Above its cap: no plan can lower that.
  EXPECT_TRUE(site.core().state().power.over({1, 0}));
}

TEST(Power, WhatAClaimWillDrawBesideOthersOnItsNodeIsKeptForIt) {
  Case site(hall(4, 40, 38), "gigawerk");
  site.submit(2, 8, 90'000);
  site.submit(1, 4, 90'000);  // 4 kW.
  const std::uint32_t sparing = site.submit(1, 4, 90'000, 250, true);
  site.submit(1, 6, 90'000);
  EXPECT_EQ(site.starts().size(), 4U);
  EXPECT_EQ(site.draw_w(1, 0), 35'000);
  site.at(4000);
  const std::uint32_t urgent = site.submit(1, 4, 1000, 1000, false, 5);  // With it 38 kW.
  const Plan made = site.plan();
  ASSERT_EQ(made.preemptions.size(), 1U);
  EXPECT_EQ(made.preemptions[0].job, JobId{sparing});
  const std::uint32_t small = site.submit(1, 2, 100);
  EXPECT_TRUE(site.starts().empty());  // Two GPUs are free, but their power is promised.
  EXPECT_EQ(site.reason(small), Reason::kPower);
  site.at(4060);
  site.core().apply(Event::job_requeued(JobId{sparing}), Instant{} + seconds(4060));
  EXPECT_EQ(site.starts(), (Jobs{urgent}));
  EXPECT_EQ(site.draw_w(1, 0), 38'000);
}

TEST(Power, VictimsAreLookedForOnNodesThatAreLit) {
  Case site(hall(4, 40, 36), "gigawerk");  // Three nodes at full load, and half of the fourth.
  for (int job = 0; job < 3; ++job) site.submit(1, 8, 90'000, 1000, true);
  site.submit(1, 4, 90'000, 1000, true);
  EXPECT_EQ(site.starts().size(), 4U);
  site.at(4000);
  site.submit(1, 8, 1000, 1000, false, 5);
  const Plan made =
      site.plan();  // The one with the least to lose is on the dark node, where nothing may start.
  ASSERT_EQ(made.preemptions.size(), 1U);
  EXPECT_EQ(made.preemptions[0].job, JobId{0});
  site.at(4010);
  site.submit(1, 4, 1000, 1000, false, 5);  // That node has so much room, and is no place all the same.
  EXPECT_EQ(site.plan().preemptions.size(), 1U);
}

TEST(Power, WithoutClocksADropPreemptsTheLeast) {
  Case site(hall(4, 40, 40));
  const std::uint32_t large = site.submit(3, 8, 1000, 1000, true);
  site.starts();
  site.at(50);
  const std::uint32_t small = site.submit(1, 8, 1000, 1000, true);
  site.starts();
  site.at(100);
  site.cap(1, 0, 33, false);
  const Plan& plan = site.plan();
  EXPECT_TRUE(plan.clocks.empty());
  ASSERT_EQ(plan.stopped.size(), 1U);
  EXPECT_EQ(plan.stopped[0].value(), small);
  EXPECT_TRUE(site.core().job(JobId{large})->running);
}

TEST(Power, ACapBelowIdleStopsAllAndSaysSo) {
  Case site(hall(4, 40, 40));
  site.submit(2, 8, 1000);
  site.starts();
  site.at(10);
  site.cap(1, 0, 5);
  EXPECT_EQ(site.plan().stopped.size(), 1U);
  EXPECT_EQ(site.draw_w(1, 0), 8'000);
  EXPECT_TRUE(site.core().state().power.over({1, 0}));
}

}  // namespace
}  // namespace gw::sched
