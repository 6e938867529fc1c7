// Every event and every decision has a line of its own.
#include "cli/journal_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gw {
namespace {

using sched::Event;
using sched::Plan;
using testing::ElementsAre;

Fleet fleet_of_two_types() {
  Fleet fleet;
  fleet.gpu_types.resize(2);
  fleet.gpu_types[0].name = "h100";
  fleet.gpu_types[1].name = "b200";
  return fleet;
}

TEST(JournalText, RulesAreToldWithTheirTerms) {
  const Fleet fleet = fleet_of_two_types();
  QuotaTerms terms;
  terms.guaranteed_milli = 16'500;
  terms.limit_milli = 64'000;
  EXPECT_EQ(event_text(Event::tenant_quota(TenantId{3}, kAllGpus, terms), fleet),
            "tenant 3 is guaranteed 16.5 GPU-equivalents, borrows any, lends any, limit 64");
  EXPECT_EQ(event_text(Event::tenant_quota(TenantId{3}, 2, terms), fleet),
            "tenant 3 is guaranteed 16.5 b200 GPUs, borrows any, lends any, limit 64");
  EXPECT_EQ(event_text(Event::tenant_budget(TenantId{3}, BudgetState::kStopNew), fleet),
            "budget of tenant 3 is spent: nothing new starts");
  EXPECT_EQ(event_text(Event::feed_cap(1, 2, Milliwatts{1'250'000'000}, false), fleet),
            "feed 2 of level 1 has a cap of 1.25 MW, clocks cannot be capped");
  EXPECT_EQ(event_text(Event::feed_cap(1, 2, Milliwatts{0}), fleet), "feed 2 of level 1 has no cap");
  WindowTerms window;
  window.tenant = TenantId{4};
  window.from = Instant{} + Nanoseconds{90 * kNanosecondsPerSecond};
  window.length = Nanoseconds{3600 * kNanosecondsPerSecond};
  window.every = window.length * 24;
  window.nodes = {{NodeId{0}, 3}, {NodeId{8}, 1}};
  EXPECT_EQ(event_text(Event::window_added(WindowId{5}, window), fleet),
            "window 5: 4 nodes reserved for tenant 4 from 90.000 s for 60 min, every 24 h");
  EXPECT_EQ(event_text(Event::window_removed(WindowId{5}), fleet), "window 5 removed");
}

TEST(JournalText, EveryKindOfDecisionIsTold) {
  Plan plan;
  plan.interrupted = {JobId{1}};
  plan.stopped = {JobId{2}};
  plan.clocks = {{JobId{3}, 725}, {JobId{4}, 1000}};
  plan.preemptions = {{JobId{5}, JobId{6}}, {JobId{7}, JobId{}}, {JobId{8}, JobId{6}}};
  Plan::Resize resize;
  resize.job = JobId{8};
  resize.placement.pieces.resize(1);
  resize.placement.pieces[0].node = 9;
  resize.placement.pieces[0].count = 2;
  plan.resizes = {resize};
  plan.rejections = {{JobId{10}}};
  plan.starts.resize(1);
  plan.starts[0].job = JobId{11};
  plan.starts[0].placement = resize.placement;
  EXPECT_THAT(
      plan_texts(plan, Fleet{}),
      ElementsAre("job 1 lost its nodes and waits again", "job 2 stops for want of power and waits again",
                  "job 3 may draw 72.5 % of its power", "job 4 has its clocks free",
                  "job 5 saves its work and leaves for job 6", "job 7 saves its work and leaves",
                  "job 8 saves its work and shrinks to 2 nodes of pool 0 from node 9, for job 6",
                  "job 10 rejected: " + std::string(sched::reason_text(sched::Reason::kNever)),
                  "start job 11 on 2 nodes of pool 0 from node 9"));
  EXPECT_TRUE(plan_texts(Plan{}, Fleet{}).empty());
}

}  // namespace
}  // namespace gw
