// InterruptGuard: ^C as a wish that a command fulfils, in place of its sudden end.
#pragma once

#include <csignal>

#include "client/connection.h"

namespace gw {

/// Counts SIGINT, SIGTERM and SIGHUP (unless that was ignored, as under nohup) while it lives. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  [[nodiscard]] static int count();
  /// Counts one that came otherwise: standard output is closed (SIGPIPE).
  static void add(int signal);
  /// The first signal that was counted; 0: none.
  [[nodiscard]] static int signal();
  /// From the interruption of that number on, the connection's waiting (or next) call ends with a failure;
  /// the others end nothing. The connection must live until `ends_nothing` or the guard's end.
  static void ends(client::Connection& connection, int from);
  static void ends_nothing();

 private:
  struct sigaction int_before_{};
  struct sigaction term_before_{};
  struct sigaction hang_up_before_{};
};

}  // namespace gw
