// Facts as labelled lines.
#include "top/pages.h"

#include <fmt/format.h>

#include "report/text.h"
#include "top/figures.h"

namespace gw::top {
namespace {

constexpr Look kBold{Hue::kPlain, true, false, false};
constexpr Look kRed{Hue::kRed, false, false, false};

class Lines {
 public:
  explicit Lines(std::int64_t now_ns) : now_ns_(now_ns) {}
  void add(std::string label, std::string text, Look look = {}) {
    if (!text.empty()) lines_.push_back({std::move(label), std::move(text), look});
  }
  void add_time(std::string label, const Json& json, const char* key) {
    const std::int64_t when = time_at(json, key);
    if (when != kNoTime) add(std::move(label), fmt::format("{}{}", date_text(when), ago(when)));
  }
  void heading(std::string text) {
    lines_.push_back({});
    lines_.push_back({std::move(text), "", kBold});
  }
  [[nodiscard]] std::string ago(std::int64_t when) const {
    if (now_ns_ == kNoTime || when > now_ns_) return "";
    return fmt::format(" ({} ago)", short_span((now_ns_ - when) / 1'000'000'000));
  }
  std::vector<TextLine> take() { return std::move(lines_); }

 private:
  std::int64_t now_ns_;
  std::vector<TextLine> lines_;
};

std::string joined(const Json& words) {
  std::string text;
  for (const Json& word : words) {
    if (!word.is_string()) continue;
    if (!text.empty()) text += ' ';
    text += word.get<std::string>();
  }
  return text;
}

std::string asked_text(const Json& job) {
  std::string text = fmt::format("{} node{}", whole_at(job, "nodes"), whole_at(job, "nodes") == 1 ? "" : "s");
  for (const auto& [key, name] : {std::pair{"gpus", "GPU(s)"}, std::pair{"cpus", "CPU(s)"}}) {
    if (number_at(job, key) > 0) text += fmt::format(", {} {}", short_amount(number_at(job, key)), name);
  }
  if (const std::int64_t memory = whole_at(job, "memory_mib"); memory > 0)
    text += fmt::format(", {} a node", short_memory(memory));
  return text + fmt::format(", limit {}", report::format_duration(number_at(job, "limit_s")));
}

void add_explanation(Lines& lines, const Json& explanation) {
  const Json& reason = object_at(explanation, "reason");
  const std::string status = text_at(explanation, "status");
  if (status == "waiting" || status == "blocked" || status == "held") {
    lines.heading("Why it waits");
    const std::int64_t since = time_at(reason, "since");
    lines.add(text_at(reason, "name"), text_at(reason, "text") + (since == kNoTime ? "" : lines.ago(since)),
              {Hue::kYellow, false, false, false});
    if (const Json& facts = object_at(explanation, "facts"); !facts.empty()) {
      const std::int64_t reserved = whole_at(facts, "gpus_reserved");
      lines.add("free now",
                fmt::format("{} GPU(s) of its kind, {} in all;{} {} off",
                            whole_at(facts, "gpus_free_of_its_kind"), whole_at(facts, "gpus_free"),
                            reserved > 0 ? fmt::format(" {} reserved,", reserved) : "",
                            whole_at(facts, "gpus_off")));
      lines.add("waiting", report::format_count(static_cast<std::uint64_t>(
                               std::max<std::int64_t>(0, whole_at(facts, "jobs_waiting")))) +
                               " job(s)");
      if (const Json& promise = object_at(facts, "reservation"); !promise.empty()) {
        const std::string whose = text_at(promise, "job");
        const std::int64_t at = time_at(promise, "at");
        lines.add("reserved",
                  fmt::format("for {} at {}", whose.empty() ? "a job of another tenant" : "job " + whose,
                              at == kNoTime ? "-" : date_text(at)));
      }
    }
  }
  if (const Json& history = list_at(explanation, "history"); !history.empty()) {
    lines.heading("Bound by, since");
    for (const Json& entry : history) {
      const std::int64_t since = time_at(entry, "since");
      lines.add("",
                fmt::format("{}  {}", since == kNoTime ? "-" : date_text(since), text_at(entry, "reason")));
    }
  }
}

}  // namespace

std::vector<TextLine> job_page(const Json& job, const Json& explanation, std::int64_t now_ns) {
  Lines lines(now_ns);
  const JobRow row = read_job(job);
  const bool ended = flag_at(job, "ended");
  const bool bad = ended && row.status != "completed";
  lines.add("status", row.status,
            bad             ? kRed
            : row.running() ? Look{Hue::kGreen, false, false, false}
                            : kBold);
  lines.add("name", row.name);
  lines.add("tenant", row.tenant);
  lines.add("user", row.user);
  lines.add("asks for", asked_text(job));
  if (row.priority != 0) lines.add("priority", fmt::format("{}", row.priority));
  if (row.array_job != 0) {
    const Json& array = object_at(job, "array");
    lines.add("array", fmt::format("task {} of {} of array {}", whole_at(array, "index"),
                                   whole_at(array, "tasks"), row.array_job));
  }
  lines.add_time("submitted", job, "submitted");
  lines.add_time("started", job, "started");
  if (row.running() && row.started_ns != kNoTime && row.limit_s > 0)
    lines.add("ends by", date_text(row.started_ns + row.limit_s * 1'000'000'000));
  lines.add_time("ended", job, "ended_at");
  if (ended) {
    lines.add("exit code", fmt::format("{}", whole_at(job, "exit_code")), bad ? kRed : Look{});
    if (whole_at(job, "signal") != 0) lines.add("signal", fmt::format("{}", whole_at(job, "signal")), kRed);
  }
  lines.add("nodes", row.place);
  lines.add("note", text_at(job, "note"));
  const Json& spec = object_at(job, "spec");
  lines.add("command", joined(list_at(spec, "command")));
  lines.add("folder", text_at(spec, "working_folder"));
  add_explanation(lines, explanation);
  if (const Json& attempts = list_at(job, "attempts"); !attempts.empty()) {
    lines.heading("Attempts");
    for (const Json& attempt : attempts) {
      const std::int64_t began = time_at(attempt, "started"), end = time_at(attempt, "ended_at");
      std::string text = began == kNoTime ? "-" : date_text(began);
      const std::int64_t until = end == kNoTime ? now_ns : end;
      if (began != kNoTime && until != kNoTime)
        text += fmt::format("  {:>6}", short_span((until - began) / 1'000'000'000));
      text += "  " + (end == kNoTime ? std::string("runs") : text_at(attempt, "end"));
      if (end != kNoTime) text += fmt::format("  code {}", whole_at(attempt, "exit_code"));
      text += "  " + text_at(attempt, "place");
      if (const std::string note = text_at(attempt, "note"); !note.empty()) text += "  " + note;
      lines.add(fmt::format("{}", whole_at(attempt, "attempt")), text);
    }
  }
  return lines.take();
}

std::vector<TextLine> node_page(const Json& node, std::int64_t now_ns) {
  Lines lines(now_ns);
  const NodeRow row = read_node(node);
  lines.add("state", row.state, row.state == "up" ? Look{Hue::kGreen, true, false, false} : kBold);
  lines.add("type", row.type);
  if (row.gpus > 0)
    lines.add("GPUs", fmt::format("{} of {} free{}", row.gpus_free, row.gpus,
                                  row.gpu_type.empty() ? "" : ", " + row.gpu_type));
  if (row.cpus > 0)
    lines.add("CPUs", fmt::format("{} of {} free", short_amount(row.cpus_free), short_amount(row.cpus)));
  if (row.memory_mib > 0)
    lines.add("memory",
              fmt::format("{} of {} free", short_memory(row.memory_mib_free), short_memory(row.memory_mib)));
  lines.add("reason", row.reason);
  lines.add("by", text_at(node, "by"));
  lines.add_time("since", node, "since");
  if (const Json& jobs = list_at(node, "jobs"); !jobs.empty()) {
    lines.heading(fmt::format("Jobs here ({})", jobs.size()));
    lines.add("", joined(jobs));
  }
  return lines.take();
}

}  // namespace gw::top
