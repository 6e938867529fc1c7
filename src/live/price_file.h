// Price files: what a GPU-hour and a core-hour cost under each plan, as YAML that an operator replaces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "live/prices.h"
#include "spec/described.h"
#include "spec/diagnostic.h"

namespace gw::live {

struct PricePlanRecord {
  static constexpr std::string_view kRecord = "price_plan";
  static constexpr std::string_view kHelp = "What use costs for the tenants of this plan, in euros.";
  std::string plan;
  spec::Shares gpu_hour;
  double other_gpu_hour = 0;
  double core_hour = 0;
  spec::Mark at;
};

struct PriceFile {
  static constexpr std::string_view kRecord = "price_file";
  static constexpr std::string_view kHelp = "Price plans; tenants without one of their own have `default`.";
  std::uint32_t gigawerk = 1;
  std::vector<PricePlanRecord> prices;
};

template <class Visitor>
void describe(Visitor& visit, PricePlanRecord& plan) {
  visit.field("plan", plan.plan,
              {.help = "What tenants call it by.", .required = true, .text = spec::Text::kName});
  visit.field("gpu_hour", plan.gpu_hour,
              {.help = "Euros for an hour of one GPU, by GPU type.", .default_text = "none"});
  visit.field("other_gpu_hour", plan.other_gpu_hour,
              {.help = "Euros for an hour of one GPU of a type that is not named.", .min = 0, .max = 1e6});
  visit.field("core_hour", plan.core_hour, {.help = "Euros for an hour of one core.", .min = 0, .max = 1e6});
}

template <class Visitor>
void describe(Visitor& visit, PriceFile& file) {
  visit.field("gigawerk", file.gigawerk,
              {.help = "Version of this format: 1.", .required = true, .min = 1, .max = 1});
  visit.field("prices", file.prices,
              {.help = "The plans.", .required = true, .items_min = 1, .items_max = 1000});
}

/// Whether a text is meant as a price file: it has `prices` that are plans, or says its format and has
/// nothing but prices.
bool looks_like_prices(std::string_view text);
spec::Checked<Prices> parse_prices(std::string_view text, const std::string& file);
spec::Checked<Prices> read_prices(const std::string& path);

}  // namespace gw::live
