// Months and columns. What a column must hold: specification/columns of FOCUS 1.1.
#include "api/usage_focus.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/units.h"
#include "live/records.h"

namespace gw::api {
namespace {

constexpr std::string_view kHeader =
    "BilledCost,BillingAccountId,BillingAccountName,BillingCurrency,BillingPeriodEnd,BillingPeriodStart,"
    "ChargeCategory,ChargeClass,ChargeDescription,ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,"
    "ConsumedQuantity,ConsumedUnit,ContractedCost,EffectiveCost,InvoiceIssuerName,ListCost,PricingQuantity,"
    "PricingUnit,ProviderName,PublisherName,ResourceId,ResourceName,ResourceType,ServiceCategory,"
    "ServiceName,ServiceSubcategory,SkuId,SkuMeter,SkuPriceDetails,SkuPriceId,SubAccountId,SubAccountName,"
    "Tags\n";

/// `2026-11-26T12:00:00Z`.
std::string date_time(std::int64_t unix_s) {
  const std::chrono::sys_seconds when{std::chrono::seconds{unix_s}};
  const auto day = std::chrono::floor<std::chrono::days>(when);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{when - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

/// Millionths of something-seconds as seconds, exactly.
std::string seconds_text(std::int64_t micro_s) {
  return fmt::format("{}.{:06}", micro_s / 1'000'000, micro_s % 1'000'000);
}

}  // namespace

void FocusReport::add(const live::TransferRecord& transfer, const std::string& tenant,
                      const live::UsedJob& job, bool open) {
  const std::int64_t begin = std::max(transfer.from.count() + origin_unix_ns_, from_unix_ns_);
  const std::int64_t end = std::min(transfer.to.count() + origin_unix_ns_, to_unix_ns_);
  if (begin >= end) return;
  for (std::int64_t month = live::month_of(begin); live::month_begin_unix_ns(month) < end; ++month) {
    const Instant from{std::max(live::month_begin_unix_ns(month), from_unix_ns_) - origin_unix_ns_};
    const Instant to{std::min(live::month_begin_unix_ns(month + 1), to_unix_ns_) - origin_unix_ns_};
    const live::UsageRow part = live::part_of(transfer, from, to);
    // A charge is of something: a quantity must be positive.
    if (part.micro_gpu_s == 0 && part.micro_core_s == 0 && part.price.count() == 0) continue;
    const bool named = by_ == UsageBy::kUser || by_ == UsageBy::kJob;
    Row& row =
        rows_[{month, tenant, named ? part.user : std::string(), by_ == UsageBy::kJob ? part.attempt.job : 0,
               part.gpu_type, part.price_plan, part.kind}];
    row.credit = part.kind == live::TransferKind::kPreemptionCredit;
    UsageLine& line = row.line;
    line.tenant = tenant;
    if (named) line.user = part.user;
    if (by_ == UsageBy::kJob) {
      line.job = job_id(part.attempt.job, job.array_job, job.array_index);
      row.job_name = job.name;
    }
    line.gpu_type = part.gpu_type;
    line.price_plan = part.price_plan;
    line.micro_gpu_s += part.micro_gpu_s;
    line.micro_core_s += part.micro_core_s;
    line.energy += part.energy;
    line.price += part.price;
    line.open = line.open || open;
  }
}

std::string FocusReport::csv(const std::string& provider) const {
  std::string text(kHeader);
  for (const auto& [key, row] : rows_) text += row_text(std::get<0>(key), row, provider);
  return text;
}

std::string FocusReport::row_text(std::int64_t month, const Row& row, const std::string& provider) const {
  const UsageLine& line = row.line;
  const bool gpus = line.micro_gpu_s > 0 || (row.credit && !line.gpu_type.empty());
  const std::int64_t amount = gpus ? line.micro_gpu_s : line.micro_core_s;
  const std::string what = gpus ? (line.gpu_type.empty() ? "GPU" : line.gpu_type) : "CPU";
  const std::string account = line.tenant.substr(0, line.tenant.find('/'));
  const std::string cost = euro_text(line.price);
  // Whole seconds that what was used lies in.
  const std::int64_t from_s =
      std::max(live::month_begin_unix_ns(month), from_unix_ns_) / kNanosecondsPerSecond;
  const std::int64_t to_s =
      (std::min(live::month_begin_unix_ns(month + 1), to_unix_ns_) + kNanosecondsPerSecond - 1) /
      kNanosecondsPerSecond;

  Json price;  // What all charges at this price share.
  if (gpus) price["GpuType"] = what;
  price["PricePlan"] = line.price_plan;
  Json tags;
  if (!line.user.empty()) tags["gigawerk/user"] = line.user;
  if (!row.credit)
    tags["gigawerk/energy_kwh"] = fmt::format("{:.6f}", static_cast<double>(line.energy.count()) / 3.6e6);
  if (gpus && !row.credit) tags["gigawerk/core_seconds"] = seconds_text(line.micro_core_s);
  if (line.open) tags["gigawerk/open"] = true;

  std::string text;
  const auto add = [&](std::string_view value) { text += csv_field(value) + ','; };
  const auto add_cost = [&] { text += cost + ','; };  // A minus sign begins no formula here.
  // What is given back is no quantity of anything.
  const auto add_amount = [&](std::string_view value) { add(row.credit ? "" : value); };
  add_cost();
  add(account);
  add(account);  // A tenant's name is what people call it by.
  add("EUR");
  add(date_time(live::month_begin_unix_ns(month + 1) / kNanosecondsPerSecond));
  add(date_time(live::month_begin_unix_ns(month) / kNanosecondsPerSecond));
  add(row.credit ? "Credit" : "Usage");
  add("");  // No correction of an earlier period.
  add(fmt::format("{}{} under price plan {}", row.credit ? "Work lost to preemption: " : "",
                  gpus ? fmt::format("GPU time of {}", what) : "CPU time", line.price_plan));
  add(row.credit ? "One-Time" : "Usage-Based");
  add(date_time(to_s));
  add(date_time(from_s));
  add_amount(seconds_text(amount));
  add_amount(gpus ? "GPU-Seconds" : "Core-Seconds");
  add_cost();
  add_cost();
  add(provider);
  add_cost();
  add_amount(hours_text(amount));  // Prices are by the hour.
  add_amount(gpus ? "GPU-Hours" : "Core-Hours");
  add(provider);
  add(provider);
  add(line.job);
  add(row.job_name);
  add(line.job.empty() ? "" : "Job");
  add("Compute");
  add(gpus ? "GPU Compute" : "CPU Compute");
  add("Other (Compute)");
  add(what);
  add(gpus ? "GPU Usage" : "CPU Usage");
  add(text_of(price));
  add(fmt::format("{}/{}", what, line.price_plan));
  add(line.tenant);
  add(line.tenant);
  return text + csv_field(text_of(tags)) + '\n';
}

}  // namespace gw::api
