// InterruptGuard: ^C as a wish that a command fulfils, in place of its sudden end.
#pragma once

#include <csignal>

#include "client/connection.h"

namespace gw {

/// Counts SIGINT and SIGTERM while it lives. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  [[nodiscard]] static int count();
  /// From the interruption of that number on, the connection's waiting (or next) call ends with a failure;
  /// the others end nothing. The connection must live until `ends_nothing` or the guard's end.
  static void ends(client::Connection& connection, int from);
  static void ends_nothing();

 private:
  struct sigaction int_before_{};
  struct sigaction term_before_{};
};

}  // namespace gw
