// What every command that talks to a server shares: its options, its errors, its exit codes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/app.h"
#include "client/connection.h"

namespace gw {

/// Exit codes beside those of app.h; the same for every command that asks a server.
inline constexpr ExitCode kUnreachable{3};  ///< No server answers, or it cannot work now.
inline constexpr ExitCode kRefused{4};      ///< The token is missing, wrong, or may not do that.
inline constexpr ExitCode kNotFound{5};     ///< There is no such job, node, tenant, token.

struct ServerAccess {
  client::Settings settings;
  bool json = false;
};

/// Adds --server, --token-file, --ca-file and --json.
void add_server_options(CLI::App& command, ServerAccess& access, bool with_json = true);

/// Prints what went wrong and gives the exit code.
ExitCode report_failure(const AppContext& context, const client::Failure& failure);

/// {status, code, message} of a failure, as the server writes them, for --json of commands that do several
/// things. Status 0: no server answered.
client::Json error_json(const client::Failure& failure);

/// Makes `action` what the command does once a connection is there. Where none can be made, and where the
/// answers make no sense, the exit code is `no_connection`; by itself report_failure's, kUnreachable.
void set_server_action(CLI::App& command, AppContext& context, std::shared_ptr<ServerAccess> access,
                       std::function<Result<ExitCode>(client::Connection&)> action,
                       std::optional<ExitCode> no_connection = {});

/// `12 s`, `3 min`, `2.5 h` from now to (or since) an RFC 3339 time; `-` where there is none.
std::string age_text(const client::Json& now, const client::Json& then);

}  // namespace gw
