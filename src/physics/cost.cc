// Sums over items and years.
#include "physics/cost.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace gw::physics {

namespace {

constexpr double kYearHours = 8766;

/// The price that each item is made of, in the order of CostItem up to transit.
constexpr std::array kPriceOf = {PriceItem::kGpu,     PriceItem::kServer,   PriceItem::kNetwork,
                                 PriceItem::kStorage, PriceItem::kBuilding, PriceItem::kCooling,
                                 PriceItem::kGrid,    PriceItem::kLand,     PriceItem::kEnergy,
                                 PriceItem::kStaff,   PriceItem::kTransit};

bool per_gpu(PriceItem item) {
  return item == PriceItem::kGpu || item == PriceItem::kServer || item == PriceItem::kNetwork ||
         item == PriceItem::kStorage || item == PriceItem::kTransit;
}

}  // namespace

std::string_view cost_item_name(CostItem item) {
  if (item == CostItem::kMaintenance) return "maintenance";
  if (item == CostItem::kInterest) return "interest";
  return price_item_name(kPriceOf[static_cast<std::size_t>(item)]);
}

Euros Cost::per_million_tokens(double tokens_per_gpu_s) const {
  return per_gpu_hour() * (1e6 / (tokens_per_gpu_s * 3600));
}

double depreciated(double years, double life_years, Depreciation depreciation) {
  if (life_years <= 0) return 0;
  if (depreciation == Depreciation::kStraightLine) return years / life_years;
  const double lives = std::floor(years / life_years);
  const double left = std::max(0.0, 1 - 2 / life_years);
  return lives + 1 - std::pow(left, years - lives * life_years);
}

Interest tranche_interest(const Tranche& tranche, double years) {
  Interest interest;
  const double growth = std::pow(1 + tranche.rate, std::max(0.0, -tranche.draw_year));
  interest.before = growth - 1;  // Added to the debt.
  const double begin = std::max(0.0, tranche.draw_year);
  const auto months = static_cast<int>(std::floor(12 * std::max(0.0, years - begin) + 1e-9));
  const auto term = std::max(1, static_cast<int>(std::lround(12 * tranche.term_years)));
  const double monthly = std::pow(1 + tranche.rate, 1.0 / 12) - 1;
  double debt = growth;
  const double payment = monthly > 0 ? debt * monthly / (1 - std::pow(1 + monthly, -term)) : debt / term;
  for (int month = 0; month < std::min(months, term); ++month) {
    const double due = debt * monthly;
    interest.during += due;
    if (tranche.repayment == Tranche::Repayment::kAnnuity) debt -= payment - due;
  }
  return interest;
}

Result<Cost> factory_cost(const CostInput& input, const PriceTable& prices) {
  GW_CHECK(input.gpus > 0 && input.years > 0 && input.utilisation > 0 && input.pue >= 1);
  Cost cost;
  cost.facility_mw = input.gpus * input.node_w_per_gpu * input.pue * 1e-6;
  cost.used_gpu_hours = input.gpus * input.years * kYearHours * input.utilisation;
  Euros machines;  // What maintenance is a share of.
  for (std::size_t i = 0; i < kPriceOf.size(); ++i) {
    const PriceItem item = kPriceOf[i];
    Result<Bought> bought = prices.at(item, input.gpu, input.year);
    if (item == PriceItem::kEnergy && input.energy_euro_mwh)
      bought = Bought{.price = {*input.energy_euro_mwh, *input.energy_euro_mwh, *input.energy_euro_mwh}};
    if (!bought) return std::unexpected(bought.error());
    const Euros sum = bought->price * (per_gpu(item) ? input.gpus : cost.facility_mw);
    if (i >= kCapitalItems) {
      cost.items[i] =
          sum * (item == PriceItem::kEnergy ? kYearHours * input.load * input.years : input.years);
      continue;
    }
    cost.capital[i] = sum;
    cost.capital_total += sum;
    if (per_gpu(item)) machines += sum;
    cost.items[i] = sum * depreciated(input.years, bought->life_years, bought->depreciation);
    double bought_times = 1;
    for (double year = bought->life_years; bought->life_years > 0 && year < input.years - 1e-9;
         year += bought->life_years) {
      cost.replacements.push_back({year, sum.value});
      ++bought_times;
    }
    cost.remaining += sum.value * std::max(0.0, bought_times - depreciated(input.years, bought->life_years,
                                                                           bought->depreciation));
  }
  const Result<Bought> maintenance = prices.at(PriceItem::kMaintenance, input.gpu, input.year);
  if (!maintenance) return std::unexpected(maintenance.error());
  const Euros& share = maintenance->price;
  cost.items[static_cast<std::size_t>(CostItem::kMaintenance)] =
      Euros{machines.value * share.value, machines.value * share.low, machines.value * share.high} *
      input.years;
  Euros& interest = cost.items[static_cast<std::size_t>(CostItem::kInterest)];
  double drawn = 0;
  for (const Tranche& tranche : input.finance) {
    const Interest of = tranche_interest(tranche, input.years);
    drawn += tranche.share * (of.before + of.during);
    cost.interest_before += cost.capital_total.value * tranche.share * of.before;
  }
  interest = cost.capital_total * drawn;
  for (const Euros& each : cost.items) cost.total += each;
  return cost;
}

Return rental_return(const CostInput& input, const Cost& cost, double rental_euro_h) {
  Return result;
  result.rental_euro_h = rental_euro_h;
  double running = 0;
  for (std::size_t i = kCapitalItems; i < static_cast<std::size_t>(CostItem::kInterest); ++i)
    running += cost.items[i].value;
  result.yearly_surplus = (rental_euro_h * cost.used_gpu_hours - running) / input.years;
  const double capital = cost.capital_total.value;
  if (result.yearly_surplus <= 0) return result;
  double spent = capital;
  std::vector<Cost::Replacement> later = cost.replacements;
  std::sort(later.begin(), later.end(), [](const auto& a, const auto& b) { return a.year < b.year; });
  // The first moment at which all that was bought until then has come back.
  for (std::size_t next = 0; next <= later.size(); ++next) {
    const double until = next < later.size() ? later[next].year : input.years;
    const double payback = spent / result.yearly_surplus;
    if (payback <= until * (1 + 1e-12)) {
      result.payback_years = payback;
      break;
    }
    if (next < later.size()) spent += later[next].euros;
  }
  // Surplus comes evenly: its present value falls with the rate.
  const auto present = [&](double rate) {
    const double force = std::log1p(rate);
    double value = result.yearly_surplus *
                   (std::abs(force) < 1e-9 ? input.years : -std::expm1(-force * input.years) / force);
    for (const Cost::Replacement& each : later) value -= each.euros * std::exp(-force * each.year);
    return value + cost.remaining * std::exp(-force * input.years);
  };
  double low = kLowestRate;
  double high = kHighestRate;
  result.rate_above = present(high) > capital;
  if (present(low) < capital || result.rate_above) return result;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (present(middle) > capital ? low : high) = middle;
  }
  result.internal_rate = (low + high) / 2;
  return result;
}

}  // namespace gw::physics
