// The project's own catalog: complete, consistent, and its models add up to their published parameters.
#include "spec/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "spec/test_catalog.h"

namespace gw::spec {
namespace {

TEST(Catalog, ModelsAddUpToTheirPublishedParameters) {
  ASSERT_GE(test_catalog().models.size(), 10U);
  for (const ModelEntry& model : test_catalog().models) {
    EXPECT_NEAR(model.computed_parameters() / model.parameters, 1, 0.003) << model.name;
    if (model.active_parameters > 0) {
      EXPECT_NEAR(model.computed_parameters(true) / model.active_parameters, 1, 0.02) << model.name;
    } else {
      EXPECT_EQ(model.computed_parameters(true), model.computed_parameters()) << model.name;
    }
  }
  // Exact totals of the published weights.
  EXPECT_EQ(find_entry(test_catalog().models, "llama-3-8b")->computed_parameters(), 8030261248.0);
  EXPECT_EQ(find_entry(test_catalog().models, "llama-3-70b")->computed_parameters(), 70553706496.0);
  EXPECT_EQ(find_entry(test_catalog().models, "mistral-7b")->computed_parameters(), 7241732096.0);
  EXPECT_EQ(find_entry(test_catalog().models, "mixtral-8x7b")->computed_parameters(), 46702792704.0);
  EXPECT_EQ(find_entry(test_catalog().models, "qwen2.5-72b")->computed_parameters(), 72706203648.0);
}

TEST(Catalog, NodesCanFeedTheirGpus) {
  for (const NodeEntry& node : test_catalog().nodes) {
    EXPECT_LE(node.power_idle, node.power_max) << node.name;
    EXPECT_FALSE(node.source.empty()) << node.name;
    const GpuEntry* gpu = find_entry(test_catalog().gpus, node.gpu.value);
    if (gpu == nullptr) continue;
    EXPECT_GT(node.power_max, gpu->type.power_max * node.gpus) << node.name;
    EXPECT_GT(node.power_idle, gpu->type.power_idle * node.gpus) << node.name;
    EXPECT_GT(node.cores, 0) << node.name;
  }
}

TEST(Catalog, RatesHalveWithEachDoublingOfPrecision) {
  for (const GpuEntry& gpu : test_catalog().gpus) {
    const GpuType& type = gpu.type;
    EXPECT_FALSE(type.source.empty()) << type.name;
    EXPECT_GT(type.memory.count(), 0) << type.name;
    EXPECT_LE(gpu.measured_bf16_tflops, type.dense_bf16_tflops) << type.name;
    EXPECT_LE(gpu.measured_fp8_tflops, type.dense_fp8_tflops) << type.name;
    EXPECT_LE(gpu.measured_memory_tb_s, type.memory_tb_s) << type.name;
    if (type.dense_fp8_tflops > 0 && type.dense_bf16_tflops > 0 && gpu.quality != "C") {
      EXPECT_NEAR(type.dense_fp8_tflops / type.dense_bf16_tflops, 2, 0.03) << type.name;
    }
  }
}

TEST(Catalog, BrokenFilesAreNamed) {
  const Checked<CatalogFile> file = parse_catalog_file(
      "gpus:\n  - {name: x, title: X, vendor: V, memory: 1 GB, source: s}\n  - {name: x, title: X, vendor: "
      "V, memory: 80, "
      "source: s}\n",
      "c.yaml");
  ASSERT_FALSE(file.has_value());
  EXPECT_THAT(diagnostics_text(file.error()),
              testing::AllOf(testing::HasSubstr("c.yaml:3:5: \"x\" is defined twice, first in line 2"),
                             testing::HasSubstr("c.yaml:3:44: \"memory\" must be an amount with its unit")));
}

TEST(Catalog, BrokenPricesAreNamed) {
  const Checked<CatalogFile> file = parse_catalog_file(
      "prices:\n"
      "  - {item: energy, value: 80, unit: EUR/GPU, date: 2026-01-01}\n"
      "  - {item: gpu, value: 80, low: 90, unit: EUR/GPU, date: 2026-01-01}\n"
      "  - {item: gpu, value: 80, unit: EUR/GPU, date: 2026-01-01}\n"
      "  - {item: land, value: -1, unit: EUR/MW, date: 2026-02-30}\n",
      "p.yaml");
  ASSERT_FALSE(file.has_value());
  EXPECT_THAT(
      diagnostics_text(file.error()),
      testing::AllOf(testing::HasSubstr("p.yaml:2:5: \"unit\" of energy must be USD/MWh or EUR/MWh"),
                     testing::HasSubstr("p.yaml:3:5: \"low\" must not be above"),
                     testing::HasSubstr("p.yaml:4:5: gpu has two prices of 2026-01-01, the first in line 3"),
                     testing::HasSubstr("\"date\" must be a day"),
                     testing::HasSubstr("\"value\" of land must not be negative")));
}

TEST(Catalog, ItsPricesSayWhereTheyAreFrom) {
  const Checked<Catalog> catalog = read_catalog(std::filesystem::path(GW_SOURCE_DIR) / "catalog");
  ASSERT_TRUE(catalog.has_value()) << diagnostics_text(catalog.error());
  EXPECT_GT(catalog->prices.size(), 20U);
  for (const PriceEntry& price : catalog->prices) {
    EXPECT_FALSE(price.source.empty()) << price.item;
    EXPECT_FALSE(price.quality.empty()) << price.item;
    EXPECT_GT(price.day, 0) << price.item;
  }
}

}  // namespace
}  // namespace gw::spec
