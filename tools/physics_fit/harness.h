// What all fits share: their inputs, a fit that starts from the priors, and what they print of errors and
// constants.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "least_squares.h"
#include "physics/published.h"

namespace gw::physics_fit {

/// A CSV file whose first row names the columns; as far as it can be read, and what is wrong on standard
/// error.
physics::PublishedTable read_table(const std::string& path);
/// Models and GPU types of a catalog's folder; none after saying what is wrong.
std::optional<physics::KnownTypes> read_types(const std::string& catalog_path);

/// From the priors, whatever the constants are now.
void fit_anew(std::vector<Constant>& constants, const Residuals& residuals, int rounds, double scale);

/// Errors by name.
using Errors = std::map<std::string, std::vector<double>>;
void print_errors(const std::string& title, const Errors& errors);
/// What came out: errors of so many rows in the fit, and the constants.
void print_fitted(const std::vector<Constant>& constants, std::size_t rows, const Errors& errors);
void print_constants(const std::vector<Constant>& constants);

}  // namespace gw::physics_fit
