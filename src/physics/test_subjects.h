// Models and GPU types of the catalog for tests of physics, and where published measurements lie.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "physics/from_catalog.h"
#include "physics/published.h"
#include "spec/catalog.h"
#include "workload/byte_source.h"
#include "workload/rows.h"

namespace gw::physics {

inline const KnownTypes& test_types() {
  static const KnownTypes types = [] {
    const auto catalog = spec::read_catalog(std::filesystem::path(GW_SOURCE_DIR) / "catalog");
    EXPECT_TRUE(catalog.has_value());
    return catalog ? known_types_of(*catalog) : KnownTypes{};
  }();
  return types;
}

inline const ModelShape& test_model(std::string_view name) {
  for (const ModelShape& each : test_types().models) {
    if (each.name == name) return each;
  }
  ADD_FAILURE() << "no model " << name;
  return test_types().models.front();
}

inline const Accelerator& test_gpu(std::string_view name) {
  for (const Accelerator& each : test_types().accelerators) {
    if (each.name == name) return each;
  }
  ADD_FAILURE() << "no GPU type " << name;
  return test_types().accelerators.front();
}

/// A table of published measurements, or empty where this machine has none.
inline std::string reference_file(const std::string& name) {
  const char* given = std::getenv("GIGAWERK_REFERENCE");
  const std::filesystem::path folder = given != nullptr
                                           ? std::filesystem::path(given)
                                           : std::filesystem::path(GW_SOURCE_DIR) / "../shared/reference";
  std::error_code error;
  return std::filesystem::exists(folder / name, error) ? (folder / name).string() : std::string();
}

inline PublishedTable test_table(workload::ByteSource& source) {
  PublishedTable table;
  const auto rows = workload::csv_rows(source);
  workload::Row row;
  for (bool first = true;; first = false) {
    const Result<bool> there = rows->next(row);
    EXPECT_TRUE(there.has_value());
    if (!there || !*there) return table;
    EXPECT_EQ(row.problem, nullptr);
    std::vector<std::string> fields(row.fields.begin(), row.fields.end());
    if (first)
      table.columns = std::move(fields);
    else
      table.rows.push_back(std::move(fields));
  }
}

inline PublishedTable test_table(std::string_view text) {
  const auto source = workload::memory_source(text, "table.csv");
  return test_table(*source);
}

#define GW_NEED_REFERENCE(variable, name)            \
  const std::string variable = reference_file(name); \
  if (variable.empty()) GTEST_SKIP() << name << " is absent; set GIGAWERK_REFERENCE to its folder"

}  // namespace gw::physics
