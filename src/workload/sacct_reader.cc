// sacct rows into jobs: states, trackable resources (TRES), time limits, job steps.
#include "workload/sacct_reader.h"

#include <algorithm>
#include <array>
#include <limits>

#include "workload/table_reader.h"

namespace gw::workload {
namespace {

enum class State : std::uint8_t { kCompleted, kFailed, kCancelled, kTimeout, kPending, kRunning, kUnknown };

/// States and their short forms (sacct(1), "JOB STATE CODES"); `CANCELLED by 1000` and `COMPLETED+` begin
/// with them.
State state_of(std::string_view text) {
  struct Named {
    std::string_view name;
    State state;
  };
  constexpr std::array<Named, 36> kStates = {{
      {"COMPLETED", State::kCompleted},  {"CD", State::kCompleted},
      {"FAILED", State::kFailed},        {"F", State::kFailed},
      {"CANCELLED", State::kCancelled},  {"CA", State::kCancelled},
      {"TIMEOUT", State::kTimeout},      {"TO", State::kTimeout},
      {"NODE_FAIL", State::kFailed},     {"NF", State::kFailed},
      {"OUT_OF_MEMORY", State::kFailed}, {"OOM", State::kFailed},
      {"BOOT_FAIL", State::kFailed},     {"BF", State::kFailed},
      {"DEADLINE", State::kTimeout},     {"DL", State::kTimeout},
      {"PREEMPTED", State::kCancelled},  {"PR", State::kCancelled},
      {"REVOKED", State::kCancelled},    {"RV", State::kCancelled},
      {"REQUEUED", State::kFailed},      {"RQ", State::kFailed},
      {"PENDING", State::kPending},      {"PD", State::kPending},
      {"RUNNING", State::kRunning},      {"R", State::kRunning},
      {"SUSPENDED", State::kRunning},    {"S", State::kRunning},
      {"RESIZING", State::kRunning},     {"RS", State::kRunning},
      {"COMPLETING", State::kRunning},   {"CG", State::kRunning},
      {"CONFIGURING", State::kPending},  {"CF", State::kPending},
      {"REQUEUE_HOLD", State::kPending}, {"STOPPED", State::kRunning},
  }};
  text = text.substr(0, text.find_first_of(" +"));
  for (const Named& named : kStates) {
    if (equals_ignoring_case(text, named.name)) return named.state;
  }
  return State::kUnknown;
}

/// What a TRES list says: `billing=8,cpu=8,gres/gpu:a100=4,gres/gpu=4,mem=64G,node=2`.
struct Tres {
  std::int64_t cpus = 0;
  std::int64_t nodes = 0;
  std::int64_t memory_mib = 0;
  std::int64_t gpus = 0;      ///< `gres/gpu`, else the sum of the typed ones.
  std::string_view gpu_type;  ///< Of the one type named; empty for none or several.
  bool readable = true;
};

Tres parse_tres(std::string_view text) {
  Tres tres;
  std::int64_t typed = 0;
  bool several = false;
  while (!text.empty()) {
    std::string_view entry = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), entry.size() + 1));
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) {
      tres.readable = false;
      return tres;
    }
    const std::string_view name = entry.substr(0, equals);
    const std::string_view amount = entry.substr(equals + 1);
    if (name == "mem") {
      const std::optional<std::int64_t> mib = parse_memory_mib(amount);
      tres.readable = tres.readable && mib.has_value();
      tres.memory_mib = mib.value_or(0);
      continue;
    }
    const bool is_gpu = name.starts_with("gres/gpu") && (name.size() == 8 || name[8] == ':');
    if (name != "cpu" && name != "node" && !is_gpu) continue;  // billing, energy, licences, gpumem, ...
    const std::optional<std::int64_t> count = parse_whole(amount);
    if (!count || *count < 0) {
      tres.readable = false;
      return tres;
    }
    if (name == "cpu") tres.cpus = *count;
    if (name == "node") tres.nodes = *count;
    if (is_gpu && name.size() == 8) tres.gpus = *count;
    if (is_gpu && name.size() > 9) {
      typed += *count;
      several = several || !tres.gpu_type.empty();
      tres.gpu_type = name.substr(9);
    }
  }
  if (tres.gpus == 0) tres.gpus = typed;
  if (several) tres.gpu_type = {};
  return tres;
}

class SacctReader final : public TableReader {
 public:
  SacctReader(std::unique_ptr<ByteSource> source, const TraceOptions& options)
      : TableReader(std::move(source), options, Separator::kPipe) {
    info_.format = TraceFormat::kSacct;
    dates_ = true;  // Also where SLURM_TIME_FORMAT=%s makes them numbers.
  }

  Result<Order> find_order() override {
    const Result<Order> order = JobReader::find_order();
    cpus_are_processors_ = !gpu_seen_;
    return order;
  }

 protected:
  Result<void> take_header() override {
    id_ = column({"JobID", "JobIDRaw"});
    submit_ = column({"Submit"});
    start_ = column({"Start"});
    end_ = column({"End"});
    elapsed_raw_ = column({"ElapsedRaw"});
    elapsed_ = column({"Elapsed"});
    limit_raw_ = column({"TimelimitRaw"});
    limit_ = column({"Timelimit"});
    alloc_tres_ = column({"AllocTRES"});
    req_tres_ = column({"ReqTRES"});
    nodes_ = column({"AllocNodes", "NNodes", "ReqNodes"});
    cpus_ = column({"AllocCPUS", "NCPUS", "ReqCPUS"});
    req_cpus_ = column({"ReqCPUS"});
    memory_ = column({"ReqMem"});
    account_ = column({"Account"});
    user_ = column({"User", "UID"});
    partition_ = column({"Partition"});
    state_ = column({"State"});
    priority_ = column({"Priority"});

    std::vector<std::string> absent;
    if (id_ == kNoColumn) absent.emplace_back("JobID (or JobIDRaw)");
    if (submit_ == kNoColumn) absent.emplace_back("Submit");
    if (elapsed_raw_ == kNoColumn && elapsed_ == kNoColumn && (start_ == kNoColumn || end_ == kNoColumn)) {
      absent.emplace_back("ElapsedRaw (or Elapsed, or Start and End)");
    }
    if (alloc_tres_ == kNoColumn && req_tres_ == kNoColumn && nodes_ == kNoColumn && cpus_ == kNoColumn) {
      absent.emplace_back("AllocTRES (or ReqTRES, NCPUS, NNodes)");
    }
    if (absent.empty()) return {};
    return std::unexpected(missing(absent,
                                   "run sacct -a -P with its header, e.g. "
                                   "--format=JobIDRaw,Submit,Start,End,ElapsedRaw,TimelimitRaw,AllocTRES,"
                                   "ReqTRES,NNodes,NCPUS,Account,User,Partition,State,Priority"));
  }

  const char* take(TraceJob& job) override {
    const std::string_view id = field(id_);
    if (id.empty()) return "job id is missing";
    if (id.find('.') != std::string_view::npos) return leave_out("job step");
    job.id.assign(id);

    State state = State::kCompleted;
    if (state_ != kNoColumn) {
      state = state_of(field(state_));
      if (state == State::kUnknown) return "state is none of Slurm's";
    }
    const std::string_view start_text = field(start_);
    const std::string_view end_text = field(end_);
    if (state_ == kNoColumn) state = state_without_column(start_text, end_text);
    if (state == State::kPending) return leave_out("still pending");
    if (state == State::kRunning) return leave_out("still running: its run time is not known yet");
    if (const char* problem = take_submit(field(submit_), job); problem != nullptr) return problem;

    Nanoseconds run{-1};
    if (const char* problem = take_run(start_text, end_text, run); problem != nullptr) return problem;
    const bool has_start_column = start_ != kNoColumn;
    if (state == State::kCancelled && run == Nanoseconds{} &&
        (!has_start_column || start_text.empty() || start_text == end_text)) {
      return leave_out("cancelled before it started");
    }
    Nanoseconds limit{};
    if (!read_limit(limit)) return "time limit is not readable";
    switch (state) {
      case State::kFailed:
        job.truth.outcome = JobOutcome::kFailed;
        break;
      case State::kCancelled:
        job.truth.outcome = JobOutcome::kCancelled;
        break;
      case State::kTimeout:
        job.truth.outcome = JobOutcome::kTimeout;
        break;
      default:
        job.truth.outcome = JobOutcome::kCompleted;
        break;
    }
    if (const char* problem = take_size(job); problem != nullptr) return problem;
    if (const std::optional<std::int64_t> priority = parse_whole(field(priority_))) {
      job.request.priority = static_cast<std::int32_t>(
          std::clamp<std::int64_t>(*priority, 0, std::numeric_limits<std::int32_t>::max()));
    }
    if (const char* problem = take_run_time(run, limit, job); problem != nullptr) return problem;
    job.request.tenant = tenant({field(account_), field(user_)});
    job.job_class = class_named(field(partition_));
    return nullptr;
  }

 private:
  /// Without a State column: `Unknown` for Start and End says that a job waits, for End alone that it runs.
  [[nodiscard]] State state_without_column(std::string_view start_text, std::string_view end_text) const {
    if (end_ == kNoColumn || !end_text.empty()) return State::kCompleted;
    return start_ != kNoColumn && start_text.empty() ? State::kPending : State::kRunning;
  }

  const char* take_run(std::string_view start_text, std::string_view end_text, Nanoseconds& run) {
    std::optional<Instant> start;
    std::optional<Instant> end;
    if (!start_text.empty() && !(start = time(start_text))) return "start time is not readable";
    if (!end_text.empty() && !(end = time(end_text))) return "end time is not readable";
    if (start && end && *end < *start) return "ends before it starts";
    const std::string_view raw = field(elapsed_raw_);
    const std::string_view text = field(elapsed_);
    std::optional<Nanoseconds> elapsed;
    if (!raw.empty()) {
      elapsed = parse_seconds(raw);
    } else if (!text.empty()) {
      elapsed = parse_elapsed(text);
    } else if (start && end) {
      elapsed = *end - *start;
    } else if (end && !start) {
      elapsed = Nanoseconds{};  // Ended without ever starting.
    } else {
      return "elapsed time is missing";
    }
    if (!elapsed || *elapsed < Nanoseconds{}) return "elapsed time is not readable";
    run = *elapsed;
    return nullptr;
  }

  bool read_limit(Nanoseconds& limit) const {
    const std::string_view raw = field(limit_raw_);
    const std::string_view text = raw.empty() ? field(limit_) : raw;
    limit = {};
    if (text.empty() || equals_ignoring_case(text, "Partition_Limit")) return true;
    if (equals_ignoring_case(text, "UNLIMITED")) {
      limit = kLongestSpan;
      return true;
    }
    if (const std::optional<std::int64_t> minutes_count =
            parse_whole(text)) {  // TimelimitRaw; Slurm's unit of limits.
      if (*minutes_count < 0) return false;
      limit = *minutes_count > kMostSeconds / 60 ? kLongestSpan : minutes(*minutes_count);
      return true;
    }
    const std::optional<Nanoseconds> span = parse_elapsed(text);
    if (span) limit = *span;
    return span.has_value();
  }

  const char* take_size(TraceJob& job) {
    const Tres allocated = parse_tres(field(alloc_tres_));
    const Tres requested = parse_tres(field(req_tres_));
    if (!allocated.readable || !requested.readable) return "resources (TRES) are not readable";
    const auto first = [](std::int64_t a, std::int64_t b) { return a > 0 ? a : b; };
    std::int64_t nodes_column = 0;
    std::int64_t cpus_column = 0;
    if (!read_count(nodes_, nodes_column) || !read_count(cpus_, cpus_column))
      return "node or CPU count is not readable";
    if (cpus_column == 0 && !read_count(req_cpus_, cpus_column)) return "node or CPU count is not readable";
    Resources all;
    all.gpus = first(allocated.gpus, requested.gpus);
    all.nodes = first(first(allocated.nodes, nodes_column), requested.nodes);
    std::int64_t cpus = first(first(allocated.cpus, cpus_column), requested.cpus);
    if (cpus > (std::int64_t{1} << 40)) return "a resource is larger than any machine";
    gpu_seen_ = gpu_seen_ || all.gpus > 0;
    if (cpus_are_processors_) {
      if (cpus == 0) cpus = all.nodes;
      if (cpus == 0) return "no processors requested or allocated";
      return take_resources({.nodes = 0, .gpus = cpus, .cpu_milli = 0, .memory_mib = 0}, job);
    }
    all.cpu_milli = cpus * 1000;
    all.memory_mib = first(allocated.memory_mib, requested.memory_mib);
    if (all.memory_mib == 0 &&
        !read_memory(std::max<std::int64_t>(1, all.nodes), std::max<std::int64_t>(1, cpus), all.memory_mib)) {
      return "requested memory is not readable";
    }
    const std::string_view type =
        req_tres_ != kNoColumn && requested.gpus > 0 ? requested.gpu_type : allocated.gpu_type;
    if (!type.empty()) job.request.shape.gpu_types = type_bit(type);
    return take_resources(all, job);
  }

  bool read_count(int index, std::int64_t& count) const {
    const std::string_view text = field(index);
    if (text.empty()) return true;
    const std::optional<std::int64_t> value = parse_whole(text);
    if (!value || *value < 0) return false;
    count = *value;
    return true;
  }

  /// ReqMem: the whole job's, or per node (`4Gn`) or per CPU (`2Gc`) before Slurm 21.08.
  bool read_memory(std::int64_t nodes, std::int64_t cpus, std::int64_t& mib) const {
    std::string_view text = field(memory_);
    if (text.empty() || text == "?") return true;
    std::int64_t parts = 1;
    if (text.back() == 'n' || text.back() == 'c') {
      parts = text.back() == 'n' ? nodes : cpus;
      text.remove_suffix(1);
    }
    const std::optional<std::int64_t> each = parse_memory_mib(text);
    constexpr std::int64_t kMost = std::int64_t{1} << 50;
    if (!each) return false;
    mib = *each > kMost / parts ? kMost : *each * parts;
    return true;
  }

  int id_ = kNoColumn;
  int submit_ = kNoColumn;
  int start_ = kNoColumn;
  int end_ = kNoColumn;
  int elapsed_raw_ = kNoColumn;
  int elapsed_ = kNoColumn;
  int limit_raw_ = kNoColumn;
  int limit_ = kNoColumn;
  int alloc_tres_ = kNoColumn;
  int req_tres_ = kNoColumn;
  int nodes_ = kNoColumn;
  int cpus_ = kNoColumn;
  int req_cpus_ = kNoColumn;
  int memory_ = kNoColumn;
  int account_ = kNoColumn;
  int user_ = kNoColumn;
  int partition_ = kNoColumn;
  int state_ = kNoColumn;
  int priority_ = kNoColumn;
  bool gpu_seen_ = false;
  bool cpus_are_processors_ = false;
};

}  // namespace

std::unique_ptr<JobReader> sacct_reader(std::unique_ptr<ByteSource> source, const TraceOptions& options) {
  return std::make_unique<SacctReader>(std::move(source), options);
}

}  // namespace gw::workload
