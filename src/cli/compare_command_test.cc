// `gw compare` on run folders: what it prints and how it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/app.h"
#include "cli/commands.h"
#include "files/output_file.h"
#include "report/run_report.h"
#include "twin/metrics_fake_run.h"

namespace gw {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class CompareCommand : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("gw-compare-" + std::to_string(getpid()));
    fs::remove_all(folder_);
    for (const std::uint64_t seed : {1, 2}) {
      twin::FakeRun fake({.seed = seed, .jobs = 200});
      twin::MetricsCollector metrics(fake.tenants());
      fake.play(metrics);
      const auto written =
          report::write_run(folder_ / std::to_string(seed), metrics.summarize(fake.labels()), {});
      ASSERT_TRUE(written.has_value()) << written.error().message;
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// What `gw compare ARGUMENTS` prints; `status` is what it ends with.
  std::string compare(std::vector<std::string> arguments, int& status) {
    arguments.insert(arguments.begin(), {"gw", "compare"});
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    AppContext context;
    CLI::App app;
    set_up_app(app, context);
    add_compare_command(app, context);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    status = run_app(app, context, static_cast<int>(argv.size()), argv.data());
    std::fflush(stdout);
    return testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
  }

  fs::path folder_;
};

TEST_F(CompareCommand, PrintsTextAndJson) {
  int status = -1;
  EXPECT_THAT(compare({folder_ / "1", folder_ / "2" / "report.json"}, status),
              HasSubstr("utilisation to last end"));
  EXPECT_EQ(status, 0);
  const auto json = nlohmann::json::parse(compare({folder_ / "1", folder_ / "2", "--json"}, status));
  EXPECT_EQ(status, 0);
  EXPECT_EQ(json["figures"]["jobs.submitted"]["a"], 200);
}

TEST_F(CompareCommand, BadFilesEndWithOneAndSayWhich) {
  int status = -1;
  EXPECT_THAT(compare({folder_ / "1", folder_ / "3"}, status), HasSubstr("/3: cannot read"));
  EXPECT_EQ(status, 1);
  ASSERT_TRUE(files::write_file(folder_ / "bad.json", "{").has_value());
  EXPECT_THAT(compare({folder_ / "bad.json", folder_ / "1"}, status), HasSubstr("bad.json: not JSON"));
  EXPECT_EQ(status, 1);
}

}  // namespace
}  // namespace gw
