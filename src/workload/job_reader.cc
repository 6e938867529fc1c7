// Bringing a reader's jobs into order of submission.
#include "workload/job_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/check.h"
#include "workload/external_sort.h"

namespace gw::workload {

Result<JobReader::Order> JobReader::find_order() {
  if (const Result<void> back = rewind(); !back) return fail(back.error().message);
  Order order;
  TraceJob job;
  Instant last{};
  for (;;) {
    const Result<bool> there = next(job);
    if (!there) return fail(there.error().message);
    if (!*there) {
      order.rows = counts().rows;
      return order;
    }
    const Instant submit = job.request.submit;
    if (order.first && submit < last) order.sorted = false;
    if (!order.first || submit < *order.first) order.first = submit;
    last = submit;
  }
}

void JobReader::take_limit(Nanoseconds requested, std::uint64_t line, TraceJob& job) {
  if (requested <= Nanoseconds{}) {
    job.request.limit = std::max(job.truth.run_time, seconds(1));
    tally_.adjusted("no requested time: the run time taken as the limit", line);
    return;
  }
  job.request.limit = std::min(requested, kLongestSpan);
  if (job.truth.run_time > job.request.limit) {
    job.truth.run_time = job.request.limit;
    job.truth.outcome = JobOutcome::kTimeout;
    tally_.adjusted("ran longer than requested: ended at the requested time", line);
  }
}

namespace {

static_assert(std::is_trivially_copyable_v<JobRequest> && std::is_trivially_copyable_v<JobTruth>);

/// A TraceJob as bytes of this process: request, truth, class, id.
void to_bytes(const TraceJob& job, std::string& bytes) {
  bytes.resize(sizeof(JobRequest) + sizeof(JobTruth) + 1);
  std::memcpy(bytes.data(), &job.request, sizeof(JobRequest));
  std::memcpy(bytes.data() + sizeof(JobRequest), &job.truth, sizeof(JobTruth));
  bytes.back() = static_cast<char>(job.job_class);
  bytes += job.id;
}

void from_bytes(std::string_view bytes, TraceJob& job) {
  constexpr std::size_t kFixed = sizeof(JobRequest) + sizeof(JobTruth) + 1;
  GW_CHECK(bytes.size() >= kFixed);
  std::memcpy(&job.request, bytes.data(), sizeof(JobRequest));
  std::memcpy(&job.truth, bytes.data() + sizeof(JobRequest), sizeof(JobTruth));
  job.job_class = static_cast<std::uint8_t>(bytes[kFixed - 1]);
  job.id.assign(bytes.substr(kFixed));
}

/// Processors anywhere; a job that had none keeps asking for a node, which then costs nothing.
void flatten(Shape& shape) {
  const std::int64_t gpus = shape.total_gpu_milli() / 1000;
  shape.cpu_milli = 0;
  shape.memory_mib = 0;
  shape.gpu_types = 0;
  if (shape.gpu_milli != 0) return;
  if (gpus == 0) {
    shape.nodes = 1;
    return;
  }
  shape.nodes = 0;
  shape.gpus =
      static_cast<std::uint32_t>(std::min<std::int64_t>(gpus, std::numeric_limits<std::int32_t>::max()));
}

class InOrder final : public TraceStream {
 public:
  explicit InOrder(std::unique_ptr<JobReader> reader) : reader_(std::move(reader)) {}

  Result<void> start() {
    const Result<JobReader::Order> order = reader_->find_order();
    if (!order) return fail(order.error().message);
    if (order->rows == 0)
      return fail(
          fmt::format("{}: holds no jobs: there is no row in it beside the header; is it the right file, "
                      "and whole?",
                      reader_->file()));
    rows_ = order->rows;
    reader_->info().sorted = order->sorted;
    if (reader_->zero_is_first() && order->first) {
      zero_ = Nanoseconds{order->first->count()};
      reader_->info().zero_unix_s = order->first->count() / kNanosecondsPerSecond;
    }
    if (Result<void> back = reader_->rewind(); !back) return back;
    if (order->sorted) return {};
    sort_ = std::make_unique<ExternalSort>();
    TraceJob job;
    std::string bytes;
    for (;;) {
      const Result<bool> there = reader_->next(job);
      if (!there) return fail(there.error().message);
      if (!*there) {
        if (Result<void> whole = check_rows(); !whole) return whole;
        return sort_->finish();
      }
      to_bytes(job, bytes);
      if (Result<void> added = sort_->add(ExternalSort::key_of(job.request.submit.count()), bytes); !added)
        return added;
    }
  }

  Result<bool> next(TraceJob& job) override {
    if (sort_) {
      std::string_view key;
      std::string_view record;
      const Result<bool> there = sort_->next(key, record);
      if (!there || !*there) return there;
      from_bytes(record, job);
    } else {
      const Result<bool> there = reader_->next(job);
      if (!there) return there;
      if (!*there) {
        if (const Result<void> whole = check_rows(); !whole) return fail(whole.error().message);
        return false;
      }
    }
    job.request.submit = job.request.submit - zero_;
    if (job.request.submit < last_) {
      return fail(fmt::format(
          "job {}: its submit time precedes the one before it, and did not at the first pass; is the "
          "file being written? Replay a copy that rests",
          job.id));
    }
    last_ = job.request.submit;
    if (reader_->options().flat) flatten(job.request.shape);
    return true;
  }

  [[nodiscard]] const TenantTree& tenants() const override { return reader_->tenants(); }
  [[nodiscard]] const std::vector<std::string>& gpu_types() const override { return reader_->gpu_types(); }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return reader_->classes(); }
  [[nodiscard]] const RowCounts& counts() const override { return reader_->counts(); }
  [[nodiscard]] const TraceInfo& info() const override { return std::as_const(*reader_).info(); }

 private:
  /// At the end of the second pass: it must have seen what the first saw.
  [[nodiscard]] Result<void> check_rows() const {
    const std::uint64_t rows = reader_->counts().rows;
    if (rows == rows_) return {};
    return fail(
        fmt::format("{}: had {} rows at the first pass and {} at the second; is the file being written? "
                    "Replay a copy that rests",
                    reader_->file(), rows_, rows));
  }

  std::unique_ptr<JobReader> reader_;
  std::unique_ptr<ExternalSort> sort_;  // Holds the jobs where the file is not in order.
  std::uint64_t rows_ = 0;              // Of the first pass.
  Nanoseconds zero_{};
  Instant last_{};
};

}  // namespace

Result<std::unique_ptr<TraceStream>> in_order(std::unique_ptr<JobReader> reader) {
  auto stream = std::make_unique<InOrder>(std::move(reader));
  if (const Result<void> started = stream->start(); !started) return fail(started.error().message);
  return stream;
}

}  // namespace gw::workload
