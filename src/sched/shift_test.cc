// Flexible jobs: the cheapest start is that of a slow search, deadlines are kept where capacity is there, a
// snapshot goes on alike, and without curves nothing changes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "model/power_schedule.h"
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

PriceCurve random_curve(Rng& rng, std::int64_t span_s, std::int64_t low = -20) {
  PriceCurve curve;
  std::int64_t at = rng.between(0, span_s / 10);
  for (std::int64_t step = rng.between(1, 20); step > 0; --step) {
    curve.push_back({Instant{} + seconds(at), rng.between(low, 100) * 1000});
    at += rng.between(1, std::max<std::int64_t>(span_s / 10, 2));
  }
  return curve;
}

TEST(PriceCurve, TheCheapestStartIsThatOfASlowSearch) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Rng rng(seed);
    const PriceCurve curve = random_curve(rng, 100);
    const std::int64_t earliest = rng.between(0, 90), latest = earliest + rng.between(0, 60);
    const std::int64_t length = rng.between(1, 60);
    const auto cost = [&](std::int64_t from) {
      std::int64_t sum = 0;
      for (std::int64_t second = from; second < from + length; ++second)
        sum += price_at(curve, Instant{} + seconds(second));
      return sum;
    };
    std::int64_t best = earliest;
    for (std::int64_t start = earliest; start <= latest; ++start) {
      if (cost(start) < cost(best)) best = start;
    }
    const Instant found =
        cheapest_start(curve, Instant{} + seconds(earliest), Instant{} + seconds(latest), seconds(length), 0);
    EXPECT_EQ(found, Instant{} + seconds(best)) << "seed " << seed;
    const Instant worth = cheapest_start(curve, Instant{} + seconds(earliest), Instant{} + seconds(latest),
                                         seconds(length), 100);
    const std::int64_t saved = cost(earliest) - cost(best);
    const bool waits = saved > 0 && saved * 10 >= std::abs(cost(earliest)) - 10;
    if (worth != Instant{} + seconds(earliest)) {
      EXPECT_TRUE(waits && worth == found) << "seed " << seed;
    } else {
      EXPECT_TRUE(saved * 10 <= std::abs(cost(earliest)) + 10) << "seed " << seed;
    }
    EXPECT_NEAR(mean_price(curve, Instant{} + seconds(earliest), Instant{} + seconds(earliest + length)),
                static_cast<double>(cost(earliest)) / static_cast<double>(length), 1e-6);
  }
}

TEST(PriceCurve, DailyCurvesAndMixtures) {
  EnergyCurve day;
  day.daily = {1, 2, 3, 4};  // Six hours each.
  const PriceCurve curve = day.expand(hours(7), Instant{} + days(2));
  EXPECT_EQ(price_problem(curve), "");
  ASSERT_GE(curve.size(), 4U);
  EXPECT_EQ(curve[0], (PriceStep{Instant{}, 2}));
  EXPECT_EQ(curve[1], (PriceStep{Instant{} + hours(5), 3}));
  EXPECT_EQ(price_at(curve, Instant{} + hours(17)), 1);
  EXPECT_EQ(price_at(curve, Instant{} + hours(24 + 11)), 4);
  const PriceCurve carbon{{Instant{}, 300'000}, {Instant{} + hours(6), 100'000}};
  const PriceCurve both = priced_curve(curve, carbon, 80);  // 80 EUR/t: 300 g are 2.4 cents.
  EXPECT_EQ(price_at(both, Instant{} + hours(1)), 2 + 24'000);
  EXPECT_EQ(price_at(both, Instant{} + hours(6)), 3 + 8'000);
  const PriceCurve mean = mean_curve({&curve, &carbon}, {3, 1});
  EXPECT_EQ(price_at(mean, Instant{} + hours(6)), (3 * 3 + 100'000) / 4);
  EXPECT_TRUE(mean_curve({&curve}, {0}).empty());
}

/// One feed above all nodes, or some.
void add_feeds(Rng& rng, Fleet& fleet) {
  for (NodeType& type : fleet.node_types) {
    type.power_idle = Milliwatts{1000};
    type.power_max = Milliwatts{9000};
  }
  Partition sites{"site", {0}};
  while (sites.first.back() < fleet.nodes())
    sites.first.push_back(
        std::min(fleet.nodes(), sites.first.back() + static_cast<std::uint32_t>(rng.between(1, 8))));
  FeedLevel feed{sites, {}, {}};
  feed.capacity.assign(sites.vertices(), Milliwatts{0});
  fleet.feed.push_back(std::move(feed));
}

void keep_deadlines(const PolicyConfig& policy, std::uint64_t seed) {
  Rng rng(seed);
  Fleet fleet = random_case::random_fleet(rng);
  add_feeds(rng, fleet);
  random_case::WorkloadWish wish;
  wish.jobs = 60;
  wish.mean_gap_s = rng.between(1, 120);
  random_case::Workload workload = random_case::random_workload(rng, fleet, wish);
  for (random_case::Scripted& job : workload.jobs) {
    job.request.flexible = rng.chance(0.6);
    if (rng.chance(0.9))
      job.request.deadline = job.request.submit + job.request.limit + seconds(rng.between(0, 20'000));
  }
  Core core(fleet, policy);
  std::unique_ptr<Core> other;
  Driver driver(workload);
  const std::size_t join = rng.below(80);
  std::size_t put_off = 0;
  for (std::size_t pass = 0; pass < 20'000; ++pass) {
    if (driver.done() && core.state().prices.put_off.empty()) break;
    std::vector<Event> events = driver.next(core.next_due());
    if (pass == 0 || rng.chance(0.02)) {
      const auto site = static_cast<std::uint32_t>(rng.below(fleet.feed[0].partition.vertices()));
      events.push_back(
          Event::feed_price(0, site, rng.chance(0.1) ? PriceCurve{} : random_curve(rng, 20'000)));
    }
    const Instant now = driver.now();
    for (const Event& event : events) {
      core.apply(event, now);
      if (other) other->apply(event, now);
    }
    const Plan& plan = core.plan(now);
    driver.planned(plan);
    ASSERT_EQ(core.check(), "") << "pass " << pass;
    for (const auto& [until, id] : core.state().prices.put_off) {
      const Job& job = *core.job(id);
      ++put_off;
      ASSERT_GT(until, now);
      ASSERT_LE(until + job.request.limit + EnergyPrices::kLeastMargin, job.request.deadline);
      ASSERT_TRUE(job.request.flexible);
      ASSERT_EQ(core.binding_reason(id), Reason::kCheaperLater);
      ASSERT_LE(core.next_due(), until);
    }
    if (other) {
      ASSERT_EQ(plan_bytes(other->plan(now)), plan_bytes(plan)) << "pass " << pass << ", joined " << join;
      ASSERT_EQ(other->snapshot(), core.snapshot()) << "pass " << pass << ", joined " << join;
    } else if (pass == join) {
      other = std::make_unique<Core>(fleet, policy);
      ASSERT_TRUE(other->restore(core.snapshot())) << "pass " << pass;
    }
  }
  EXPECT_TRUE(core.state().prices.put_off.empty());
  if (seed == 1) {
    EXPECT_GT(put_off, 0U);
  }
}

TEST(Shift, RandomFactoriesUnderEveryPolicy) {
  for (const PolicyName& policy : policy_names()) {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
      ASSERT_NO_FATAL_FAILURE(keep_deadlines(*policy_by_name(policy.name), seed))
          << policy.name << ", seed " << seed;
    }
  }
}

TEST(Shift, WithoutCurvesNothingIsOtherwise) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Rng rng(seed);
    Fleet fleet = random_case::random_fleet(rng);
    add_feeds(rng, fleet);
    random_case::Workload workload = random_case::random_workload(rng, fleet);
    random_case::Workload flexible = workload;
    for (random_case::Scripted& job : flexible.jobs) {
      job.request.flexible = true;
      job.request.deadline = job.request.submit + job.request.limit + hours(10);
    }
    const std::vector<PolicyName>& names = policy_names();
    const PolicyConfig policy = *policy_by_name(names[seed % names.size()].name);
    Core first(fleet, policy), second(fleet, policy);
    Driver one(workload), two(flexible);
    while (!one.done()) {
      for (const Event& event : one.next()) first.apply(event, one.now());
      for (const Event& event : two.next()) second.apply(event, two.now());
      const Plan& plan = first.plan(one.now());
      ASSERT_EQ(plan_bytes(plan), plan_bytes(second.plan(two.now()))) << "seed " << seed;
      one.planned(plan);
      two.planned(plan);
    }
  }
}

/// One node of eight GPUs under a site whose energy is dear for the first six hours of each half day.
class ShiftTest : public ::testing::Test {
 protected:
  ShiftTest() {
    fleet_ = flat_fleet(4, 8);
    fleet_.node_types[0].power_max = Milliwatts{9000};
    fleet_.feed.push_back({Partition{"site", {0, 4}}, {Milliwatts{0}}, {"here"}});
    core_ = std::make_unique<Core>(fleet_, *policy_by_name("gigawerk"));
    core_->apply(Event::tenant_added(TenantId{0}, 1), now_);
    PriceCurve curve;
    for (int part = 0; part < 20; ++part)
      curve.push_back({Instant{} + hours(6) * part, part % 2 == 0 ? 100'000 : 40'000});
    core_->apply(Event::feed_price(0, 0, curve), now_);
  }
  JobId submit(Nanoseconds limit, Nanoseconds slack, bool flexible = true, std::uint32_t nodes = 1) {
    JobRequest request;
    request.shape.nodes = nodes;
    request.shape.gpus = 8;
    request.tenant = TenantId{1};
    request.submit = now_;
    request.limit = limit;
    request.flexible = flexible;
    request.deadline = now_ + limit + slack;
    const JobId id{core_->state().next_job};
    core_->apply(Event::job_submitted(id, request), now_);
    return id;
  }
  /// When each job starts, if none ends before `until`.
  std::map<JobId, Instant> starts(Instant until) {
    std::map<JobId, Instant> found;
    while (true) {
      for (const Plan::Start& start : core_->plan(now_).starts) found[start.job] = now_;
      if (core_->next_due() > until) return found;
      now_ = core_->next_due();
    }
  }

  Fleet fleet_;
  std::unique_ptr<Core> core_;
  Instant now_;
};

TEST_F(ShiftTest, ItWaitsForTheCheapHourThatItsDeadlineAllows) {
  const JobId early = submit(hours(2), hours(12));    // The whole of it in the cheap hours.
  const JobId tight = submit(hours(2), minutes(90));  // Its margin ends before they come.
  const JobId fixed = submit(hours(2), hours(12), false);
  const JobId longer = submit(hours(9), hours(12));  // Six of its nine hours are cheap from then on.
  const std::map<JobId, Instant> begun = starts(Instant{} + hours(30));
  EXPECT_EQ(begun.at(early), Instant{} + hours(6));
  EXPECT_EQ(begun.at(fixed), Instant{});
  EXPECT_EQ(begun.at(tight), Instant{});  // To wait would save nothing.
  EXPECT_EQ(begun.at(longer), Instant{} + hours(3));
}

TEST_F(ShiftTest, ACancelledOneIsForgotten) {
  const JobId job = submit(hours(2), hours(12));
  core_->plan(now_);
  EXPECT_EQ(core_->binding_reason(job), Reason::kCheaperLater);
  core_->apply(Event::job_cancelled(job), now_);
  EXPECT_TRUE(starts(Instant{} + hours(30)).empty());
  EXPECT_EQ(core_->check(), "");
}

TEST_F(ShiftTest, OnceTheCurveIsGoneItStarts) {
  const JobId job = submit(hours(2), hours(12));
  core_->plan(now_);
  now_ = now_ + hours(1);
  core_->apply(Event::feed_price(0, 0, {}), now_);
  EXPECT_EQ(starts(Instant{} + hours(30)).at(job), Instant{} + hours(1));
}

TEST_F(ShiftTest, WaitsOfOthersMakeItMoreCareful) {
  // A job that fills all starts; the next waits for it as long as it runs.
  const JobId all = submit(hours(4), hours(90), false, 4);
  core_->plan(now_);
  const JobId next = submit(hours(1), hours(90), false, 4);
  core_->plan(now_);
  now_ = now_ + hours(4);
  core_->apply(Event::job_ended(all), now_);
  core_->plan(now_);
  ASSERT_TRUE(core_->job(next)->running);
  EXPECT_EQ(core_->state().prices.mean_wait(), hours(4) / 16);
  EXPECT_EQ(core_->state().prices.margin(hours(1)), minutes(15) + hours(4) / 8);
}

TEST_F(ShiftTest, ItWeighsWhatJobsRunAndNotWhatTheyAskFor) {
  // By its limit of nine hours it is as cheap from the third hour on as it can be.
  for (int index = 0; index < 60; ++index) {
    const JobId job = submit(hours(9), hours(12), false);
    core_->plan(now_);
    now_ = now_ + minutes(1);
    core_->apply(Event::job_ended(job), now_);
    core_->plan(now_);
  }
  EXPECT_LT(core_->state().prices.run_ppm(), 50'000);
  const JobId longer = submit(hours(9), hours(12));  // Now it is taken to run for a few minutes.
  EXPECT_EQ(starts(Instant{} + hours(30)).at(longer), Instant{} + hours(6));
}

TEST_F(ShiftTest, AMovedFactoryGoesOn) {
  const JobId job = submit(hours(2), hours(12));
  core_->plan(now_);
  auto other = std::make_unique<Core>(fleet_, *policy_by_name("easy"));
  other->move_from(*core_, fleet_, fleet_, now_);
  EXPECT_EQ(other->plan(now_).starts.size(), 0U);
  EXPECT_EQ(other->binding_reason(job), Reason::kCheaperLater);
  EXPECT_EQ(other->check(), "");
}

}  // namespace
}  // namespace gw::sched
