// The catalog that the tests of this layer read against: the project's own types, and two small job classes.
#pragma once

#include <gtest/gtest.h>

#include "spec/catalog.h"

namespace gw::spec {

inline const Catalog& test_catalog() {
  static const Catalog catalog = [] {
    Checked<Catalog> read = read_catalog(GW_SOURCE_DIR "/catalog");
    EXPECT_TRUE(read.has_value()) << diagnostics_text(read.error());
    Checked<CatalogFile> classes = parse_catalog_file(R"(
rhythms: [{name: even}]
classes:
  - name: train
    sizes: {8: 0.7, 16: 0.3}
    durations: [{median: 6h, sigma: 1.1}]
    limit: {exact_share: 0.1}
    gpu_types: [b200]
  - name: serve
    sizes: {1: 1}
    durations: [{median: 30min, sigma: 1, share: 1}]
)",
                                                      "test classes");
    EXPECT_TRUE(classes.has_value()) << diagnostics_text(classes.error());
    if (!read || !classes) return Catalog{};
    read->classes = classes->classes;
    read->rhythms = classes->rhythms;
    return std::move(*read);
  }();
  return catalog;
}

}  // namespace gw::spec
