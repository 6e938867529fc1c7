// The handler of InterruptGuard.
#include "cli/interrupts.h"

#include <atomic>

namespace gw {
namespace {

std::atomic<int> interrupts{0};
std::atomic<int> first_signal{0};
std::atomic<int> ending_from{1};
std::atomic<client::Connection*> ended_connection{nullptr};

void on_interrupt(int signal) {
  int none = 0;
  first_signal.compare_exchange_strong(none, signal);
  const int now = ++interrupts;
  client::Connection* connection = ended_connection.load();
  if (connection != nullptr && now >= ending_from) connection->interrupt();
}

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupts = 0;
  first_signal = 0;
  ended_connection = nullptr;
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, &int_before_);
  sigaction(SIGTERM, &action, &term_before_);
  sigaction(SIGHUP, nullptr, &hang_up_before_);
  if (hang_up_before_.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &int_before_, nullptr);
  sigaction(SIGTERM, &term_before_, nullptr);
  sigaction(SIGHUP, &hang_up_before_, nullptr);
  ended_connection = nullptr;
}

int InterruptGuard::count() { return interrupts; }

void InterruptGuard::add(int signal) { on_interrupt(signal); }

int InterruptGuard::signal() { return first_signal; }

void InterruptGuard::ends(client::Connection& connection, int from) {
  ended_connection = nullptr;  // The two are not set at once: nothing is ended in between.
  ending_from = from;
  ended_connection = &connection;
}

void InterruptGuard::ends_nothing() { ended_connection = nullptr; }

}  // namespace gw
