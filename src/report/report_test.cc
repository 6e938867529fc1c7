// The report files of a fake run: the keys that scripts rely on, rows that read back, pages that cannot break
// out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "files/output_file.h"
#include "report/html.h"
#include "report/jobs_csv.h"
#include "report/json.h"
#include "report/run_report.h"
#include "report/terminal.h"
#include "twin/metrics_fake_run.h"

namespace gw::report {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using twin::FakeRun;

class ReportTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() /
              ("gw-report-" + std::string(info->name()) + "-" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

twin::RunSummary fake_summary(std::uint64_t seed = 1) {
  FakeRun fake({.seed = seed, .jobs = 600, .nodes = 16, .organisations = 14, .failures = true});
  twin::MetricsCollector metrics(fake.tenants());
  fake.play(metrics);
  return metrics.summarize(fake.labels());
}

std::string text_of(const fs::path& path) {
  Result<std::string> text = files::read_file(path);
  return text ? *text : text.error().message;
}

/// Fields of one RFC 4180 line.
std::vector<std::string> split_csv(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '"') {
      if (quoted && at + 1 < line.size() && line[at + 1] == '"')
        fields.back() += line[++at];
      else
        quoted = !quoted;
    } else if (line[at] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[at];
    }
  }
  return fields;
}

TEST_F(ReportTest, JsonHasTheKeysThatScriptsReadInAFixedOrder) {
  const twin::RunSummary summary = fake_summary();
  const Json json = to_json(summary, Detail::kSummary);
  for (const char* key : {"/jobs/submitted", "/jobs/started", "/jobs/rejected", "/wait_s/mean", "/wait_s/p50",
                          "/wait_s/p90", "/wait_s/p99", "/wait_s/max", "/makespan_s", "/utilization",
                          "/run/wall_s", "/run/jobs_per_s", "/run/peak_rss_bytes"}) {
    const Json::json_pointer pointer(key);
    ASSERT_TRUE(json.contains(pointer)) << key;
    EXPECT_TRUE(json.at(pointer).is_number()) << key;
  }
  EXPECT_EQ(json["jobs"]["submitted"], 600);
  EXPECT_DOUBLE_EQ(json["wait_s"]["mean"].get<double>(), summary.wait_s.mean);
  EXPECT_FALSE(json.contains("series"));
  EXPECT_EQ(json["tenants"].size(), 14U);
  const std::string text = json_text(to_json(summary));
  EXPECT_EQ(Json::parse(text), to_json(summary));
  EXPECT_EQ(text, json_text(to_json(fake_summary())));
  EXPECT_LT(text.find("\"jobs\""), text.find("\"wait_s\""));
  EXPECT_EQ(Json::parse(text)["series"]["allocated_gpus"].size(), summary.series.bins());
}

TEST_F(ReportTest, RunNumbersAreTheMachinesOwn) {
  const RunStopwatch watch;
  const twin::RunSummary::Run run = watch.stop(1000);
  EXPECT_GT(run.wall_s, 0);
  EXPECT_DOUBLE_EQ(run.jobs_per_s, 1000 / run.wall_s);
  EXPECT_GT(run.peak_rss_bytes, 1U << 20);
  EXPECT_LT(run.peak_rss_bytes, std::uint64_t{1} << 40);
}

TEST_F(ReportTest, JobsCsvReadsBack) {
  FakeRun fake({.jobs = 300, .failures = true});
  const twin::RunLabels labels = fake.labels();
  twin::MetricsCollector metrics(fake.tenants());
  const std::vector<FakeRun::Row> rows = fake.play(metrics);
  Result<JobsCsv> csv = JobsCsv::open(folder_ / "new" / "jobs.csv", fake.tenants(), labels);
  ASSERT_TRUE(csv.has_value()) << csv.error().message;
  for (const FakeRun::Row& row : rows) {
    twin::JobRecord job = row.job;
    job.id = row.id;
    csv->add(job);
  }
  EXPECT_FALSE(fs::exists(folder_ / "new" / "jobs.csv"));  // Not before it is whole.
  ASSERT_TRUE(csv->close().has_value());
  std::istringstream lines(text_of(folder_ / "new" / "jobs.csv"));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line + "\n", kJobsCsvHeader);
  EXPECT_TRUE(line.starts_with("job_id,submit_s,start_s,end_s,wait_s"));
  for (const FakeRun::Row& row : rows) {
    ASSERT_TRUE(std::getline(lines, line));
    const std::vector<std::string> fields = split_csv(line);
    ASSERT_EQ(fields.size(), 14U) << line;
    EXPECT_EQ(fields[0], row.id);
    EXPECT_DOUBLE_EQ(std::stod(fields[1]), to_seconds(row.job.submit));
    EXPECT_DOUBLE_EQ(std::stod(fields[3]), to_seconds(row.job.end));
    EXPECT_DOUBLE_EQ(std::stod(fields[4]), to_seconds(row.job.wait()));
    EXPECT_EQ(fields[5], fake.tenants().path(row.job.tenant));
    EXPECT_DOUBLE_EQ(std::stod(fields[7]) * 1000, static_cast<double>(row.job.gpu_milli));
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(ReportTest, JobsCsvWritesTimesShortAndNamesQuoted) {
  TenantTree tree;
  const TenantId tenant = tree.add(TenantTree::root(), "Huber, \"M\"");
  twin::RunLabels labels;
  labels.job_classes = {"a\nb"};
  labels.fabric_levels = {"rack"};
  labels.wait_reasons = {"", "x"};
  Result<JobsCsv> csv = JobsCsv::open(folder_ / "jobs.csv", tree, labels);
  ASSERT_TRUE(csv.has_value());
  twin::JobRecord job;
  job.id = "7,8";
  job.tenant = tenant;
  job.outcome = JobOutcome::kTimeout;
  job.span = 1;
  job.reason = 1;
  job.gpu_milli = 1250;
  job.nodes_used = 2;
  job.submit = Instant{1};
  job.start = Instant{2'500'000'001};
  job.end = Instant{1'000'000'000'000'000'000};
  job.limit = seconds(3600);
  csv->add(job);
  const std::string long_id(300'000, 'x');
  job.id = long_id;
  csv->add(job);
  ASSERT_TRUE(csv->close().has_value());
  const std::string rest =
      ",0.000000001,2.500000001,1000000000,2.5,\"Huber, \"\"M\"\"\",\"a\nb\",1.25,2,rack,"
      "timeout,0,3600,x\n";
  EXPECT_EQ(text_of(folder_ / "jobs.csv"), std::string(kJobsCsvHeader) + "\"7,8\"" + rest + long_id + rest);
}

TEST_F(ReportTest, AFullDiskIsToldAndLeavesTheOldFile) {
  ASSERT_TRUE(files::write_file(folder_ / "jobs.csv", "old").has_value());
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100'000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  TenantTree tree;
  const twin::RunLabels labels;
  Result<JobsCsv> csv = JobsCsv::open(folder_ / "jobs.csv", tree, labels);
  ASSERT_TRUE(csv.has_value());
  twin::JobRecord job;
  job.id = "1";
  job.tenant = TenantTree::root();
  for (int row = 0; row < 20'000; ++row) csv->add(job);
  const Result<void> closed = csv->close();
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_DFL);
  ASSERT_FALSE(closed.has_value());
  EXPECT_THAT(closed.error().message, HasSubstr("jobs.csv: cannot write"));
  EXPECT_EQ(text_of(folder_ / "jobs.csv"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(ReportTest, PlacesThatCannotBeWrittenAreNamed) {
  ASSERT_TRUE(files::write_file(folder_ / "file", "x").has_value());
  const Result<void> below_file = files::write_file(folder_ / "file" / "report.json", "{}");
  ASSERT_FALSE(below_file.has_value());
  EXPECT_THAT(below_file.error().message, HasSubstr("/file: cannot make the folder"));
  const Result<void> onto_folder = files::write_file(folder_, "{}");
  ASSERT_FALSE(onto_folder.has_value());
  EXPECT_THAT(onto_folder.error().message, HasSubstr("is a folder"));
}

TEST_F(ReportTest, DataCannotBreakOutOfThePage) {
  const Json evil = Json::array({{{"name", "</script><script>alert(1)</script>&\u2028\xff<!--"}}});
  const std::string safe = json_for_script(evil);
  EXPECT_EQ(safe.find_first_of("<>&\u2028"), std::string::npos);
  const Json back = Json::parse(safe);
  EXPECT_EQ(back[0]["name"].get<std::string>().substr(0, 34), "</script><script>alert(1)</script>");
  const Result<std::string> page = render_html("<script>@GIGAWERK_DATA@</script>", evil);
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(*page, "<script>" + safe + "</script>");
  EXPECT_FALSE(render_html("<p>", evil).has_value());
  EXPECT_FALSE(render_html("@GIGAWERK_DATA@ @GIGAWERK_DATA@", evil).has_value());
}

TEST_F(ReportTest, WritesARunAndReadsItBack) {
  const twin::RunSummary summary = fake_summary();
  ASSERT_TRUE(files::write_file(folder_ / "template", "<script>@GIGAWERK_DATA@</script>").has_value());
  const auto written = write_run(folder_ / "out", summary, {.html_template = folder_ / "template"});
  ASSERT_TRUE(written.has_value()) << written.error().message;
  EXPECT_THAT(*written, testing::ElementsAre(folder_ / "out/report.json", folder_ / "out/report.html"));
  const Result<Json> by_folder = read_report(folder_ / "out");
  ASSERT_TRUE(by_folder.has_value()) << by_folder.error().message;
  EXPECT_EQ(*by_folder, to_json(summary));
  EXPECT_THAT(text_of(folder_ / "out" / "report.html"), HasSubstr("\"format\": \"gigawerk-report\""));
  EXPECT_FALSE(write_run(folder_ / "out", summary, {.html_template = folder_ / "none"}).has_value());
}

TEST_F(ReportTest, ReportsThatAreNoneAreRefused) {
  const auto message = [&](std::string_view text) {
    EXPECT_TRUE(files::write_file(folder_ / "report.json", text).has_value());
    const Result<Json> json = read_report(folder_);
    return json ? std::string("accepted") : json.error().message;
  };
  EXPECT_THAT(message("{\"format\":"), HasSubstr("report.json: not JSON"));
  EXPECT_THAT(message("[1]"), HasSubstr("not a report of gw"));
  EXPECT_THAT(message("{\"format\":\"gigawerk-report\",\"version\":99}"), HasSubstr("version 99"));
  EXPECT_EQ(message("{\"format\":\"gigawerk-report\",\"version\":1}"), "accepted");
  EXPECT_THAT(read_report(folder_ / "nowhere").error().message, HasSubstr("nowhere: cannot read"));
}

TEST(Text, NumbersAsPeopleReadThem) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(1234567), "1,234,567");
  EXPECT_EQ(format_number(0.254), "0.25");
  EXPECT_EQ(format_number(3), "3");
  EXPECT_EQ(format_number(18.34), "18.3");
  EXPECT_EQ(format_number(123456.7), "123,457");
  EXPECT_EQ(format_number(0.00123), "0.0012");
  EXPECT_EQ(format_duration(0), "0 s");
  EXPECT_EQ(format_duration(8.75e-5), "87.5 us");
  EXPECT_EQ(format_duration(9.998e-4), "1 ms");
  EXPECT_EQ(format_duration(0.0123), "12.3 ms");
  EXPECT_EQ(format_duration(0.9996), "1 s");
  EXPECT_EQ(format_duration(-0.5), "-500 ms");
  EXPECT_EQ(format_duration(90), "90 s");
  EXPECT_EQ(format_duration(1800), "30 min");
  EXPECT_EQ(format_duration(9000), "2.5 h");
  EXPECT_EQ(format_duration(30 * 86400), "30 d");
  EXPECT_EQ(format_percent(0.8734), "87.3 %");
  EXPECT_EQ(format_bytes(12 * 1024 * 1024), "12 MiB");
}

TEST(Text, TheLocaleDecidesOnUnicode) {
  setenv("LC_ALL", "de_DE.UTF-8", 1);
  EXPECT_TRUE(terminal_style(false).unicode);
  setenv("LC_ALL", "POSIX", 1);
  EXPECT_FALSE(terminal_style(false).unicode);
  unsetenv("LC_ALL");
  unsetenv("LC_CTYPE");
  unsetenv("LANG");
  EXPECT_TRUE(terminal_style(true).unicode);
  EXPECT_TRUE(terminal_style(true).colour);
}

TEST(Text, BarsAreAsWideAsAsked) {
  const Style plain{.unicode = false};
  EXPECT_EQ(bar(plain, 0.5, 10), "#####.....");
  EXPECT_EQ(bar({}, 0.5, 4), "██  ");
  EXPECT_EQ(bar({}, 1.7, 4), "████");
  for (const double share : {0.0, 0.01, 0.33, 0.999, 1.0})
    EXPECT_EQ(columns(bar({}, share, 17)), 17U) << share;
  EXPECT_EQ(sparkline({}, std::vector<double>{0, 1, 2, 4}, 4, 4), " ▂▄█");
  EXPECT_EQ(sparkline(plain, std::vector<double>{0, 0.001, 4}, 4, 3), " .@");
  EXPECT_EQ(columns(sparkline({}, std::vector<double>(1000, 3.0), 4, 33)), 33U);
  EXPECT_EQ(shorten({}, "Mönchengladbach", 6), "Mönch…");
  EXPECT_EQ(shorten(plain, "abc", 3), "abc");
}

TEST(Terminal, FitsTheScreenAndShowsTheFigures) {
  twin::RunSummary summary = fake_summary();
  summary.run = {.wall_s = 0.5, .jobs_per_s = 1200, .peak_rss_bytes = 12 << 20};
  const std::string text = terminal_summary(summary, Style{.width = 92});
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(columns(line), 92U) << line;
  for (const char* part : {"fake run", "600 submitted", "Waits and bounded slowdown", "Tenants", "4 others",
                           "Spans of the fabric", "Why jobs waited", "█", "12 MiB at most"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(text, HasSubstr(format_percent(summary.utilization)));
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_NE(terminal_summary(summary, Style{.colour = true}).find("\033["), std::string::npos);
  const std::string ascii = terminal_summary(summary, Style{.unicode = false, .width = 80});
  for (const char character : ascii) ASSERT_TRUE(character == '\n' || (character >= ' ' && character <= '~'));
  std::istringstream ascii_lines(ascii);
  for (std::string line; std::getline(ascii_lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

TEST(Terminal, AnEmptyRunSaysSo) {
  EXPECT_THAT(terminal_summary(twin::RunSummary{}, Style{}), HasSubstr("No job was submitted"));
}

}  // namespace
}  // namespace gw::report
