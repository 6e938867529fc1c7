// What the commands of `gw physics` share: the catalog as physics sees it, values of options, tables from
// CSV.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "physics/published.h"
#include "physics/training.h"

namespace CLI {
class App;
}

namespace gw {

struct AppContext;

/// The catalog's models and GPU types.
Result<physics::KnownTypes> known_types();
Result<physics::ModelShape> find_model(const physics::KnownTypes& known, const std::string& name);
Result<physics::Accelerator> find_gpu(const physics::KnownTypes& known, const std::string& name);
Result<physics::Precision> find_precision(const std::string& name);

/// A CSV file whose first row names the columns. An Error where the file cannot be read or a row is spoiled.
Result<physics::PublishedTable> read_published_table(const std::string& path);

/// The prices of a catalog file of the user.
Result<physics::PriceTable> read_price_file(const std::string& path);

/// Below `gw physics`.
void add_physics_train_command(CLI::App& physics, AppContext& context);
void add_physics_serve_command(CLI::App& physics, AppContext& context);
void add_physics_collective_command(CLI::App& physics, AppContext& context);
void add_physics_power_command(CLI::App& physics, AppContext& context);
void add_physics_link_command(CLI::App& physics, AppContext& context);
void add_physics_failures_command(CLI::App& physics, AppContext& context);
void add_physics_cost_command(CLI::App& physics, AppContext& context);
void add_physics_validate_command(CLI::App& physics, AppContext& context);

}  // namespace gw
