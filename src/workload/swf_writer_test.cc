// SWF written and read back: every valid job survives, and what the format cannot hold is counted.
#include "workload/swf_writer.h"

#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "workload/list_stream.h"
#include "workload/trace_test.h"

namespace gw::workload {
namespace {

class Jobs final : public ListStream {
 public:
  explicit Jobs(std::vector<TraceJob> list) : ListStream(std::move(list)) {
    const TenantId company = tenant_tree.add(TenantTree::root(), "company");
    tenant_tree.add(company, "alice");
    tenant_tree.add(TenantTree::root(), "bob");
    class_names = {"training", "notebook"};
  }
};

struct TemporaryFile {
  TemporaryFile() {
    path = testing::TempDir() + "gigawerk-swf-XXXXXX";
    ::close(::mkstemp(path.data()));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { ::unlink(path.c_str()); }
  std::string path;
};

TraceJob make_job(std::int64_t submit_s, std::int64_t run_s, std::int64_t limit_s, std::uint32_t nodes,
                  std::uint32_t gpus) {
  TraceJob job;
  job.request.submit = Instant{submit_s * kNanosecondsPerSecond};
  job.request.limit = seconds(limit_s);
  job.request.tenant = TenantId{2};
  job.request.shape.nodes = nodes;
  job.request.shape.gpus = gpus;
  job.truth.run_time = seconds(run_s);
  return job;
}

TEST(SwfWriter, WhatIsWrittenIsReadBack) {
  rc::check([] {
    std::vector<TraceJob> jobs;
    std::int64_t submit = 0;
    const auto count = *rc::gen::inRange(0, 40);
    for (int i = 0; i < count; ++i) {
      submit += *rc::gen::inRange(0, 100'000);
      const std::int64_t limit = *rc::gen::inRange(1, 1'000'000);
      TraceJob job = make_job(submit, *rc::gen::inRange<std::int64_t>(0, limit + 1), limit,
                              *rc::gen::inRange(0U, 5U), *rc::gen::inRange(1U, 65U));
      job.job_class = static_cast<std::uint8_t>(*rc::gen::inRange(0, 2));
      job.request.tenant = TenantId{*rc::gen::inRange(2U, 4U)};
      job.truth.outcome =
          *rc::gen::element(JobOutcome::kCompleted, JobOutcome::kFailed, JobOutcome::kCancelled);
      jobs.push_back(job);
    }
    const TemporaryFile file;
    Jobs stream(jobs);
    const Result<SwfWritten> written =
        write_swf(stream, file.path, {.computer = "A test\nmachine", .max_processors = 4096});
    RC_ASSERT(written.has_value());
    RC_ASSERT(written->jobs == jobs.size());
    TraceOptions strict;
    strict.strict = true;
    const ReadTrace read = read_all(open_trace(file.path, strict));
    if (jobs.empty()) {
      RC_ASSERT(holds_no_jobs(read));
      return;
    }
    RC_ASSERT(read.error == "");
    RC_ASSERT(read.jobs.size() == jobs.size());
    RC_ASSERT(read.stream->info().max_jobs == jobs.size());
    RC_ASSERT(read.stream->info().max_processors == 4096U);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const TraceJob& before = jobs[i];
      const TraceJob& after = read.jobs[i];
      RC_ASSERT(after.id == std::to_string(i + 1));
      RC_ASSERT(after.request.submit == before.request.submit);
      RC_ASSERT(after.request.limit == before.request.limit);
      RC_ASSERT(after.truth.run_time == before.truth.run_time);
      RC_ASSERT(after.truth.outcome == before.truth.outcome);
      RC_ASSERT(after.request.shape.total_gpu_milli() == before.request.shape.total_gpu_milli());
      RC_ASSERT(read.stream->classes()[after.job_class] == stream.classes()[before.job_class]);
      RC_ASSERT(read.stream->tenants().path(after.request.tenant) ==
                (before.request.tenant == TenantId{2} ? "group-1/user-2" : "user-3"));
    }
  });
}

TEST(SwfWriter, RoundsAndCountsWhatTheFormatCannotHold) {
  TraceJob share = make_job(1, 10, 20, 1, 0);
  share.request.shape.gpu_milli = 250;
  share.request.submit = Instant{1'999'999'999};
  share.truth.run_time = Nanoseconds{10'000'000'001};
  const TraceJob no_gpu = make_job(2, 10, 20, 1, 0);
  Jobs stream({share, no_gpu});
  const TemporaryFile file;
  const Result<SwfWritten> written = write_swf(stream, file.path, {});
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->jobs, 1U);
  EXPECT_EQ(written->without_gpus, 1U);
  EXPECT_EQ(written->shares_rounded_up, 1U);
  std::stringstream text;
  text << std::ifstream(file.path).rdbuf();
  EXPECT_THAT(text.str(), testing::HasSubstr("\n1 1 -1 11 1 -1 -1 1 20 -1 1 2 1 -1 1 -1 -1 -1\n"));
  EXPECT_THAT(text.str(), testing::HasSubstr("; Queue: 2 notebook\n"));
  EXPECT_THAT(text.str(), testing::HasSubstr("; Note: tenant 2 is company/alice\n"));
}

TEST(SwfWriter, SaysWhereItCannotWrite) {
  Jobs stream({});
  const Result<SwfWritten> written = write_swf(stream, "/nowhere/x.swf", {});
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, testing::HasSubstr("/nowhere/x.swf: cannot write"));
}

}  // namespace
}  // namespace gw::workload
