// SWF rows into jobs: 18 numbers per line, header comments after `;`.
#include "workload/swf_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <unordered_map>

#include "workload/field_text.h"
#include "workload/line_reader.h"
#include "workload/number_text.h"

namespace gw::workload {
namespace {

/// Columns as the standard numbers them, from 0.
enum Column : std::uint8_t {
  kJob,
  kSubmit,
  kWait,
  kRun,
  kAllocated,
  kCpu,
  kMemoryUsed,
  kProcessors,
  kTime,
  kMemory,
  kStatus,
  kUser,
  kGroup,
  kExecutable,
  kQueue,
  kPartition,
  kPreceding,
  kThink,
  kColumns
};

/// A number in thousandths, as times may have decimals: value * 1000 with the digits after the third dropped.
struct Number {
  std::int64_t whole;
  std::int32_t milli;  // Of the same sign as `whole`.
};

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// Reads one number and stops behind it; nullptr when there is none or it does not end at a blank. Needs
/// kDigitSlack readable bytes behind `end`.
inline const char* read_number(const char* at, const char* end, Number& number) {
  // Most columns of most logs are -1 or one digit: taking them by branches lets the processor run ahead.
  if (end - at > 2) [[likely]] {
    if (at[0] == '-' && at[1] == '1' && is_blank(at[2])) {
      number = {-1, 0};
      return at + 2;
    }
    if (static_cast<unsigned char>(at[0] - '0') <= 9 && is_blank(at[1])) {
      number = {at[0] - '0', 0};
      return at + 1;
    }
  }
  const bool negative = at != end && *at == '-';
  if (negative || (at != end && *at == '+')) ++at;
  std::int64_t value = 0;
  const char* behind = read_digits(at, end, value);
  bool any = behind != at;
  at = behind;
  std::int32_t milli = 0;
  if (at != end && *at == '.') [[unlikely]] {
    ++at;
    std::int32_t unit = 100;
    while (at != end && static_cast<unsigned char>(*at - '0') <= 9) {
      milli += unit * (*at - '0');
      unit /= 10;
      any = true;
      ++at;
    }
  }
  if (!any || (at != end && !is_blank(*at))) return nullptr;
  number.whole = negative ? -value : value;
  number.milli = negative ? -milli : milli;
  return at;
}

bool is_positive(const Number& number) { return number.whole > 0 || number.milli > 0; }
bool is_negative(const Number& number) { return number.whole < 0 || number.milli < 0; }

Nanoseconds span_of(const Number& seconds_and_milli) {
  return Nanoseconds{seconds_and_milli.whole * kNanosecondsPerSecond +
                     seconds_and_milli.milli * std::int64_t{1'000'000}};
}

class SwfReader final : public JobReader {
 public:
  SwfReader(std::unique_ptr<ByteSource> source, const TraceOptions& options)
      : JobReader(source->name(), options), source_(std::move(source)), lines_(*source_) {
    info_.format = TraceFormat::kSwf;
  }

  Result<void> rewind() override {
    tally_.clear();
    return lines_.rewind();
  }

  Result<bool> next(TraceJob& job) override {
    std::string_view line;
    for (;;) {
      const Result<bool> there = lines_.next(line);
      if (!there) return there;
      if (!*there) return false;
      const char* at = skip_blanks(line.data(), line.data() + line.size());
      if (at == line.data() + line.size() || *at == ';') continue;
      tally_.seen();
      const char* problem = take(line, at, job);
      if (problem == nullptr) {
        tally_.accepted();
        return true;
      }
      if (problem == kLeftOut) continue;
      if (const Result<void> counted = tally_.senseless(problem, lines_.number(), line); !counted) {
        return fail(counted.error().message);
      }
    }
  }

  Result<Order> find_order() override {
    if (const Result<void> back = rewind(); !back) return fail(back.error().message);
    Order order;
    std::string_view line;
    bool in_header = true;
    std::int64_t last = std::numeric_limits<std::int64_t>::min();
    for (;;) {
      const Result<bool> there = lines_.next(line);
      if (!there) return fail(there.error().message);
      if (!*there) break;
      const char* end = line.data() + line.size();
      const char* at = skip_blanks(line.data(), end);
      if (at == end) continue;
      if (*at == ';') {
        if (in_header) take_header(std::string_view(at + 1, static_cast<std::size_t>(end - at - 1)));
        continue;
      }
      in_header = false;
      ++order.rows;
      while (at != end && !is_blank(*at)) ++at;
      Number submit;
      if (read_number(skip_blanks(at, end), end, submit) == nullptr || is_negative(submit)) continue;
      const std::int64_t milli = std::min(submit.whole, kMostSeconds) * 1000 + submit.milli;
      if (milli < last) order.sorted = false;
      last = milli;
    }
    name_classes();
    return order;
  }

 private:
  static constexpr char kLeftOut[] = "";  // Told apart by its address.

  static const char* skip_blanks(const char* at, const char* end) {
    while (at != end && is_blank(*at)) ++at;
    return at;
  }

  /// Fills `job`; else the reason why the row makes no sense, or kLeftOut where it was counted already.
  const char* take(std::string_view line, const char* at, TraceJob& job) {
    if (lines_.cut()) return "line is longer than 64 KiB";
    const char* end = line.data() + line.size();
    std::array<Number, kColumns> columns;
    const char* first = at;
    const char* first_end = at;
    std::size_t count = 0;
    for (; count < kColumns && at != end; ++count) {
      const char* behind = read_number(at, end, columns[count]);
      if (behind == nullptr) {
        return line.find('\0') != std::string_view::npos ? "row holds a NUL byte"
                                                         : "a column is not a number";
      }
      if (count == 0) first_end = behind;
      at = behind != end && behind + 1 != end && !is_blank(behind[1]) ? behind + 1 : skip_blanks(behind, end);
    }
    if (at != end) return "row has more than 18 columns";
    if (count != kColumns) return "row has fewer than 18 columns";

    const std::int64_t status = columns[kStatus].whole;
    if (status < -1 || status > 5 || columns[kStatus].milli != 0) return "status is not one of -1 to 5";
    if (status >= 2 && status <= 4)
      return leave_out("partial execution (the job's first row stands for all of it)");
    const Number& run = columns[kRun];
    const bool no_run_time = run.whole == -1 && run.milli == 0;
    if (status == 5 && (no_run_time || (!is_positive(run) && columns[kAllocated].whole <= 0))) {
      return leave_out("cancelled before it started");
    }
    const Number& submit = columns[kSubmit];
    if (is_negative(submit)) return "submit time is missing or negative";
    if (submit.whole > kMostSeconds) return "submit time is beyond 146 years";
    if (is_negative(run)) return "run time is missing or negative";
    if (run.whole > kMostSeconds) return "run time is beyond 146 years";

    std::int64_t processors = columns[kProcessors].whole;
    if (processors <= 0) {
      processors = columns[kAllocated].whole;
      if (processors <= 0) return "no processors requested or allocated";
      adjusted("no requested processors: those allocated taken");
    }
    if (processors > std::numeric_limits<std::int32_t>::max() ||
        (options_.max_processors != 0 && static_cast<std::uint64_t>(processors) > options_.max_processors)) {
      return "more processors requested than the machine has";
    }

    job.request = JobRequest{};
    job.id.assign(first, static_cast<std::size_t>(first_end - first));
    job.request.shape.nodes = 0;
    job.request.shape.gpus = static_cast<std::uint32_t>(processors);
    job.request.submit = Instant{span_of(submit).count()};
    job.truth.run_time = span_of(run);
    job.truth.outcome = status == 0   ? JobOutcome::kFailed
                        : status == 5 ? JobOutcome::kCancelled
                                      : JobOutcome::kCompleted;
    const Number& requested = columns[kTime];
    take_limit(!is_positive(requested)          ? Nanoseconds{}
               : requested.whole > kMostSeconds ? kLongestSpan
                                                : span_of(requested),
               lines_.number(), job);
    if (options_.use_memory) take_memory(columns, processors, job);
    job.request.tenant = tenant(columns[kGroup].whole, columns[kUser].whole);
    job.job_class = class_of(columns[class_column_].whole);
    return nullptr;
  }

  void take_memory(const std::array<Number, kColumns>& columns, std::int64_t processors, TraceJob& job) {
    const std::int64_t kilobytes = columns[kMemory].whole;
    if (kilobytes <= 0) return;
    constexpr std::int64_t kMost = std::int64_t{1} << 40;
    const std::int64_t mib = (std::min(kilobytes, kMost) + 1023) / 1024;
    job.request.shape.memory_mib = mib > kMost / processors ? kMost : mib * processors;
  }

  const char* leave_out(const char* reason) {
    tally_.left_out(reason, lines_.number());
    return kLeftOut;
  }
  void adjusted(const char* reason) { tally_.adjusted(reason, lines_.number()); }

  TenantId tenant(std::int64_t group, std::int64_t user) {
    if (group == last_group_ && user == last_user_) return last_tenant_;
    last_group_ = group;
    last_user_ = user;
    const std::int64_t known_group = std::max<std::int64_t>(group, -1);
    const std::int64_t known_user = std::max<std::int64_t>(user, -1);
    auto [entry, is_new] = by_number_.try_emplace(std::pair{known_group, known_user});
    if (is_new) {
      if (known_group < 0) {
        entry->second =
            tenants_.child(TenantTree::root(), known_user < 0 ? "all" : fmt::format("user-{}", user));
      } else {
        const TenantId parent = tenants_.child(TenantTree::root(), fmt::format("group-{}", group));
        entry->second =
            tenants_.child(parent, known_user < 0 ? "user-unknown" : fmt::format("user-{}", user));
      }
    }
    return last_tenant_ = entry->second;
  }

  void take_header(std::string_view text);
  void name_classes();
  std::uint8_t class_of(std::int64_t number) const {
    if (classes_.size() == 1) return 0;
    for (const auto& [named, index] : class_numbers_) {
      if (named == number) return index;
    }
    return 0;
  }

  struct PairHash {
    std::size_t operator()(const std::pair<std::int64_t, std::int64_t>& key) const {
      return static_cast<std::size_t>(key.first) * 0x9e3779b97f4a7c15U ^ static_cast<std::size_t>(key.second);
    }
  };

  std::unique_ptr<ByteSource> source_;
  LineReader lines_;
  std::size_t header_bytes_ = 0;
  Column class_column_ = kQueue;
  std::vector<std::pair<std::int64_t, std::uint8_t>> class_numbers_;
  std::unordered_map<std::pair<std::int64_t, std::int64_t>, TenantId, PairHash> by_number_;  // Look-ups only.
  std::int64_t last_group_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t last_user_ = std::numeric_limits<std::int64_t>::min();
  TenantId last_tenant_;
};

/// The number that `text` begins with (`1024 (512 until 2003)` gives 1024); none without one.
std::optional<std::int64_t> leading_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [behind, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || behind == text.data()) return std::nullopt;
  return value;
}

/// `; Label: text`. A line without a label continues the one before and is kept under it.
void SwfReader::take_header(std::string_view text) {
  constexpr std::size_t kMostHeader = 256 * 1024;  // A file of comments alone must not fill the memory.
  text = trimmed(text);
  const std::size_t colon = text.find(':');
  const std::string_view label = colon == std::string_view::npos ? "" : trimmed(text.substr(0, colon));
  const bool is_label =
      !label.empty() && label.find_first_of(" \t/") == std::string_view::npos && label != "http";
  if (text.empty() || header_bytes_ + text.size() > kMostHeader) return;
  header_bytes_ += text.size() + 64;
  const std::string_view value = is_label ? trimmed(text.substr(colon + 1)) : text;
  const std::string key(is_label ? label : "Note");
  std::string& kept = info_.header[key];
  if (!kept.empty()) kept += '\n';
  kept += value;
  if (!is_label) return;
  const std::optional<std::int64_t> number = leading_number(value);
  const std::uint64_t count = number && *number > 0 ? static_cast<std::uint64_t>(*number) : 0;
  if (label == "MaxProcs") info_.max_processors = count;
  if (label == "MaxNodes") info_.max_nodes = count;
  if (label == "MaxJobs") info_.max_jobs = count;
  if (label == "UnixStartTime" && count > 0) info_.zero_unix_s = *number;
}

/// Job classes from `; Queue: <number> <name>` lines, or else from `; Partition:` lines.
void SwfReader::name_classes() {
  if (info_.max_processors == 0)
    info_.max_processors = info_.max_nodes;  // One processor per node unless said.
  if (classes_.size() > 1) return;
  for (const auto& [label, column] : {std::pair{"Queue", kQueue}, std::pair{"Partition", kPartition}}) {
    const auto lines = info_.header.find(label);
    if (lines == info_.header.end()) continue;
    class_column_ = column;
    std::string_view rest = lines->second;
    while (!rest.empty() && classes_.size() < 255) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      const std::optional<std::int64_t> number = leading_number(line);
      if (!number) continue;
      std::string_view name =
          trimmed(line.substr(std::min(line.size(), line.find_first_not_of("-0123456789"))));
      name = name.substr(0, name.find_first_of(" \t"));
      class_numbers_.emplace_back(*number, static_cast<std::uint8_t>(classes_.size()));
      classes_.push_back(name.empty()
                             ? fmt::format("{}-{}", column == kQueue ? "queue" : "partition", *number)
                             : std::string(name));
    }
    if (classes_.size() > 1) return;
  }
}

}  // namespace

std::unique_ptr<JobReader> swf_reader(std::unique_ptr<ByteSource> source, const TraceOptions& options) {
  return std::make_unique<SwfReader>(std::move(source), options);
}

}  // namespace gw::workload
