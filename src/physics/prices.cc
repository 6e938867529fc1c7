// Which row of a price table holds when.
#include "physics/prices.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gw::physics {

std::string_view price_item_name(PriceItem item) {
  constexpr std::array<std::string_view, kPriceItems> kNames = {
      "gpu",  "server", "network", "storage", "building",    "cooling", "grid",
      "land", "energy", "staff",   "transit", "maintenance", "rental",  "exchange"};
  return kNames[static_cast<std::size_t>(item)];
}

Euros& Euros::operator+=(const Euros& other) {
  const double below = std::hypot(value - low, other.value - other.low);
  const double above = std::hypot(high - value, other.high - other.value);
  value += other.value;
  low = value - below;
  high = value + above;
  return *this;
}

PriceTable::PriceTable(std::vector<Price> prices) : prices_(std::move(prices)) {}

const Price* PriceTable::find(PriceItem item, std::string_view gpu, double year) const {
  const Price* newest = nullptr;  // Up to that year.
  const Price* oldest = nullptr;
  for (const Price& each : prices_) {
    if (each.item != item || each.gpu != gpu) continue;
    if (each.year <= year && (newest == nullptr || each.year > newest->year)) newest = &each;
    if (oldest == nullptr || each.year < oldest->year) oldest = &each;
  }
  return newest != nullptr ? newest : oldest;
}

Result<Bought> PriceTable::at(PriceItem item, std::string_view gpu, double year) const {
  const Price* price = find(item, gpu, year);
  if (price == nullptr) price = find(item, "", year);
  if (price == nullptr)
    return fail(fmt::format("the price table has no {}{}{}; add a row to it or to the file of --prices",
                            price_item_name(item), gpu.empty() ? "" : " for ", gpu));
  double factor = std::pow(1 + price->yearly, year - price->year);
  if (price->dollars) {
    const Price* exchange = find(PriceItem::kExchange, "", year);
    if (exchange == nullptr || exchange->value <= 0)
      return fail(fmt::format("the price table has {} in dollars and no row of item exchange",
                              price_item_name(item)));
    factor /= exchange->value;
  }
  return Bought{Euros{price->value, price->low, price->high} * factor, price->year, price->yearly,
                price->life_years, price->depreciation};
}

void PriceTable::replace_by(const PriceTable& other) {
  std::erase_if(prices_, [&](const Price& mine) {
    return std::any_of(other.prices_.begin(), other.prices_.end(), [&](const Price& theirs) {
      return theirs.item == mine.item && theirs.gpu == mine.gpu;
    });
  });
  prices_.insert(prices_.end(), other.prices_.begin(), other.prices_.end());
}

}  // namespace gw::physics
