// Reads job files: text to tree, tree to record, record to JobSpec.
#include "spec/job_spec_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <utility>

#include "base/utf8.h"
#include "spec/catalog.h"
#include "spec/job_check.h"
#include "spec/job_fields.h"
#include "spec/job_text.h"
#include "spec/near_miss.h"
#include "spec/record_reader.h"

namespace gw::spec {

namespace {

/// Keys without whose values others mean nothing, and those on which they depend beside the keys that the
/// message about them names.
constexpr std::pair<std::string_view, std::string_view> kDepends[] = {
    {"command", "script"},          {"image", "isolation"},         {"nodes_max", "nodes"},
    {"nodes_max", "gpus_anywhere"}, {"nodes_max", "gpu_share"},     {"nodes_max", "checkpoint_interval"},
    {"gpu_types", "gpus"},          {"gpu_types", "gpu_share"},     {"gpu_types", "gpus_anywhere"},
    {"gpus_anywhere", "nodes"},     {"segment", "nodes"},           {"segment", "gpu_share"},
    {"segment", "gpus_anywhere"},   {"spread", "gpu_share"},        {"spread", "gpus_anywhere"},
    {"exclusive", "gpu_share"},     {"exclusive", "gpus_anywhere"}, {"warning.before", "limit"},
    {"within_required", "within"},  {"keep_on_failure", "requeue"}, {"flexible", "deadline"},
    {"depends_any", "depends"},     {"arguments", "script"}};

/// What of a job's mapping could not be read: what the job would be without it says nothing about the rest.
class Unread {
 public:
  Unread(const YamlNode& job, const Findings& findings) {
    if (!findings.failed()) return;
    for (const Diagnostic& finding : Findings(findings).take()) marks_.insert(finding.at);
    for (std::size_t index = 0; index + 1 < job.items.size(); index += 2) {
      const std::string& key = job.items[index]->text;
      if (!marks_.contains(job.items[index]->at) && !is_in(*job.items[index + 1])) continue;
      keys_.insert(key);
      for (const auto& [kept, other] : kDepends) {  // Of one that is misspelt the right one is meant.
        for (const std::string_view known : {kept, other}) {
          if (nearest_name(key, std::span(&known, 1))) keys_.emplace(known);
        }
      }
    }
    // That there is neither has been said.
    if (job.find("command") == nullptr && job.find("script") == nullptr) keys_.insert("command");
  }

  /// Of what was never there, too.
  [[nodiscard]] bool has(Mark at) const { return at == Mark{} || marks_.contains(at); }
  /// Does a problem follow from what could not be read?
  [[nodiscard]] bool explains(const JobProblem& problem) const {
    return std::any_of(keys_.begin(), keys_.end(), [&](const std::string& key) {
      if (problem.key == key || problem.key.starts_with(key + ".")) return true;
      if (problem.message.find(fmt::format("\"{}\"", key)) != std::string::npos) return true;
      return std::find(std::begin(kDepends), std::end(kDepends),
                       std::pair<std::string_view, std::string_view>{problem.key, key}) != std::end(kDepends);
    });
  }

 private:
  [[nodiscard]] bool is_in(const YamlNode& node) const {
    return marks_.contains(node.at) || std::any_of(node.items.begin(), node.items.end(),
                                                   [&](const YamlNode* item) { return is_in(*item); });
  }

  std::set<Mark> marks_;
  std::set<std::string> keys_;
};

/// Takes a text apart with one of the readers of job_text.h.
template <class T>
std::optional<T> taken(std::string_view key, const Located<std::string>& text,
                       Result<T> (*parse)(std::string_view), const Unread& unread, Findings& findings) {
  if (unread.has(text.at)) return std::nullopt;
  Result<T> value = parse(text.value);
  if (value) return std::move(*value);
  findings.error(text.at, fmt::format("\"{}\": {}", key, value.error().message));
  return std::nullopt;
}

/// `value` in thousandths.
std::int64_t thousandths(std::string_view key, const Located<double>& value, Findings& findings) {
  const double rounded = std::round(value.value * 1000);
  if (rounded / 1000 != value.value)  // The closest double of a text with three decimals passes.
    findings.error(value.at,
                   fmt::format("\"{}\" counts thousandths; write {}", key, std::max(rounded, 1.0) / 1000));
  return static_cast<std::int64_t>(rounded);
}

/// The node of a key such as `warning.before`, or the innermost mapping on the way that is there.
const YamlNode& node_of(std::string_view key, const YamlNode& job) {
  const YamlNode* node = &job;
  for (;;) {
    const std::size_t dot = key.find('.');
    const YamlNode* next = node->find(key.substr(0, dot));
    if (next == nullptr) return *node;
    node = next;
    if (dot == std::string_view::npos) return *node;
    key.remove_prefix(dot + 1);
  }
}

void build_environment(Texts&& texts, JobSpec& job) {
  job.environment.reserve(texts.entries.size());
  for (Texts::Entry& entry : texts.entries)
    job.environment.emplace_back(std::move(entry.name), std::move(entry.text));
  std::sort(job.environment.begin(), job.environment.end());
}

void build_resources(const JobRecord& record, JobSpec& job, Findings& findings) {
  // A number of 0 could not be read.
  job.nodes = record.gpus_anywhere ? 0 : std::max(record.nodes.value_or(1), 1U);
  job.nodes_max = record.nodes_max == job.nodes ? 0 : record.nodes_max;
  job.gpus = record.gpus_anywhere ? *record.gpus_anywhere : record.gpus.value_or(0);
  if (record.gpu_share)
    job.gpu_milli = static_cast<std::uint32_t>(thousandths("gpu_share", *record.gpu_share, findings));
  if (record.cpus) job.cpu_milli = thousandths("cpus", *record.cpus, findings);
  job.memory_mib = record.memory.count() >> 20;
  job.tasks_per_node = record.tasks_per_node;
  job.level_required = record.within_required;
  job.law = {record.residency, record.excluded_jurisdictions, record.certifications, record.data};
  job.segment_nodes = record.segment;
  job.spread_required = record.spread_required;
}

void build_times(const JobRecord& record, JobSpec& job, const Unread& unread, Findings& findings) {
  job.limit = record.limit;
  job.grace = record.grace;
  job.checkpoint_interval = record.checkpoint_interval;
  if (record.warning) {
    if (const std::optional<int> signal =
            taken("signal", record.warning->signal, &parse_signal, unread, findings))
      job.warning = {*signal, record.warning->before, record.warning->to == "all"};
  }
  if (record.begin) job.begin_unix = taken("begin", *record.begin, &parse_time_point, unread, findings);
  if (record.deadline)
    job.deadline_unix = taken("deadline", *record.deadline, &parse_time_point, unread, findings);
  job.flexible = record.flexible;
  if (record.array) job.array = taken("array", *record.array, &parse_array, unread, findings);
  for (const Located<std::string>& text : record.depends) {
    if (const std::optional<Dependency> dependency =
            taken("depends", text, &parse_dependency, unread, findings))
      job.dependencies.push_back(*dependency);
  }
}

}  // namespace

JobSpec build_job(JobRecord&& record, const YamlNode& node, Findings& findings) {
  JobSpec job;
  if (node.kind != YamlNode::Kind::kMap) return job;
  const Unread unread(node, findings);
  job.name = std::move(record.name);
  job.tenant = std::move(record.tenant);
  job.command = std::move(record.command);
  job.script = std::move(record.script);
  job.arguments = std::move(record.arguments);
  job.working_folder = std::move(record.working_folder);
  build_environment(std::move(record.environment), job);
  job.output = std::move(record.output);
  job.error = std::move(record.error);
  job.image = std::move(record.image);
  const std::string isolation = record.isolation.value_or(job.image.empty() ? "none" : "container");
  job.isolation = isolation == "container"    ? Isolation::kContainer
                  : isolation == "bubblewrap" ? Isolation::kBubblewrap
                                              : Isolation::kNone;
  job.launch = record.launch == "first-node" ? LaunchKind::kFirstNode : LaunchKind::kEveryTask;
  job.gpu_types = std::move(record.gpu_types);
  job.level = std::move(record.within);
  job.segment_level = std::move(record.segment_level);
  job.exclusive_level = std::move(record.exclusive);
  job.spread_level = std::move(record.spread);
  job.reservation = std::move(record.reservation);
  build_resources(record, job, findings);
  build_times(record, job, unread, findings);
  job.priority = record.priority;
  job.hold = record.hold;
  job.preemptible = record.preemptible;
  job.requeue = record.requeue;
  job.keep_on_failure = record.keep_on_failure;
  job.any_dependency = record.depends_any;
  job.comment = std::move(record.comment);
  const Unread wrong(node, findings);
  for (JobProblem& problem : check_job(job)) {
    if (!wrong.explains(problem)) findings.error(node_of(problem.key, node).at, std::move(problem.message));
  }
  return job;
}

Checked<JobSpec> parse_job(std::string_view text, const std::string& file_name) {
  Findings findings(file_name);
  if (!is_utf8(text)) {
    findings.error({}, "the file is not UTF-8; convert it, for example with `iconv -f latin1 -t utf-8`");
    return std::unexpected(findings.take());
  }
  const std::optional<YamlTree> tree = YamlTree::parse(text, findings);
  if (!tree) return std::unexpected(findings.take());
  JobFile file;
  RecordReader(findings).read_record("job file", tree->root(), file);
  const YamlNode* node = tree->root().find("job");
  if (node == nullptr) return std::unexpected(findings.take());  // So the reader said.
  JobSpec job = build_job(std::move(file.job), *node, findings);
  if (findings.failed()) return std::unexpected(findings.take());
  return job;
}

Checked<JobSpec> read_job(const std::string& path) {
  const Checked<std::string> text = read_text_file(path);
  if (!text) return std::unexpected(text.error());
  return parse_job(*text, path);
}

bool looks_like_job(std::string_view text) {
  Findings findings("");
  const std::optional<YamlTree> tree = YamlTree::parse(text, findings);
  return tree && tree->root().find("job") != nullptr;
}

}  // namespace gw::spec
