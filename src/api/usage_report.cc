// Sums and their two forms.
#include "api/usage_report.h"

#include <fmt/format.h>

#include "live/time_text.h"

namespace gw::api {

std::string hours_text(std::int64_t micro_s) {
  // Whole micro-hours, rounded half up: micro_s / 3600.
  const std::int64_t micro_hours = (micro_s + 1800) / 3600;
  return fmt::format("{}.{:06}", micro_hours / 1'000'000, micro_hours % 1'000'000);
}

std::string euro_text(MicroEuros price) {
  const std::int64_t count = price.count();
  const std::int64_t size = count < 0 ? -count : count;
  return fmt::format("{}{}.{:06}", count < 0 ? "-" : "", size / 1'000'000, size % 1'000'000);
}

std::string csv_field(std::string_view text) {
  std::string safe(text);
  if (!safe.empty() && std::string_view("=+-@\t\r").find(safe.front()) != std::string_view::npos)
    safe.insert(0, 1, '\'');
  if (safe.find_first_of(",\"\r\n") == std::string::npos) return safe;
  std::string quoted = "\"";
  for (const char c : safe) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

void UsageReport::add(const live::UsageRow& row, const std::string& tenant, bool open) {
  std::vector<std::string> key{by_ == UsageBy::kGpuType ? "" : tenant, "", "", row.gpu_type, row.price_plan};
  if (by_ == UsageBy::kUser || by_ == UsageBy::kJob) key[1] = row.user;
  if (by_ == UsageBy::kJob) key[2] = fmt::format("{:020}", row.attempt.job);
  UsageLine& line = lines_[key];
  line.tenant = key[0];
  line.user = key[1];
  line.job = by_ == UsageBy::kJob ? job_id(row.attempt.job, row.array_job, row.array_index) : "";
  line.gpu_type = row.gpu_type;
  line.price_plan = row.price_plan;
  const bool credit = row.kind == live::TransferKind::kPreemptionCredit;
  if (credit) line.credit += row.price;
  line.attempts += !credit;
  line.micro_gpu_s += row.micro_gpu_s;
  line.micro_core_s += row.micro_core_s;
  line.energy += row.energy;
  line.price += row.price;
  line.open = line.open || open;
}

std::vector<UsageLine> UsageReport::lines() const {
  std::vector<UsageLine> lines;
  for (const auto& [key, line] : lines_) lines.push_back(line);
  return lines;
}

Json UsageReport::json() const {
  Json json;
  json["from"] = live::time_text(from_unix_ns_);
  json["to"] = live::time_text(to_unix_ns_);
  json["lines"] = Json::array();
  UsageLine sum;
  for (const auto& [key, line] : lines_) {
    Json each;
    if (by_ != UsageBy::kGpuType) each["tenant"] = line.tenant;
    if (!line.user.empty()) each["user"] = line.user;
    if (!line.job.empty()) each["job"] = line.job;
    each["gpu_type"] = line.gpu_type;
    each["price_plan"] = line.price_plan;
    each["attempts"] = line.attempts;
    each["gpu_seconds"] = static_cast<double>(line.micro_gpu_s) / 1e6;
    each["core_seconds"] = static_cast<double>(line.micro_core_s) / 1e6;
    each["energy_j"] = line.energy.count();
    each["price_micro_eur"] = line.price.count();
    each["credit_micro_eur"] = line.credit.count();
    each["open"] = line.open;
    json["lines"].push_back(std::move(each));
    sum.attempts += line.attempts;
    sum.micro_gpu_s += line.micro_gpu_s;
    sum.micro_core_s += line.micro_core_s;
    sum.energy += line.energy;
    sum.price += line.price;
    sum.credit += line.credit;
  }
  json["total"] = {{"attempts", sum.attempts},
                   {"gpu_seconds", static_cast<double>(sum.micro_gpu_s) / 1e6},
                   {"core_seconds", static_cast<double>(sum.micro_core_s) / 1e6},
                   {"energy_j", sum.energy.count()},
                   {"price_micro_eur", sum.price.count()},
                   {"credit_micro_eur", sum.credit.count()}};
  return json;
}

std::string UsageReport::csv() const {
  std::string text =
      "tenant,user,job,gpu_type,price_plan,attempts,gpu_hours,core_hours,energy_kwh,price_eur,open,credit_"
      "eur\n";
  for (const auto& [key, line] : lines_)
    text += fmt::format("{},{},{},{},{},{},{},{},{:.6f},{},{},{}\n", csv_field(line.tenant),
                        csv_field(line.user), line.job, csv_field(line.gpu_type), csv_field(line.price_plan),
                        line.attempts, hours_text(line.micro_gpu_s), hours_text(line.micro_core_s),
                        static_cast<double>(line.energy.count()) / 3.6e6, euro_text(line.price),
                        line.open ? 1 : 0, euro_text(line.credit));
  return text;
}

}  // namespace gw::api
