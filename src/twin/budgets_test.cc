// Budgets: the instant in which one is used up is exact, and each month begins anew.
#include "twin/budgets.h"

#include <gtest/gtest.h>

namespace gw::twin {
namespace {

class BudgetsTest : public testing::Test {
 protected:
  BudgetsTest() : org(tree.add(TenantTree::root(), "org")), user(tree.add(org, "user")) {}
  void give(std::int64_t gpu_hours, BudgetAction action) {
    Budget budget;
    budget.gpu_milli_hours = gpu_hours * 1000;
    budget.action = action;
    tree.set_budget(org, budget);
    for (const TenantId tenant : {org, user}) budgets.add(tenant, Instant{});
  }
  std::vector<sched::Event> take(Instant now) {
    std::vector<sched::Event> events;
    budgets.take(now, events);
    return events;
  }
  TenantTree tree;
  TenantId org;
  TenantId user;
  Budgets budgets{tree};
};

TEST_F(BudgetsTest, IsUsedUpInTheVeryInstant) {
  give(10, BudgetAction::kStopNew);
  EXPECT_EQ(budgets.next_due(), Instant::max());
  budgets.started(user, 4000, Instant{} + hours(1));
  budgets.started(user, 4000, Instant{} + hours(2));  // 4 GPU-hours are used by then, 6 are left.
  EXPECT_EQ(budgets.next_due(), Instant{} + hours(2) + minutes(45));
  const std::vector<sched::Event> events = take(Instant{} + hours(2) + minutes(45));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].tenant, org);
  EXPECT_EQ(events[0].budget, BudgetState::kStopNew);
  EXPECT_TRUE(budgets.any_spent());
}

TEST_F(BudgetsTest, TheNextMonthOpensIt) {
  give(1, BudgetAction::kStopAll);
  budgets.started(user, 1000, Instant{});
  EXPECT_EQ(take(Instant{} + hours(1))[0].budget, BudgetState::kStopAll);
  budgets.stopped(user, 1000, Instant{} + hours(1));
  EXPECT_EQ(budgets.next_due(), Instant{} + Budgets::kMonth);
  const std::vector<sched::Event> events = take(Instant{} + Budgets::kMonth);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].budget, BudgetState::kOpen);
  budgets.started(user, 1000, Instant{} + Budgets::kMonth + hours(5));
  EXPECT_EQ(budgets.next_due(), Instant{} + Budgets::kMonth + hours(6));
}

TEST_F(BudgetsTest, UseBeforeTheTurnBelongsToTheMonthBefore) {
  give(800, BudgetAction::kStopNew);
  budgets.started(user, 1000, Instant{} + Budgets::kMonth - hours(700));
  EXPECT_TRUE(take(Instant{} + Budgets::kMonth).empty());
  EXPECT_EQ(budgets.next_due(), Instant{} + Budgets::kMonth + Budgets::kMonth);  // 720 hours of one GPU fit.
  budgets.started(user, 9000, Instant{} + Budgets::kMonth + hours(100));  // 100 used, 700 left at 10 an hour.
  EXPECT_EQ(budgets.next_due(), Instant{} + Budgets::kMonth + hours(170));
}

TEST_F(BudgetsTest, AWarningStopsNothing) {
  give(1, BudgetAction::kWarn);
  budgets.started(user, 1000, Instant{});
  EXPECT_TRUE(take(Instant{} + hours(1)).empty());
  EXPECT_FALSE(budgets.any_spent());
}

}  // namespace
}  // namespace gw::twin
