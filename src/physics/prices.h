// Prices: dated rows of what a factory buys, and the one that holds for a purchase.
//
// Where the rows are from is the table's business (catalog/prices.yaml); here are only numbers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gw::physics {

enum class PriceItem : std::uint8_t {
  kGpu,          ///< Per GPU, as bought in a server or rack.
  kServer,       ///< The rest of its server, per GPU.
  kNetwork,      ///< Switches, cables and optics, per GPU.
  kStorage,      ///< Per GPU.
  kBuilding,     ///< Building and power distribution, per MW of facility power, as are the next three.
  kCooling,      ///< Per MW.
  kGrid,         ///< The connection, per MW.
  kLand,         ///< Per MW.
  kEnergy,       ///< Per MWh.
  kStaff,        ///< Per MW and year.
  kTransit,      ///< Network to the world, per GPU and year.
  kMaintenance,  ///< Share of the price of GPUs, servers, network and storage, per year.
  kRental,       ///< What a GPU-hour is rented for.
  kExchange,     ///< Dollars for a euro.
};
inline constexpr int kPriceItems = 14;

[[nodiscard]] std::string_view price_item_name(PriceItem item);

enum class Depreciation : std::uint8_t {
  kStraightLine,
  kDeclining,  ///< Twice the straight line's rate of what is left; what is left at the end of life goes at
               ///< once.
};

struct Price {
  PriceItem item = PriceItem::kGpu;
  std::string gpu;  ///< Empty: for every type without a row of its own.
  double value = 0;
  double low = 0;  ///< Of about 95 %.
  double high = 0;
  bool dollars = false;   ///< Else euros.
  double year = 0;        ///< When it held, as 2025.25.
  double yearly = 0;      ///< Change in a year: -0.1 becomes a tenth cheaper.
  double life_years = 0;  ///< 0: never worn out.
  Depreciation depreciation = Depreciation::kStraightLine;
};

/// A value in euros and where it lies.
struct Euros {
  double value = 0;
  double low = 0;
  double high = 0;

  Euros& operator+=(const Euros& other);  ///< Of independent prices: deviations add as squares.
  [[nodiscard]] Euros operator*(double factor) const { return {value * factor, low * factor, high * factor}; }
};

struct Bought {
  Euros price;
  double row_year = 0;  ///< When the row held that it is of,
  double yearly = 0;    ///< whose yearly change is in the price.
  double life_years = 0;
  Depreciation depreciation = Depreciation::kStraightLine;
};

class PriceTable {
 public:
  PriceTable() = default;
  explicit PriceTable(std::vector<Price> prices);

  /// The newest row of that item up to `year`, else the oldest; one for that GPU type before one for all. Its
  /// price at `year` by its yearly change, in euros. An Error that names what is missing.
  [[nodiscard]] Result<Bought> at(PriceItem item, std::string_view gpu, double year) const;
  [[nodiscard]] const std::vector<Price>& rows() const { return prices_; }
  /// Rows of `other` take the place of all rows of the same item and GPU type.
  void replace_by(const PriceTable& other);

 private:
  [[nodiscard]] const Price* find(PriceItem item, std::string_view gpu, double year) const;
  std::vector<Price> prices_;
};

}  // namespace gw::physics
