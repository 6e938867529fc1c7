// Reading and printing.
#include "harness.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "physics/from_catalog.h"
#include "spec/catalog.h"
#include "workload/byte_source.h"
#include "workload/rows.h"

namespace gw::physics_fit {

physics::PublishedTable read_table(const std::string& path) {
  physics::PublishedTable table;
  const auto source = workload::open_file(path);
  if (!source) {
    fmt::print(stderr, "{}\n", source.error().message);
    return table;
  }
  const auto rows = workload::csv_rows(**source);
  workload::Row row;
  for (bool first = true;; first = false) {
    const Result<bool> there = rows->next(row);
    if (!there || !*there) return table;
    std::vector<std::string> fields(row.fields.begin(), row.fields.end());
    if (first)
      table.columns = std::move(fields);
    else
      table.rows.push_back(std::move(fields));
  }
}

std::optional<physics::KnownTypes> read_types(const std::string& catalog_path) {
  const auto catalog = spec::read_catalog(catalog_path);
  if (catalog) return physics::known_types_of(*catalog);
  fmt::print(stderr, "{}\n", spec::diagnostics_text(catalog.error()));
  return std::nullopt;
}

void fit_anew(std::vector<Constant>& constants, const Residuals& residuals, int rounds, double scale) {
  for (const Constant& each : constants) *each.value = each.prior;
  fit(constants, residuals, rounds, scale);
}

void print_errors(const std::string& title, const Errors& errors) {
  fmt::print("{}\n", title);
  for (const auto& [name, each] : errors) {
    double mean = 0;
    double most = 0;
    double bias = 0;
    for (const double error : each) {
      mean += std::abs(error) / static_cast<double>(each.size());
      bias += error / static_cast<double>(each.size());
      most = std::max(most, std::abs(error));
    }
    fmt::print("{:<46}{:>5} mean {:5.1f} % max {:6.1f} % bias {:+6.1f} %\n", name, each.size(), 100 * mean,
               100 * most, 100 * bias);
  }
}

void print_fitted(const std::vector<Constant>& constants, std::size_t rows, const Errors& errors) {
  print_errors(fmt::format("Fitted: {} constants, {} rows:", constants.size(), rows), errors);
}

void print_constants(const std::vector<Constant>& constants) {
  for (const Constant& each : constants) fmt::print("{:<34}{:>12.4g}\n", each.name, *each.value);
}

std::optional<std::filesystem::path> reference_folder(const std::filesystem::path& source,
                                                      std::initializer_list<const char*> files) {
  const char* given = std::getenv("GIGAWERK_REFERENCE");
  const std::filesystem::path folder =
      given != nullptr ? std::filesystem::path(given) : source / "../shared/reference";
  std::error_code error;
  for (const char* name : files) {
    if (std::filesystem::exists(folder / name, error)) continue;
    fmt::print("{} is absent; set GIGAWERK_REFERENCE to its folder\n", name);
    return std::nullopt;
  }
  return folder;
}

int check_constants(const std::vector<Constant>& constants, const std::function<void()>& fit,
                    std::string_view written_by) {
  constexpr double kApart = 0.02;
  std::vector<double> committed;
  for (const Constant& each : constants) committed.push_back(*each.value);
  fit();
  int apart = 0;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    const Constant& each = constants[i];
    if (std::abs(*each.value / committed[i] - 1) <= kApart) continue;
    fmt::print("{}: {:.4g} is committed, the fit finds {:.4g}\n", each.name, committed[i], *each.value);
    apart = 1;
  }
  if (apart != 0)
    fmt::print(
        "write them anew with {}: what it is fitted to, or a model that rows are read with, has changed\n",
        written_by);
  return apart;
}

}  // namespace gw::physics_fit
