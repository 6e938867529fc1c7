// `gw top`: the factory on a screen, live.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "cli/commands.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "report/text.h"
#include "top/run.h"

namespace gw {
namespace {

struct Options {
  double interval_s = 1;
  bool once = false;
  std::string pane = "queue", sort, filter;
};

/// COLUMNS or LINES, where they are set.
std::optional<std::size_t> size_wish(const char* variable, std::size_t least) {
  const char* value = std::getenv(variable);
  if (value == nullptr) return std::nullopt;
  const std::string_view text = value;
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > 1000)
    return std::nullopt;
  return number;
}

Result<ExitCode> show_frame(const AppContext& context, const top::RunOptions& run, bool json) {
  std::size_t columns = 100, rows = 50;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    columns = size.ws_col, rows = size.ws_row;
  columns = size_wish("COLUMNS", 20).value_or(columns);
  rows = size_wish("LINES", 5).value_or(rows);
  if (json) {
    const auto frame = top::frame_json(run, columns, rows);
    if (!frame) return report_failure(context, frame.error());
    fmt::print("{}\n", json_out(*frame));
    return ExitCode::ok;
  }
  const auto frame = top::frame_text(run, columns, rows);
  if (!frame) return report_failure(context, frame.error());
  fmt::print("{}", *frame);
  return ExitCode::ok;
}

Result<ExitCode> show(const AppContext& context, const Options& options, const ServerAccess& access) {
  top::RunOptions run;
  run.settings = access.settings;
  run.colour = context.colour_out;
  top::ModelOptions& model = run.model;
  model.unicode = report::terminal_style(false).unicode;
  model.interval_ns = static_cast<std::int64_t>(options.interval_s * 1e9);
  model.pane = top::pane_by_name(options.pane).value_or(top::Pane::kQueue);
  model.filter = options.filter;
  if (!options.sort.empty()) {
    model.reversed = options.sort.front() == '-';
    const std::string_view name = std::string_view(options.sort).substr(model.reversed ? 1 : 0);
    const std::span<const top::Sort> sorts = top::sorts_of(model.pane);
    while (model.sort < sorts.size() && sorts[model.sort].name != name) ++model.sort;
    if (model.sort == sorts.size()) {
      std::string names;
      for (const top::Sort& sort : sorts) names += (names.empty() ? "" : ", ") + std::string(sort.name);
      print_error(context, fmt::format("--sort: {} are not sorted by '{}'; they may be by {}", options.pane,
                                       name, names));
      return ExitCode::usage;
    }
  }
  if (options.once || access.json) return show_frame(context, run, access.json);
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
    print_error(context, "gw top needs a terminal; --once prints one frame, --json what it shows");
    return ExitCode::usage;
  }
  const std::expected<int, client::Failure> code = top::run_on_terminal(run);
  if (!code) return report_failure(context, code.error());
  return ExitCode{*code};
}

}  // namespace

void add_top_command(CLI::App& app, AppContext& context) {
  auto options = std::make_shared<Options>();
  auto access = std::make_shared<ServerAccess>();
  CLI::App* command = app.add_subcommand("top", "Show the factory on a screen, live: queue, nodes, tenants");
  command->group(kGroupOperate);
  command
      ->add_option("--interval", options->interval_s,
                   "Seconds between looks at the server; changes show at once")
      ->check(number(0.1, 3600))
      ->capture_default_str()
      ->type_name("SECONDS");
  command->add_option("--pane", options->pane, "What to show first")
      ->capture_default_str()
      ->check(CLI::IsMember({"queue", "nodes", "tenants"}));
  command
      ->add_option("--sort", options->sort,
                   "How to sort it; -NAME: the other way round (see the titles, or key s)")
      ->type_name("NAME");
  command->add_option("--filter", options->filter, "Only rows with this text")->type_name("TEXT");
  command->add_flag("--once", options->once, "Print one frame as text, as large as COLUMNS and LINES say");
  add_server_options(*command, *access);
  command->footer(
      "? shows the keys. It goes on through a restart of the server.\n\n"
      "Examples:\n"
      "  gw top\n"
      "  gw top --pane nodes --sort state\n"
      "  COLUMNS=160 gw top --once --filter vision");
  set_action(*command, context, [&context, options, access] { return show(context, *options, *access); });
}

}  // namespace gw
