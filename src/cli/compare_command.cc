// `gw compare A B`: two runs side by side, with the better one marked.
#include <fmt/core.h>

#include <filesystem>
#include <memory>
#include <string>

#include "cli/app.h"
#include "cli/commands.h"
#include "cli/file_use.h"
#include "cli/share.h"
#include "report/compare.h"
#include "report/html.h"
#include "report/run_report.h"

namespace gw {
namespace {

struct Options {
  std::string a;
  std::string b;
  std::string html;
  bool json = false;
};

Result<ExitCode> compare(const Options& options, bool colour) {
  FileUse use;
  for (const std::string& run : {options.a, options.b}) {
    use.reads(run);
    use.reads(std::filesystem::path(run) / "report.json");
  }
  use.writes(options.html);
  if (const Result<void> apart = use.check(); !apart) return std::unexpected(apart.error());
  const Result<report::Json> a = report::read_report(options.a);
  if (!a) return std::unexpected(a.error());
  const Result<report::Json> b = report::read_report(options.b);
  if (!b) return std::unexpected(b.error());
  const Result<report::Comparison> comparison = report::compare_reports(*a, options.a, *b, options.b);
  if (!comparison) return std::unexpected(comparison.error());
  if (!options.html.empty()) {
    const Result<std::filesystem::path> page = find_share(report::kHtmlTemplateShare);
    if (!page)
      return fail("this gw was built without HTML (GW_WEB=OFF), or is not whole: " + page.error().message);
    if (Result<void> done = report::write_page(options.html, *page, report::Json::array({*a, *b})); !done)
      return std::unexpected(std::move(done.error()));
  }
  if (options.json) {
    fmt::print("{}", report::json_text(report::comparison_json(*comparison)));
  } else {
    fmt::print("{}", report::comparison_text(*comparison, report::terminal_style(colour)));
  }
  return ExitCode::ok;
}

}  // namespace

void add_compare_command(CLI::App& app, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("compare", "Put two runs side by side");
  command->group(kGroupInspect);
  command->add_option("A", options->a, "A run's folder, or its report.json")->required()->type_name("DIR");
  command->add_option("B", options->b, "The other run's")->required()->type_name("DIR");
  command->add_option("--html", options->html, "Write a page with both runs' charts, too")->type_name("FILE");
  command->add_flag("--json", options->json, "Print JSON");
  set_action(*command, context, [options, &context] { return compare(*options, context.colour_out); });
}

}  // namespace gw
