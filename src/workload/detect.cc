// Telling formats apart by comment marks, separators and the names of columns.
#include "workload/detect.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "workload/field_text.h"

namespace gw::workload {
namespace {

std::string_view first_line(std::string_view text) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!trimmed(line).empty()) return trimmed(line);
  }
  return {};
}

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  for (std::size_t from = 0;;) {
    const std::size_t to = line.find(separator, from);
    std::string_view field = trimmed(line.substr(from, to - from));
    if (field.size() >= 2 && field.front() == '"' && field.back() == '"')
      field = field.substr(1, field.size() - 2);
    fields.push_back(field);
    if (to == std::string_view::npos) return fields;
    from = to + 1;
  }
}

class Header {
 public:
  explicit Header(std::vector<std::string_view> names) : names_(std::move(names)) {}
  [[nodiscard]] bool has(std::string_view name) const {
    return std::any_of(names_.begin(), names_.end(),
                       [name](std::string_view n) { return equals_ignoring_case(n, name); });
  }
  [[nodiscard]] bool has_all(std::initializer_list<std::string_view> names) const {
    return std::all_of(names.begin(), names.end(), [this](std::string_view name) { return has(name); });
  }

 private:
  std::vector<std::string_view> names_;
};

/// A line of numbers between blanks, as many as SWF has (or nearly, so that a broken first row is still SWF).
bool is_swf_row(std::string_view line) {
  std::size_t numbers = 0;
  while (!line.empty()) {
    const std::size_t size = std::min(line.size(), line.find_first_of(" \t"));
    if (!parse_thousandths(line.substr(0, size))) return false;
    ++numbers;
    line = trimmed(line.substr(size));
  }
  return numbers >= 10;
}

bool is_pai_status(std::string_view text) {
  return text == "Terminated" || text == "Failed" || text == "Running" || text == "Waiting" ||
         text == "Interrupted";
}

std::string all_names() {
  std::string names;
  for (const TraceFormatName& format : trace_format_names()) {
    if (!names.empty()) names += ", ";
    names += format.name;
  }
  return names;
}

/// What a compressed file is to be unpacked with; empty for others.
std::string_view unpacker(std::string_view text) {
  if (text.starts_with("\x1f\x8b")) return "zcat";
  if (text.starts_with("\x28\xb5\x2f\xfd")) return "zstdcat";
  if (text.starts_with("\xfd\x37zXZ")) return "xzcat";
  if (text.starts_with("BZh")) return "bzcat";
  if (text.starts_with("PK\x03\x04")) return "unzip -p";
  return {};
}

}  // namespace

bool begins_like_json(std::string_view beginning) {
  if (beginning.starts_with("\xef\xbb\xbf")) beginning.remove_prefix(3);
  const std::size_t at = beginning.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && (beginning[at] == '[' || beginning[at] == '{');
}

Result<TraceFormat> detect_format(std::string_view beginning, const std::string& name) {
  if (const std::string_view tool = unpacker(beginning); !tool.empty()) {
    return fail(fmt::format("{0}: is compressed; unpack it on the way: {1} {0} | gw replay -", name, tool));
  }
  if (beginning.starts_with("\xef\xbb\xbf")) beginning.remove_prefix(3);
  const std::string_view line = first_line(beginning);
  if (line.empty()) return fail(fmt::format("{}: is empty; a recorded workload has at least one row", name));
  if (line.front() == ';' || is_swf_row(line)) return TraceFormat::kSwf;
  if (begins_like_json(beginning)) {
    if (beginning.find("\"submitted_time\"") != std::string_view::npos ||
        beginning.find("\"attempts\"") != std::string_view::npos) {
      return TraceFormat::kPhilly;
    }
  } else if (line.find('|') != std::string_view::npos && line.find(',') == std::string_view::npos) {
    const Header header(split(line, '|'));
    if (header.has("JobID") || header.has("JobIDRaw") || header.has("Submit")) return TraceFormat::kSacct;
    return fail(
        fmt::format("{}:1: looks like sacct without its header; run sacct -P without -n (--noheader)", name));
  } else if (line.starts_with("JobID") && line.find(',') == std::string_view::npos) {
    return fail(
        fmt::format("{}:1: looks like sacct's table for people, which cuts its fields; run sacct -P", name));
  } else {
    const std::vector<std::string_view> fields = split(line, ',');
    const Header header(fields);
    if (header.has_all({"name", "num_gpu", "cpu_milli"})) return TraceFormat::kAlibabaGpu2023;
    if (header.has_all({"sn", "gpu", "model"}) || header.has_all({"vc", "node num"}) ||
        header.has_all({"machine", "cap_gpu"})) {
      return fail(fmt::format(
          "{}: is a list of nodes; give it as the fleet, and the list of jobs as the trace", name));
    }
    if (header.has_all({"job_name", "start_time"}) || header.has_all({"job_id", "num_inst", "num_gpu"}) ||
        ((fields.size() == 10 || fields.size() == 6) && is_pai_status(fields[3]))) {
      return TraceFormat::kAlibabaPai2020;
    }
    if (header.has_all({"job_id", "gpu_num"}))
      return header.has("vc") ? TraceFormat::kHelios : TraceFormat::kAcme;
    if (header.has_all({"duration", "num_gpus"})) return TraceFormat::kPhilly;
  }
  return fail(fmt::format("{}: its first line does not tell which format this is: `{}`; name one of {}", name,
                          line.substr(0, 60), all_names()));
}

}  // namespace gw::workload
