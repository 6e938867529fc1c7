// Cost: items sum to the total, interest follows its rate, longer lives are never dearer, returns agree with
// it.
#include "physics/cost.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

namespace gw::physics {
namespace {

PriceTable table() {
  const auto row = [](PriceItem item, double value, double life = 0) {
    Price price;
    price.item = item;
    price.value = value;
    price.low = 0.8 * value;
    price.high = 1.3 * value;
    price.year = 2025;
    price.life_years = life;
    return price;
  };
  return PriceTable({row(PriceItem::kGpu, 25'000, 5), row(PriceItem::kServer, 7'000, 5),
                     row(PriceItem::kNetwork, 5'000, 5), row(PriceItem::kStorage, 1'500, 5),
                     row(PriceItem::kBuilding, 7e6, 25), row(PriceItem::kCooling, 2.5e6, 15),
                     row(PriceItem::kGrid, 1e6, 30), row(PriceItem::kLand, 5e5), row(PriceItem::kEnergy, 80),
                     row(PriceItem::kStaff, 150'000), row(PriceItem::kTransit, 30),
                     row(PriceItem::kMaintenance, 0.03)});
}

CostInput input() {
  CostInput input;
  input.gpu = "h100";
  input.gpus = 1024;
  input.node_w_per_gpu = 1275;
  input.year = 2025;
  input.finance = {{}};
  return input;
}

double item(const Cost& cost, CostItem which) { return cost.items[static_cast<std::size_t>(which)].value; }

TEST(Cost, IsWhatIsBoughtTimesItsPrice) {
  const Result<Cost> cost = factory_cost(input(), table());
  ASSERT_TRUE(cost.has_value());
  EXPECT_NEAR(cost->facility_mw, 1024 * 1275 * 1.3e-6, 1e-9);
  EXPECT_NEAR(item(*cost, CostItem::kGpu), 1024 * 25'000.0, 1e-3);
  EXPECT_NEAR(item(*cost, CostItem::kBuilding), cost->facility_mw * 7e6 / 5, 1e-3);
  EXPECT_EQ(item(*cost, CostItem::kLand), 0);
  EXPECT_NEAR(item(*cost, CostItem::kEnergy), cost->facility_mw * 0.75 * 8766 * 5 * 80, 1e-3);
  EXPECT_NEAR(item(*cost, CostItem::kMaintenance), 1024 * 38'500 * 0.03 * 5, 1e-3);
  EXPECT_NEAR(cost->per_million_tokens(1000).value, cost->per_gpu_hour().value / 3.6, 1e-9);
}

RC_GTEST_PROP(Cost, ItemsSumToTheTotal, ()) {
  CostInput in = input();
  in.gpus = *rc::gen::inRange(1, 100'000);
  in.years = *rc::gen::inRange(1, 15);
  in.utilisation = *rc::gen::inRange(1, 101) / 100.0;
  in.finance[0].rate = *rc::gen::inRange(0, 20) / 100.0;
  in.finance[0].draw_year = -*rc::gen::inRange(0, 3);
  const Result<Cost> cost = factory_cost(in, table());
  RC_ASSERT(cost.has_value());
  double sum = 0;
  for (const Euros& each : cost->items) sum += each.value;
  RC_ASSERT(std::abs(sum - cost->total.value) <= 1e-9 * sum);
  RC_ASSERT(cost->total.low < cost->total.value && cost->total.value < cost->total.high);
  for (const Euros& each : cost->items) RC_ASSERT(each.low <= each.value && each.value <= each.high);
}

RC_GTEST_PROP(Cost, LongerLivesAreNeverDearer, ()) {
  const double years = *rc::gen::inRange(1, 20);
  const double life = *rc::gen::inRange(8, 100) / 4.0;
  const double longer = life + *rc::gen::inRange(1, 40) / 4.0;
  for (const Depreciation each : {Depreciation::kStraightLine, Depreciation::kDeclining})
    RC_ASSERT(depreciated(years, longer, each) <= depreciated(years, life, each) + 1e-12);
}

TEST(Cost, DebtFollowsItsTerms) {
  Tranche tranche;
  tranche.rate = 0;
  tranche.draw_year = -1;
  EXPECT_EQ(tranche_interest(tranche, 5).before + tranche_interest(tranche, 5).during, 0);
  tranche = {};
  tranche.rate = 0.12682503013;  // One per cent a month.
  // 60 payments of 1 / 44.955 (annuity factor at 1 %).
  EXPECT_NEAR(tranche_interest(tranche, 5).during, 60 / 44.95504 - 1, 1e-5);
  tranche.repayment = Tranche::Repayment::kBullet;
  EXPECT_NEAR(tranche_interest(tranche, 5).during, 0.60, 1e-8);
  EXPECT_NEAR(tranche_interest(tranche, 2).during, 0.24, 1e-8);  // Within the years asked for.
  tranche.draw_year = -1;
  EXPECT_NEAR(tranche_interest(tranche, 5).before, 0.12682503013, 1e-9);
  EXPECT_NEAR(tranche_interest(tranche, 5).during, 0.60 * 1.12682503013, 1e-8);
  tranche.draw_year = 3;
  EXPECT_NEAR(tranche_interest(tranche, 5).during, 0.24, 1e-8);
}

TEST(Cost, ReturnsTurnWhereRentCoversAllButInterest) {
  const CostInput in = input();
  const Cost cost = factory_cost(in, table()).value();
  EXPECT_FALSE(rental_return(in, cost, 0).internal_rate.has_value());
  double running = 0;
  for (std::size_t i = kCapitalItems; i < static_cast<std::size_t>(CostItem::kInterest); ++i)
    running += cost.items[i].value;
  double bought = cost.capital_total.value;
  for (const Cost::Replacement& each : cost.replacements) bought += each.euros;
  const double even = (bought - cost.remaining + running) / cost.used_gpu_hours;
  const Return back = rental_return(in, cost, even);
  ASSERT_TRUE(back.internal_rate.has_value());
  EXPECT_NEAR(*back.internal_rate, 0, 1e-6);
  // What depreciates is what capital costs: a rent of all costs but interest returns nothing.
  EXPECT_NEAR(even,
              (cost.total.value - cost.items[static_cast<std::size_t>(CostItem::kInterest)].value) /
                  cost.used_gpu_hours,
              1e-9 * even);
  const Return more = rental_return(in, cost, 2 * even);
  EXPECT_GT(more.internal_rate.value_or(0), 0.2);
  EXPECT_LT(more.payback_years.value_or(9), 5);
  // Twice the years: what wears out is bought again, and a rent that only covers costs still returns nothing.
  CostInput longer = in;
  longer.years = 2 * in.years;
  const Cost twice = factory_cost(longer, table()).value();
  EXPECT_FALSE(twice.replacements.empty());
  const double covers =
      (twice.total.value - twice.items[static_cast<std::size_t>(CostItem::kInterest)].value) /
      twice.used_gpu_hours;
  EXPECT_NEAR(rental_return(longer, twice, covers).internal_rate.value_or(1), 0, 1e-6);
}

TEST(Cost, ReturnsBeyondWhatIsSearchedAreNotNone) {
  const CostInput in = input();
  const Cost cost = factory_cost(in, table()).value();
  const Return rich = rental_return(in, cost, 1e6);
  EXPECT_FALSE(rich.internal_rate.has_value());
  EXPECT_TRUE(rich.rate_above);
  EXPECT_GT(rich.yearly_surplus, 0);
  const Return poor = rental_return(in, cost, 0);
  EXPECT_FALSE(poor.internal_rate.has_value());
  EXPECT_FALSE(poor.rate_above);
  EXPECT_LE(poor.yearly_surplus, 0);
}

TEST(Prices, TheNewestRowUpToTheYearHoldsAndLearns) {
  Price old;
  old.item = PriceItem::kGpu;
  old.value = old.low = old.high = 100;
  old.year = 2024;
  old.yearly = -0.1;
  Price newer = old;
  newer.year = 2026;
  newer.value = 70;
  Price own = newer;
  own.gpu = "b200";
  own.value = 200;
  own.dollars = true;
  Price exchange;
  exchange.item = PriceItem::kExchange;
  exchange.value = 1.25;
  exchange.year = 2025;
  const PriceTable prices({old, newer, own, exchange});
  const auto at = [&](const char* gpu, double year) {
    return prices.at(PriceItem::kGpu, gpu, year).value().price.value;
  };
  EXPECT_NEAR(at("h100", 2025), 90, 1e-9);
  EXPECT_NEAR(at("h100", 2027), 63, 1e-9);
  EXPECT_NEAR(at("h100", 2023), 100 / 0.9, 1e-9);
  EXPECT_NEAR(at("b200", 2026), 160, 1e-9);
  const Result<Bought> missing = prices.at(PriceItem::kLand, "h100", 2025);
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().message.find("no land"), std::string::npos);
  PriceTable replaced = prices;
  own.value = 1;
  replaced.replace_by(PriceTable({own}));
  EXPECT_EQ(replaced.rows().size(), 4U);
  EXPECT_NEAR(replaced.at(PriceItem::kGpu, "b200", 2026).value().price.value, 0.8, 1e-9);
}

}  // namespace
}  // namespace gw::physics
