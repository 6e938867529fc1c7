// Headers, fields and the parts of jobs that all tables fill in the same way.
#include "workload/table_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace gw::workload {

namespace {
constexpr std::int64_t kMostNodes = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMostPerNode = std::int64_t{1} << 50;
std::string listed(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}
constexpr std::int64_t divided_up(std::int64_t amount, std::int64_t by) { return (amount + by - 1) / by; }
}  // namespace

TableReader::TableReader(std::unique_ptr<ByteSource> source, const TraceOptions& options, Separator separator)
    : JobReader(source->name(), options),
      source_(std::move(source)),
      rows_(separator == Separator::kPipe ? pipe_rows(*source_) : csv_rows(*source_)) {}

std::vector<std::string> TableReader::names_without_header(const Row&) const { return {}; }

Result<void> TableReader::rewind() {
  tally_.clear();
  header_known_ = false;
  first_row_waits_ = false;
  log_times_.reset();
  return rows_->rewind();
}

Result<bool> TableReader::read_header() {
  const Result<bool> there = rows_->next(row_);
  if (!there) return there;
  if (!*there) return fail(fmt::format("{}: is empty; its first row should name the columns", tally_.file()));
  if (row_.problem != nullptr) {
    return fail(fmt::format("{}:{}: {}, and this row should name the columns", tally_.file(), row_.line,
                            row_.problem));
  }
  names_ = names_without_header(row_);
  first_row_waits_ = !names_.empty();
  if (!first_row_waits_) {
    for (const std::string_view name : row_.fields) names_.emplace_back(trimmed(name));
    while (!names_.empty() && names_.back().empty()) names_.pop_back();
  }
  if (const Result<void> taken = take_header(); !taken) return fail(taken.error().message);
  header_known_ = true;
  return true;
}

Result<bool> TableReader::next(TraceJob& job) {
  if (!header_known_) {
    const Result<bool> known = read_header();
    if (!known) return known;
  }
  for (;;) {
    if (first_row_waits_) {
      first_row_waits_ = false;
    } else {
      const Result<bool> there = rows_->next(row_);
      if (!there || !*there) return there;
    }
    tally_.seen();
    if (row_.problem != nullptr) {
      // A spoiled row may have swallowed others: each of its further lines counts as one.
      for (std::uint64_t i = 1; i < row_.lines; ++i) {
        tally_.seen();
        tally_.left_out("line swallowed by a quote that is not closed", row_.line + i);
      }
    }
    const char* problem = row_.problem;
    if (problem == nullptr) {
      while (row_.fields.size() > names_.size() && row_.fields.back().empty()) row_.fields.pop_back();
      if (row_.fields.size() != names_.size()) {
        problem = row_.fields.size() < names_.size() ? "row has fewer columns than the header"
                                                     : "row has more columns than the header";
      } else if (std::equal(names_.begin(), names_.end(), row_.fields.begin())) {
        problem = leave_out("header row repeated");
      } else {
        job.request = JobRequest{};
        job.truth = JobTruth{};
        job.job_class = 0;
        row_times_ = log_times_;
        row_mixes_ = false;
        problem = take(job);
        if (row_mixes_ && problem != kLeftOut) problem = "dates and numbers of seconds are mixed";
      }
    }
    if (problem == nullptr) {
      log_times_ = row_times_;
      if (log_times_ == TimeKind::kDate) dates_ = true;
      tally_.accepted();
      return true;
    }
    if (problem == kLeftOut) continue;
    if (const Result<void> counted = tally_.senseless(problem, row_.line, row_.text); !counted) {
      return fail(counted.error().message);
    }
  }
}

int TableReader::column(std::initializer_list<std::string_view> names) const {
  for (const std::string_view name : names) {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (equals_ignoring_case(names_[i], name)) return static_cast<int>(i);
    }
  }
  return kNoColumn;
}

std::string_view TableReader::field(int index) const {
  if (index == kNoColumn) return {};
  const std::string_view text = trimmed(row_.fields[static_cast<std::size_t>(index)]);
  return is_absent(text) ? std::string_view() : text;
}

Error TableReader::missing(const std::vector<std::string>& columns, std::string_view advice) const {
  return Error{fmt::format("{}:{}: not enough columns: {} missing (there are: {}); {}", tally_.file(),
                           row_.line, listed(columns), excerpt(listed(names_)), advice)};
}

std::optional<Instant> TableReader::time(std::string_view text) {
  std::optional<Instant> time;
  TimeKind kind = TimeKind::kNumber;
  if (const std::optional<Nanoseconds> number = parse_seconds(text)) {
    time = Instant{number->count()};
  } else {
    time = parse_date(text);
    kind = TimeKind::kDate;
  }
  if (!time) return std::nullopt;
  if (!row_times_) row_times_ = kind;
  if (kind == *row_times_) return time;
  row_mixes_ = true;
  return std::nullopt;
}

const char* TableReader::take_submit(std::string_view text, TraceJob& job) {
  if (text.empty()) return "submit time is missing";
  const std::optional<Instant> submit = time(text);
  if (!submit) return "submit time is neither a date nor a number of seconds up to 146 years";
  if (*submit < Instant{}) return "submit time is negative";
  job.request.submit = *submit;
  return nullptr;
}

const char* TableReader::take_run_time(Nanoseconds run, Nanoseconds limit, TraceJob& job) {
  if (run < Nanoseconds{}) return "ends before it starts";
  if (run > kLongestSpan) return "run time is beyond 146 years";
  job.truth.run_time = run;
  take_limit(limit, row_.line, job);
  return nullptr;
}

const char* TableReader::take_resources(const Resources& all, TraceJob& job) {
  Shape& shape = job.request.shape;
  if (all.nodes < 0 || all.gpus < 0 || all.cpu_milli < 0 || all.memory_mib < 0)
    return "a resource is negative";
  if (all.nodes > kMostNodes || all.gpus > kMostNodes || all.cpu_milli > kMostPerNode ||
      all.memory_mib > kMostPerNode) {
    return "a resource is larger than any machine";
  }
  if (options_.max_processors != 0 && static_cast<std::uint64_t>(all.gpus) > options_.max_processors) {
    return "more processors requested than the machine has";
  }
  if (all.gpus == 0 && all.cpu_milli == 0 && all.memory_mib == 0 && all.nodes == 0) return "asks for nothing";
  std::int64_t nodes = all.nodes;
  if (all.gpus == 0) nodes = std::max<std::int64_t>(1, nodes);
  if (nodes > 0 && all.gpus % nodes != 0) {
    adjusted("GPUs do not divide evenly over the nodes: placed anywhere");
    nodes = 0;
  }
  const std::int64_t parts = std::max<std::int64_t>(1, nodes);
  shape.nodes = static_cast<std::uint32_t>(nodes);
  shape.gpus = static_cast<std::uint32_t>(all.gpus / parts);
  shape.cpu_milli = divided_up(all.cpu_milli, parts);
  shape.memory_mib = divided_up(all.memory_mib, parts);
  return nullptr;
}

std::uint8_t TableReader::class_named(std::string_view name) {
  if (name.empty()) return 0;
  for (std::size_t i = 1; i < classes_.size(); ++i) {
    if (classes_[i] == name) return static_cast<std::uint8_t>(i);
  }
  if (classes_.size() > std::numeric_limits<std::uint8_t>::max()) {
    adjusted("more than 255 classes: counted as `job`");
    return 0;
  }
  classes_.emplace_back(name);
  return static_cast<std::uint8_t>(classes_.size() - 1);
}

std::uint64_t TableReader::type_bit(std::string_view name) {
  for (std::size_t i = 0; i < gpu_types_.size(); ++i) {
    if (gpu_types_[i] == name) return std::uint64_t{1} << i;
  }
  if (gpu_types_.size() == 64) {
    adjusted("more than 64 GPU types: any type taken");
    return 0;
  }
  gpu_types_.emplace_back(name);
  return std::uint64_t{1} << (gpu_types_.size() - 1);
}

TenantId TableReader::tenant(std::initializer_list<std::string_view> path) {
  TenantId at = TenantTree::root();
  for (const std::string_view name : path) {
    if (!name.empty()) at = tenants_.child(at, name);
  }
  return at == TenantTree::root() ? tenants_.child(at, "all") : at;
}

}  // namespace gw::workload
