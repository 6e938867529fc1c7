// Comparisons say which run is better, and refuse files that lack a figure.
#include "report/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "twin/metrics_fake_run.h"

namespace gw::report {
namespace {

using testing::HasSubstr;

Json fake_report(std::uint64_t seed) {
  twin::FakeRun fake({.seed = seed, .jobs = 500, .nodes = 8, .failures = true});
  twin::MetricsCollector metrics(fake.tenants());
  fake.play(metrics);
  return to_json(metrics.summarize(fake.labels()), Detail::kSummary);
}

const ComparedFigure& figure(const Comparison& comparison, std::string_view key) {
  for (const ComparedFigure& row : comparison.figures) {
    if (row.key == key) return row;
  }
  throw std::runtime_error("no such figure");
}

TEST(Compare, MarksTheBetterRun) {
  const Json a = fake_report(1);
  Json b = a;
  b["utilization"] = a["utilization"].get<double>() / 2;
  b["wait_s"]["mean"] = a["wait_s"]["mean"].get<double>() / 4;
  const Result<Comparison> comparison = compare_reports(a, "a", b, "b");
  ASSERT_TRUE(comparison.has_value()) << comparison.error().message;
  EXPECT_EQ(figure(*comparison, "utilization").better, Better::kA);
  EXPECT_EQ(figure(*comparison, "wait_s.mean").better, Better::kB);
  EXPECT_EQ(figure(*comparison, "wait_s.p50").better, Better::kNeither);
  EXPECT_TRUE(comparison->warnings.empty());
  const Json json = comparison_json(*comparison);
  EXPECT_DOUBLE_EQ(json["figures"]["wait_s.mean"]["relative_change"].get<double>(), -0.75);
  EXPECT_EQ(json["figures"]["wait_s.mean"]["better"], "b");
  EXPECT_EQ(json["figures"]["wait_s.p50"]["better"], "neither");
  const std::string text = comparison_text(*comparison, Style{});
  EXPECT_THAT(text, HasSubstr("-75.0 %"));
  EXPECT_THAT(text, HasSubstr("equal"));
}

TEST(Compare, JudgesByWorkDoneWherePhysicsPaces) {
  Json a = fake_report(1);
  a["physics"] = {{"jobs", 10}, {"gpu_hours", a["gpu_hours"]["useful"]}, {"speed", 1.0}};
  // The same work at half the speed: it holds twice the GPU-hours, and looks twice as busy.
  Json b = a;
  const double useful = a["gpu_hours"]["useful"].get<double>();
  b["physics"]["gpu_hours"] = b["gpu_hours"]["useful"] = useful * 2;
  b["physics"]["speed"] = 0.5;
  for (const char* key : {"utilization", "useful_utilization", "utilization_until_last_submit"})
    b[key] = a[key].get<double>() * 2;
  const Result<Comparison> same = compare_reports(a, "a", b, "b");
  ASSERT_TRUE(same.has_value()) << same.error().message;
  for (const char* key : {"utilization", "useful_utilization", "utilization_until_last_submit"})
    EXPECT_EQ(figure(*same, key).better, Better::kNeither) << key;
  EXPECT_DOUBLE_EQ(figure(*same, "work_done").a, useful / a["gpu_hours"]["existing"].get<double>());
  EXPECT_DOUBLE_EQ(figure(*same, "work_done").b, figure(*same, "work_done").a);
  EXPECT_EQ(figure(*same, "physics.speed").better, Better::kA);
  EXPECT_EQ(figure(*same, "physics.gpu_hours").better, Better::kA);
  EXPECT_TRUE(same->warnings.empty());
  b["physics"]["speed"] = 0.75;  // Now it has done more.
  EXPECT_EQ(figure(*compare_reports(a, "a", b, "b"), "work_done").better, Better::kB);
  b.erase("physics");
  const Result<Comparison> mixed = compare_reports(a, "a", b, "b");
  ASSERT_TRUE(mixed.has_value());
  EXPECT_EQ(figure(*mixed, "utilization").better, Better::kNeither);
  EXPECT_EQ(mixed->warnings.size(), 1U);
}

TEST(Compare, FitsTheScreenAndWarnsOfOtherWorkloads) {
  const Json a = fake_report(1);
  Json b = fake_report(2);
  b["jobs"]["submitted"] = 501;
  b["fleet"] = "another one";
  const Result<Comparison> comparison = compare_reports(a, "a", b, "b");
  ASSERT_TRUE(comparison.has_value());
  EXPECT_EQ(comparison->warnings.size(), 2U);
  std::istringstream lines(comparison_text(*comparison, Style{.unicode = false, .width = 92}));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 92U) << line;
}

TEST(Compare, NamesTheFigureThatIsMissing) {
  const Json a = fake_report(1);
  Json b = a;
  b["wait_s"].erase("p90");
  EXPECT_THAT(compare_reports(a, "one.json", b, "two.json").error().message,
              HasSubstr("two.json: `wait_s.p90`"));
  b = a;
  b["makespan_s"] = "long";
  EXPECT_THAT(compare_reports(b, "one.json", a, "two.json").error().message,
              HasSubstr("one.json: `makespan_s`"));
  b = a;
  b["by_size"] = Json::object();
  EXPECT_FALSE(compare_reports(a, "one.json", b, "two.json").has_value());
  b = a;
  b["by_size"][2]["wait_s"] = 7;
  EXPECT_FALSE(compare_reports(a, "one.json", b, "two.json").has_value());
}

}  // namespace
}  // namespace gw::report
