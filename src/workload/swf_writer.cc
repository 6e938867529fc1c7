// The header comments and rows of SWF files.
#include "workload/swf_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "files/output_file.h"

namespace gw::workload {
namespace {

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
  Result<files::OutputFile> file = path == "-" ? files::OutputFile::standard_output()
                                               : files::OutputFile::open(path, files::Folder::kMustExist);
  if (!file) return std::unexpected(std::move(file.error()));
  const bool counted = file->can_overwrite();  // The count of jobs is filled in at the end where it can be.
  std::size_t counts_at[2] = {0, 0};
  std::string text;
  write_header(text, jobs, header, counted ? counts_at : nullptr);
  file->write(text);

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
    text.clear();
    write_row(text, job, ++written.jobs, processors, jobs.tenants());
    file->write(text);
    if (Result<void> so_far = file->status(); !so_far) return std::unexpected(std::move(so_far.error()));
  }
  for (const std::size_t at : counts_at) {
    if (counted) file->overwrite(at, fmt::format("{:<{}}", written.jobs, kCountWidth));
  }
  if (Result<void> done = file->commit(); !done) return std::unexpected(std::move(done.error()));
  return written;
}

}  // namespace gw::workload
