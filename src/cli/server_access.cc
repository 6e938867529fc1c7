// Options, errors and exit codes of commands that ask a server.
#include "cli/server_access.h"

#include <fmt/format.h>

#include "live/time_text.h"
#include "report/text.h"

namespace gw {

void add_server_options(CLI::App& command, ServerAccess& access, bool with_json) {
  if (with_json) command.add_flag("--json", access.json, "Print JSON");
  command
      .add_option("--server", access.settings.server,
                  "URL of the server (default: GIGAWERK_SERVER, else the one of this machine)")
      ->type_name("URL")
      ->group("Server");
  command
      .add_option("--token-file", access.settings.token_file,
                  "File with the token (default: the token in GIGAWERK_TOKEN, else the one of the server)")
      ->type_name("FILE")
      ->group("Server");
  command.add_option("--ca-file", access.settings.ca_file, "Certificates to trust, as PEM")
      ->type_name("FILE")
      ->group("Server");
}

ExitCode report_failure(const AppContext& context, const client::Failure& failure) {
  print_error(context, failure.message);
  if (failure.may_pass()) return kUnreachable;
  if (failure.status == 401 || failure.status == 403 || failure.status == 429) return kRefused;
  if (failure.status == 404) return kNotFound;
  return ExitCode::failed;
}

client::Json error_json(const client::Failure& failure) {
  return {{"status", failure.status}, {"code", failure.code}, {"message", failure.message}};
}

void set_server_action(CLI::App& command, AppContext& context, std::shared_ptr<ServerAccess> access,
                       std::function<Result<ExitCode>(client::Connection&)> action,
                       std::optional<ExitCode> no_connection) {
  set_action(
      command, context, [&context, access, action = std::move(action), no_connection]() -> Result<ExitCode> {
        const std::expected<std::unique_ptr<client::Connection>, client::Failure> connection =
            client::Connection::open(access->settings);
        if (!connection) {
          const ExitCode code = report_failure(context, connection.error());
          return no_connection.value_or(code);
        }
        try {
          return action(**connection);
        } catch (const client::Json::exception& unexpected) {
          print_error(context,
                      fmt::format("{} answered something unexpected ({}); is that a Gigawerk server, and not "
                                  "older than this gw?",
                                  (*connection)->server(), unexpected.what()));
          return no_connection.value_or(kUnreachable);
        }
      });
}

std::string age_text(const client::Json& now, const client::Json& then) {
  if (!now.is_string() || !then.is_string()) return "-";
  const auto from = live::parse_time(then.get<std::string>()), to = live::parse_time(now.get<std::string>());
  if (!from || !to) return "-";
  return report::format_duration(static_cast<double>(std::max<std::int64_t>(0, *to - *from)) * 1e-9);
}

}  // namespace gw
