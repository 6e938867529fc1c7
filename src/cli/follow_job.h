// Following a job from the command line: its output as it comes, then the exit code that a shell would give.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/app.h"
#include "cli/interrupts.h"
#include "client/connection.h"

namespace gw {

/// What commands that give a job's exit code (gw run, gw wait, gw submit --wait) give where they fail
/// themselves; like env(1) and docker run.
inline constexpr ExitCode kRunFailed{125};
/// 128 + the signal that InterruptGuard counted first: 130 after ^C, 143, 129, 141 where nobody reads on.
ExitCode interrupted_code();

/// The exit code that stands for the end of a job: its own; 128 + signal; 124 at its time limit; 137 out of
/// memory; 130 when cancelled; 126 or 127 where it could not be run; 125 where it never ran or was lost.
int exit_code_of(const client::Json& job);

struct FollowOptions {
  /// A first ^C cancels the job, a second one leaves; else the first. So do SIGTERM, SIGHUP and a standard
  /// output that is closed (SIGPIPE must be ignored); of these the last two leave once the job is cancelled.
  bool cancel_on_interrupt = false;
  bool quiet = false;       ///< Not a word on what state the job is in.
  bool silent_too = true;   ///< Where jobs print nothing (a simulated factory) wait for its end.
  bool only_error = false;  ///< What it writes to standard error alone, and that to standard output.
};

struct Followed {
  enum class End : std::uint8_t {
    kEnded,   ///< The job has ended and all of its output was shown.
    kLeft,    ///< By ^C.
    kFailed,  ///< The server refuses, or is gone for good; the reason was printed.
  };
  End end = End::kEnded;
  ExitCode code = ExitCode::ok;  ///< The job's; interrupted_code's; report_failure's.
};

/// Prints the output of a job until it has ended. What `guard` has counted before counts too.
Followed follow_job(const AppContext& context, client::Connection& connection, const InterruptGuard& guard,
                    std::uint64_t number, const FollowOptions& options);

/// Waits until a job, or every task of an array, has ended (client::wait_for_end), adds {id, status, code} of
/// each to `results`, and prints a line for each unless `quiet`. Gives the largest exit code, or kRunFailed
/// after printing why and adding {id, error}.
ExitCode wait_for_job(const AppContext& context, client::Connection& connection, std::string_view id,
                      bool quiet, client::Json& results);

}  // namespace gw
