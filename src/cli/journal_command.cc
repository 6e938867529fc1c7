// gw journal: look into a journal, and prove that the core repeats every plan in it.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/app.h"
#include "cli/commands.h"
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

std::string event_text(const sched::Event& event, const Fleet& fleet) {
  using sched::EventKind;
  switch (event.kind) {
    case EventKind::kTenantAdded:
      return fmt::format("tenant added under {}, weight {}", event.parent.value(), event.weight);
    case EventKind::kJobSubmitted: {
      const Shape& shape = event.request.shape;
      const std::string size = shape.gpu_milli != 0 ? fmt::format("{} thousandths of a GPU", shape.gpu_milli)
                               : shape.nodes == 0   ? fmt::format("{} GPUs anywhere", shape.gpus)
                                                    : fmt::format("{} x {} GPUs", shape.nodes, shape.gpus);
      return fmt::format("job {} submitted: {}, limit {:.0f} s, tenant {}", event.job.value(), size,
                         to_seconds(event.request.limit), event.request.tenant.value());
    }
    case EventKind::kJobEnded:
      return fmt::format("job {} ended", event.job.value());
    case EventKind::kJobCancelled:
      return fmt::format("job {} cancelled", event.job.value());
    case EventKind::kJobResized:
      return fmt::format("job {} resized", event.job.value());
    case EventKind::kJobRequeued:
      return fmt::format("job {} waits again", event.job.value());
    case EventKind::kNodeDown:
      return fmt::format("node {} down", fleet.node_name(event.node));
    case EventKind::kNodeUp:
      return fmt::format("node {} up", fleet.node_name(event.node));
    case EventKind::kNodeClosed:
      return fmt::format("node {} closed", fleet.node_name(event.node));
    case EventKind::kNodeReopened:
      return fmt::format("node {} reopened", fleet.node_name(event.node));
    case EventKind::kFeedPrice:
      return fmt::format("prices of feed {} of level {}: {} steps", event.feed_vertex, event.feed_level,
                         event.prices.size());
    case EventKind::kJobZones:
      return fmt::format("job {} may be in zones {:#x}", event.job.value(), event.zones);
    case EventKind::kTenantWeight:
      return fmt::format("tenant {} has weight {}", event.tenant.value(), event.weight);
  }
  return "unknown event";
}

std::string start_text(const sched::Plan::Start& start) {
  std::uint64_t nodes = 0;
  for (const sched::Piece& piece : start.placement.pieces) nodes += piece.count;
  return fmt::format("start job {} on {} node{} of pool {} from node {}", start.job.value(), nodes,
                     nodes == 1 ? "" : "s", start.placement.pool,
                     start.placement.pieces.empty() ? 0 : start.placement.pieces.front().node);
}

std::string lost_text(JobId job, const sched::Plan& plan, const Fleet& fleet) {
  std::string spares;
  for (const sched::Plan::Replacement& each : plan.replacements) {
    if (each.job != job) continue;
    spares += fmt::format("{} {} in place of {}", spares.empty() ? "" : ",", fleet.node_name(each.spare),
                          fleet.node_name(each.failed));
  }
  if (spares.empty()) return fmt::format("job {} lost its nodes and waits again", job.value());
  return fmt::format("job {} goes on with{}", job.value(), spares);
}

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
      for (const JobId job : plan->plan.interrupted)
        print(plan->now, "plan", lost_text(job, plan->plan, header.fleet)), ++lines;
      for (const sched::Plan::Rejection& rejection : plan->plan.rejections)
        print(
            plan->now, "plan",
            fmt::format("job {} rejected: {}", rejection.job.value(), sched::reason_text(rejection.reason))),
            ++lines;
      for (const sched::Plan::Start& start : plan->plan.starts)
        print(plan->now, "plan", start_text(start)), ++lines;
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
