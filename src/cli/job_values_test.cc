// What --time, --mem, --signal, --begin, --depends and --chdir take, and what they refuse.
#include "cli/job_values.h"

#include <gtest/gtest.h>

#include <csignal>

#include "spec/job_check.h"

namespace gw {
namespace {

std::int64_t time_of(std::string_view text) {
  const Result<Nanoseconds> time = parse_job_time(text);
  return time ? time->count() / 1'000'000'000 : -1;
}

std::int64_t memory_of(std::string_view text) { return parse_job_memory(text).value_or(-1); }

TEST(JobValues, TimesHaveUnitsOrAreSlurms) {
  EXPECT_EQ(time_of("90s"), 90);
  EXPECT_EQ(time_of("2h"), 7200);
  EXPECT_EQ(time_of("90"), 90 * 60);
  EXPECT_EQ(time_of("90:30"), 90 * 60 + 30);
  EXPECT_EQ(time_of("1:30:00"), 5400);
  EXPECT_EQ(time_of("1-12"), 36 * 3600);
  EXPECT_EQ(time_of("1-2:3"), 26 * 3600 + 180);
  for (const char* unlimited : {"UNLIMITED", "infinite", "-1", "0"})
    EXPECT_EQ(time_of(unlimited), spec::job_limits::kLongestSeconds) << unlimited;
}

TEST(JobValues, MalformedTimesAreRefused) {
  for (const char* bad : {"", "-2", "--1", "1-2-3", "1-", "-", ":", "1:2:3:4", "1-2:3:4:5", "2x", "2h3", "0s",
                          "0.5s", "1.5", "1e3", "soon", "99999999999", "200000d", "1:-2"})
    EXPECT_EQ(time_of(bad), -1) << bad;
}

TEST(JobValues, SizesAreBinary) {
  EXPECT_EQ(memory_of("4096"), 4096);
  EXPECT_EQ(memory_of("4G"), 4096);
  EXPECT_EQ(memory_of("4GB"), 4096);
  EXPECT_EQ(memory_of("4 GB"), 4096);
  EXPECT_EQ(memory_of("4GiB"), 4096);
  EXPECT_EQ(memory_of("1.5 GiB"), 1536);
  EXPECT_EQ(memory_of("500MB"), 500);
  EXPECT_EQ(memory_of("1025K"), 2);
  EXPECT_EQ(memory_of("1T"), 1 << 20);
}

TEST(JobValues, MalformedSizesAreRefused) {
  for (const char* bad : {"", "0", "0G", "-4G", "4X", "lots", "4G4", "1.5GB", "4B", "GiB", "0 GiB", "-1 GiB",
                          "9999999999T", "2000000000 TiB", "1e3"})
    EXPECT_EQ(memory_of(bad), -1) << bad;
}

TEST(JobValues, Signals) {
  const auto span = [](const char* text) {
    const Result<WarningSignal> warning = parse_job_signal(text);
    return warning && warning->signal == SIGUSR1 ? warning->before.count() / 1'000'000'000 : -1;
  };
  EXPECT_EQ(span("USR1"), 60);
  EXPECT_EQ(span("USR1@90"), 90);
  EXPECT_EQ(span("10@90"), 90);
  EXPECT_EQ(span("SIGUSR1@5min"), 300);
  EXPECT_EQ(span("B:USR1@5min"), 300);
  EXPECT_TRUE(parse_job_signal("USR1")->whole_group);
  EXPECT_FALSE(parse_job_signal("B:USR1@90")->whole_group);
  for (const char* bad : {"", "@60", "USR9@60", "USR1@", "USR1@soon", "USR1@-5", "USR1@0s", "USR1@1@2",
                          "X:USR1", "R:USR1", "USR1@90 s 3"})
    EXPECT_FALSE(parse_job_signal(bad)) << bad;
}

TEST(JobValues, Begin) {
  constexpr std::int64_t kNow = 1'800'000'000;
  EXPECT_EQ(parse_job_begin("now+1hour", kNow).value_or(0), kNow + 3600);
  EXPECT_EQ(parse_job_begin("now + 2 minutes", kNow).value_or(0), kNow + 120);
  EXPECT_EQ(parse_job_begin("2026-12-01T08:00:00Z", kNow).value_or(0), 1'796'112'000);
  EXPECT_EQ(parse_job_begin("2026-12-01T08:00:00+01:00", kNow).value_or(0), 1'796'112'000 - 3600);
  EXPECT_TRUE(parse_job_begin("2026-12-01T08:00:00", kNow));
  for (const char* bad :
       {"", "soon", "now+", "now+1fortnight", "25:00", "2026-13-01", "2026-12-01T08:00:00+25"})
    EXPECT_FALSE(parse_job_begin(bad, kNow)) << bad;
}

TEST(JobValues, Dependencies) {
  const Result<JobDependencies> all = parse_job_dependencies({"afterok:12:13,after:14", "15"});
  ASSERT_TRUE(all);
  const std::vector<Dependency> expected{{DependencyKind::kAfterOk, 12},
                                         {DependencyKind::kAfterOk, 13},
                                         {DependencyKind::kAfterStart, 14},
                                         {DependencyKind::kAfterAny, 15}};
  EXPECT_EQ(all->jobs, expected);
  EXPECT_FALSE(all->any);
  EXPECT_TRUE(parse_job_dependencies({"afterok:12?afterok:13"})->any);
  const std::vector<std::vector<std::string>> bad{
      {""},         {"afterok"},   {"afterok:"},     {"afterok:x"},
      {"later:12"}, {"singleton"}, {"afterok:12_3"}, {"afterok:1?afterok:2", "afterok:3"}};
  for (const std::vector<std::string>& texts : bad) EXPECT_FALSE(parse_job_dependencies(texts)) << texts[0];
}

TEST(JobValues, FoldersBecomeAbsolute) {
  EXPECT_EQ(absolute_folder("sub", "/home/ada").value_or(""), "/home/ada/sub");
  EXPECT_EQ(absolute_folder("../x/./y/", "/home/ada").value_or(""), "/home/x/y");
  EXPECT_EQ(absolute_folder(".", "/home/ada").value_or(""), "/home/ada");
  EXPECT_EQ(absolute_folder("/data", "").value_or(""), "/data");
  EXPECT_FALSE(absolute_folder("sub", ""));
}

}  // namespace
}  // namespace gw
