// `gw watch`: what happens in a factory, as it happens.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

#include "cli/commands.h"
#include "cli/follow_job.h"
#include "cli/interrupts.h"
#include "cli/job_facts.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "client/patience.h"
#include "http/sse.h"
#include "report/text.h"

namespace gw {
namespace {

using client::Connection;
using client::Failure;
using client::Json;

/// A stream that has lasted so long was a good one.
constexpr std::chrono::seconds kStood{5};

struct Options {
  std::string tenant, job;
  std::vector<std::string> events;
  std::uint64_t count = 0;  ///< 0: without end.
};

std::string budget_text(const Json& event) {
  const auto part = [&](const char* most, const char* spent, std::string_view unit) {
    return event.at(most).is_number()
               ? fmt::format("{:.4g} of {:.4g} {}", event.value(spent, 0.0), event.value(most, 0.0), unit)
               : std::string();
  };
  const std::string hours = part("gpu_hours", "spent_gpu_hours", "GPU-hours");
  const std::string euros = part("euros", "spent_euros", "EUR");
  return fmt::format("spent {}{}{}; then: {}", hours, hours.empty() || euros.empty() ? "" : ", ", euros,
                     event.value("action", ""));
}

std::string cap_text(const Json& event) {
  const auto power = [&](const char* key) { return power_text(event.value(key, 0.0) * 1000); };
  std::string text = "draws " + power("draw_w");
  text += event.at("cap_w").is_number() ? ", may draw " + power("cap_w") : std::string(", is not limited");
  const std::string because = event.value("because", "");
  if (because == "ending") text += ": jobs that were stopped are saving their work";
  if (because == "idle") text += ": what idles there draws more";
  return text;
}

/// One event in one line.
std::string line_of(const std::string& kind, const Json& event) {
  std::string who, state, rest;
  if (kind == "job") {
    who = event.value("id", "");
    state = event.value("leaving", false)    ? "leaving"
            : event.value("stopping", false) ? "stopping"
                                             : event.value("status", "");
    rest = fmt::format("{} ({}, {})", event.value("name", ""), event.value("tenant", ""),
                       event.value("user", ""));
    if (const std::string where = where_text(event); !where.empty()) rest += " " + where;
  } else if (kind == "budget") {
    who = event.value("tenant", "");
    state = event.value("state", "");
    rest = budget_text(event);
  } else if (kind == "cap") {
    who = event.value("feed", "");
    state = event.value("met", true) ? "met" : "not met";
    rest = cap_text(event);
  }
  return fmt::format("{}  {:<6}  {:<8}  {:<9}  {}\n", event.value("at", ""), kind,
                     report::printable_name(who), state, report::printable_name(rest));
}

class Watch {
 public:
  Watch(const AppContext& context, const Options& options, bool json, Connection& connection)
      : context_(context), options_(options), json_(json), connection_(connection) {}

  Result<ExitCode> run();

 private:
  std::optional<ExitCode> find_job();
  std::optional<Failure> stream();
  bool take(const http::ServerEvent& event);
  [[nodiscard]] bool wanted(const std::string& kind) const {
    return options_.events.empty() ||
           std::find(options_.events.begin(), options_.events.end(), kind) != options_.events.end();
  }
  /// False when standard output is closed.
  bool print(const http::ServerEvent& event, const Json& data);

  const AppContext& context_;
  const Options& options_;
  const bool json_;
  Connection& connection_;
  client::Patience patience_{connection_.patience()};
  std::uint64_t job_ = 0;  ///< Watched; 0: all.
  bool whole_array_ = false;
  std::string last_id_;  ///< Of the last event, or of the last before the stream began; empty: not known.
  bool again_ = false;   ///< The stream is to begin anew with the present state.
  bool told_ = false;    ///< That the server is gone.
  bool over_ = false;
  std::uint64_t printed_ = 0;
};

/// The number of the job that is named; a value where there is none.
std::optional<ExitCode> Watch::find_job() {
  if (options_.job.empty()) return std::nullopt;
  const std::expected<Json, Failure> job = connection_.get("/v1/jobs/" + client::escaped(options_.job));
  if (!job) return report_failure(context_, job.error());
  job_ = job->at("number");
  whole_array_ = is_whole_array(options_.job, *job);
  return std::nullopt;
}

Result<ExitCode> Watch::run() {
  const InterruptGuard guard;
  if (const std::optional<ExitCode> code = find_job()) return *code;
  while (!over_) {
    const auto began = std::chrono::steady_clock::now();
    const std::optional<Failure> failure = stream();
    if (guard.count() > 0) return interrupted_code();
    if (over_) break;
    if (std::exchange(again_, false)) continue;
    if (std::chrono::steady_clock::now() - began >= kStood) patience_.restore();
    if (failure && !failure->may_pass()) return report_failure(context_, *failure);
    if (!patience_.wait())
      return report_failure(context_,
                            failure.value_or(Failure{Failure::Kind::kUnreachable, 0, "unreachable",
                                                     connection_.server() + " ends every stream at once"}));
    if (guard.count() > 0) return interrupted_code();
    if (failure && !std::exchange(told_, true)) {
      print_error(context_, failure->message);
      print_error(context_, fmt::format("waiting for the server for {} s (GIGAWERK_PATIENCE)",
                                        connection_.patience().count()));
    }
  }
  return ExitCode::ok;
}

/// One stream, until all that is wanted has come, an interruption or a break.
std::optional<Failure> Watch::stream() {
  const std::expected<std::unique_ptr<Connection>, Failure> stream = connection_.another();
  if (!stream) return stream.error();
  http::EventParser parser;
  bool broken = false;
  InterruptGuard::ends(**stream, 1);
  std::optional<Failure> failure;
  if (InterruptGuard::count() == 0) {
    failure =
        (*stream)->stream("/v1/watch" + client::query({{"tenant", options_.tenant},
                                                       {"job", job_ == 0 ? "" : fmt::format("{}", job_)},
                                                       {"after", last_id_}}),
                          [&](std::string_view bytes) {
                            told_ = false;
                            const Result<bool> parsed = parser.feed(
                                bytes, [&](const http::ServerEvent& event) { return take(event); });
                            broken = !parsed;
                            if (parsed && !again_ && !parser.last_id().empty()) last_id_ = parser.last_id();
                            return parsed.value_or(false);
                          });
  }
  InterruptGuard::ends_nothing();
  if (broken) return Failure{Failure::Kind::kUnreachable, 0, "unreachable", "an event is too large"};
  return failure;
}

/// False when nothing more is to be heard on this stream.
bool Watch::take(const http::ServerEvent& event) {
  const Json data = Json::parse(event.data, nullptr, false);
  if (!data.is_object()) return true;
  if (event.event == "reset") {
    print_error(context_, "events are missing here: more has happened than the server remembers");
    // Of a job the present state is asked for anew; of a large array even that is too much.
    if (job_ != 0 && !last_id_.empty()) {
      last_id_.clear();
      again_ = true;
      return false;
    }
  }
  const bool of_another = job_ != 0 && !whole_array_ && data.value("number", job_) != job_;
  if (of_another || !wanted(event.event) || (event.event == "reset" && !json_)) return true;
  if (!print(event, data)) over_ = true;
  if (options_.count > 0 && ++printed_ >= options_.count) over_ = true;
  // Nothing happens any more to a job that has ended.
  if (job_ != 0 && !whole_array_ && event.event == "job" && data.value("ended", false)) over_ = true;
  return !over_;
}

bool Watch::print(const http::ServerEvent& event, const Json& data) {
  const std::string text =
      json_ ? json_out({{"event", event.event}, {"id", event.id}, {"data", data}}, -1) + "\n"
            : line_of(event.event, data);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) == 0;
}

}  // namespace

void add_watch_command(CLI::App& app, AppContext& context) {
  auto options = std::make_shared<Options>();
  auto access = std::make_shared<ServerAccess>();
  CLI::App* command = app.add_subcommand("watch", "Print what happens, as it happens: jobs, budgets, caps");
  command->group(kGroupFactory);
  command->add_option("--tenant", options->tenant, "Only of this tenant and what is below it")
      ->type_name("PATH");
  CLI::Option* job =
      command
          ->add_option("--job", options->job,
                       "Only of this job, from its present state to its end, or of an array's tasks; 12_3 is "
                       "task 3 of array 12")
          ->type_name("JOB");
  command
      ->add_option("--event", options->events,
                   "Only such events; may be given again: job, budget, cap, and with --json reset")
      ->check(CLI::IsMember({"job", "budget", "cap", "reset"}))
      ->type_name("EVENT");
  command->add_option("-n,--count", options->count, "End after so many events")
      ->check(whole_number(1, 1'000'000'000))
      ->type_name("N");
  add_server_options(*command, *access, false);
  command->add_flag("--json", access->json, "Print one JSON object a line: event, id, data (docs/api.md)");
  command->footer(
      "Who sees the whole factory sees the caps of feeds too. When the server goes away, it is looked for, "
      "and "
      "what\nwas missed is printed; where the server does not remember it, standard error says so.\n\n"
      "The exit code is 0 after -n N events and at the end of --job; 130 after ^C, 3 when the server is gone "
      "for good,\n4 when it refuses, 5 when there is no such job.\n\n"
      "Examples:\n"
      "  gw watch --tenant acme\n"
      "  gw watch --event cap --event budget --json | jq -r .data.feed");
  set_server_action(
      *command, context, access,
      [&context, options, access, job](Connection& connection) -> Result<ExitCode> {
        const auto is_of_no_job = [](const std::string& event) {
          return event == "budget" || event == "cap";
        };
        if (job->count() > 0 && std::any_of(options->events.begin(), options->events.end(), is_of_no_job)) {
          print_error(context, "budgets and caps are of no job: leave out --job, or --event");
          return ExitCode::usage;
        }
        return Watch(context, *options, access->json, connection).run();
      });
}

}  // namespace gw
