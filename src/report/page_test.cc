// report.html in a real browser: every chart is drawn and nothing goes wrong on the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "files/output_file.h"
#include "report/html.h"
#include "report/run_report.h"
#include "twin/metrics_fake_run.h"

namespace gw::report {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct Output {
  int status = -1;
  std::string text;
};

Output run(const std::string& command) {
  Output output;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 65536> buffer;
  while (const std::size_t got = fread(buffer.data(), 1, buffer.size(), pipe))
    output.text.append(buffer.data(), got);
  output.status = pclose(pipe);
  return output;
}

class PageTest : public testing::Test {
 protected:
  void SetUp() override {
    template_ = fs::read_symlink("/proc/self/exe").parent_path() / "share/gigawerk" / kHtmlTemplateShare;
    if (!fs::exists(template_)) GTEST_SKIP() << "the page is not built (GW_WEB=OFF): no " << template_;
    if (run("command -v chromium").status != 0) GTEST_SKIP() << "chromium is not installed";
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::temp_directory_path() / ("gw-page-" + std::string(info->name()) + "-" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  /// The page's elements once its scripts have run; what the browser's console said goes to `console`.
  std::string open_in_browser(const Json& reports, std::string& console) {
    const Result<std::string> page = render_html(*files::read_file(template_), reports);
    EXPECT_TRUE(page.has_value());
    EXPECT_TRUE(files::write_file(folder_ / "report.html", *page).has_value());
    const std::string place = folder_.string();
    const Output output =
        run("HOME=" + place +
            " timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage" +
            " --enable-logging=stderr --virtual-time-budget=10000 --window-size=1280,2000 --user-data-dir=" +
            place + "/profile --dump-dom file://" + place + "/report.html 2>" + place + "/log");
    EXPECT_EQ(output.status, 0);
    const std::string log = *files::read_file(folder_ / "log");
    for (std::size_t at = log.find("CONSOLE"); at != std::string::npos; at = log.find("CONSOLE", at + 1))
      console += log.substr(at, log.find('\n', at) - at) + "\n";
    // Without the script elements: the code and the data hold the same words.
    std::string elements = output.text;
    for (std::size_t at = elements.find("<script"); at != std::string::npos;
         at = elements.find("<script", at))
      elements.erase(at, elements.find("</script>", at) - at + 9);
    return elements;
  }

  fs::path template_;
  fs::path folder_;
};

Json fake_report(bool failures, std::uint64_t seed = 3) {
  twin::FakeRun fake({.seed = seed, .jobs = 3000, .nodes = 32, .organisations = 25, .failures = failures});
  twin::MetricsCollector metrics(fake.tenants());
  fake.play(metrics);
  return to_json(metrics.summarize(fake.labels()));
}

std::size_t drawn(const std::string& page, const std::string& chart) {
  const std::size_t begin = page.find("data-chart=\"" + chart + "\"");
  if (begin == std::string::npos) return 0;
  const std::size_t end = page.find("</section>", begin);
  const std::string part = page.substr(begin, end - begin);
  if (part.find("<svg") == std::string::npos) return 0;
  std::size_t paths = 0;
  for (std::size_t at = part.find("<path"); at != std::string::npos; at = part.find("<path", at + 1)) ++paths;
  return paths;
}

TEST_F(PageTest, DrawsEveryChartWithoutAnError) {
  std::string console;
  const std::string page = open_in_browser(Json::array({fake_report(true)}), console);
  EXPECT_EQ(console, "");
  EXPECT_THAT(page, HasSubstr("data-errors=\"0\""));
  for (const char* chart : {"gpus", "fragmentation", "failures", "queue-jobs", "queue-gpus", "wait-size",
                            "slowdown-size", "wait-class", "reasons", "tenants", "wait-tenant", "spans"})
    EXPECT_GT(drawn(page, chart), 3U) << chart;
  for (const char* text : {"GPU utilisation", "Fair-share error", "<title>fake run", "GPU-hours", "5 others"})
    EXPECT_THAT(page, HasSubstr(text));
}

TEST_F(PageTest, DrawsTwoRunsSideBySide) {
  std::string console;
  const std::string page = open_in_browser(Json::array({fake_report(true), fake_report(false, 9)}), console);
  EXPECT_EQ(console, "");
  EXPECT_THAT(page, HasSubstr("data-errors=\"0\""));
  for (const char* chart : {"compare-use", "compare-queue", "compare-wait", "compare-slowdown"})
    EXPECT_GT(drawn(page, chart), 3U) << chart;
  EXPECT_THAT(page, HasSubstr("B is "));
}

TEST_F(PageTest, AnEmptyRunAndBadNamesAreShown) {
  twin::RunSummary empty;
  empty.labels.name = "</script><b>Kübler & \"Söhne\"";
  std::string console;
  const std::string page = open_in_browser(Json::array({to_json(empty)}), console);
  EXPECT_EQ(console, "");
  EXPECT_THAT(page, HasSubstr("&lt;/script&gt;&lt;b&gt;Kübler &amp; \"Söhne\""));
  EXPECT_THAT(page, HasSubstr("No job was submitted"));
}

}  // namespace
}  // namespace gw::report
