// The search over layouts: what it gives fits, divides the model, and is in order.
#include "physics/search.h"

#include <chrono>

#include "physics/test_subjects.h"

namespace gw::physics {
namespace {

SearchOptions wanted(const char* model, std::uint32_t gpus, std::uint32_t batch) {
  SearchOptions options;
  options.model = &test_model(model);
  options.gpu = &test_gpu("h100");
  options.stack = default_stack(options.gpu->generation);
  options.sequence = 8192;
  options.gpus = gpus;
  options.global_batch = batch;
  return options;
}

TEST(Search, ResultsFitDivideAndAreInOrder) {
  const SearchOptions options = wanted("llama-3-70b", 64, 128);
  const SearchResult result = search_layouts(options, published_calibration());
  ASSERT_EQ(result.best.size(), 10U);
  double before = 0;
  for (const Candidate& each : result.best) {
    EXPECT_TRUE(each.memory.fits());
    EXPECT_EQ(each.layout.gpus(), 64);
    EXPECT_TRUE(check_layout(each.layout, *options.model, options.global_batch).has_value());
    EXPECT_GE(each.time.total, before);
    before = each.time.total;
  }
  EXPECT_GT(result.too_large, 0U);
}

TEST(Search, NearestIsSaidWhereNothingFits) {
  const SearchResult result = search_layouts(wanted("llama-3-405b", 8, 128), published_calibration());
  EXPECT_TRUE(result.best.empty());
  EXPECT_GT(result.nearest.memory.short_by(), 0);
}

TEST(Search, A405BModelOn16384GpusTakesSeconds) {
  const auto begin = std::chrono::steady_clock::now();
  const SearchResult result = search_layouts(wanted("llama-3-405b", 16384, 2048), published_calibration());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  ASSERT_FALSE(result.best.empty());
  EXPECT_GT(result.timed, 100U);
  EXPECT_LT(took.count(), 20.0);
  // Llama 3 (arXiv:2407.21783, table 4): 38 to 43 % MFU in bf16 at this scale.
  EXPECT_GT(result.best.front().time.utilisation, 0.35);
  EXPECT_LT(result.best.front().time.utilisation, 0.6);
}

TEST(Search, ExpertsAreSpread) {
  SearchOptions options = wanted("deepseek-v3", 1024, 4096);
  options.sequence = 4096;
  const SearchResult result = search_layouts(options, published_calibration());
  ASSERT_FALSE(result.best.empty());
  EXPECT_GT(result.best.front().layout.expert, 1U);
}

}  // namespace
}  // namespace gw::physics
