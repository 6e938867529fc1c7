// Pods and PAI tasks into jobs.
#include "workload/alibaba_reader.h"

#include <algorithm>

#include "workload/table_reader.h"

namespace gw::workload {
namespace {

class PodReader final : public TableReader {
 public:
  PodReader(std::unique_ptr<ByteSource> source, const TraceOptions& options)
      : TableReader(std::move(source), options, Separator::kComma) {
    info_.format = TraceFormat::kAlibabaGpu2023;
  }

 protected:
  Result<void> take_header() override {
    name_ = column({"name"});
    cpu_ = column({"cpu_milli"});
    memory_ = column({"memory_mib"});
    gpus_ = column({"num_gpu"});
    share_ = column({"gpu_milli"});
    types_ = column({"gpu_spec"});
    qos_ = column({"qos"});
    phase_ = column({"pod_phase"});
    creation_ = column({"creation_time"});
    deletion_ = column({"deletion_time"});
    scheduled_ = column({"scheduled_time"});
    std::vector<std::string> absent;
    const auto need = [&](int index, const char* name) {
      if (index == kNoColumn) absent.emplace_back(name);
    };
    need(name_, "name");
    need(gpus_, "num_gpu");
    need(creation_, "creation_time");
    need(deletion_, "deletion_time");
    need(scheduled_, "scheduled_time");
    if (absent.empty()) return {};
    return std::unexpected(
        missing(absent,
                "take a pod list with times, e.g. openb_pod_list_default.csv; node lists are fleets, "
                "not traces"));
  }

  const char* take(TraceJob& job) override {
    job.id.assign(field(name_));
    if (job.id.empty()) return "job id is missing";
    if (const char* problem = take_submit(field(creation_), job); problem != nullptr) return problem;
    const std::string_view scheduled_text = field(scheduled_);
    if (scheduled_text.empty()) return leave_out("never scheduled: how long it would have run is not known");
    const std::optional<Instant> scheduled = time(scheduled_text);
    if (!scheduled) return "scheduled time is not readable";
    if (*scheduled < job.request.submit) return "scheduled before it was created";
    const std::string_view deletion_text = field(deletion_);
    if (deletion_text.empty()) return leave_out("still running: its run time is not known yet");
    const std::optional<Instant> deletion = time(deletion_text);
    if (!deletion) return "deletion time is not readable";

    if (const char* problem = take_shape(job); problem != nullptr) return problem;
    // A running pod that was deleted ran as long as its owner wanted it.
    job.truth.outcome = field(phase_) == "Failed" ? JobOutcome::kFailed : JobOutcome::kCompleted;
    if (const char* problem = take_run_time(*deletion - *scheduled, {}, job); problem != nullptr)
      return problem;
    const std::string_view qos = field(qos_);
    job.request.priority = qos == "LS" || qos == "Guaranteed" ? 2 : qos == "Burstable" ? 1 : 0;
    job.request.preemptible = qos == "BE";
    job.job_class = class_named(qos);
    job.request.tenant = tenant({});
    return nullptr;
  }

 private:
  const char* take_shape(TraceJob& job) {
    const auto amount = [this](int index) {
      const std::string_view text = field(index);
      return text.empty() ? std::optional<std::int64_t>(0) : parse_whole(text);
    };
    const std::optional<std::int64_t> cpu = amount(cpu_);
    const std::optional<std::int64_t> memory = amount(memory_);
    const std::optional<std::int64_t> gpus = amount(gpus_);
    const std::optional<std::int64_t> share = amount(share_);
    if (!cpu || !memory || !gpus || !share) return "a resource is not a number";
    if (*share < 0 || *share > 1000) return "gpu_milli is not between 0 and 1000";
    if (const char* problem =
            take_resources({.nodes = 1, .gpus = *gpus, .cpu_milli = *cpu, .memory_mib = *memory}, job);
        problem != nullptr) {
      return problem;
    }
    if (*gpus == 1 && *share > 0 && *share < 1000) {
      job.request.shape.gpus = 0;
      job.request.shape.gpu_milli = static_cast<std::uint32_t>(*share);
    } else if (*gpus > 1 && *share > 0 && *share < 1000) {
      return "asks for shares of several GPUs";
    }
    std::string_view types = field(types_);
    while (!types.empty()) {
      const std::string_view type = types.substr(0, types.find('|'));
      types.remove_prefix(std::min(types.size(), type.size() + 1));
      if (!type.empty()) job.request.shape.gpu_types |= type_bit(type);
    }
    return nullptr;
  }

  int name_ = kNoColumn;
  int cpu_ = kNoColumn;
  int memory_ = kNoColumn;
  int gpus_ = kNoColumn;
  int share_ = kNoColumn;
  int types_ = kNoColumn;
  int qos_ = kNoColumn;
  int phase_ = kNoColumn;
  int creation_ = kNoColumn;
  int deletion_ = kNoColumn;
  int scheduled_ = kNoColumn;
};

class PaiReader final : public TableReader {
 public:
  PaiReader(std::unique_ptr<ByteSource> source, const TraceOptions& options)
      : TableReader(std::move(source), options, Separator::kComma) {
    info_.format = TraceFormat::kAlibabaPai2020;
  }

 protected:
  /// The published tables come without a header; their `.header` files say this.
  std::vector<std::string> names_without_header(const Row& first) const override {
    const auto is_status = [&first](std::size_t index) {
      const std::string_view text = trimmed(first.fields[index]);
      return text == "Terminated" || text == "Failed" || text == "Running" || text == "Waiting" ||
             text == "Interrupted";
    };
    if (first.fields.size() == 10 && is_status(3)) {
      return {"job_name", "task_name", "inst_num", "status",   "start_time",
              "end_time", "plan_cpu",  "plan_mem", "plan_gpu", "gpu_type"};
    }
    if (first.fields.size() == 6 && is_status(3)) {
      return {"job_name", "inst_id", "user", "status", "start_time", "end_time"};
    }
    return {};
  }

  Result<void> take_header() override {
    job_ = column({"job_name", "job_id"});
    task_ = column({"task_name"});
    instances_ = column({"inst_num", "num_inst"});
    status_ = column({"status"});
    start_ = column({"submit_time", "start_time"});
    end_ = column({"end_time"});
    duration_ = column({"duration"});
    cpu_percent_ = column({"plan_cpu"});
    gpu_percent_ = column({"plan_gpu"});
    cpus_ = column({"num_cpu"});
    gpus_ = column({"num_gpu"});
    memory_ = column({"plan_mem"});
    type_ = column({"gpu_type"});
    user_ = column({"user"});
    std::vector<std::string> absent;
    if (job_ == kNoColumn) absent.emplace_back("job_name (or job_id)");
    if (start_ == kNoColumn) absent.emplace_back("start_time (or submit_time)");
    if (end_ == kNoColumn && duration_ == kNoColumn) absent.emplace_back("end_time (or duration)");
    if (gpu_percent_ == kNoColumn && gpus_ == kNoColumn) absent.emplace_back("plan_gpu (or num_gpu)");
    if (absent.empty()) return {};
    return std::unexpected(missing(absent, "take pai_task_table.csv: only it says what jobs asked for"));
  }

  const char* take(TraceJob& job) override {
    const std::string_view name = field(job_);
    if (name.empty()) return "job id is missing";
    job.id.assign(name);
    if (const std::string_view task = field(task_); !task.empty()) job.id.append("/").append(task);

    const std::string_view status = field(status_);
    if (status == "Waiting") return leave_out("still pending");
    const std::string_view end_text = field(end_);
    const std::string_view duration_text = field(duration_);
    if (status == "Running" || (end_text.empty() && duration_text.empty())) {
      return leave_out("still running: its run time is not known yet");
    }
    if (const char* problem = take_submit(field(start_), job); problem != nullptr) return problem;
    std::optional<Nanoseconds> run;
    if (!duration_text.empty()) {
      run = parse_seconds(duration_text);
      if (run && *run < Nanoseconds{}) return "run time is missing or negative";
    } else if (const std::optional<Instant> end = time(end_text)) {
      run = *end - job.request.submit;
    }
    if (!run) return "end time or duration is not readable";
    if (const char* problem = take_shape(job); problem != nullptr) return problem;
    job.truth.outcome = status == "Failed"        ? JobOutcome::kFailed
                        : status == "Interrupted" ? JobOutcome::kCancelled
                                                  : JobOutcome::kCompleted;
    if (const char* problem = take_run_time(*run, {}, job); problem != nullptr) return problem;
    job.request.tenant = tenant({field(user_)});
    job.job_class = class_named(field(task_));
    return nullptr;
  }

 private:
  /// Thousandths of a unit: percent columns count hundredths.
  std::optional<std::int64_t> milli(int percent, int units) const {
    const std::string_view text = field(percent == kNoColumn ? units : percent);
    if (text.empty()) return 0;
    const std::optional<std::int64_t> value = parse_thousandths(text);
    if (!value) return std::nullopt;
    return percent == kNoColumn ? *value : *value / 100;
  }

  const char* take_shape(TraceJob& job) {
    constexpr std::int64_t kMost = std::int64_t{1} << 31;
    std::int64_t instances = 1;
    if (const std::string_view text = field(instances_); !text.empty()) {
      const std::optional<std::int64_t> count = parse_whole(text);
      if (!count || *count < 1) return "number of instances is not a positive number";
      instances = *count;
    }
    const std::optional<std::int64_t> cpu = milli(cpu_percent_, cpus_);
    const std::optional<std::int64_t> gpu = milli(gpu_percent_, gpus_);
    const std::string_view memory_text = field(memory_);
    const std::optional<std::int64_t> memory = memory_text.empty() ? 0 : parse_thousandths(memory_text);
    if (!cpu || !gpu || !memory) return "a resource is not a number";
    if (*cpu < 0 || *gpu < 0 || *memory < 0) return "a resource is negative";
    if (instances > kMost || *gpu > kMost || *cpu > kMost || *memory > kMost) {
      return "a resource is larger than any machine";
    }
    const std::int64_t memory_mib = (*memory * 1024 + 999) / 1000;  // plan_mem is in GB.
    if (const std::string_view type = field(type_); !type.empty() && type != "CPU" && *gpu > 0) {
      job.request.shape.gpu_types = type_bit(type);
    }
    Resources all{.nodes = 1, .gpus = 0, .cpu_milli = *cpu * instances, .memory_mib = memory_mib * instances};
    if (*gpu > 0 && *gpu < 1000 && instances == 1) {
      if (const char* problem = take_resources(all, job); problem != nullptr) return problem;
      job.request.shape.gpu_milli = static_cast<std::uint32_t>(*gpu);
      return nullptr;
    }
    if (*gpu < 1000 && instances > 1 && *gpu > 0) {
      // A gang of shares: no shape for it here, so its sum in whole GPUs.
      all.nodes = 0;
      all.gpus = (*gpu * instances + 999) / 1000;
      adjusted("instances share GPUs: their sum rounded up to whole ones");
    } else if (*gpu <= 1000) {
      all.nodes = instances > 1 ? 0 : 1;  // Instances of one GPU can share a node.
      all.gpus = *gpu / 1000 * instances;
      if (all.gpus == 0) all.nodes = instances;
    } else {
      if (*gpu % 1000 != 0) adjusted("several GPUs and a part of one: rounded up to whole ones");
      all.nodes = instances;
      all.gpus = (*gpu + 999) / 1000 * instances;
    }
    return take_resources(all, job);
  }

  int job_ = kNoColumn;
  int task_ = kNoColumn;
  int instances_ = kNoColumn;
  int status_ = kNoColumn;
  int start_ = kNoColumn;
  int end_ = kNoColumn;
  int duration_ = kNoColumn;
  int cpu_percent_ = kNoColumn;
  int gpu_percent_ = kNoColumn;
  int cpus_ = kNoColumn;
  int gpus_ = kNoColumn;
  int memory_ = kNoColumn;
  int type_ = kNoColumn;
  int user_ = kNoColumn;
};

}  // namespace

std::unique_ptr<JobReader> alibaba_gpu_2023_reader(std::unique_ptr<ByteSource> source,
                                                   const TraceOptions& options) {
  return std::make_unique<PodReader>(std::move(source), options);
}

std::unique_ptr<JobReader> alibaba_pai_2020_reader(std::unique_ptr<ByteSource> source,
                                                   const TraceOptions& options) {
  return std::make_unique<PaiReader>(std::move(source), options);
}

}  // namespace gw::workload
