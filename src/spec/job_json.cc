// Reads jobs from JSON with the reader of job files, and writes them.
#include "spec/job_json.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "spec/job_fields.h"
#include "spec/job_spec_file.h"
#include "spec/job_text.h"
#include "spec/json_tree.h"
#include "spec/record_reader.h"

namespace gw::spec {

Checked<JobSpec> parse_job_json(std::string_view text) {
  Findings findings("job");
  const std::optional<JsonTree> tree = JsonTree::parse(text, findings);
  if (!tree) return std::unexpected(findings.take());
  JobRecord record;
  RecordReader(findings).read_record("job", tree->root(), record);
  JobSpec job = build_job(std::move(record), tree->root(), findings);
  if (findings.failed()) return std::unexpected(tree->placed(findings.take()));
  return job;
}

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;  // Where the bytes begin that need no escape and are not written yet.
  for (std::size_t index = 0; index < text.size(); ++index) {
    const char c = text[index];
    if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    out.append(text, plain, index - plain);
    plain = index + 1;
    switch (c) {
      case '"':
      case '\\':
        out += '\\';
        out += c;
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    }
  }
  out.append(text, plain);
  out += '"';
}

namespace {

/// Writes the members of one object.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  ~JsonObject() { out_ += '}'; }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  /// Begins the member; its value is to be appended to what this gives.
  std::string& key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    append_json_text(out_, name);
    out_ += ':';
    return out_;
  }
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) append_json_text(key(name), value);
  }
  void flag(std::string_view name, bool value, bool standard) {
    if (value != standard) key(name) += value ? "true" : "false";
  }
  void number(std::string_view name, std::int64_t value, std::int64_t standard) {
    if (value != standard) fmt::format_to(std::back_inserter(key(name)), "{}", value);
  }
  /// As a decimal without trailing zeros.
  void thousandths(std::string_view name, std::int64_t value) {
    if (value == 0) return;
    fmt::format_to(std::back_inserter(key(name)), "{}.{:03}", value / 1000, value % 1000);
    out_.erase(out_.find_last_not_of('0') + 1);
    if (out_.back() == '.') out_.pop_back();
  }
  void span(std::string_view name, Nanoseconds value, Nanoseconds standard) {
    if (value != standard) append_json_text(key(name), span_text(value));
  }
  void texts(std::string_view name, const std::vector<std::string>& values) {
    if (values.empty()) return;
    char before = '[';
    key(name);
    for (const std::string& value : values) {
      out_ += std::exchange(before, ',');
      append_json_text(out_, value);
    }
    out_ += ']';
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void write_program(JsonObject& object, const JobSpec& job) {
  object.text("name", job.name);
  object.text("tenant", job.tenant);
  object.texts("command", job.command);
  object.text("script", job.script);
  object.texts("arguments", job.arguments);
  object.text("working_folder", job.working_folder);
  if (!job.environment.empty()) {
    JsonObject variables(object.key("environment"));
    for (const auto& [name, value] : job.environment) append_json_text(variables.key(name), value);
  }
  object.text("output", job.output);
  object.text("error", job.error);
  if (job.isolation != Isolation::kNone)
    object.text("isolation", kIsolations[static_cast<std::size_t>(job.isolation)]);
  object.text("image", job.image);
  if (job.launch != LaunchKind::kEveryTask)
    object.text("launch", kLaunches[static_cast<std::size_t>(job.launch)]);
}

void write_resources(JsonObject& object, const JobSpec& job) {
  if (job.nodes == 0) {
    object.number("gpus_anywhere", job.gpus, 0);
  } else {
    object.number("nodes", job.nodes, 1);
    object.number("nodes_max", job.nodes_max, 0);
    object.number("gpus", job.gpus, 0);
  }
  object.thousandths("gpu_share", job.gpu_milli);
  object.texts("gpu_types", job.gpu_types);
  object.thousandths("cpus", job.cpu_milli);
  if (job.memory_mib != 0) object.text("memory", memory_text(job.memory_mib));
  object.number("tasks_per_node", job.tasks_per_node, 1);
  object.text("within", job.level);
  object.flag("within_required", job.level_required, false);
  object.texts("residency", job.law.residency);
  object.texts("excluded_jurisdictions", job.law.excluded_jurisdictions);
  object.texts("certifications", job.law.certifications);
  object.texts("data", job.law.data);
  object.number("segment", job.segment_nodes, 0);
  object.text("segment_level", job.segment_level);
  object.text("exclusive", job.exclusive_level);
  object.text("spread", job.spread_level);
  object.flag("spread_required", job.spread_required, false);
}

void write_times(JsonObject& object, const JobSpec& job) {
  object.span("limit", job.limit, {});
  if (job.warning.signal != 0) {
    JsonObject warning(object.key("warning"));
    warning.text("signal", signal_text(job.warning.signal));
    warning.span("before", job.warning.before, {});
    if (!job.warning.whole_group) warning.text("to", kWarningReceivers[1]);
  }
  object.span("grace", job.grace, JobSpec{}.grace);
  if (job.begin_unix) object.text("begin", time_point_text(*job.begin_unix));
  object.text("reservation", job.reservation);
  if (job.deadline_unix) object.text("deadline", time_point_text(*job.deadline_unix));
  object.flag("flexible", job.flexible, false);
  object.number("priority", job.priority, 0);
  object.flag("hold", job.hold, false);
  object.flag("preemptible", job.preemptible, false);
  object.flag("requeue", job.requeue, true);
  object.flag("keep_on_failure", job.keep_on_failure, false);
  object.span("checkpoint_interval", job.checkpoint_interval, {});
  if (job.array) object.text("array", array_text(*job.array));
  if (!job.dependencies.empty()) {
    std::vector<std::string> texts;
    for (const Dependency& dependency : job.dependencies) texts.push_back(dependency_text(dependency));
    object.texts("depends", texts);
  }
  object.flag("depends_any", job.any_dependency, false);
  object.text("comment", job.comment);
}

}  // namespace

std::string job_json(const JobSpec& job) {
  std::string out;
  out.reserve(512 + job.script.size());
  {
    JsonObject object(out);
    write_program(object, job);
    write_resources(object, job);
    write_times(object, job);
  }
  return out;
}

}  // namespace gw::spec
