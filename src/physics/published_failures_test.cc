// Rows of published failures as questions, their reasons, and what the report says of intervals.
#include "physics/published_failures.h"

#include <gtest/gtest.h>

#include "physics/test_subjects.h"
#include "physics/validation_failures.h"

namespace gw::physics {
namespace {

constexpr const char* kHeader =
    "id,group,system,gpus,gpu_type,period_days,category,component,metric,value,unit,ci95_low,ci95_high\n";

std::vector<PublishedFailure> read(const std::string& rows) {
  const auto read = read_published_failures(test_table(kHeader + rows), test_types());
  EXPECT_TRUE(read.has_value());
  return read.value_or(std::vector<PublishedFailure>{});
}

TEST(PublishedFailures, RowsOfOneCauseAreAddedUp) {
  const auto rows = read(
      "F1,run,S,16384,H100,54,GPU,Faulty GPU,unexpected interruptions,148,count,125.1,173.9\n"
      "F2,run,S,16384,H100,54,GPU,GPU HBM3 memory,unexpected interruptions,72,count,56.3,90.7\n"
      "F3,run,S,16384,H100,54,GPU,GPU SRAM memory,unexpected interruptions,19,count,11.4,29.7\n");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].measured, 167);
  EXPECT_NEAR(rows[0].low, poisson_interval(167).low, 1e-9);
  EXPECT_EQ(rows[1].measured, 72);
  EXPECT_EQ(rows[2].reason, "added to the first row of the same cause");
}

TEST(PublishedFailures, UnitsAndBounds) {
  const auto rows = read(
      "F1,mine,S,8,A100,330,,,MTTF of jobs,47.7,days,,\n"
      "F2,mine,S,384,A100-80GB,105,,,GPU hardware failures,1,per week (average),,\n"
      "F3,mine,S,12288,H100,,,,effective training time,90,% (more than),,\n"
      "F4,mine,S,16384,A100,,,,MTTF projected,1.8,h,,\n"
      "F5,mine,S,16384,Abacus 9,54,,,MTBF unexpected,3,h,,\n"
      "F6,mine,S,12288,A100,,,,restarts total (about),100,count,,\n");
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_NEAR(rows[0].measured, 47.7 * 24, 1e-9);
  EXPECT_NEAR(rows[1].measured, 15, 1e-9);
  EXPECT_EQ(rows[2].bound, PublishedFailure::Bound::kAtLeast);
  EXPECT_EQ(rows[3].reason, "a projection or an assumption, not a measurement");
  EXPECT_EQ(rows[4].reason, "GPU type not in the catalog");
  EXPECT_EQ(rows[5].reason, "does not say over which time");
}

TEST(PublishedFailures, WrongTablesAreRefused) {
  const auto read = read_published_failures(test_table("id,group\n"), test_types());
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message.find("period_days"), std::string::npos);
}

TEST(PublishedFailures, IntervalsAreCounted) {
  // One row as the model has it, one far from it.
  const auto rows = read(
      "F1,run,S,16384,H100,54,,,unexpected interruptions total,419,count,379.8,461.1\n"
      "F2,run,S,16384,H100,54,,,unexpected interruptions total,4190,count,4000,4300\n");
  const ValidationReport report = validate_failures(rows);
  ASSERT_EQ(report.totals.size(), 1U);
  EXPECT_EQ(report.totals[0].with_interval, 2U);
  EXPECT_EQ(report.totals[0].inside, 1U);
  EXPECT_EQ(report.totals[0].with_prediction, 2U);
  EXPECT_EQ(report.totals[0].covered, 1U);
}

TEST(PublishedFailures, ThoseAtHandAreMet) {
  GW_NEED_REFERENCE(file, "failures.csv");
  const auto source = workload::open_file(file);
  ASSERT_TRUE(source.has_value());
  const auto rows = read_published_failures(test_table(**source), test_types());
  ASSERT_TRUE(rows.has_value());
  const ValidationReport report = validate_failures(*rows);
  std::size_t all = report.rows.size();
  for (const LeftOut& each : report.left_out) all += each.rows;
  EXPECT_EQ(all, rows->size());
  for (const ErrorSummary& cell : report.cells) {
    if (cell.name == "goodput") {
      EXPECT_EQ(cell.max, 0);
    }
    EXPECT_LE(cell.mean, cell.null_mean) << cell.name;
  }
  ASSERT_EQ(report.totals.size(), 1U);
  EXPECT_GE(report.totals[0].covered * 10, report.totals[0].with_prediction * 9);
}

}  // namespace
}  // namespace gw::physics
