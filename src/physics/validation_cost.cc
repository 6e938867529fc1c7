// Rows of published costs as questions, and the answers of the model.
#include "physics/validation_cost.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "physics/cost.h"
#include "physics/published_fields.h"

namespace gw::physics {

namespace {

using Quantity = PublishedCost::Quantity;

constexpr double kNullCapital = 50'000;
constexpr double kNullMegawatts = 0.002;
constexpr double kNullHour = 2;
constexpr double kRackGpus = 72;

/// What a row asks for, by its words; a reason where the model has no answer.
void read_question(std::string_view group, std::string_view item, PublishedCost& row) {
  const auto ask = [&](Quantity quantity, const char* gpu, double gpu_hours = 0) {
    row.quantity = quantity;
    row.gpu = gpu;
    row.gpu_hours = gpu_hours;
  };
  if (group == "per-gw" && contains(item, "2026")) {
    row.reason = "of a GPU type without a price";
  } else if (group == "per-gw" && contains(item, "Epoch")) {
    ask(Quantity::kPerGigawatt, "h100");
  } else if (group == "per-gw" && contains(item, "content")) {
    ask(Quantity::kMachinesPerGigawatt, "gb300");
  } else if (group == "per-gw" && contains(item, "all-in")) {
    ask(Quantity::kPerGigawatt, "gb300");
  } else if (group == "capex" && contains(item, "all-in")) {
    contains(item, "rack") ? ask(Quantity::kPerRack, "gb200") : ask(Quantity::kPerGpu, "h100");
  } else if (group == "capex") {
    row.reason = "a price that the table of prices holds";
  } else if (group == "rental" && contains(item, "spot")) {
    row.reason = "a spot price, which need not cover cost";
  } else if (group == "rental" && contains(item, "H100")) {
    ask(Quantity::kRental, "h100");
  } else if (group == "rental" && contains(item, "H800")) {
    ask(Quantity::kRental, "h800");
  } else if (group == "rental" && contains(item, "B200")) {
    ask(Quantity::kRental, "b200");
  } else if (group == "training" && contains(item, "DeepSeek-V3")) {
    ask(Quantity::kRun, "h800", 2.788e6);  // arXiv:2412.19437, table 1.
  } else if (group == "serving" && contains(item, "fleet")) {
    ask(Quantity::kDay, "h800", 226.75 * 8 * 24);  // Nodes on average, open-infra-index, day 6.
  } else if (group == "serving") {
    row.reason = "tokens per second of the fleet are not given";
  } else if (group == "energy") {
    row.reason = "an input of the model";
  } else if (contains(item, "Nebius")) {
    ask(Quantity::kPerGpu, "b300");
  } else {
    row.reason = "debt, a tranche or a programme, not all of a factory and nothing else";
  }
}

/// `2025-08`, `2025-08-28` or `2025` in years.
double year_of(std::string_view date) {
  const double year = leading_number(date);
  const double month = date.size() >= 7 ? leading_number(date.substr(5)) : 7;
  return year > 0 ? year + (month - 0.5) / 12 : 0;
}

std::optional<Euros> answer(const PublishedCost& row, const KnownTypes& known) {
  const Accelerator* gpu = nullptr;
  for (const Accelerator& each : known.accelerators) {
    if (each.name == row.gpu) gpu = &each;
  }
  if (gpu == nullptr) return std::nullopt;
  CostInput input;
  input.gpu = row.gpu;
  input.gpus = 1000;
  input.node_w_per_gpu = known.node_watts(*gpu);
  input.year = row.year;
  input.finance = {{.draw_year = -0.5, .term_years = input.years}};
  const Result<Cost> cost = factory_cost(input, known.prices);
  const Result<Bought> exchange = known.prices.at(PriceItem::kExchange, "", row.year);
  if (!cost || !exchange) return std::nullopt;
  const double dollars = exchange->price.value;
  switch (row.quantity) {
    case Quantity::kPerGigawatt:
      return cost->capital_total * (dollars * 1000 / cost->facility_mw);
    case Quantity::kMachinesPerGigawatt: {
      Euros machines;
      for (const CostItem item : {CostItem::kGpu, CostItem::kServer, CostItem::kNetwork})
        machines += cost->capital[static_cast<std::size_t>(item)];
      return machines * (dollars * 1000 / cost->facility_mw);
    }
    case Quantity::kPerGpu:
      return cost->capital_total * (dollars / input.gpus);
    case Quantity::kPerRack:
      return cost->capital_total * (dollars * kRackGpus / input.gpus);
    case Quantity::kRental:
      return cost->per_gpu_hour() * dollars;
    case Quantity::kRun:
    case Quantity::kDay:
      return cost->per_gpu_hour() * (dollars * row.gpu_hours);
  }
  return std::nullopt;
}

double null_answer(const PublishedCost& row) {
  switch (row.quantity) {
    case Quantity::kPerGigawatt:
    case Quantity::kMachinesPerGigawatt:
      return kNullCapital * 1000 / kNullMegawatts;
    case Quantity::kPerGpu:
      return kNullCapital;
    case Quantity::kPerRack:
      return kNullCapital * kRackGpus;
    case Quantity::kRental:
      return kNullHour;
    case Quantity::kRun:
    case Quantity::kDay:
      return kNullHour * row.gpu_hours;
  }
  return 0;
}

const char* cell_of(Quantity quantity) {
  return quantity == Quantity::kRental || quantity == Quantity::kRun || quantity == Quantity::kDay
             ? "GPU-hours"
             : "capital";
}

}  // namespace

Result<std::vector<PublishedCost>> read_published_costs(const PublishedTable& table) {
  if (const Result<void> named =
          require_columns(table, "cost.csv", {"id", "group", "item", "value", "unit", "low", "high", "date"});
      !named)
    return std::unexpected(named.error());
  std::vector<PublishedCost> rows;
  rows.reserve(table.rows.size());
  for (std::size_t at = 0; at < table.rows.size(); ++at) {
    PublishedCost row;
    row.id = table.field(at, "id");
    row.group = table.field(at, "group");
    row.what = table.field(at, "item");
    row.value = leading_number(table.field(at, "value"));
    row.low = leading_number(table.field(at, "low"));
    row.high = leading_number(table.field(at, "high"));
    row.year = year_of(table.field(at, "date"));
    if (row.value <= 0 || row.year <= 0)
      row.reason = "no value or no date";
    else
      read_question(row.group, row.what, row);
    if (row.reason.empty() && !table.field(at, "unit").starts_with("USD")) row.reason = "not in dollars";
    rows.push_back(std::move(row));
  }
  return rows;
}

ValidationReport validate_costs(const std::vector<PublishedCost>& rows, const KnownTypes& known) {
  ReportBuilder report("Cost (grade C): error of the model, and of one price for all GPUs");
  for (const PublishedCost& row : rows) {
    const std::optional<Euros> predicted = row.reason.empty() ? answer(row, known) : std::nullopt;
    if (!predicted) {
      report.leave_out(row.reason.empty() ? "no price or GPU type for it" : row.reason);
      continue;
    }
    Comparison comparison;
    comparison.id = row.id;
    comparison.group = row.group;
    comparison.what = row.what;
    comparison.why = row.gpu;
    comparison.unit = "USD";
    comparison.measured = row.value;
    comparison.predicted = predicted->value;
    comparison.error = predicted->value / row.value - 1;
    comparison.null_error = null_answer(row) / row.value - 1;
    comparison.measured_low = row.low;
    comparison.measured_high = row.high;
    comparison.predicted_low = predicted->low;
    comparison.predicted_high = predicted->high;
    report.add(row.group, cell_of(row.quantity), "all of cost", std::move(comparison));
  }
  report.note(
      "Published prices are secondary sources; a GPU-hour is compared at cost (8 % on all capital, five "
      "years, 80 % "
      "used, PUE 1.3), so rents above it hold a margin. The interval of a price is its range in the "
      "sources.");
  return std::move(report).finish();
}

}  // namespace gw::physics
