// The header comments and rows of SWF files.
#include "workload/swf_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <string_view>

namespace gw::workload {
namespace {

/// A file written through a buffer; the count of jobs in the header is filled in at the end where it can be.
class Output {
 public:
  Output(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  std::string& buffer() { return buffer_; }
  Result<void> flush_if_full() { return buffer_.size() < 64 * 1024 ? Result<void>{} : flush(); }
  Result<void> flush() {
    for (std::size_t written = 0; written < buffer_.size();) {
      const ssize_t put = ::write(descriptor_, buffer_.data() + written, buffer_.size() - written);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return failed();
      written += static_cast<std::size_t>(put);
    }
    buffer_.clear();
    return {};
  }
  [[nodiscard]] bool can_go_back() const {
    struct stat status{};
    return ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode) &&
           ::lseek(descriptor_, 0, SEEK_CUR) == 0;
  }
  Result<void> overwrite(std::size_t at, std::string_view text) {
    const ssize_t put = ::pwrite(descriptor_, text.data(), text.size(), static_cast<off_t>(at));
    return put == static_cast<ssize_t>(text.size()) ? Result<void>{} : failed();
  }
  Result<void> close() {
    const int descriptor = descriptor_;
    descriptor_ = -1;
    return ::close(descriptor) == 0 ? Result<void>{} : failed();
  }

 private:
  [[nodiscard]] Result<void> failed() const {
    return fail(fmt::format("{}: cannot be written: {}; what is there so far is not whole", name_,
                            std::strerror(errno)));
  }

  int descriptor_;
  std::string name_;
  std::string buffer_;
};

/// Header values are one line each.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return line;
}

constexpr std::string_view kColumns =
    "; Note: a processor of this file is one GPU; a part of a GPU counts as one\n"
    "; Note: columns are 1 job, 2 submit, 3 wait, 4 run time, 5 allocated processors, 6 average CPU time,\n"
    ";       7 used memory, 8 requested processors, 9 requested time, 10 requested memory, 11 status\n"
    ";       (1 completed, 0 failed, 5 cancelled), 12 user, 13 group, 14 executable, 15 queue, 16 "
    "partition,\n"
    ";       17 preceding job, 18 think time; times in seconds, memory in KB per processor, -1 = not known\n";
constexpr int kCountWidth = 12;

void write_header(std::string& out, const JobStream& jobs, const SwfHeader& header, std::size_t* counts_at) {
  const auto line = [&out](std::string_view label, std::string_view value) {
    if (!value.empty()) fmt::format_to(std::back_inserter(out), "; {}: {}\n", label, one_line(value));
  };
  const auto number = [&out](std::string_view label, std::uint64_t value) {
    if (value != 0) fmt::format_to(std::back_inserter(out), "; {}: {}\n", label, value);
  };
  line("Version", "2.2");
  line("Computer", header.computer);
  line("Installation", header.installation);
  line("Information", header.information);
  if (counts_at != nullptr) {
    out += "; MaxJobs: ";
    counts_at[0] = out.size();
    fmt::format_to(std::back_inserter(out), "{:<{}}\n; MaxRecords: ", 0, kCountWidth);
    counts_at[1] = out.size();
    fmt::format_to(std::back_inserter(out), "{:<{}}\n", 0, kCountWidth);
  }
  line("Preemption", "No");
  fmt::format_to(std::back_inserter(out), "; UnixStartTime: {}\n", header.unix_start_time_s);
  line("TimeZoneString", header.time_zone);
  number("MaxNodes", header.max_nodes);
  number("MaxProcs", header.max_processors);
  number("MaxQueues", jobs.classes().size());
  for (std::size_t i = 0; i < jobs.classes().size(); ++i) {
    fmt::format_to(std::back_inserter(out), "; Queue: {} {}\n", i + 1, one_line(jobs.classes()[i]));
  }
  out += kColumns;
  constexpr std::uint32_t kMostNamed = 10'000;
  for (std::uint32_t i = 1; i < std::min(jobs.tenants().size(), kMostNamed); ++i) {
    fmt::format_to(std::back_inserter(out), "; Note: tenant {} is {}\n", i,
                   one_line(jobs.tenants().path(TenantId{i})));
  }
  for (const std::string& note : header.notes) line("Note", note);
}

constexpr std::int64_t seconds_up(Nanoseconds span) {
  return span.count() / kNanosecondsPerSecond + (span.count() % kNanosecondsPerSecond > 0 ? 1 : 0);
}

int status_of(JobOutcome outcome) {
  switch (outcome) {
    case JobOutcome::kCompleted:
      return 1;
    case JobOutcome::kCancelled:
      return 5;
    case JobOutcome::kFailed:
    case JobOutcome::kTimeout:
      return 0;
  }
  return -1;
}

void write_row(std::string& out, const TraceJob& job, std::uint64_t number, std::uint64_t processors,
               const TenantTree& tenants) {
  const Shape& shape = job.request.shape;
  const std::int64_t nodes = shape.nodes == 0 ? 1 : shape.nodes;
  const std::int64_t memory_kb =
      shape.memory_mib <= 0 || shape.memory_mib > (std::int64_t{1} << 40) / nodes
          ? -1
          : shape.memory_mib * nodes * 1024 / static_cast<std::int64_t>(processors);
  const TenantId tenant = job.request.tenant;
  const std::int64_t user =
      tenant.valid() && tenant != TenantTree::root() ? std::int64_t{tenant.value()} : -1;
  const TenantId parent = user > 0 ? tenants[tenant].parent : TenantId{};
  const std::int64_t group =
      parent.valid() && parent != TenantTree::root() ? std::int64_t{parent.value()} : -1;
  fmt::format_to(std::back_inserter(out), "{} {} -1 {} {} -1 -1 {} {} {} {} {} {} -1 {} -1 -1 -1\n", number,
                 job.request.submit.count() / kNanosecondsPerSecond, seconds_up(job.truth.run_time),
                 processors, processors, std::max<std::int64_t>(1, seconds_up(job.request.limit)), memory_kb,
                 status_of(job.truth.outcome), user, group, job.job_class + 1);
}

}  // namespace

Result<SwfWritten> write_swf(JobStream& jobs, const std::string& path, const SwfHeader& header) {
  const bool standard_output = path == "-";
  const std::string name = standard_output ? "<stdout>" : path;
  const int descriptor = standard_output
                             ? ::dup(STDOUT_FILENO)
                             : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return fail(fmt::format("{}: cannot be opened for writing: {}", name, std::strerror(errno)));
  Output output(descriptor, name);
  const bool counted = output.can_go_back();
  std::size_t counts_at[2] = {0, 0};
  write_header(output.buffer(), jobs, header, counted ? counts_at : nullptr);

  SwfWritten written;
  TraceJob job;
  for (;;) {
    const Result<bool> there = jobs.next(job);
    if (!there) return fail(there.error().message);
    if (!*there) break;
    const Shape& shape = job.request.shape;
    if (shape.total_gpu_milli() == 0) {
      ++written.without_gpus;
      continue;
    }
    if (shape.gpu_milli != 0) ++written.shares_rounded_up;
    const auto processors = static_cast<std::uint64_t>((shape.total_gpu_milli() + 999) / 1000);
    write_row(output.buffer(), job, ++written.jobs, processors, jobs.tenants());
    if (const Result<void> flushed = output.flush_if_full(); !flushed) return fail(flushed.error().message);
  }
  Result<void> done = output.flush();
  for (const std::size_t at : counts_at) {
    if (done && counted) done = output.overwrite(at, fmt::format("{:<{}}", written.jobs, kCountWidth));
  }
  if (done) done = output.close();
  if (!done) return fail(done.error().message);
  return written;
}

}  // namespace gw::workload
