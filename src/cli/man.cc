// `gw man`: the manual page, gw(1), whose lists of commands and options are those that gw really has.
#include <fmt/core.h>

#include <string>
#include <string_view>

#include "cli/app.h"
#include "cli/app_tree.h"
#include "cli/commands.h"
#include "cli/version.h"

namespace gw {
namespace {

constexpr const char* kIntroduction = R"(.SH NAME
gw \- plan, simulate and replay AI factories
.SH SYNOPSIS
.B gw
.I COMMAND
.RI [ OPTIONS ]
.RI [ ARGUMENTS ]
.SH DESCRIPTION
Gigawerk is an open operating system for AI factories: data centres whose product is trained models and tokens, shared
by many tenants.
One deterministic core decides which job runs when and on which GPUs.
.B gw
feeds that core recorded or generated workloads, on fleets that exist or are only planned, and shows what happened:
waits, utilisation, fair share, lost work.
The same input gives the same bytes of output on every machine.
)";

constexpr const char* kRest = R"(.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
The input or the run failed, or a file cannot be read or written; standard error says where, what is wrong, and what would be right.
.TP
.B 2
The command line is wrong. A file that is missing or cannot be read is 1, in every command.
.TP
.B 3
No server answers, or it cannot work now.
.TP
.B 4
The server refuses: the token is missing, wrong, or may not do that.
.TP
.B 5
There is no such job, node, tenant or token.
.TP
.B 70
A bug in gw; please report the message with the command line.
.PP
.BR "gw run" ,
.B gw wait
and
.B gw submit \-\-wait
give the exit code of the job (the largest, where there are several): its own; 128+N when signal N killed it; 124 at its
time limit; 137 out of memory; 130 when it was cancelled, or after ^C; 126 or 127 when it could not be run; 125 when it
never ran, was lost, or gw itself failed.
.SH ENVIRONMENT
.TP
.B GIGAWERK_COMPLETION_MS
How long the completion of a shell waits for the server; 300 where it is not set.
.TP
.B GIGAWERK_CA_FILE
As
.BR \-\-ca\-file .
.TP
.B GIGAWERK_PATIENCE
For how many seconds commands that follow or await jobs look for a server that went away; 120 where it is not set.
.TP
.B GIGAWERK_SERVER
As
.BR \-\-server .
.TP
.B GIGAWERK_SHARE
The folder that holds
.IR catalog/ ,
.I scenarios/
and
.IR report/ ,
in place of the installed one.
.TP
.B GIGAWERK_TOKEN
The token itself, in place of
.BR \-\-token\-file .
.TP
.B NO_COLOR
When set and not empty, nothing is printed in colour.
.SH FILES
.TP
.I PREFIX/share/gigawerk/catalog/
GPU and node types and model architectures, with the source of each figure.
.TP
.I PREFIX/share/gigawerk/scenarios/
Factories to start from: fleet, tenants and workload in YAML.
.TP
.I PREFIX/share/gigawerk/report/
What the HTML report is made from.
.SH EXAMPLES
Run the German industrial AI cloud and look at the report:
.PP
.RS
.nf
gw simulate scenarios/german\-industrial\-ai\-cloud.yaml \-\-out out
xdg\-open out/report.html
.fi
.RE
.PP
Replay a recorded log on 2,496 processors under EASY backfill, and read the mean wait:
.PP
.RS
.nf
gw replay log.swf \-\-procs 2496 \-\-policy easy \-\-json | jq .wait_s.mean
.fi
.RE
.PP
Complete commands and options in the running bash:
.PP
.RS
.nf
source <(gw completion bash)
.fi
.RE
.SH SEE ALSO
The documentation in
.IR PREFIX/share/doc/gigawerk/ .
)";

/// `text` as running text of a man page: a hyphen that may be typed stays one, no line becomes a request.
std::string man_text(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
  }
  if (escaped.starts_with('.') || escaped.starts_with('\'')) escaped.insert(0, "\\&");
  return escaped;
}

std::string sentence(const OptionEntry& entry) {
  std::string text = man_text(entry.description);
  if (entry.required && entry.names.front().starts_with("-")) text += " (required)";
  if (!entry.default_value.empty()) text += fmt::format(" (default: {})", man_text(entry.default_value));
  return text + (text.ends_with('.') ? "\n" : ".\n");
}

std::string entry_item(const OptionEntry& entry) {
  std::string names;
  for (const std::string& name : entry.names) {
    names += fmt::format("{}\\fB{}\\fR", names.empty() ? "" : ", ", man_text(name));
  }
  if (entry.names.front().starts_with("-") && !entry.value.empty()) {
    names += fmt::format(" \\fI{}\\fR", man_text(entry.value));
  }
  std::string text = ".TP\n" + names + "\n" + sentence(entry);
  const bool say_words = entry.kind == ValueKind::words && !entry.names.front().starts_with("-");
  if (say_words) text += fmt::format("One of: {}.\n", man_text(entry.value));
  return text;
}

std::string command_section(const CommandEntry& command) {
  std::string text =
      fmt::format(".SS \"{}\"\n{}\n", man_text(command.usage), man_text(command.description) + ".");
  for (const OptionEntry& argument : command.arguments) text += entry_item(argument);
  for (const OptionEntry& option : command.options) {
    if (option.names.back() != "--help") text += entry_item(option);
  }
  return text;
}

std::string man_page(const CommandEntry& app) {
  std::string text =
      fmt::format(".TH GW 1 \"\" \"gigawerk {}\" \"User Commands\"\n", man_text(version_number()));
  text += kIntroduction;
  text += ".SH OPTIONS\n";
  for (const OptionEntry& option : app.options) text += entry_item(option);
  text += ".PP\nEvery command has \\fB\\-\\-help\\fR too.\n.SH COMMANDS\n";
  for (const CommandEntry* command : all_commands(app)) {
    if (!command->path.empty()) text += command_section(*command);
  }
  return text + kRest;
}

}  // namespace

void add_man_command(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("man", "Print the manual page in roff");
  command->group("");  // For the build, which installs its output as gw.1.
  set_action(*command, context, [&app]() -> Result<ExitCode> {
    fmt::print("{}", man_page(describe_app(app)));
    return ExitCode::ok;
  });
}

}  // namespace gw
