// FOCUS rows: calendar months, sums that add up, and columns as the specification wants them.
#include "api/usage_focus.h"

#include <gtest/gtest.h>

#include <map>

#include "live/time_text.h"

namespace gw::api {
namespace {

std::int64_t unix_ns(std::string_view time) { return live::parse_time(time).value(); }

constexpr std::int64_t kOrigin = 1'000'000'000'000'000'000;

live::TransferRecord transfer(std::uint64_t job, std::string_view from, std::string_view to,
                              std::int64_t micro_gpu_s, std::int64_t price, std::string gpu = "h100") {
  live::TransferRecord record;
  record.attempt = {job, 1};
  record.user = "ann";
  record.gpu_type = std::move(gpu);
  record.price_plan = "default";
  record.from = Instant{unix_ns(from) - kOrigin};
  record.to = Instant{unix_ns(to) - kOrigin};
  record.micro_gpu_s = micro_gpu_s;
  record.micro_core_s = 7'000'001;
  record.energy = Joules{1234567};
  record.price = MicroEuros{price};
  return record;
}

std::vector<std::map<std::string, std::string>> rows_of(const std::string& csv) {
  std::vector<std::vector<std::string>> lines(1);
  lines[0].emplace_back();
  bool quoted = false;
  for (std::size_t at = 0; at < csv.size(); ++at) {
    const char c = csv[at];
    if (c == '"') {
      if (quoted && csv[at + 1] == '"')
        lines.back().back() += csv[++at];
      else
        quoted = !quoted;
    } else if (c == ',' && !quoted) {
      lines.back().emplace_back();
    } else if (c == '\n' && !quoted) {
      lines.emplace_back(1);
    } else {
      lines.back().back() += c;
    }
  }
  lines.pop_back();
  std::vector<std::map<std::string, std::string>> rows;
  for (std::size_t line = 1; line < lines.size(); ++line) {
    EXPECT_EQ(lines[line].size(), lines[0].size());
    for (std::size_t column = 0; column < lines[0].size(); ++column) {
      if (column == 0) rows.emplace_back();
      rows.back()[lines[0][column]] = lines[line][column];
    }
  }
  return rows;
}

std::int64_t millionths(const std::string& text) {
  const std::size_t point = text.find('.');
  EXPECT_EQ(text.size() - point, 7U) << text;
  return std::stoll(text.substr(0, point)) * 1'000'000 + std::stoll(text.substr(point + 1));
}

TEST(FocusReport, MonthsAddUpToTheWhole) {
  const std::int64_t to = unix_ns("2026-12-05T10:00:00.250Z");
  FocusReport report(UsageBy::kTenant, 0, to, kOrigin);
  // Amounts that no month divides: each part is rounded, and all together must be the whole.
  report.add(
      transfer(1, "2026-09-13T01:02:03.456Z", "2026-12-02T00:00:00.001Z", 1'000'000'007, 99'999'999'937),
      "acme/vision", {"train"}, false);
  report.add(transfer(2, "2026-10-31T23:59:59Z", "2026-11-01T00:00:01Z", 3, 7), "acme/vision", {"small"},
             false);
  const auto rows = rows_of(report.csv("Gigawerk"));
  ASSERT_EQ(rows.size(), 4U);
  std::int64_t cost = 0, consumed = 0;
  std::vector<std::string> periods;
  for (const auto& row : rows) {
    cost += millionths(row.at("BilledCost"));
    consumed += millionths(row.at("ConsumedQuantity"));
    periods.push_back(row.at("BillingPeriodStart") + " " + row.at("BillingPeriodEnd") + " " +
                      row.at("ChargePeriodStart") + " " + row.at("ChargePeriodEnd"));
  }
  EXPECT_EQ(cost, 99'999'999'937 + 7);
  EXPECT_EQ(consumed, 1'000'000'007 + 3);
  EXPECT_EQ(periods,
            (std::vector<std::string>{
                "2026-09-01T00:00:00Z 2026-10-01T00:00:00Z 2026-09-01T00:00:00Z 2026-10-01T00:00:00Z",
                "2026-10-01T00:00:00Z 2026-11-01T00:00:00Z 2026-10-01T00:00:00Z 2026-11-01T00:00:00Z",
                "2026-11-01T00:00:00Z 2026-12-01T00:00:00Z 2026-11-01T00:00:00Z 2026-12-01T00:00:00Z",
                "2026-12-01T00:00:00Z 2027-01-01T00:00:00Z 2026-12-01T00:00:00Z 2026-12-05T10:00:01Z"}));
}

TEST(FocusReport, ARangeCutsChargesAndNotBillingPeriods) {
  const live::TransferRecord whole = transfer(1, "2026-09-13", "2026-12-02", 1'000'000'007, 99'999'999'937);
  FocusReport report(UsageBy::kTenant, unix_ns("2026-10-10T12:00:00Z"), unix_ns("2026-11-03"), kOrigin);
  report.add(whole, "acme", {"train"}, false);
  const auto rows = rows_of(report.csv("Gigawerk"));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].at("ChargePeriodStart"), "2026-10-10T12:00:00Z");
  EXPECT_EQ(rows[0].at("ChargePeriodEnd"), "2026-11-01T00:00:00Z");
  EXPECT_EQ(rows[0].at("BillingPeriodStart"), "2026-10-01T00:00:00Z");
  EXPECT_EQ(rows[1].at("ChargePeriodEnd"), "2026-11-03T00:00:00Z");
  EXPECT_EQ(rows[1].at("BillingPeriodEnd"), "2026-12-01T00:00:00Z");
  // As the report of the same time in JSON has it.
  const live::UsageRow part = live::part_of(whole, Instant{unix_ns("2026-10-10T12:00:00Z") - kOrigin},
                                            Instant{unix_ns("2026-11-03") - kOrigin});
  EXPECT_EQ(millionths(rows[0].at("BilledCost")) + millionths(rows[1].at("BilledCost")), part.price.count());
}

TEST(FocusReport, ColumnsAreAsTheSpecificationWantsThem) {
  FocusReport by_job(UsageBy::kJob, 0, unix_ns("2026-11-30"), kOrigin);
  by_job.add(transfer(17, "2026-11-02", "2026-11-03", 5'000'000, 10), "acme/vision", {"train, all"}, true);
  by_job.add(transfer(18, "2026-11-02", "2026-11-03", 0, 10, ""), "acme/vision", {"tidy", 16, 2}, false);
  const auto jobs = rows_of(by_job.csv("Gigawerk"));
  ASSERT_EQ(jobs.size(), 2U);
  const std::map<std::string, std::string> expected{{"BilledCost", "0.000010"},
                                                    {"BillingAccountId", "acme"},
                                                    {"BillingCurrency", "EUR"},
                                                    {"ChargeCategory", "Usage"},
                                                    {"ChargeClass", ""},
                                                    {"ChargeFrequency", "Usage-Based"},
                                                    {"ConsumedQuantity", "5.000000"},
                                                    {"ConsumedUnit", "GPU-Seconds"},
                                                    {"PricingQuantity", "0.001389"},
                                                    {"PricingUnit", "GPU-Hours"},
                                                    {"ResourceId", "17"},
                                                    {"ResourceName", "train, all"},
                                                    {"ResourceType", "Job"},
                                                    {"ServiceCategory", "Compute"},
                                                    {"ServiceName", "GPU Compute"},
                                                    {"SkuId", "h100"},
                                                    {"SkuPriceId", "h100/default"},
                                                    {"SubAccountId", "acme/vision"}};
  for (const auto& [column, value] : expected) EXPECT_EQ(jobs[0].at(column), value) << column;
  EXPECT_EQ(Json::parse(jobs[0].at("Tags"))["gigawerk/open"], true);
  EXPECT_EQ(jobs[1].at("ServiceName"), "CPU Compute");
  EXPECT_EQ(jobs[1].at("SkuId"), "CPU");
  EXPECT_EQ(jobs[1].at("ResourceId"), "16_2");  // A task, as gw ps names it.
  EXPECT_EQ(jobs[1].at("ConsumedUnit"), "Core-Seconds");
  EXPECT_EQ(jobs[1].at("ChargeDescription"), "CPU time under price plan default");
  EXPECT_EQ(jobs[1].at("ConsumedQuantity"), "7.000001");

  FocusReport by_tenant(UsageBy::kTenant, 0, unix_ns("2026-11-30"), kOrigin);
  by_tenant.add(transfer(17, "2026-11-02", "2026-11-03", 5'000'000, 10), "acme", {"train"}, false);
  const auto tenants = rows_of(by_tenant.csv("Gigawerk"));
  ASSERT_EQ(tenants.size(), 1U);
  for (const char* column : {"ResourceId", "ResourceName", "ResourceType"})
    EXPECT_EQ(tenants[0].at(column), "") << column;
}

TEST(FocusReport, WhatIsGivenBackHasRowsOfItsOwn) {
  FocusReport report(UsageBy::kJob, 0, unix_ns("2026-11-30"), kOrigin);
  report.add(transfer(17, "2026-11-02", "2026-11-03", 5'000'000, 10), "acme", {"train"}, false);
  live::TransferRecord credit = transfer(17, "2026-11-02T12:00:00Z", "2026-11-03", 0, -4);
  credit.kind = live::TransferKind::kPreemptionCredit;
  credit.micro_core_s = 0;
  credit.energy = Joules{0};
  report.add(credit, "acme", {"train"}, false);
  const auto rows = rows_of(report.csv("Gigawerk"));
  ASSERT_EQ(rows.size(), 2U);
  const std::map<std::string, std::string> expected{
      {"BilledCost", "-0.000004"}, {"ChargeCategory", "Credit"}, {"ChargeFrequency", "One-Time"},
      {"ConsumedQuantity", ""},    {"ConsumedUnit", ""},         {"EffectiveCost", "-0.000004"},
      {"PricingQuantity", ""},     {"ResourceId", "17"},         {"SkuId", "h100"}};
  for (const auto& [column, value] : expected) EXPECT_EQ(rows[1].at(column), value) << column;
  EXPECT_EQ(rows[0].at("ChargeCategory"), "Usage");
}

}  // namespace
}  // namespace gw::api
