// Reads the values of sbatch's options, but for --begin.
#include "spec/sbatch_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "spec/described.h"
#include "spec/job_check.h"
#include "spec/job_text.h"
#include "spec/near_miss.h"
#include "spec/number.h"
#include "spec/sbatch_options.h"

namespace gw::spec {

namespace {

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::string upper(std::string_view text) {
  std::string large(text);
  std::transform(large.begin(), large.end(), large.begin(), [](char c) { return upper(c); });
  return large;
}

/// The parts between `separators`; at least one, perhaps empty.
std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find_first_of(separators);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// Numbers between colons.
std::optional<std::vector<std::int64_t>> numbers(std::string_view text) {
  std::vector<std::int64_t> all;
  for (const std::string_view part : split(text, ":")) {
    const std::optional<std::uint64_t> number = whole_number(part, job_limits::kLongestSeconds);
    if (!number || all.size() == 3) return std::nullopt;
    all.push_back(static_cast<std::int64_t>(*number));
  }
  return all;
}

}  // namespace

// --- Times ---

Result<Nanoseconds> sbatch_time(std::string_view text) {
  const std::string large = upper(text);
  if (large == "UNLIMITED" || large == "INFINITE" || large == "-1")
    return seconds(job_limits::kLongestSeconds);
  const std::size_t dash = text.find('-');
  const std::optional<std::vector<std::int64_t>> parts =
      numbers(dash == std::string_view::npos ? text : text.substr(dash + 1));
  const std::optional<std::uint64_t> days =
      dash == std::string_view::npos ? 0 : whole_number(text.substr(0, dash), job_limits::kLongestSeconds);
  if (!parts || !days)
    return fail(fmt::format(
        "\"{}\" is no time; write minutes, mm:ss, hh:mm:ss, d-hh, d-hh:mm, d-hh:mm:ss or UNLIMITED",
        shown(text)));
  std::int64_t units[4] = {static_cast<std::int64_t>(*days), 0, 0, 0};  // Days, hours, minutes, seconds.
  const std::size_t first = dash != std::string_view::npos || parts->size() == 3 ? 1 : 2;
  std::copy(parts->begin(), parts->end(), units + first);
  // Each is at most a hundred years of seconds, so that the sum is far from overflowing.
  const std::int64_t sum = units[0] * 86400 + units[1] * 3600 + units[2] * 60 + units[3];
  if (sum > job_limits::kLongestSeconds)
    return fail(fmt::format("\"{}\" is longer than a hundred years; write UNLIMITED", shown(text)));
  return seconds(sum == 0 ? job_limits::kLongestSeconds : sum);
}

// --- Numbers and sizes ---

Result<std::int64_t> sbatch_count(std::string_view text, std::int64_t low, std::int64_t high) {
  const bool negative = low < 0 && text.starts_with('-');
  const std::optional<std::uint64_t> number =
      whole_number(negative ? text.substr(1) : text, static_cast<std::uint64_t>(negative ? -low : high));
  if (!number || (!negative && static_cast<std::int64_t>(*number) < low))
    return fail(fmt::format("\"{}\" is no whole number from {} to {}", shown(text), low, high));
  return negative ? -static_cast<std::int64_t>(*number) : static_cast<std::int64_t>(*number);
}

Result<std::int64_t> sbatch_memory(std::string_view text) {
  std::string_view digits = text;
  if (digits.size() >= 2 && upper(digits.back()) == 'B') digits.remove_suffix(1);
  const char unit = digits.empty() ? 'M' : upper(digits.back());
  const int shift = unit == 'G' ? 10 : unit == 'T' ? 20 : 0;
  const bool has_unit = unit == 'K' || unit == 'M' || unit == 'G' || unit == 'T';
  if (has_unit && !digits.empty()) digits.remove_suffix(1);
  const std::optional<std::uint64_t> number =
      whole_number(digits, std::uint64_t{job_limits::kMemoryMib} << 10);
  if (!number || (!has_unit && digits.size() != text.size()))
    return fail(
        fmt::format("\"{}\" is no size; write for example 64G (units: K, M, G, T; none is M)", shown(text)));
  const auto count = static_cast<std::int64_t>(*number);
  if (unit == 'K') return (count + 1023) / 1024;
  if (count > job_limits::kMemoryMib >> shift)
    return fail(fmt::format("\"{}\" is more than 1 EiB", shown(text)));
  return count << shift;
}

Result<SbatchNodes> sbatch_nodes(std::string_view text) {
  const auto number = [](std::string_view part) -> std::optional<std::int64_t> {
    std::int64_t factor = 1;
    if (!part.empty() && upper(part.back()) == 'K') factor = 1 << 10;
    if (!part.empty() && upper(part.back()) == 'M') factor = 1 << 20;
    if (factor != 1) part.remove_suffix(1);
    const std::optional<std::uint64_t> count = whole_number(part, job_limits::kNodes);
    if (!count || *count == 0 || static_cast<std::int64_t>(*count) * factor > job_limits::kNodes)
      return std::nullopt;
    return static_cast<std::int64_t>(*count) * factor;
  };
  const std::size_t dash = text.find('-');
  const std::optional<std::int64_t> least = number(text.substr(0, dash));
  const std::optional<std::int64_t> most =
      dash == std::string_view::npos ? least : number(text.substr(dash + 1));
  if (text.find_first_of(",:") != std::string_view::npos)
    return fail(fmt::format(
        "Gigawerk does not choose between single numbers of nodes; write one, such as {}, or a range",
        least.value_or(2)));
  if (!least || !most)
    return fail(fmt::format("\"{}\" is no number of nodes from 1 to {}", shown(text), job_limits::kNodes));
  if (*most < *least)
    return fail(fmt::format("\"{}\" begins with more nodes than it ends with", shown(text)));
  return SbatchNodes{*least, *most};
}

// --- GPUs and other resources ---

Result<SbatchGpus> sbatch_gpus(std::string_view text) {
  if (text.find(',') != std::string_view::npos)
    return fail(
        "a job's GPUs are all of one kind here; ask for one, or list alternatives as `gpu_types` in a job "
        "file");
  SbatchGpus gpus;
  const std::size_t colon = text.rfind(':');
  std::string_view type = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  std::string_view count = colon == std::string_view::npos ? text : text.substr(colon + 1);
  if (colon == std::string_view::npos && !text.empty() && (text.front() < '0' || text.front() > '9')) {
    type = text;
    count = "1";
  }
  const std::optional<std::uint64_t> number = whole_number(count, job_limits::kGpusAnywhere);
  if (!number || (colon != std::string_view::npos && type.empty()))
    return fail(fmt::format("\"{}\" is no number of GPUs; write for example 4 or h100:4", shown(text)));
  if (!type.empty() && !is_text(Text::kName, type))
    return fail(fmt::format("\"{}\" is no type of GPU; write for example h100:4", shown(type)));
  gpus.count = static_cast<std::int64_t>(*number);
  gpus.type = type;
  return gpus;
}

std::vector<SbatchResource> sbatch_resources(std::string_view text) {
  std::vector<SbatchResource> all;
  for (std::string_view entry : split(text, ",")) {
    if (entry.starts_with("gres/") || entry.starts_with("gres:")) entry.remove_prefix(5);
    const std::size_t end = entry.find_first_of(":=");
    all.push_back({std::string(entry.substr(0, end)),
                   end == std::string_view::npos ? "" : std::string(entry.substr(end + 1))});
  }
  return all;
}

// --- Signals ---

Result<SbatchSignal> sbatch_signal(std::string_view text) {
  SbatchSignal wanted;
  std::string_view rest = text;
  if (const std::size_t colon = rest.find(':'); colon != std::string_view::npos) {
    for (const char flag : rest.substr(0, colon)) {
      if (upper(flag) != 'B' && upper(flag) != 'R')
        return fail(fmt::format("\"{}\" stands before the colon, where only B and R may",
                                shown(rest.substr(0, colon))));
      (upper(flag) == 'B' ? wanted.shell_only : wanted.within_reservation) = true;
    }
    rest.remove_prefix(colon + 1);
  }
  const std::size_t at = rest.find('@');
  if (at != std::string_view::npos) {
    const Result<std::int64_t> before = sbatch_count(rest.substr(at + 1), 1, 65535);
    if (!before) return fail(before.error().message + " (seconds before the limit)");
    wanted.before_s = *before;
  }
  const Result<int> signal = parse_signal(rest.substr(0, at));
  if (!signal) return fail(signal.error().message);
  wanted.signal = *signal;
  return wanted;
}

// --- Environment ---

namespace {

/// Entries between commas; a value in single or double quotes may hold commas.
std::optional<std::vector<std::string>> split_export(std::string_view text) {
  std::vector<std::string> entries(1);
  char quote = 0;
  for (const char c : text) {
    if (quote == 0 && c == ',') {
      entries.emplace_back();
    } else if (quote == 0 && (c == '\'' || c == '"') && entries.back().ends_with('=')) {
      quote = c;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else {
      entries.back() += c;
    }
  }
  if (quote != 0) return std::nullopt;
  return entries;
}

}  // namespace

Result<SbatchExport> sbatch_export(std::string_view text) {
  const std::string large = upper(text);
  if (large == "ALL") return SbatchExport{};
  if (large == "NONE" || large == "NIL") return SbatchExport{false, {}, {}};
  const std::optional<std::vector<std::string>> entries = split_export(text);
  if (!entries) return fail("a quote has no partner");
  SbatchExport wanted{false, {}, {}};
  for (const std::string& entry : *entries) {
    const std::size_t equals = entry.find('=');
    const std::string name = entry.substr(0, equals);
    if (equals == std::string_view::npos && upper(name) == "ALL") {
      wanted.all = true;
      continue;
    }
    if (!is_text(Text::kVariable, name))
      return fail(fmt::format("\"{}\" is no variable's name; write for example ALL,EPOCHS=3", shown(name)));
    if (equals == std::string_view::npos) {
      wanted.names.push_back(name);
    } else {
      wanted.values.emplace_back(name, entry.substr(equals + 1));
    }
  }
  return wanted;
}

// --- Dependencies ---

namespace {

/// Kinds that Slurm knows and Gigawerk does not.
bool is_foreign_kind(std::string_view kind) {
  return kind == "singleton" || kind == "aftercorr" || kind == "afterburstbuffer" || kind == "expand";
}

/// Whether `id` names a job in a way that Gigawerk has none for: one task of an array, or a delay after its
/// start.
bool is_foreign_job(std::string_view id) {
  const std::size_t sign = id.find_first_of("_+");
  return sign != std::string_view::npos && whole_number(id.substr(0, sign), kLargestJobNumber) &&
         whole_number(id.substr(sign + 1), kLargestJobNumber);
}

}  // namespace

Result<SbatchDependencies> sbatch_dependencies(std::string_view text) {
  SbatchDependencies wanted;
  wanted.any = text.find('?') != std::string_view::npos;
  if (wanted.any && text.find(',') != std::string_view::npos)
    return fail("`,` (all must hold) and `?` (one will do) cannot be mixed; keep one of them");
  for (const std::string_view entry : split(text, ",?")) {
    const std::vector<std::string_view> parts = split(entry, ":");
    if (is_foreign_kind(parts.front())) {
      wanted.unsupported.emplace_back(entry);
      continue;
    }
    // A number alone means afterany.
    const bool bare = !entry.empty() && entry.front() >= '0' && entry.front() <= '9';
    const Result<DependencyKind> kind =
        bare ? DependencyKind::kAfterAny : parse_dependency_kind(parts.front());
    if (!kind) return fail(kind.error().message);
    if (!bare && parts.size() == 1)
      return fail(fmt::format("\"{0}\" names no job; write for example {0}:12", entry));
    for (std::size_t index = bare ? 0 : 1; index < parts.size(); ++index) {
      if (is_foreign_job(parts[index])) {
        wanted.unsupported.push_back(bare ? std::string(parts[index])
                                          : fmt::format("{}:{}", parts.front(), parts[index]));
        continue;
      }
      const std::optional<std::uint64_t> job = whole_number(parts[index], kLargestJobNumber);
      if (!job || *job == 0) return fail(fmt::format("\"{}\" is no job's number", shown(parts[index])));
      wanted.jobs.push_back({*kind, *job});
    }
  }
  return wanted;
}

}  // namespace gw::spec
