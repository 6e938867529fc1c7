// sacct: column sets, states, steps, resources, times.
#include "workload/sacct_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <rapidcheck.h>

#include "workload/trace_test.h"

namespace gw::workload {
namespace {

using testing::HasSubstr;

constexpr std::string_view kFull =
    "JobIDRaw|JobName|Account|User|Partition|QOS|Submit|Start|End|Elapsed|Timelimit|AllocTRES|ReqTRES|ReqMem|"
    "State|Priority\n"
    "101|train|vision|ana|a100|normal|2024-03-01T10:00:00|2024-03-01T10:05:00|2024-03-01T12:05:00|02:00:00|1-"
    "00:00:00|"
    "billing=64,cpu=64,gres/gpu:a100=8,gres/gpu=8,mem=512G,node=2|billing=64,cpu=64,gres/"
    "gpu=8,mem=512G,node=2|512G|"
    "COMPLETED|4294901700\n"
    "101.batch|batch|vision||||2024-03-01T10:05:00|2024-03-01T10:05:00|2024-03-01T12:05:00|02:00:00||cpu=32,"
    "node=1|||"
    "COMPLETED|\n"
    "102_3|sweep|vision|bo|a100|normal|2024-03-01T10:01:00|2024-03-01T10:02:00|2024-03-01T10:02:30|00:00:30|"
    "00:10:00|"
    "cpu=4,gres/gpu:h100=1,mem=16G,node=1|cpu=4,gres/gpu:h100=1,mem=16G,node=1|16G|CANCELLED by 1000|7\n"
    "103|queued|vision|bo|a100|normal|2024-03-01T10:02:00|Unknown|Unknown|00:00:00|00:10:00||cpu=4,node=1||"
    "PENDING|7\n"
    "104|gone|vision|bo|a100|normal|2024-03-01T10:03:00|None|2024-03-01T10:04:00|00:00:00|00:10:00||cpu=4,"
    "node=1||"
    "CANCELLED by 1000|7\n"
    "105|live|vision|bo|a100|normal|2024-03-01T10:04:00|2024-03-01T10:04:00|Unknown|00:20:00|00:30:00|cpu=4,"
    "node=1|"
    "cpu=4,node=1||RUNNING|7\n"
    "106|cpu|hpc|eva|cpu|normal|2024-03-01T10:06:00|2024-03-01T10:06:00|2024-03-01T10:16:10|00:10:10|00:10:"
    "00|"
    "cpu=256,mem=0,node=2|cpu=256,node=2|2Gc|TIMEOUT|7\n";

TEST(Sacct, ReadsAFullSetOfColumns) {
  const ReadTrace read = read_text(kFull);
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.jobs.size(), 3U);
  const TraceJob& train = read.jobs[0];
  EXPECT_EQ(train.id, "101");
  EXPECT_EQ(train.request.submit, Instant{});
  EXPECT_EQ(read.stream->info().zero_unix_s, 1709287200);
  EXPECT_EQ(train.request.limit, days(1));
  EXPECT_EQ(train.truth.run_time, hours(2));
  EXPECT_EQ(train.request.shape.nodes, 2U);
  EXPECT_EQ(train.request.shape.gpus, 4U);
  EXPECT_EQ(train.request.shape.cpu_milli, 32'000);
  EXPECT_EQ(train.request.shape.memory_mib, 256 * 1024);
  EXPECT_EQ(train.request.shape.gpu_types, 0U);  // What it was given is not what it asked for.
  EXPECT_EQ(train.request.priority, std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(read.stream->tenants().path(train.request.tenant), "vision/ana");
  EXPECT_EQ(read.stream->classes()[train.job_class], "a100");

  const TraceJob& sweep = read.jobs[1];
  EXPECT_EQ(sweep.id, "102_3");
  EXPECT_EQ(sweep.truth.outcome, JobOutcome::kCancelled);
  EXPECT_EQ(sweep.request.shape.gpu_types, 1U);
  EXPECT_THAT(read.stream->gpu_types(), testing::ElementsAre("h100"));

  const TraceJob& cpu = read.jobs[2];
  EXPECT_EQ(cpu.request.shape.gpus, 0U);
  EXPECT_EQ(cpu.request.shape.nodes, 2U);
  EXPECT_EQ(cpu.request.shape.memory_mib, 128 * 2048);
  EXPECT_EQ(cpu.truth.run_time, minutes(10));
  EXPECT_EQ(cpu.truth.outcome, JobOutcome::kTimeout);

  const RowCounts& counts = read.stream->counts();
  EXPECT_EQ(counts.rows, 7U);
  EXPECT_EQ(counts.skipped.at("job step").first, "log:3");
  EXPECT_EQ(counts.skipped.at("still pending").count, 1U);
  EXPECT_EQ(counts.skipped.at("cancelled before it started").first, "log:6");
  EXPECT_EQ(counts.skipped.at("still running: its run time is not known yet").count, 1U);
}

TEST(Sacct, WithoutGpusACpuIsAProcessor) {
  const ReadTrace read = read_text(
      "JobID|Submit|Start|End|NCPUS|State|TimelimitRaw|\n"
      "7|1700000100|1700000200|1700000260|16|COMPLETED|60|\n"
      "6|1700000000|1700000200|1700000260|8|FAILED|UNLIMITED|\n");
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.jobs.size(), 2U);
  EXPECT_FALSE(read.stream->info().sorted);
  EXPECT_EQ(read.jobs[0].id, "6");
  EXPECT_EQ(read.jobs[0].request.limit, kLongestSpan);
  EXPECT_EQ(read.jobs[1].request.submit.count(), 100 * kNanosecondsPerSecond);
  EXPECT_EQ(read.jobs[1].request.shape.nodes, 0U);
  EXPECT_EQ(read.jobs[1].request.shape.gpus, 16U);
  EXPECT_EQ(read.jobs[1].request.limit, hours(1));
  EXPECT_EQ(read.jobs[1].truth.run_time, seconds(60));
}

TEST(Sacct, SaysWhichColumnsAreMissing) {
  EXPECT_THAT(read_text("JobID|JobName|State\n1|x|COMPLETED\n").error,
              testing::AllOf(HasSubstr("log:1: "), HasSubstr("Submit"), HasSubstr("ElapsedRaw"),
                             HasSubstr("AllocTRES"), HasSubstr("sacct -a -P")));
  EXPECT_THAT(read_text("101|train|x|COMPLETED\n").error, HasSubstr("without -n"));
  EXPECT_THAT(read_text("JobID           JobName  Partition\n------ ------ ------\n").error,
              HasSubstr("sacct -P"));
}

TEST(Sacct, CountsSenselessRows) {
  struct Bad {
    const char* row;
    const char* reason;
  };
  constexpr Bad kRows[] = {
      {"1|2024-03-01T10:00:00|2024-03-01T10:05:00|2024-03-01T10:04:00||cpu=4|COMPLETED",
       "ends before it starts"},
      {"1|yesterday|2024-03-01T10:05:00|2024-03-01T10:06:00||cpu=4|COMPLETED",
       "submit time is neither a date nor a number of seconds up to 146 years"},
      {"1|Unknown|2024-03-01T10:05:00|2024-03-01T10:06:00||cpu=4|COMPLETED", "submit time is missing"},
      {"1|2024-03-01T10:00:00|2024-03-01T10:05:00|2024-03-01T10:06:00|soon|cpu=4|COMPLETED",
       "time limit is not readable"},
      {"1|2024-03-01T10:00:00|2024-03-01T10:05:00|2024-03-01T10:06:00||cpu|COMPLETED",
       "resources (TRES) are not readable"},
      {"1|2024-03-01T10:00:00|2024-03-01T10:05:00|2024-03-01T10:06:00||cpu=4|DREAMING",
       "state is none of Slurm's"},
      {"1|2024-03-01T10:00:00|2024-03-01T10:05:00|2024-03-01T10:06:00||cpu=4|COMPLETED|x",
       "row has more columns than the header"},
      {"1|2024-03-01T10:00:00", "row has fewer columns than the header"},
  };
  for (const Bad& bad : kRows) {
    const std::string log = fmt::format("JobID|Submit|Start|End|Timelimit|AllocTRES|State\n{}\n", bad.row);
    const ReadTrace read = read_text(log);
    ASSERT_EQ(read.error, "") << bad.row;
    ASSERT_TRUE(read.stream->counts().skipped.contains(bad.reason)) << bad.row;
    EXPECT_EQ(read.stream->counts().skipped.at(bad.reason).first, "log:2");
    TraceOptions strict;
    strict.strict = true;
    EXPECT_THAT(read_text(log, strict).error, testing::AllOf(HasSubstr("log:2: "), HasSubstr(bad.reason)));
  }
}

TEST(Sacct, WithoutStateUnknownTimesSayThatAJobWaitsOrRuns) {
  TraceOptions strict;
  strict.strict = true;
  const ReadTrace read = read_text(
      "JobID|Submit|Start|End|AllocTRES\n"
      "1|2024-03-01T10:00:00|2024-03-01T10:05:00|2024-03-01T10:06:00|cpu=4\n"
      "2|2024-03-01T10:00:00|Unknown|Unknown|\n"
      "3|2024-03-01T10:00:00|2024-03-01T10:05:00|Unknown|cpu=4\n",
      strict);
  ASSERT_EQ(read.error, "");
  EXPECT_EQ(read.jobs.size(), 1U);
  const RowCounts& counts = read.stream->counts();
  EXPECT_EQ(counts.skipped.at("still pending").first, "log:3");
  EXPECT_EQ(counts.skipped.at("still running: its run time is not known yet").first, "log:4");
  // Elapsed stands there for these rows too, and says nothing.
  const ReadTrace elapsed = read_text(
      "JobID|Submit|Start|End|ElapsedRaw|AllocTRES\n"
      "1|2024-03-01T10:00:00|Unknown|Unknown|0|cpu=4\n"
      "2|2024-03-01T10:00:00|2024-03-01T10:05:00|Unknown|60|cpu=4\n",
      strict);
  EXPECT_EQ(elapsed.error, "");
  EXPECT_TRUE(elapsed.jobs.empty());
}

TEST(Sacct, GarbageNeverCrashesAndNothingIsLost) {
  rc::check([](const std::vector<std::uint8_t>& choices) {
    static constexpr std::string_view kPieces[] = {"|",
                                                   "|",
                                                   "|",
                                                   "\n",
                                                   "1",
                                                   "2024-03-01T10:00:00",
                                                   "1-00:00:00",
                                                   "cpu=4,gres/gpu=2,node=1",
                                                   "COMPLETED",
                                                   "CANCELLED by 5",
                                                   "-",
                                                   "99999999999999999999",
                                                   "gres/gpu:=4",
                                                   "=",
                                                   ",",
                                                   "Unknown",
                                                   "4Gc",
                                                   "\r",
                                                   "."};
    std::string log = "JobID|Submit|Start|End|Timelimit|AllocTRES|State\n";
    for (const std::uint8_t choice : choices) log += kPieces[choice % std::size(kPieces)];
    const ReadTrace read = read_text(log);
    if (holds_no_jobs(read)) return;
    RC_ASSERT(read.error.empty());
    RC_ASSERT(read.stream->counts().accepted == read.jobs.size());
    RC_ASSERT(read.stream->counts().accepted + total(read.stream->counts().skipped) ==
              read.stream->counts().rows);
  });
}

}  // namespace
}  // namespace gw::workload
