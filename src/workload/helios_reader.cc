// Helios and Acme rows into jobs.
#include "workload/helios_reader.h"

#include <array>

#include "workload/table_reader.h"

namespace gw::workload {
namespace {

class HeliosReader final : public TableReader {
 public:
  HeliosReader(std::unique_ptr<ByteSource> source, const TraceOptions& options, TraceFormat format)
      : TableReader(std::move(source), options, Separator::kComma) {
    info_.format = format;
  }

 protected:
  Result<void> take_header() override {
    id_ = column({"job_id", "jobid"});
    user_ = column({"user"});
    cluster_ = column({"vc"});
    gpus_ = column({"gpu_num"});
    cpus_ = column({"cpu_num"});
    nodes_ = column({"node_num"});
    memory_per_node_ = column({"mem_per_pod_GB"});
    type_ = column({"type"});
    state_ = column({"state"});
    submit_ = column({"submit_time"});
    start_ = column({"start_time"});
    end_ = column({"end_time"});
    duration_ = column({"duration"});
    std::vector<std::string> absent;
    if (id_ == kNoColumn) absent.emplace_back("job_id");
    if (gpus_ == kNoColumn) absent.emplace_back("gpu_num");
    if (submit_ == kNoColumn) absent.emplace_back("submit_time");
    if (duration_ == kNoColumn && (start_ == kNoColumn || end_ == kNoColumn)) {
      absent.emplace_back("duration (or start_time and end_time)");
    }
    if (absent.empty()) return {};
    return std::unexpected(
        missing(absent, "take cluster_log.csv, trace_seren.csv or trace_kalos.csv as published"));
  }

  const char* take(TraceJob& job) override {
    job.id.assign(field(id_));
    if (job.id.empty()) return "job id is missing";
    if (const char* problem = take_submit(field(submit_), job); problem != nullptr) return problem;
    const std::string_view state = field(state_);
    if (equals_ignoring_case(state, "PENDING")) return leave_out("still pending");
    if (equals_ignoring_case(state, "RUNNING"))
      return leave_out("still running: its run time is not known yet");
    if (state_ != kNoColumn && !read_outcome(state, job.truth.outcome)) return "state is not a known one";

    Nanoseconds run{};
    if (const char* problem = take_run(job.truth.outcome, run); problem != nullptr) return problem;
    if (const char* problem = take_shape(job); problem != nullptr) return problem;
    if (const char* problem = take_run_time(run, {}, job); problem != nullptr) return problem;
    job.request.tenant = tenant({field(cluster_), field(user_)});
    job.job_class = class_named(field(type_));
    return nullptr;
  }

 private:
  static bool read_outcome(std::string_view state, JobOutcome& outcome) {
    struct Named {
      std::string_view name;
      JobOutcome outcome;
    };
    constexpr std::array<Named, 9> kStates = {{{"COMPLETED", JobOutcome::kCompleted},
                                               {"CANCELLED", JobOutcome::kCancelled},
                                               {"FAILED", JobOutcome::kFailed},
                                               {"TIMEOUT", JobOutcome::kTimeout},
                                               {"NODE_FAIL", JobOutcome::kFailed},
                                               {"OUT_OF_MEMORY", JobOutcome::kFailed},
                                               {"PREEMPTED", JobOutcome::kCancelled},
                                               {"SUSPENDED", JobOutcome::kCancelled},
                                               {"STOPPED", JobOutcome::kCancelled}}};
    for (const Named& named : kStates) {
      if (!equals_ignoring_case(state, named.name)) continue;
      outcome = named.outcome;
      return true;
    }
    return false;
  }

  /// End minus start where both stand there (Kalos counts the waiting into `duration`), else `duration`.
  const char* take_run(JobOutcome outcome, Nanoseconds& run) {
    const std::string_view start_text = field(start_);
    const std::string_view end_text = field(end_);
    std::optional<Instant> start;
    std::optional<Instant> end;
    if (!start_text.empty() && !(start = time(start_text))) return "start time is not readable";
    if (!end_text.empty() && !(end = time(end_text))) return "end time is not readable";
    if (start && end) {
      run = *end - *start;
      return nullptr;
    }
    if (start_ != kNoColumn && start_text.empty() && outcome == JobOutcome::kCancelled) {
      return leave_out("cancelled before it started");
    }
    const std::string_view duration_text = field(duration_);
    if (duration_text.empty()) return "run time is missing or negative";
    const std::optional<Nanoseconds> duration = parse_seconds(duration_text);
    if (!duration || *duration < Nanoseconds{}) return "run time is missing or negative";
    run = *duration;
    return nullptr;
  }

  const char* take_shape(TraceJob& job) {
    const auto amount = [this](int index) {
      const std::string_view text = field(index);
      return text.empty() ? std::optional<std::int64_t>(0) : parse_thousandths(text);
    };
    const std::optional<std::int64_t> gpus = amount(gpus_);
    const std::optional<std::int64_t> cpus = amount(cpus_);
    const std::optional<std::int64_t> nodes = amount(nodes_);
    const std::optional<std::int64_t> memory_gb = amount(memory_per_node_);
    if (!gpus || !cpus || !nodes || !memory_gb) return "a resource is not a number";
    if (*gpus % 1000 != 0 || *nodes % 1000 != 0) return "a number of GPUs or nodes is not whole";
    constexpr std::int64_t kMost = std::int64_t{1} << 40;
    if (*memory_gb < 0 || *memory_gb > kMost || *nodes < 0 || *nodes / 1000 > (std::int64_t{1} << 20)) {
      return "a resource is larger than any machine";
    }
    const std::int64_t node_count = *nodes / 1000;
    const std::int64_t per_node_mib = (*memory_gb * 1024 + 999) / 1000;
    if (per_node_mib > (std::int64_t{1} << 28)) return "a resource is larger than any machine";
    return take_resources({.nodes = node_count,
                           .gpus = *gpus / 1000,
                           .cpu_milli = *cpus,
                           .memory_mib = per_node_mib * (node_count == 0 ? 1 : node_count)},
                          job);
  }

  int id_ = kNoColumn;
  int user_ = kNoColumn;
  int cluster_ = kNoColumn;
  int gpus_ = kNoColumn;
  int cpus_ = kNoColumn;
  int nodes_ = kNoColumn;
  int memory_per_node_ = kNoColumn;
  int type_ = kNoColumn;
  int state_ = kNoColumn;
  int submit_ = kNoColumn;
  int start_ = kNoColumn;
  int end_ = kNoColumn;
  int duration_ = kNoColumn;
};

}  // namespace

std::unique_ptr<JobReader> helios_reader(std::unique_ptr<ByteSource> source, const TraceOptions& options,
                                         TraceFormat format) {
  return std::make_unique<HeliosReader>(std::move(source), options, format);
}

}  // namespace gw::workload
