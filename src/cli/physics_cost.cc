// `gw physics cost`: what a GPU-hour, a run and a million tokens cost, by item, and what a rental price
// returns.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "cli/app.h"
#include "cli/physics_types.h"
#include "cli/spec_files.h"
#include "cli/text_table.h"
#include "physics/cost.h"
#include "physics/from_catalog.h"
#include "spec/near_miss.h"
#include "spec/unit_text.h"

namespace gw {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string gpu = "h100";
  std::uint32_t gpus = 1024;
  std::string prices;
  double years = 5;
  double year = 2026;
  std::string energy_price;
  double pue = 1.3;
  double load = 0.75;
  double utilisation = 0.8;
  double rate = 0.08;
  std::vector<std::string> tranches;
  std::optional<double> rental;
  double run_gpu_hours = 0;     ///< 0 = not asked.
  double tokens_per_gpu_s = 0;  ///< The same.
  bool json = false;
};

/// `SHARE,RATE,YEARS[,DRAWN[,bullet]]`.
Result<physics::Tranche> tranche_of(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  const auto problem = [&](std::string_view what) {
    return fail(
        fmt::format("--tranche {}: {}; write SHARE,RATE,YEARS and perhaps the year of the draw (negative: "
                    "before operation) and annuity or bullet, such as 0.7,0.09,5,-0.5,bullet",
                    text, what));
  };
  if (parts.size() < 3 || parts.size() > 5) return problem("it has three to five parts");
  physics::Tranche tranche;
  const auto take = [&](std::size_t at, double least, double most, double& value) {
    std::string digits = parts[at];
    if (const std::size_t dot = digits.find_first_not_of('-'); dot < digits.size() && digits[dot] == '.')
      digits.insert(dot, "0");  // `.08`, as many write shares.
    const std::optional<double> number = spec::parse_number(digits);
    if (!number || *number < least || *number > most) return false;
    value = *number;
    return true;
  };
  if (!take(0, 0, 1, tranche.share)) return problem("the share of the capital is between 0 and 1");
  if (!take(1, 0, 1, tranche.rate)) return problem("the rate a year is between 0 and 1");
  if (!take(2, 0.1, 100, tranche.term_years)) return problem("the term is between 0.1 and 100 years");
  if (parts.size() > 3 && !take(3, -20, 100, tranche.draw_year))
    return problem("the draw is a year from -20 to 100");
  if (parts.size() > 4) {
    if (parts[4] != "annuity" && parts[4] != "bullet") return problem("the last part is annuity or bullet");
    if (parts[4] == "bullet") tranche.repayment = physics::Tranche::Repayment::kBullet;
  }
  return tranche;
}

struct Answer {
  physics::CostInput input;
  physics::Cost cost;
  std::optional<physics::Return> rent;
  std::optional<physics::Bought> rent_of;  ///< The row of the table that the rent is of.

  /// A rent that the table gives no course for, taken for a year that is not its own.
  [[nodiscard]] bool rent_is_old() const {
    return rent_of && rent_of->yearly == 0 && std::abs(input.year - rent_of->row_year) >= 1;
  }
};

Result<Answer> answer_of(const Options& options) {
  const Result<physics::KnownTypes> known = known_types();
  if (!known) return std::unexpected(known.error());
  const Result<physics::Accelerator> gpu = find_gpu(*known, options.gpu);
  if (!gpu) return std::unexpected(gpu.error());
  physics::PriceTable prices = known->prices;
  if (!options.prices.empty()) {
    const Result<physics::PriceTable> own = read_price_file(options.prices);
    if (!own) return std::unexpected(own.error());
    prices.replace_by(*own);
  }
  Answer answer;
  physics::CostInput& input = answer.input;
  input.gpu = options.gpu;
  input.gpus = options.gpus;
  input.node_w_per_gpu = known->node_watts(*gpu);
  if (input.node_w_per_gpu <= 0)
    return fail(fmt::format("the catalog knows neither a node type nor the power of {}", gpu->name));
  input.load = options.load;
  input.pue = options.pue;
  input.utilisation = options.utilisation;
  input.years = options.years;
  input.year = options.year;
  if (!options.energy_price.empty()) {
    input.energy_euro_mwh = spec::parse_amount(options.energy_price, spec::Unit::kEuroPerMwh);
    if (!input.energy_euro_mwh)
      return fail(fmt::format("--energy-price {}: write a price, such as 80 EUR/MWh", options.energy_price));
  }
  double drawn = 0;
  for (const std::string& text : options.tranches) {
    const Result<physics::Tranche> tranche = tranche_of(text);
    if (!tranche) return std::unexpected(tranche.error());
    drawn += tranche->share;
    input.finance.push_back(*tranche);
  }
  if (drawn > 1 + 1e-9)
    return fail(fmt::format("the shares of --tranche sum to {:g}, more than all of the capital", drawn));
  if (options.tranches.empty())
    input.finance.push_back({.draw_year = -0.5, .rate = options.rate, .term_years = options.years});
  Result<physics::Cost> cost = physics::factory_cost(input, prices);
  if (!cost) return std::unexpected(cost.error());
  answer.cost = *cost;
  if (options.rental) {
    answer.rent = physics::rental_return(input, *cost, *options.rental);
  } else if (const Result<physics::Bought> price =
                 prices.at(physics::PriceItem::kRental, options.gpu, options.year)) {
    answer.rent = physics::rental_return(input, *cost, price->price.value);
    answer.rent_of = *price;
  }
  return answer;
}

Json json_of(const physics::Euros& euros) {
  return {{"value", euros.value}, {"low", euros.low}, {"high", euros.high}};
}

void print_json(const Options& options, const Answer& answer) {
  const physics::Cost& cost = answer.cost;
  Json json = {{"gpu", options.gpu},
               {"gpus", options.gpus},
               {"years", options.years},
               {"facility_mw", cost.facility_mw},
               {"used_gpu_hours", cost.used_gpu_hours},
               {"capital_eur", json_of(cost.capital_total)},
               {"total_eur", json_of(cost.total)},
               {"interest_before_operation_eur", cost.interest_before},
               {"eur_per_gpu_hour", json_of(cost.per_gpu_hour())}};
  for (int i = 0; i < physics::kCostItems; ++i) {
    const auto at = static_cast<std::size_t>(i);
    Json item = {{"item", physics::cost_item_name(static_cast<physics::CostItem>(i))},
                 {"eur_per_gpu_hour", json_of(cost.items[at] * (1 / cost.used_gpu_hours))},
                 {"share", cost.items[at].value / cost.total.value}};
    if (i < physics::kCapitalItems) item["capital_eur"] = json_of(cost.capital[at]);
    json["items"].push_back(std::move(item));
  }
  if (options.run_gpu_hours > 0) json["eur_per_run"] = json_of(cost.per_gpu_hour() * options.run_gpu_hours);
  if (options.tokens_per_gpu_s > 0)
    json["eur_per_million_tokens"] = json_of(cost.per_million_tokens(options.tokens_per_gpu_s));
  if (answer.rent) {
    json["rental"] = {{"eur_per_gpu_hour", answer.rent->rental_euro_h},
                      {"yearly_surplus_eur", answer.rent->yearly_surplus},
                      {"internal_rate", nullptr},
                      {"internal_rate_above", nullptr},
                      {"earns_running_costs", answer.rent->yearly_surplus > 0},
                      {"payback_years", nullptr}};
    if (answer.rent_of) {
      json["rental"]["of_year"] = answer.rent_of->row_year;
      json["rental"]["yearly"] = answer.rent_of->yearly;
    }
    if (answer.rent->internal_rate) json["rental"]["internal_rate"] = *answer.rent->internal_rate;
    if (answer.rent->rate_above) json["rental"]["internal_rate_above"] = physics::kHighestRate;
    if (answer.rent->payback_years) json["rental"]["payback_years"] = *answer.rent->payback_years;
  }
  fmt::print("{}\n", json_out(json));
}

std::string rate_text(const physics::Return& rent) {
  constexpr double kLeastShown = 0.05;  // Less rounds to nothing, whose sign would say more than is known.
  if (rent.internal_rate) {
    const double percent = 100 * *rent.internal_rate;
    return fmt::format("{:.1f} %", std::abs(percent) < kLeastShown ? 0.0 : percent);
  }
  if (rent.rate_above) return "above 10,000 %";
  return rent.yearly_surplus > 0 ? "below -99 %" : "none: it never earns its running costs";
}

void print_text(const Options& options, const Answer& answer) {
  const physics::Cost& cost = answer.cost;
  fmt::print("{} x {}, {}, over {:g} years, {:.0f} % of GPU-hours used; prices are of grade C at best\n",
             options.gpus, options.gpu,
             cost.facility_mw < 1 ? fmt::format("{:.4g} kW", 1e3 * cost.facility_mw)
                                  : fmt::format("{:.4g} MW", cost.facility_mw),
             options.years, 100 * options.utilisation);
  const auto range = [](const physics::Euros& euros, int digits) {
    return fmt::format("{:.{}f} ({:.{}f} to {:.{}f})", euros.value, digits, euros.low, digits, euros.high,
                       digits);
  };
  // Small factories in thousands: a tenth of a million would be one digit.
  constexpr double kMillion = 1e6;
  const bool small = cost.capital_total.value < 10 * kMillion;
  const double unit = small ? 1e-3 : 1e-6;
  fmt::print("capital {} {} EUR\n\n", range(cost.capital_total * unit, 1), small ? "thousand" : "million");
  TextTable table("lrrrr");
  table.add({"ITEM", small ? "CAPITAL, 1000 EUR" : "CAPITAL, MIO EUR", "EUR/GPU-H", "LOW TO HIGH", "SHARE"});
  for (int i = 0; i < physics::kCostItems; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const physics::Euros hour = cost.items[at] * (1 / cost.used_gpu_hours);
    table.add({std::string(physics::cost_item_name(static_cast<physics::CostItem>(i))),
               i < physics::kCapitalItems ? fmt::format("{:.2f}", cost.capital[at].value * unit) : "",
               fmt::format("{:.4f}", hour.value), fmt::format("{:.4f} to {:.4f}", hour.low, hour.high),
               fmt::format("{:.1f} %", 100 * cost.items[at].value / cost.total.value)});
  }
  const physics::Euros hour = cost.per_gpu_hour();
  table.add({"in all", fmt::format("{:.2f}", cost.capital_total.value * unit),
             fmt::format("{:.4f}", hour.value), fmt::format("{:.4f} to {:.4f}", hour.low, hour.high),
             "100.0 %"});
  fmt::print("{}", table.text());
  if (options.run_gpu_hours > 0)
    fmt::print("\na run of {:g} GPU-hours: {} thousand EUR\n", options.run_gpu_hours,
               range(hour * (options.run_gpu_hours * 1e-3), 1));
  if (options.tokens_per_gpu_s > 0)
    fmt::print("\na million tokens at {:g} tokens/s per GPU: {} EUR\n", options.tokens_per_gpu_s,
               range(cost.per_million_tokens(options.tokens_per_gpu_s), 4));
  if (answer.rent)
    fmt::print("\nrented at {:.2f} EUR per GPU-hour: internal rate of return {}, paid back {}\n",
               answer.rent->rental_euro_h, rate_text(*answer.rent),
               answer.rent->payback_years ? fmt::format("after {:.1f} years", *answer.rent->payback_years)
                                          : fmt::format("not within {:g} years", options.years));
  if (answer.rent_is_old())
    fmt::print(
        "that is the rent of {:.1f}, not of {:g}: the table says how prices of GPUs move from year to year, "
        "not "
        "rents. Rents fall too, so this says nothing about waiting; give --rental, or a row with yearly in "
        "--prices\n",
        answer.rent_of->row_year, options.year);
}

}  // namespace

Result<physics::PriceTable> read_price_file(const std::string& path) {
  const spec::Checked<std::string> text = spec::read_text_file(path);
  const spec::Checked<spec::CatalogFile> file =
      text ? spec::parse_catalog_file(*text, path) : std::unexpected(text.error());
  if (!file) return fail(spec::diagnostics_text(file.error()));
  if (file->prices.empty())
    return fail(fmt::format("{}: there is no price in it; see catalog/prices.yaml", path));
  const Result<spec::Catalog> catalog = load_catalog();
  if (!catalog) return std::unexpected(catalog.error());
  std::vector<physics::Price> prices;
  for (const spec::PriceEntry& price : file->prices) {
    if (!price.gpu.value.empty() && spec::find_entry(catalog->gpus, price.gpu.value) == nullptr)
      return fail(fmt::format("{}:{}: unknown GPU type \"{}\"{}", path, price.gpu.at.line, price.gpu.value,
                              spec::suggestion(price.gpu.value, spec::entry_names(catalog->gpus))));
    prices.push_back(physics::price_of(price));
  }
  return physics::PriceTable(std::move(prices));
}

void add_physics_cost_command(CLI::App& physics, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      physics.add_subcommand("cost", "Cost of a GPU-hour, a run and a million tokens, by item");
  const auto amount = [&](const char* flags, double& value, const char* help, double least, double most,
                          const char* type, bool shown = true) {
    CLI::Option* option =
        command->add_option(flags, value, help)->check(number(least, most))->type_name(type);
    if (shown) option->capture_default_str();
  };
  command->add_option("--gpu", options->gpu, "GPU type of the catalog")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--gpus", options->gpus, "GPUs of the factory")
      ->check(whole_number(1, 100'000'000))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--prices", options->prices,
                   "Rows that take the place of catalog/prices.yaml's of the same item")
      ->type_name("FILE");
  amount("--years", options->years, "How long it is used", 0.1, 100, "YEARS");
  amount("--year", options->year, "When it is bought, such as 2026.5", 2010, 2100, "YEAR");
  command
      ->add_option("--energy-price", options->energy_price, "Such as '80 EUR/MWh', in place of the table's")
      ->type_name("PRICE");
  amount("--pue", options->pue, "Facility power over IT power", 1, 5, "RATIO");
  amount("--load", options->load, "Mean power over that of full load", 0, 1, "SHARE");
  amount("--utilisation", options->utilisation, "Share of GPU-hours that are used", 0.001, 1, "SHARE");
  amount("--rate", options->rate, "Yearly interest on all capital, repaid evenly; without --tranche", 0, 1,
         "RATE");
  command
      ->add_option("--tranche", options->tranches,
                   "A draw of debt: SHARE,RATE,YEARS[,DRAWN[,bullet]]; may be given several times")
      ->type_name("TRANCHE");
  command->get_option("--rate")->excludes(command->get_option("--tranche"));
  command->add_option("--rental", options->rental, "EUR per GPU-hour, in place of the table's")
      ->check(number(0, 1e6))
      ->type_name("EUR");
  amount("--run-gpu-hours", options->run_gpu_hours, "Also say what a run of so many costs", 1e-6, 1e12,
         "HOURS", false);
  amount("--tokens-per-gpu-s", options->tokens_per_gpu_s, "Also say what a million tokens cost at that rate",
         1e-6, 1e9, "TOKENS/S", false);
  command->add_flag("--json", options->json, "Print JSON");
  set_action(*command, context, [options]() -> Result<ExitCode> {
    const Result<Answer> answer = answer_of(*options);
    if (!answer) return std::unexpected(answer.error());
    if (options->json)
      print_json(*options, *answer);
    else
      print_text(*options, *answer);
    return ExitCode::ok;
  });
}

}  // namespace gw
