// What a factory costs by item, what its debt costs, and what that is per GPU-hour used.
//
// Euros in `double`, for planning; nothing here enters the core's ledger.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "physics/prices.h"

namespace gw::physics {

/// A draw of debt.
struct Tranche {
  enum class Repayment : std::uint8_t { kAnnuity, kBullet };
  double draw_year = 0;   ///< From the first day of operation; before it: negative.
  double share = 1;       ///< Of the capital.
  double rate = 0.08;     ///< A year.
  double term_years = 5;  ///< From the first day of operation, or from the draw where that is later.
  Repayment repayment = Repayment::kAnnuity;
};

struct CostInput {
  std::string gpu;
  double gpus = 0;
  double node_w_per_gpu = 0;  ///< The GPU's share of its node at full load.
  double load = 0.75;         ///< Mean power over that of full load.
  double pue = 1.3;
  double utilisation = 0.8;  ///< Share of GPU-hours that are used.
  double years = 5;
  double year = 2026;  ///< Of purchase.
  std::vector<Tranche> finance;
  std::optional<double> energy_euro_mwh;  ///< In place of the table's.
};

enum class CostItem : std::uint8_t {
  kGpu,
  kServer,
  kNetwork,
  kStorage,
  kBuilding,
  kCooling,
  kGrid,
  kLand,
  kEnergy,
  kStaff,
  kTransit,
  kMaintenance,
  kInterest,
};
inline constexpr int kCostItems = 13;
inline constexpr int kCapitalItems = 8;  ///< The first ones.

[[nodiscard]] std::string_view cost_item_name(CostItem item);

struct Cost {
  double facility_mw = 0;  ///< At full load.
  double used_gpu_hours = 0;
  std::array<Euros, kCapitalItems> capital{};
  Euros capital_total;
  std::array<Euros, kCostItems> items{};  ///< Over all years; of capital its depreciation.
  Euros total;                            ///< Their sum.
  struct Replacement {
    double year = 0;
    double euros = 0;
  };
  std::vector<Replacement> replacements;  ///< What wears out within the years is bought again at its price.
  double remaining = 0;        ///< What all capital is still worth at the end, by its depreciation.
  double interest_before = 0;  ///< Of all interest, that until the first day of operation.

  [[nodiscard]] Euros per_gpu_hour() const { return total * (1 / used_gpu_hours); }
  /// `tokens_per_gpu_s`: while a GPU is used.
  [[nodiscard]] Euros per_million_tokens(double tokens_per_gpu_s) const;
};

/// An Error where a price is missing. Counts, years and shares must be above zero.
[[nodiscard]] Result<Cost> factory_cost(const CostInput& input, const PriceTable& prices);

/// Interest that one euro of capital costs in a tranche within `years` of operation; with what accrues
/// before.
struct Interest {
  double before = 0;
  double during = 0;
};
[[nodiscard]] Interest tranche_interest(const Tranche& tranche, double years);

/// Share of its price that something loses in `years`, over 1 where it is bought again; 0 where it never
/// wears.
[[nodiscard]] double depreciated(double years, double life_years, Depreciation depreciation);

/// Yearly rates of return that are searched, -99 % to 10,000 %.
inline constexpr double kLowestRate = -0.99;
inline constexpr double kHighestRate = 100;

struct Return {
  double rental_euro_h = 0;
  double yearly_surplus = 0;  ///< Income less running costs, before interest.
  /// Of the capital over the years, without debt, with what is bought again and what is left at the end; none
  /// where there is no surplus, and outside of what is searched: from kLowestRate to kHighestRate.
  std::optional<double> internal_rate;
  bool rate_above = false;              ///< Above kHighestRate.
  std::optional<double> payback_years;  ///< Of all that was bought by then; none: not within the years.
};
[[nodiscard]] Return rental_return(const CostInput& input, const Cost& cost, double rental_euro_h);

}  // namespace gw::physics
