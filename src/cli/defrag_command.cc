// gw defrag: what it would cost to free whole parts of the fabric, from a server or a journal.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <memory>

#include "api/defrag_json.h"
#include "cli/commands.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "runtime/journal.h"
#include "sched/defrag.h"

namespace gw {
namespace {

using client::Connection;
using client::Json;

struct Options {
  bool plan = false;
  std::string level;
  std::string gpu_type;
  std::uint32_t domains = 1;
  std::string journal;
  double at_s = -1;
};

void print_plan(const Json& plan) {
  fmt::print("{} of {} \"{}\" are free; {} more cannot be freed, for a job there may not be stopped\n",
             plan.at("free_now").get<std::uint64_t>(), plan.at("domains").get<std::uint64_t>(),
             plan.value("level", ""), plan.at("stuck").get<std::uint64_t>());
  const Json& freed = plan.at("freed");
  if (freed.empty()) {
    fmt::print("Nothing can be freed.\n");
    return;
  }
  TextTable domains("rlrrl");
  domains.add({"#", "FROM NODE", "NODES", "LOST GPU-S", "JOBS THAT LEAVE"});
  std::size_t number = 0;
  for (const Json& each : freed) {
    const auto jobs = each.at("jobs").get<std::vector<std::string>>();
    domains.add({fmt::format("{}", ++number), each.at("nodes").at(0).get<std::string>(),
                 fmt::format("{}", each.at("nodes").size()),
                 fmt::format("{:.0f}", each.at("lost_gpu_s").get<double>()),
                 jobs.empty() ? "none but those above" : fmt::format("{}", fmt::join(jobs, " "))});
  }
  fmt::print("{}", domains.text());
  TextTable moves("lrl");
  moves.add({"JOB", "LOST GPU-S", "THEN"});
  for (const Json& each : plan.at("moves")) {
    const auto to = each.at("to").get<std::vector<std::string>>();
    std::string then = "waits";
    if (each.at("starts_at_once").get<bool>())
      then = fmt::format("starts at once on {}{}", to.front(),
                         to.size() > 1 ? fmt::format(" and {} more", to.size() - 1) : "");
    moves.add({each.value("job", ""), fmt::format("{:.0f}", each.at("lost_gpu_s").get<double>()), then});
  }
  fmt::print("\n{}\n{:.0f} GPU-seconds are lost in all, restarts included. {}\n", moves.text(),
             plan.at("lost_gpu_s").get<double>(),
             plan.at("verified").get<bool>() ? "Tried on a copy: they come free together, and a gang fits."
                                             : "On a copy a gang did NOT fit; do not rely on it.");
}

Result<ExitCode> ask(const AppContext& context, const Options& options, bool json, Connection& connection) {
  const std::expected<Json, client::Failure> answer =
      connection.get("/v1/defrag" + client::query({{"level", options.level},
                                                   {"gpu_type", options.gpu_type},
                                                   {"domains", fmt::format("{}", options.domains)}}));
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
  } else {
    print_plan(*answer);
  }
  return ExitCode::ok;
}

/// The core as it was at that time of a recorded run, then the same as the server does.
Result<ExitCode> from_journal(const Options& options, bool json) {
  Result<std::unique_ptr<runtime::JournalReader>> reader = runtime::JournalReader::open(options.journal);
  if (!reader) return std::unexpected(reader.error());
  const Fleet& fleet = (*reader)->header().fleet;
  const Instant until =
      options.at_s < 0 ? sched::kLastInstant : Instant{static_cast<std::int64_t>(options.at_s * 1e9)};
  sched::Core core(fleet, (*reader)->header().policy);
  Instant last;
  for (bool more = true; more;) {
    Result<runtime::JournalRecord> record = (*reader)->next();
    if (!record) return std::unexpected(record.error());
    if (const auto* events = std::get_if<runtime::EventsRecord>(&*record)) {
      if (events->now > until) break;
      for (const sched::Event& event : events->events) {
        if (std::string problem = runtime::check_event(core, event, events->now, last, fleet);
            !problem.empty())
          return fail(fmt::format("{}: {}", options.journal, problem));
        core.apply(event, events->now);
        last = events->now;
      }
    } else if (const auto* plan = std::get_if<runtime::PlanRecord>(&*record)) {
      core.plan(plan->now);
    } else if (std::get_if<runtime::SnapshotRecord>(&*record) == nullptr) {
      more = false;
    }
  }
  sched::DefragWish wish;
  wish.domains = options.domains;
  const int level = options.level.empty() ? 0 : fleet.fabric_level(options.level);
  if (level < 0) return fail(fmt::format("--level {}: this fleet has no such fabric level", options.level));
  wish.level = static_cast<std::uint8_t>(level);
  for (std::size_t type = 0; type < fleet.gpu_types.size() && type < 64; ++type) {
    if (fleet.gpu_types[type].name == options.gpu_type) wish.gpu_types = std::uint64_t{1} << type;
  }
  if (!options.gpu_type.empty() && wish.gpu_types == 0)
    return fail(fmt::format("--gpu-type {}: this fleet has no such GPU type", options.gpu_type));
  const sched::DefragPlan plan = sched::plan_defrag(core, wish);
  const Json out = api::defrag_json(
      plan, wish, core.state(), fleet, [](JobId job) { return fmt::format("{}", job.value()); }, "");
  if (json) {
    fmt::print("{}\n", json_out(out));
  } else {
    print_plan(out);
  }
  return ExitCode::ok;
}

}  // namespace

void add_defrag_command(CLI::App& app, AppContext& context) {
  auto options = std::make_shared<Options>();
  auto access = std::make_shared<ServerAccess>();
  CLI::App* command =
      app.add_subcommand("defrag", "Propose moves of preemptible jobs that would free whole domains");
  command->group(kGroupOperate);
  command->add_flag("--plan", options->plan, "Propose only; nothing is moved (the one thing it can do)")
      ->required();
  command->add_option("--level", options->level, "Fabric level of the domains (default: the lowest)")
      ->type_name("LEVEL");
  command->add_option("--domains", options->domains, "So many more than are free now (default: 1)")
      ->check(whole_number(1, 10'000))
      ->type_name("N");
  command->add_option("--gpu-type", options->gpu_type, "Only domains of this GPU type")->type_name("TYPE");
  command
      ->add_option("--journal", options->journal,
                   "Of a recorded run, in place of a server (gw simulate --journal)")
      ->type_name("FILE");
  command->add_option("--at", options->at_s, "With --journal: at this second of the run (default: its end)")
      ->check(number(0, 4e9))
      ->type_name("SECONDS");
  add_server_options(*command, *access);
  set_action(*command, context, [&context, options, access]() -> Result<ExitCode> {
    if (!options->journal.empty()) return from_journal(*options, access->json);
    const auto connection = Connection::open(access->settings);
    if (!connection) return report_failure(context, connection.error());
    try {
      return ask(context, *options, access->json, **connection);
    } catch (const Json::exception& unexpected) {
      print_error(context, fmt::format("{} answered something unexpected ({}); is it older than this gw?",
                                       (*connection)->server(), unexpected.what()));
      return kUnreachable;
    }
  });
}

}  // namespace gw
