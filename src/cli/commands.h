// Every command of gw: each lives in a file of its own and adds itself to the application.
//
// A new command is one line here, one in main.cc and one file:
//
//   void add_size_command(CLI::App& app, AppContext& context) {
//     struct Options { std::string fleet; bool json = false; };
//     auto options = std::make_shared<Options>();
//     CLI::App* command = app.add_subcommand("size", "Say how many GPUs a fleet has");
//     command->group(kGroupInspect);
//     command->add_option("FLEET", options->fleet, "The fleet to count")->required()->type_name("FILE");
//     command->add_flag("--json", options->json, "Print JSON");
//     set_action(*command, context, [options]() -> Result<ExitCode> { ...; return ExitCode::ok; });
//   }
//
// A command reads its files itself: one that is missing is bad input (exit code 1), not a wrong command line
// (2). Shell completion offers files where the value is called FILE (->type_name("FILE")), folders for DIR,
// words for CLI::IsMember. Help and the manual page show the same names.
#pragma once

namespace CLI {
class App;
}

namespace gw {

struct AppContext;

// Headings under which `gw --help` lists the commands.
inline constexpr const char* kGroupFactory = "Run jobs on a factory";
inline constexpr const char* kGroupOperate = "Operate a factory";
inline constexpr const char* kGroupRun = "Simulate workloads";
inline constexpr const char* kGroupInspect = "Look at fleets, files and results";
inline constexpr const char* kGroupTool = "About gw";

void add_serve_command(CLI::App& app, AppContext& context);
void add_run_command(CLI::App& app, AppContext& context);
void add_submit_command(CLI::App& app, AppContext& context);
void add_jobs_commands(CLI::App& app, AppContext& context);
void add_ps_command(CLI::App& app, AppContext& context);
void add_watch_command(CLI::App& app, AppContext& context);
void add_show_command(CLI::App& app, AppContext& context);
void add_logs_command(CLI::App& app, AppContext& context);
void add_quota_commands(CLI::App& app, AppContext& context);
void add_reserve_commands(CLI::App& app, AppContext& context);
void add_cap_commands(CLI::App& app, AppContext& context);
void add_factory_commands(CLI::App& app, AppContext& context);
/// Below `gw audit`.
void add_decision_commands(CLI::App& audit, AppContext& context);
void add_backup_commands(CLI::App& app, AppContext& context);
void add_ledger_command(CLI::App& app, AppContext& context);
void add_top_command(CLI::App& app, AppContext& context);
void add_replay_command(CLI::App& app, AppContext& context);
void add_simulate_command(CLI::App& app, AppContext& context);
void add_bench_command(CLI::App& app, AppContext& context);
void add_bench_policies_command(CLI::App& bench, AppContext& context);
void add_journal_command(CLI::App& app, AppContext& context);
void add_catalog_command(CLI::App& app, AppContext& context);
void add_compare_command(CLI::App& app, AppContext& context);
void add_complete_command(CLI::App& app, AppContext& context);
void add_completion_command(CLI::App& app, AppContext& context);
void add_defrag_command(CLI::App& app, AppContext& context);
void add_fleet_command(CLI::App& app, AppContext& context);
void add_help_command(CLI::App& app, AppContext& context);
void add_man_command(CLI::App& app, AppContext& context);
void add_physics_command(CLI::App& app, AppContext& context);
void add_schema_command(CLI::App& app, AppContext& context);
void add_validate_command(CLI::App& app, AppContext& context);
void add_what_if_command(CLI::App& app, AppContext& context);
void add_version_command(CLI::App& app, AppContext& context);
void add_workload_command(CLI::App& app, AppContext& context);

}  // namespace gw
