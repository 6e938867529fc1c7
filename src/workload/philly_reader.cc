// Philly's two forms into jobs.
#include "workload/philly_reader.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "workload/json_objects.h"
#include "workload/table_reader.h"

namespace gw::workload {
namespace {

class PhillyTable final : public TableReader {
 public:
  PhillyTable(std::unique_ptr<ByteSource> source, const TraceOptions& options)
      : TableReader(std::move(source), options, Separator::kComma) {
    info_.format = TraceFormat::kPhilly;
  }

 protected:
  Result<void> take_header() override {
    submit_ = column({"timestamp", "submit_time"});
    duration_ = column({"duration"});
    gpus_ = column({"num_gpus"});
    cluster_ = column({"cluster", "vc"});
    std::vector<std::string> absent;
    if (submit_ == kNoColumn) absent.emplace_back("timestamp");
    if (duration_ == kNoColumn) absent.emplace_back("duration");
    if (gpus_ == kNoColumn) absent.emplace_back("num_gpus");
    if (absent.empty()) return {};
    return std::unexpected(
        missing(absent, "take the table of Pollux's simulator, or Philly's cluster_job_log"));
  }

  const char* take(TraceJob& job) override {
    job.id = std::to_string(tally_.counts().rows);  // The table names no jobs: its rows are numbered from 1.
    if (const char* problem = take_submit(field(submit_), job); problem != nullptr) return problem;
    const std::optional<Nanoseconds> run = parse_seconds(field(duration_));
    if (!run || *run < Nanoseconds{}) return "run time is missing or negative";
    const std::optional<std::int64_t> gpus = parse_whole(field(gpus_));
    if (!gpus || *gpus < 1) return "number of GPUs is not a positive number";
    if (const char* problem =
            take_resources({.nodes = 0, .gpus = *gpus, .cpu_milli = 0, .memory_mib = 0}, job);
        problem != nullptr) {
      return problem;
    }
    if (const char* problem = take_run_time(*run, {}, job); problem != nullptr) return problem;
    job.request.tenant = tenant({field(cluster_)});
    return nullptr;
  }

 private:
  int submit_ = kNoColumn;
  int duration_ = kNoColumn;
  int gpus_ = kNoColumn;
  int cluster_ = kNoColumn;
};

class PhillyLog final : public JobReader {
 public:
  PhillyLog(std::unique_ptr<ByteSource> source, const TraceOptions& options)
      : JobReader(source->name(), options), source_(std::move(source)), objects_(*source_) {
    info_.format = TraceFormat::kPhilly;
  }

  Result<void> rewind() override {
    tally_.clear();
    return objects_.rewind();
  }
  [[nodiscard]] bool zero_is_first() const override { return true; }

  Result<bool> next(TraceJob& job) override {
    for (;;) {
      std::string_view text;
      const Result<bool> there = objects_.next(text);
      if (!there || !*there) return there;
      tally_.seen();
      job.request = JobRequest{};
      job.truth = JobTruth{};
      job.job_class = 0;
      const char* problem = "object is longer than 16 MiB";
      if (!objects_.cut()) {
        const nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
        problem = object.is_discarded() ? "object is not JSON" : take(object, job);
      }
      if (problem == nullptr) {
        tally_.accepted();
        return true;
      }
      if (problem == kLeftOut) continue;
      if (const Result<void> counted = tally_.senseless(problem, objects_.line(), text); !counted) {
        return fail(counted.error().message);
      }
    }
  }

 private:
  static constexpr char kLeftOut[] = "";  // Told apart by its address.

  const char* leave_out(const char* reason) {
    tally_.left_out(reason, objects_.line());
    return kLeftOut;
  }

  /// The text of a member; empty where it is absent, null or `None`.
  static std::string_view text_of(const nlohmann::json& object, const char* name) {
    const auto member = object.find(name);
    if (member == object.end() || !member->is_string()) return {};
    const auto& text = member->get_ref<const std::string&>();
    return is_absent(text) ? std::string_view() : std::string_view(text);
  }

  const char* take(const nlohmann::json& object, TraceJob& job) {
    job.id.assign(text_of(object, "jobid"));
    if (job.id.empty()) return "job id is missing";
    const std::optional<Instant> submit = parse_date(text_of(object, "submitted_time"));
    if (!submit) return "submit time is missing or not a date";
    job.request.submit = *submit;
    const std::string_view status = text_of(object, "status");
    if (status == "Pass") {
      job.truth.outcome = JobOutcome::kCompleted;
    } else if (status == "Killed") {
      job.truth.outcome = JobOutcome::kCancelled;
    } else if (status == "Failed") {
      job.truth.outcome = JobOutcome::kFailed;
    } else {
      return "state is not a known one";
    }
    const auto attempts = object.find("attempts");
    if (attempts == object.end() || !attempts->is_array()) return "attempts are missing";
    if (attempts->empty()) return leave_out("never scheduled: how long it would have run is not known");

    Nanoseconds run{};
    if (const char* problem = take_run(*attempts, run); problem != nullptr) return problem;
    if (const char* problem = take_shape(attempts->back(), job); problem != nullptr) return problem;
    job.truth.run_time = run;
    take_limit({}, objects_.line(), job);
    job.request.tenant = tenant(text_of(object, "vc"), text_of(object, "user"));
    return nullptr;
  }

  const char* take_run(const nlohmann::json& attempts, Nanoseconds& run) {
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      if (!attempts[i].is_object()) return "an attempt is not an object";
      const std::string_view start_text = text_of(attempts[i], "start_time");
      const std::string_view end_text = text_of(attempts[i], "end_time");
      if (start_text.empty() || end_text.empty()) {
        if (i + 1 == attempts.size()) return leave_out("still running: its run time is not known yet");
        tally_.adjusted("an attempt without start or end counted as nothing", objects_.line());
        continue;
      }
      const std::optional<Instant> start = parse_date(start_text);
      const std::optional<Instant> end = parse_date(end_text);
      if (!start || !end) return "an attempt's time is not a date";
      if (*end < *start) return "ends before it starts";
      run += *end - *start;
      if (run > kLongestSpan) return "run time is beyond 146 years";
    }
    return nullptr;
  }

  const char* take_shape(const nlohmann::json& attempt, TraceJob& job) {
    const auto detail = attempt.find("detail");
    if (detail == attempt.end() || !detail->is_array() || detail->empty())
      return "the last attempt names no server";
    std::uint64_t gpus = 0;
    std::size_t on_first = 0;
    bool even = true;
    for (const nlohmann::json& server : *detail) {
      if (!server.is_object()) return "a server is not an object";
      const auto its_gpus = server.find("gpus");
      if (its_gpus == server.end() || !its_gpus->is_array()) return "a server names no GPUs";
      if (gpus == 0) on_first = its_gpus->size();
      even = even && its_gpus->size() == on_first;
      gpus += its_gpus->size();
    }
    if (gpus == 0) return "number of GPUs is not a positive number";
    if (options_.max_processors != 0 && gpus > options_.max_processors) {
      return "more processors requested than the machine has";
    }
    if (!even) tally_.adjusted("GPUs do not divide evenly over the nodes: placed anywhere", objects_.line());
    job.request.shape.nodes = even ? static_cast<std::uint32_t>(detail->size()) : 0;
    job.request.shape.gpus = static_cast<std::uint32_t>(even ? on_first : gpus);
    return nullptr;
  }

  TenantId tenant(std::string_view cluster, std::string_view user) {
    TenantId at = TenantTree::root();
    if (!cluster.empty()) at = tenants_.child(at, cluster);
    if (!user.empty()) at = tenants_.child(at, user);
    return at == TenantTree::root() ? tenants_.child(at, "all") : at;
  }

  std::unique_ptr<ByteSource> source_;
  JsonObjects objects_;
};

}  // namespace

std::unique_ptr<JobReader> philly_table_reader(std::unique_ptr<ByteSource> source,
                                               const TraceOptions& options) {
  return std::make_unique<PhillyTable>(std::move(source), options);
}

std::unique_ptr<JobReader> philly_log_reader(std::unique_ptr<ByteSource> source,
                                             const TraceOptions& options) {
  return std::make_unique<PhillyLog>(std::move(source), options);
}

}  // namespace gw::workload
