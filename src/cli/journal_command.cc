// gw journal: look into a journal, and prove that the core repeats every plan in it.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/app.h"
#include "cli/commands.h"
#include "cli/journal_text.h"
#include "cli/store_access.h"
#include "cli/text_table.h"
#include "live/sql_store.h"
#include "report/text.h"
#include "runtime/journal.h"

namespace gw {
namespace {

struct Options {
  std::string file;
  bool json = false;
  std::uint64_t limit = 0;
  StoreAccess store;
};

Result<ExitCode> show(const Options& options) {
  Result<std::unique_ptr<runtime::JournalReader>> reader = runtime::JournalReader::open(options.file);
  if (!reader) return std::unexpected(reader.error());
  const runtime::JournalHeader& header = (*reader)->header();
  const auto print = [&](Instant now, std::string_view kind, const std::string& text) {
    if (options.json) {
      nlohmann::ordered_json line;
      line["time_s"] = to_seconds(now);
      line["kind"] = kind;
      line["text"] = text;
      fmt::print("{}\n", json_out(line, -1));
    } else {
      fmt::print("{:>16.3f}  {:<6} {}\n", to_seconds(now), kind, report::printable_name(text));
    }
  };
  if (!options.json)
    fmt::print("journal of {}: policy {}, fleet {} with {} nodes and {} GPUs\n",
               report::printable_name(header.run_name), report::printable_name(header.policy.name),
               report::printable_name(header.fleet.name), header.fleet.nodes(), header.fleet.gpus());
  std::uint64_t lines = 0;
  for (;;) {
    if (options.limit != 0 && lines >= options.limit) return ExitCode::ok;
    Result<runtime::JournalRecord> record = (*reader)->next();
    if (!record) return std::unexpected(record.error());
    if (const auto* events = std::get_if<runtime::EventsRecord>(&*record)) {
      for (const sched::Event& event : events->events)
        print(events->now, "event", event_text(event, header.fleet)), ++lines;
    } else if (const auto* plan = std::get_if<runtime::PlanRecord>(&*record)) {
      for (const std::string& text : plan_texts(plan->plan, header.fleet))
        print(plan->now, "plan", text), ++lines;
    } else if (const auto* snapshot = std::get_if<runtime::SnapshotRecord>(&*record)) {
      print(snapshot->now, "state", fmt::format("snapshot of {} bytes", snapshot->bytes.size())), ++lines;
    } else {
      return ExitCode::ok;
    }
  }
}

/// The journal of a live factory, in its store.
Result<ExitCode> verify_live(const Options& options) {
  Result<std::unique_ptr<sql::Database>> database = open_store_reader(options.store);
  if (!database) return std::unexpected(database.error());
  const Result<live::LiveVerifyReport> report = live::verify_live_journal(live::journal_source(**database));
  if (!report) return fail(fmt::format("{}: {}", (*database)->name(), report.error().message));
  if (options.json) {
    nlohmann::ordered_json json;
    json["verified"] = true;
    json["batches"] = report->batches;
    json["events"] = report->events;
    json["starts"] = report->starts;
    json["snapshots"] = report->snapshots;
    json["segments"] = report->segments;
    fmt::print("{}\n", json_out(json));
  } else {
    fmt::print("{}: verified: {} events, {} plans with {} starts repeated byte for byte in {} segment{}{}\n",
               (*database)->name(), report->events, report->batches, report->starts, report->segments,
               report->segments == 1 ? "" : "s",
               report->snapshots == 0 ? "" : fmt::format(", {} snapshots resumed from", report->snapshots));
  }
  return ExitCode::ok;
}

Result<ExitCode> verify(const Options& options) {
  if (options.file.empty()) return verify_live(options);
  const Result<runtime::VerifyReport> report = runtime::verify_journal(options.file);
  if (!report) return std::unexpected(report.error());
  if (options.json) {
    nlohmann::ordered_json json;
    json["verified"] = true;
    json["batches"] = report->batches;
    json["events"] = report->events;
    json["starts"] = report->starts;
    json["snapshots"] = report->snapshots;
    fmt::print("{}\n", json_out(json));
  } else {
    fmt::print("{}: verified: {} events, {} plans with {} starts repeated byte for byte{}\n", options.file,
               report->events, report->batches, report->starts,
               report->snapshots == 0 ? "" : fmt::format(", {} snapshots resumed from", report->snapshots));
  }
  return ExitCode::ok;
}

}  // namespace

void add_journal_command(CLI::App& app, AppContext& context) {
  CLI::App* command =
      app.add_subcommand("journal", "Show a journal, or prove that its every plan can be repeated");
  command->group(kGroupInspect);
  command->require_subcommand(1);
  const auto add = [&](const char* name, const char* text, Result<ExitCode> (*action)(const Options&)) {
    auto options = std::make_shared<Options>();
    CLI::App* child = command->add_subcommand(name, text);
    if (action == &verify) {
      child->add_option("FILE", options->file, "The journal (default: that of gw serve, in its store)")
          ->type_name("FILE");
      add_store_options(*child, options->store);
    } else {
      child->add_option("FILE", options->file, "A journal that gw simulate or replay has written (--journal)")
          ->type_name("FILE");
      child->parse_complete_callback([options] {
        if (options->file.empty())
          throw CLI::RequiredError(
              "FILE (a journal of gw simulate or replay --journal; what gw serve did is in "
              "its store: gw audit, gw journal verify)");
      });
    }
    child->add_flag("--json", options->json, "Print JSON");
    if (action == &show)
      child->add_option("--limit", options->limit, "Stop after about N lines")
          ->check(whole_number(0, kAnyWhole))
          ->type_name("N");
    set_action(*child, context, [options, action] { return action(*options); });
  };
  add("show", "Print every event and plan", &show);
  add("verify", "Replay the events through the core and compare every plan byte for byte", &verify);
}

}  // namespace gw
