// Writes the files of one run.
#include "report/run_report.h"

#include <sys/resource.h>

#include <optional>
#include <system_error>
#include <utility>

#include "files/output_file.h"
#include "report/html.h"
#include "report/json.h"

namespace gw::report {

twin::RunSummary::Run RunStopwatch::stop(std::uint64_t jobs) const {
  twin::RunSummary::Run run;
  run.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  run.jobs_per_s = run.wall_s > 0 ? static_cast<double>(jobs) / run.wall_s : 0;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0)  // Linux counts ru_maxrss in KiB.
    run.peak_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  return run;
}

namespace {

Result<std::string> page_of(const std::filesystem::path& html_template, std::string_view reports) {
  const Result<std::string> page_template = files::read_file(html_template);
  if (!page_template) return std::unexpected(page_template.error());
  Result<std::string> page = render_html_text(*page_template, reports);
  if (!page) return fail(html_template.string() + ": " + page.error().message);
  return page;
}

}  // namespace

Result<void> write_page(const std::filesystem::path& file, const std::filesystem::path& html_template,
                        const Json& reports) {
  const Result<std::string> page = page_of(html_template, json_text(reports));
  if (!page) return std::unexpected(page.error());
  return files::write_file(file, *page);
}

Result<std::vector<std::filesystem::path>> write_run(const std::filesystem::path& folder,
                                                     const twin::RunSummary& summary,
                                                     const WriteOptions& options,
                                                     const std::vector<files::OutputFile*>& others) {
  Json json = to_json(summary);
  if (options.facts != nullptr) add_facts(json, *options.facts);
  const std::filesystem::path page_path = folder / "report.html";
  Result<files::OutputFile> report = files::OutputFile::open(folder / "report.json");
  if (!report) return std::unexpected(std::move(report.error()));
  const std::string json_bytes = json_text(json);
  report->write(json_bytes);
  std::vector<files::OutputFile*> together = others;
  together.push_back(&*report);
  std::vector<std::filesystem::path> written{report->path()};
  std::optional<files::OutputFile> page;
  if (!options.html_template.empty()) {
    const Result<std::string> text = page_of(options.html_template, "[" + json_bytes + "]");
    if (!text) return std::unexpected(text.error());
    Result<files::OutputFile> opened = files::OutputFile::open(page_path);
    if (!opened) return std::unexpected(std::move(opened.error()));
    page.emplace(std::move(*opened));
    page->write(*text);
    together.push_back(&*page);
    written.push_back(page_path);
  }
  if (Result<void> done = files::commit_all(together); !done) return std::unexpected(std::move(done.error()));
  std::error_code error;
  if (!page && !std::filesystem::remove(page_path, error) && error) {
    return fail(page_path.string() + ": cannot remove this page of an earlier run: " + error.message() +
                "; remove it by hand");
  }
  return written;
}

}  // namespace gw::report
