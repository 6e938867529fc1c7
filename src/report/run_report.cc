// Writes the files of one run.
#include "report/run_report.h"

#include <sys/resource.h>

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

Result<void> write_page(const std::filesystem::path& file, const std::filesystem::path& html_template,
                        const Json& reports) {
  const Result<std::string> page_template = files::read_file(html_template);
  if (!page_template) return std::unexpected(page_template.error());
  const Result<std::string> page = render_html(*page_template, reports);
  if (!page) return fail(html_template.string() + ": " + page.error().message);
  return files::write_file(file, *page);
}

Result<std::vector<std::filesystem::path>> write_run(const std::filesystem::path& folder,
                                                     const twin::RunSummary& summary,
                                                     const WriteOptions& options) {
  std::vector<std::filesystem::path> written;
  Json json = to_json(summary);
  if (options.facts != nullptr) add_facts(json, *options.facts);
  if (Result<void> done = files::write_file(folder / "report.json", json_text(json)); !done)
    return std::unexpected(std::move(done.error()));
  written.push_back(folder / "report.json");
  if (options.html_template.empty()) return written;
  const std::filesystem::path page = folder / "report.html";
  if (Result<void> done = write_page(page, options.html_template, Json::array({json})); !done)
    return std::unexpected(std::move(done.error()));
  written.push_back(page);
  return written;
}

}  // namespace gw::report
