// SWF: the standard's rules, senseless rows, order, and the recorded logs.
#include "workload/swf_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <rapidcheck.h>

#include "workload/trace_test.h"

namespace gw::workload {
namespace {

constexpr std::string_view kSmall =
    "; Version: 2.2\n"
    "; MaxProcs: 128 (one per node)\n"
    "; UnixStartTime: 749458803\n"
    "; Queue:  0  interactive\n"
    "; Queue:  1  batch\n"
    "; Note: the first\n"
    ";       and its second line\n"
    "\n"
    "1 0 5 100 4 -1 -1 8 200 -1 1 3 7 -1 1 -1 -1 -1\n"
    "2 10.25 -1 50 4 -1 -1 -1 -1 -1 0 3 -1 -1 0 -1 -1 -1\n"
    "3\t20 -1 300 4 1.5 -1 4 200 1024 5 -1 7 -1 9 -1 -1 -1\r\n"
    "4 30 -1 0 1 -1 -1 1 60 -1 1 -1 -1 -1 -1 -1 -1 -1";

TEST(Swf, TakesWhatTheStandardDefines) {
  const ReadTrace read = read_text(kSmall);
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.jobs.size(), 4U);
  const TraceJob& first = read.jobs[0];
  EXPECT_EQ(first.id, "1");
  EXPECT_EQ(first.request.shape.nodes, 0U);
  EXPECT_EQ(first.request.shape.gpus, 8U);
  EXPECT_EQ(first.request.limit, seconds(200));
  EXPECT_EQ(first.truth.run_time, seconds(100));
  EXPECT_EQ(read.stream->tenants().path(first.request.tenant), "group-7/user-3");
  EXPECT_EQ(read.stream->classes()[first.job_class], "batch");

  const TraceJob& second = read.jobs[1];
  EXPECT_EQ(second.request.submit.count(), 10'250'000'000);
  EXPECT_EQ(second.request.shape.gpus, 4U);
  EXPECT_EQ(second.request.limit, seconds(50));
  EXPECT_EQ(second.truth.outcome, JobOutcome::kFailed);
  EXPECT_EQ(read.stream->tenants().path(second.request.tenant), "user-3");
  EXPECT_EQ(read.stream->classes()[second.job_class], "interactive");

  const TraceJob& third = read.jobs[2];
  EXPECT_EQ(third.truth.run_time, seconds(200));  // Cut to its limit.
  EXPECT_EQ(third.truth.outcome, JobOutcome::kTimeout);
  EXPECT_EQ(third.request.shape.memory_mib, 0);
  EXPECT_EQ(read.stream->tenants().path(third.request.tenant), "group-7/user-unknown");
  EXPECT_EQ(read.stream->classes()[third.job_class], "job");

  EXPECT_EQ(read.stream->tenants().path(read.jobs[3].request.tenant), "all");
  EXPECT_EQ(read.jobs[3].truth.run_time, seconds(0));

  const TraceInfo& info = read.stream->info();
  EXPECT_EQ(info.max_processors, 128U);
  EXPECT_EQ(info.zero_unix_s, 749458803);
  EXPECT_EQ(info.header.at("Note"), "the first\nand its second line");
  EXPECT_TRUE(info.sorted);
  const RowCounts& counts = read.stream->counts();
  EXPECT_EQ(counts.rows, 4U);
  EXPECT_EQ(counts.accepted, 4U);
  EXPECT_EQ(counts.adjusted.at("no requested processors: those allocated taken").first, "log:10");
  EXPECT_EQ(counts.adjusted.at("no requested time: the run time taken as the limit").count, 1U);
  EXPECT_EQ(counts.adjusted.at("ran longer than requested: ended at the requested time").first, "log:11");
}

TEST(Swf, TakesMemoryOnlyWhenAsked) {
  const ReadTrace read =
      read_text("1 0 -1 10 4 -1 -1 4 60 2048 1 1 1 -1 -1 -1 -1 -1\n", {.use_memory = true});
  ASSERT_EQ(read.jobs.size(), 1U);
  EXPECT_EQ(read.jobs[0].request.shape.memory_mib, 8);  // 2 MiB on each of 4 processors.
}

struct Senseless {
  const char* row;
  const char* reason;
};

TEST(Swf, CountsEachSenselessRowByReasonWithItsPlace) {
  constexpr Senseless kRows[] = {
      {"1 -1 -1 10 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1", "submit time is missing or negative"},
      {"1 0 -1 -1 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1", "run time is missing or negative"},
      {"1 0 -1 10 -1 -1 -1 -1 60 -1 1 1 1 -1 -1 -1 -1 -1", "no processors requested or allocated"},
      {"1 0 -1 10 0 -1 -1 0 60 -1 1 1 1 -1 -1 -1 -1 -1", "no processors requested or allocated"},
      {"1 0 -1 10 1 -1 -1 9 60 -1 1 1 1 -1 -1 -1 -1 -1", "more processors requested than the machine has"},
      {"1 0 -1 10 1 -1 -1 99999999999999999999999 60 -1 1 1 1 -1 -1 -1 -1 -1",
       "more processors requested than the machine has"},
      {"1 0 -1 10 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1", "row has fewer than 18 columns"},
      {"1", "row has fewer than 18 columns"},
      {"1 0 -1 10 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1 -1", "row has more than 18 columns"},
      {"1 0 -1 1O 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1", "a column is not a number"},
      {"1 0 -1 10 1 -1 - 1 60 -1 1 1 1 -1 -1 -1 -1 -1", "a column is not a number"},
      {"1 99999999999999999999 -1 10 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1",
       "submit time is beyond 146 years"},
      {"1 0 -1 99999999999999999999 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1", "run time is beyond 146 years"},
      {"1 0 -1 10 1 -1 -1 1 60 -1 6 1 1 -1 -1 -1 -1 -1", "status is not one of -1 to 5"},
      {"1 0 -1 10 1 -1 -1 1 60 -1 -2 1 1 -1 -1 -1 -1 -1", "status is not one of -1 to 5"},
      {"1 0 -1 10 1 -1 -1 1 60 -1 1.5 1 1 -1 -1 -1 -1 -1", "status is not one of -1 to 5"},
  };
  for (const Senseless& bad : kRows) {
    const std::string log =
        fmt::format("; Version: 2.2\n{}\n2 5 -1 10 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1\n", bad.row);
    const ReadTrace read = read_text(log, {.max_processors = 8});
    ASSERT_EQ(read.error, "");
    EXPECT_EQ(read.jobs.size(), 1U) << bad.row;
    EXPECT_EQ(read.stream->counts().rows, 2U);
    ASSERT_TRUE(read.stream->counts().skipped.contains(bad.reason)) << bad.row;
    EXPECT_EQ(read.stream->counts().skipped.at(bad.reason).first, "log:2");

    const ReadTrace strict = read_text(log, {.strict = true, .max_processors = 8});
    EXPECT_THAT(strict.error, testing::AllOf(testing::HasSubstr("log:2: "), testing::HasSubstr(bad.reason)));
    EXPECT_TRUE(strict.jobs.empty());
  }
}

TEST(Swf, ANulByteIsNamed) {
  using namespace std::string_view_literals;
  const ReadTrace read =
      read_text("1 0 -1 10 1 -1 -1 1 60 \0 1 1 1 -1 -1 -1 -1 -1\n"sv, {.format = TraceFormat::kSwf});
  EXPECT_EQ(read.stream->counts().skipped.at("row holds a NUL byte").count, 1U);
}

TEST(Swf, AnEndlessLineCostsOneRowAndNoMemory) {
  std::string log = "1 0 -1 10 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1\n";
  log += std::string(3'000'000, '7') + "\n";
  log += "3 5 -1 10 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1\n";
  const ReadTrace read = read_text(log);
  ASSERT_EQ(read.jobs.size(), 2U);
  EXPECT_EQ(read.jobs[1].id, "3");
  EXPECT_EQ(read.stream->counts().skipped.at("line is longer than 64 KiB").first, "log:2");
}

TEST(Swf, LeavesOutWhatTheStandardSaysIsNoJob) {
  const ReadTrace read = read_text(
      "1 0 -1 30 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1\n"
      "1 -1 5 10 1 -1 -1 1 60 -1 2 1 1 -1 -1 -1 -1 -1\n"
      "1 -1 5 20 1 -1 -1 1 60 -1 3 1 1 -1 -1 -1 -1 -1\n"
      "2 7 -1 -1 -1 -1 -1 1 60 -1 5 1 1 -1 -1 -1 -1 -1\n"
      "3 8 -1 9 1 -1 -1 1 60 -1 5 1 1 -1 -1 -1 -1 -1\n"
      "4 9 8 -1 4 -1 -1 4 60 -1 5 1 1 -1 -1 -1 -1 -1\n"
      "5 9 8 0 0 -1 -1 4 60 -1 5 1 1 -1 -1 -1 -1 -1\n",
      {.strict = true});
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.jobs.size(), 2U);
  EXPECT_EQ(read.jobs[1].truth.outcome, JobOutcome::kCancelled);
  EXPECT_EQ(total(read.stream->counts().skipped), 5U);
  EXPECT_EQ(read.stream->counts().skipped.at("cancelled before it started").count, 3U);
  EXPECT_EQ(read.stream->counts().skipped.at("cancelled before it started").first, "log:4");
}

TEST(Swf, SortsAnUnsortedLogAndKeepsTheOrderOfEqualTimes) {
  std::string log;
  constexpr int kRows = 200'000;  // Several runs of the external sort.
  for (int i = 0; i < kRows; ++i) {
    log += fmt::format("{} {} -1 10 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1\n", i, (i * 7919) % 1000);
  }
  const ReadTrace read = read_text(log);
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.jobs.size(), static_cast<std::size_t>(kRows));
  EXPECT_FALSE(read.stream->info().sorted);
  for (std::size_t i = 1; i < read.jobs.size(); ++i) {
    const auto before = std::pair(read.jobs[i - 1].request.submit, std::stoi(read.jobs[i - 1].id));
    const auto after = std::pair(read.jobs[i].request.submit, std::stoi(read.jobs[i].id));
    ASSERT_LT(before, after);
  }
}

TEST(Swf, SaysWhatIsWrongWithTheFile) {
  EXPECT_THAT(read_all(open_trace("/nowhere/log.swf")).error,
              testing::HasSubstr("/nowhere/log.swf: cannot be opened"));
  EXPECT_THAT(read_all(open_trace("/tmp")).error, testing::HasSubstr("is a folder"));
  EXPECT_THAT(read_text("; Version: 2.2\n; MaxProcs: 4\n\n").error, testing::HasSubstr("log: holds no jobs"));
}

struct Recorded {
  const char* file;
  std::size_t jobs;
  std::uint64_t processors;
};
class SwfRecorded : public testing::TestWithParam<Recorded> {};

TEST_P(SwfRecorded, EveryRowOfTheLogComesOut) {
  GW_NEED_RECORDED(path, GetParam().file);
  const ReadTrace read = read_all(open_trace(path, {.strict = true}));
  ASSERT_EQ(read.error, "");
  EXPECT_EQ(read.jobs.size(), GetParam().jobs);
  EXPECT_EQ(read.stream->info().max_processors, GetParam().processors);
  EXPECT_EQ(read.stream->counts().rows, GetParam().jobs);
  EXPECT_TRUE(read.stream->info().sorted);
}

INSTANTIATE_TEST_SUITE_P(Logs, SwfRecorded,
                         testing::Values(Recorded{"theta_2022.swf", 23911, 4360},
                                         Recorded{"NASA-iPSC-1993-3.1-cln.swf", 18239, 128},
                                         Recorded{"lublin_256.swf", 10000, 256},
                                         Recorded{"canonical/theta22.swf", 23911, 4360},
                                         Recorded{"canonical/lublin256.swf", 10000, 256},
                                         Recorded{"canonical/nasa.swf", 18066, 128},
                                         Recorded{"canonical/philly82k.swf", 82247, 2496}),
                         [](const auto& test) { return fmt::format("L{}_{}", test.index, test.param.jobs); });

TEST(SwfProperty, GarbageNeverCrashesAndNothingIsLost) {
  rc::check([](const std::vector<std::uint8_t>& choices) {
    static constexpr std::string_view kPieces[] = {"1",
                                                   "-1",
                                                   " ",
                                                   "\n",
                                                   ";",
                                                   "Queue: 1 x",
                                                   "999999999999999999999",
                                                   ".5",
                                                   "\t",
                                                   "0",
                                                   "a",
                                                   "\r\n",
                                                   "1 0 -1 10 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1\n"};
    std::string log;
    for (const std::uint8_t choice : choices) log += kPieces[choice % std::size(kPieces)];
    const ReadTrace read = read_text(log, {.format = TraceFormat::kSwf});
    if (holds_no_jobs(read)) return;
    RC_ASSERT(read.error.empty());
    const RowCounts& counts = read.stream->counts();
    RC_ASSERT(counts.accepted == read.jobs.size());
    RC_ASSERT(counts.accepted + total(counts.skipped) == counts.rows);
  });
}

}  // namespace
}  // namespace gw::workload
