// RunFacts as JSON.
#include "report/run_facts.h"

#include <fmt/format.h>

#include "report/text.h"

namespace gw::report {
namespace {

std::uint64_t total(const std::map<std::string, workload::RowCounts::Skipped>& reasons) {
  std::uint64_t rows = 0;
  for (const auto& [reason, each] : reasons) rows += each.count;
  return rows;
}

Json counted(const std::map<std::string, workload::RowCounts::Skipped>& reasons) {
  Json json = Json::object();
  for (const auto& [reason, each] : reasons) json[reason] = {{"count", each.count}, {"first", each.first}};
  return json;
}

}  // namespace

std::string rows_sentence(const workload::RowCounts& rows) {
  const std::uint64_t skipped = total(rows.skipped);
  const std::uint64_t adjusted = total(rows.adjusted);
  if (skipped == 0 && adjusted == 0) return "";
  return fmt::format("{} left out, {} adjusted, of {} read", format_count(skipped), format_count(adjusted),
                     format_count(rows.rows));
}

void add_facts(Json& report, const RunFacts& facts) {
  report["workload"] = {{"kind", facts.generated ? "generated" : "recorded"},
                        {"jobs", facts.jobs},
                        {"fingerprint", facts.fingerprint}};
  if (!facts.generated) {
    report["rows"] = {{"read", facts.rows.rows},
                      {"accepted", facts.rows.accepted},
                      {"skipped", counted(facts.rows.skipped)},
                      {"adjusted", counted(facts.rows.adjusted)}};
  }
  Json& rejected = report["jobs"]["rejected_detail"] = Json::array();
  for (const RejectedGroup& group : facts.rejected) {
    Json row = {{"why", group.why}, {"jobs", group.jobs}, {"example", group.example}};
    if (!group.gpu_types.empty()) row["gpu_types"] = group.gpu_types;
    rejected.push_back(std::move(row));
  }
  report["notes"] = facts.notes;
}

}  // namespace gw::report
