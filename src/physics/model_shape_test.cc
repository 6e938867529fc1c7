// Parameters and operations of the models in the catalog against what their authors say.
#include "physics/model_shape.h"

#include "physics/test_subjects.h"

namespace gw::physics {
namespace {

TEST(ModelShape, ParametersAgreeWithTheCatalog) {
  const auto catalog = spec::read_catalog(std::filesystem::path(GW_SOURCE_DIR) / "catalog");
  ASSERT_TRUE(catalog.has_value());
  ASSERT_GE(catalog->models.size(), 30U);
  for (const spec::ModelEntry& entry : catalog->models) {
    const ModelShape shape = shape_of(entry);
    EXPECT_TRUE(check_shape(shape).has_value()) << entry.name;
    // Norms, biases and learned positions are left out.
    EXPECT_NEAR(shape.parameters() / entry.computed_parameters(), 1, 0.005) << entry.name;
  }
}

TEST(ModelShape, FlopsFollowThePublishedFormulas) {
  // Narayanan et al. 2021 (arXiv:2104.04473), section 5.1, without recomputation and with whole attention:
  // 72 B s l h^2 (1 + s/6h + V/12lh).
  const ModelShape& gpt = test_model("gpt-145b");
  const double s = 2048;
  const double l = 80;
  const double h = 12288;
  const double v = 51200;
  const double formula = 72 * l * h * h * (1 + s / (6 * h) + v / (12 * l * h));
  EXPECT_NEAR(gpt.training_flops_per_token(s, false) / formula, 1, 1e-12);
  // Llama 3.1 405B at 8k, attention half: 2.525e12 per token.
  EXPECT_NEAR(test_model("llama-3-405b").training_flops_per_token(8192), 2.525e12, 0.002e12);
}

TEST(ModelShape, MoePaysForActiveExpertsOnly) {
  const ModelShape& model = test_model("deepseek-v3");
  // 37 billion active parameters, of which the embedding is looked up: 6 (37 - 0.93) GF and attention.
  const double flops = model.training_flops_per_token(4096);
  EXPECT_GT(flops, 6 * 35.5e9);
  EXPECT_LT(flops, 6 * 44e9);
  ModelShape more = model;
  more.more_predictions = 1;
  // Published: 0.26 TFLOP per token with the prediction module, 0.25 without.
  EXPECT_NEAR(more.training_flops_per_token(4096) / flops, 1.04, 0.01);
}

TEST(ModelShape, ChecksSayWhatIsWrong) {
  ModelShape shape = test_model("mixtral-8x7b");
  shape.experts.active = 9;
  const Result<void> checked = check_shape(shape);
  ASSERT_FALSE(checked.has_value());
  EXPECT_NE(checked.error().message.find("experts per token"), std::string::npos) << checked.error().message;
}

}  // namespace
}  // namespace gw::physics
