// gw: the command of Gigawerk.
#include "cli/app.h"
#include "cli/commands.h"

int main(int argc, char** argv) {
  gw::AppContext context = gw::make_context();
  CLI::App app("Gigawerk: an open operating system for AI factories");
  gw::set_up_app(app, context);
  gw::add_serve_command(app, context);
  gw::add_run_command(app, context);
  gw::add_submit_command(app, context);
  gw::add_jobs_commands(app, context);
  gw::add_top_command(app, context);
  gw::add_factory_commands(app, context);
  gw::add_what_if_command(app, context);
  gw::add_defrag_command(app, context);
  gw::add_backup_commands(app, context);
  gw::add_ledger_command(app, context);
  gw::add_replay_command(app, context);
  gw::add_simulate_command(app, context);
  gw::add_bench_command(app, context);
  gw::add_journal_command(app, context);
  gw::add_validate_command(app, context);
  gw::add_fleet_command(app, context);
  gw::add_catalog_command(app, context);
  gw::add_physics_command(app, context);
  gw::add_schema_command(app, context);
  gw::add_workload_command(app, context);
  gw::add_compare_command(app, context);
  gw::add_complete_command(app, context);
  gw::add_completion_command(app, context);
  gw::add_man_command(app, context);
  gw::add_version_command(app, context);
  gw::add_help_command(app, context);
  return gw::run_app(app, context, argc, argv);
}
