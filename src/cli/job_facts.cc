// Words for jobs.
#include "cli/job_facts.h"

#include <fmt/format.h>

#include <filesystem>

#include "cli/server_access.h"
#include "report/text.h"

namespace gw {

using client::Json;

std::string number_text(const Json& json) {
  if (!json.is_number()) return "-";
  const double value = json.get<double>();
  return value == 0 ? "-" : fmt::format("{:g}", value);
}

std::string limit_text(const Json& job) { return report::format_duration(job.value("limit_s", 0.0)); }

std::string leaving_text(const Json& job) {
  if (!job.contains("leaving_for")) return "leaving";
  return fmt::format("leaving for job {}", job.at("leaving_for").get<std::uint64_t>());
}

std::string where_text(const Json& job) {
  const std::string status = job.value("status", "");
  if (status == "running") {
    return job.value("place", "") + (job.value("leaving", false) ? ", " + leaving_text(job) : "");
  }
  std::string text;
  if (job.contains("reason")) {
    text = "(" + job.at("reason").get<std::string>() + ")";
  } else if (job.value("ended", false) && status == "failed") {
    text = job.contains("signal") ? fmt::format("signal {}", job.at("signal").get<int>())
                                  : fmt::format("exit {}", job.value("exit_code", 0));
  }
  const std::string note = job.value("note", "");
  if (!note.empty()) text += (text.empty() ? "" : " ") + note;
  return text;
}

std::string output_file(const Json& job, const char* stream) {
  if (!job.contains("spec") || !job.at("spec").is_object()) return {};
  const Json& spec = job.at("spec");
  const std::string pattern = spec.value(stream, "");
  if (pattern.empty()) return {};
  const bool in_array = job.contains("array");
  const std::string number = fmt::format("{}", job.value("number", std::uint64_t{0}));
  std::string name;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char kind = pattern[at] == '%' && at + 1 < pattern.size() ? pattern[at + 1] : '\0';
    std::optional<std::string> value;
    if (kind == '%') value = "%";
    if (kind == 'j') value = number;
    if (kind == 'A')
      value = in_array ? fmt::format("{}", job.at("array").value("job", std::uint64_t{0})) : number;
    if (kind == 'a' && in_array) value = fmt::format("{}", job.at("array").value("index", std::uint64_t{0}));
    if (kind == 'x') value = job.value("name", "");
    if (kind == 'u') value = job.value("user", "");
    name += value ? *value : std::string(1, pattern[at]);
    if (value) ++at;
  }
  return (std::filesystem::path(spec.value("working_folder", "")) / name).lexically_normal().string();
}

bool is_whole_array(std::string_view id, const Json& job) {
  return job.contains("array") && id.find('_') == std::string_view::npos &&
         job.at("array").value("job", std::uint64_t{0}) == job.value("number", std::uint64_t{1}) &&
         job.at("array").value("tasks", std::uint64_t{1}) > 1;
}

std::optional<ExitCode> refuse_array(const AppContext& context, client::Connection& connection,
                                     std::string_view id, std::string_view command) {
  if (id.find('_') != std::string_view::npos) return std::nullopt;
  const std::expected<Json, client::Failure> job = connection.get("/v1/jobs/" + client::escaped(id));
  if (!job) return report_failure(context, job.error());
  if (!is_whole_array(id, *job)) return std::nullopt;
  print_error(context,
              fmt::format("{} is an array of {} tasks; ask for one of them: gw {} {}", id,
                          job->at("array").value("tasks", std::uint64_t{0}), command, job->value("id", "")));
  return ExitCode::usage;
}

std::string ranges_text(const std::vector<std::uint64_t>& indices) {
  constexpr int kMost = 6;
  std::string text;
  int pieces = 0;
  for (std::size_t first = 0; first < indices.size();) {
    std::size_t last = first;
    while (last + 1 < indices.size() && indices[last + 1] == indices[last] + 1) ++last;
    if (++pieces > kMost) return text + ",...";
    text += (text.empty() ? "" : ",") + fmt::format("{}", indices[first]);
    if (last > first) text += fmt::format("{}{}", last == first + 1 ? "," : "-", indices[last]);
    first = last + 1;
  }
  return text;
}

}  // namespace gw
