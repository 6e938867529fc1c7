// What all fits share: their inputs, a fit that starts from the priors, and what they print of errors and
// constants.
#pragma once

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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

/// What a check returns where the measurements are absent.
inline constexpr int kSkipped = 77;
/// The folder of published measurements beside the checkout `source`, or the one that GIGAWERK_REFERENCE
/// names; none, after saying so, where it lacks one of `files`.
std::optional<std::filesystem::path> reference_folder(const std::filesystem::path& source,
                                                      std::initializer_list<const char*> files);
/// Whether `fit` finds the constants that they have now: 0, or 1 after naming those that are more than 2 %
/// apart and that `written_by` writes them anew.
int check_constants(const std::vector<Constant>& constants, const std::function<void()>& fit,
                    std::string_view written_by);

}  // namespace gw::physics_fit
