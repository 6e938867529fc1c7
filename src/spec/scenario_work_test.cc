// What classes compute: `work` into the model, and mistakes in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "spec/scenario.h"
#include "spec/test_catalog.h"

namespace gw::spec {
namespace {

using testing::HasSubstr;

/// A fleet and the class `study` with that `work` and these `more` keys.
Checked<Scenario> read(const std::string& work, const std::string& more = "durations: {median: 1h}, ") {
  return parse_scenario(
      "gigawerk: 1\n"
      "fleet: {sites: [{name: lab, nodes: {type: dgx-h100, count: 4}}]}\n"
      "classes: [{name: study, sizes: {8: 1}, " +
          more + "work: " + work + "}]\n",
      "test.yaml", test_catalog());
}

WorkProfile work(const std::string& text, const std::string& more = "durations: {median: 1h}, ") {
  const Checked<Scenario> scenario = read(text, more);
  EXPECT_TRUE(scenario) << (scenario ? "" : diagnostics_text(scenario.error()));
  return scenario ? scenario->mix.classes.back().work : WorkProfile{};
}

std::string errors(const std::string& text, const std::string& more = "durations: {median: 1h}, ") {
  const Checked<Scenario> scenario = read(text, more);
  return scenario ? "no error" : diagnostics_text(scenario.error());
}

TEST(ScenarioWork, AModelWithStepsOrTokens) {
  const WorkProfile steps = work("{model: llama-3-70b, steps: 10, batch: 64, sequence: 8192}", "");
  EXPECT_EQ(steps.kind, WorkKind::kTraining);
  EXPECT_EQ(steps.model, "llama-3-70b");
  EXPECT_EQ(steps.amount, 10.0 * 64 * 8192);
  EXPECT_TRUE(steps.layout.best);
  EXPECT_EQ(work("{model: llama-3-8b, tokens: 2e12}", "").amount, 2e12);
  EXPECT_EQ(work("{model: llama-3-8b}").amount, 0);
}

TEST(ScenarioWork, ALayoutIsBestOrGiven) {
  EXPECT_TRUE(work("{model: llama-3-8b, layout: best}").layout.best);
  const WorkProfile::Layout given = work("{model: llama-3-8b, layout: {tensor: 4, sharding: full}}").layout;
  EXPECT_FALSE(given.best);
  EXPECT_EQ(given.tensor, 4U);
  EXPECT_TRUE(given.full_sharding);
}

TEST(ScenarioWork, OtherKindsCountSamples) {
  const WorkProfile images = work("{kind: perception, samples: 3e9, cost: 20}", "");
  EXPECT_EQ(images.kind, WorkKind::kPerception);
  EXPECT_EQ(images.amount, 3e9);
  EXPECT_EQ(images.cost, 20);
  EXPECT_EQ(work("{kind: cfd}").kind, WorkKind::kCfd);
}

TEST(ScenarioWork, TheEntriesThatPhysicsAsksForAreThere) {
  const Checked<Scenario> scenario = read("{model: mixtral-8x7b}");
  ASSERT_TRUE(scenario);
  EXPECT_TRUE(scenario->physics);
  ASSERT_EQ(scenario->gpu_entries.size(), 1U);
  EXPECT_EQ(scenario->gpu_entries[0].type.name, "h100");
  EXPECT_GT(scenario->gpu_entries[0].network_gbit_s, 0);
  ASSERT_EQ(scenario->models.size(), 1U);
  EXPECT_EQ(scenario->models[0].name, "mixtral-8x7b");
}

TEST(ScenarioWork, MistakesSayWhatToDo) {
  EXPECT_THAT(errors("{model: llama-3-7b}"),
              HasSubstr("unknown model \"llama-3-7b\" of class \"study\"; did you "
                        "mean \"llama-3-"));
  EXPECT_THAT(errors("{tokens: 1e9}"), HasSubstr("`work` trains no model; name one with `model`"));
  EXPECT_THAT(errors("{kind: cfd, model: llama-3-8b}"), HasSubstr("of the kind cfd has no `model`"));
  EXPECT_THAT(errors("{kind: cfd, tokens: 1e9}"), HasSubstr("is counted in `samples`"));
  EXPECT_THAT(errors("{model: llama-3-8b, samples: 1}"), HasSubstr("counted in `tokens` or `steps`"));
  EXPECT_THAT(errors("{kind: robotics, layout: best}"), HasSubstr("only training has a `layout`"));
  EXPECT_THAT(errors("{kind: robotic}"), HasSubstr("robotics"));
  EXPECT_THAT(errors("{model: llama-3-8b, precision: fp9}"), HasSubstr("fp8"));
  EXPECT_THAT(errors("{model: llama-3-8b, layout: fastest}"), HasSubstr("best"));
  EXPECT_THAT(errors("{model: llama-3-8b, tokens: 1e9, steps: 3}"), HasSubstr("steps"));
  EXPECT_THAT(errors("{kind: cfd}", ""), HasSubstr("class \"study\" has no durations"));
}

}  // namespace
}  // namespace gw::spec
