// Following a job from the command line: its output as it comes, then the exit code that a shell would give.
#pragma once

#include <cstdint>
#include <string>

#include "cli/app.h"
#include "client/connection.h"

namespace gw {

/// What gw run and gw wait give where they fail themselves; like env(1) and docker run.
inline constexpr ExitCode kRunFailed{125};

/// The exit code that stands for the end of a job: its own; 128 + signal; 124 at its time limit; 137 out of
/// memory; 130 when cancelled; 126 or 127 where it could not be run; 125 where it never ran or was lost.
int exit_code_of(const client::Json& job);

/// Prints the output of a job until it has ended; a first ^C cancels the job where `cancel_on_interrupt`, a
/// second one leaves. Gives the exit code of the job.
Result<ExitCode> follow_job(const AppContext& context, client::Connection& connection, std::uint64_t number,
                            bool cancel_on_interrupt, bool quiet);

}  // namespace gw
