// Taking, keeping and giving back the lease.
#include "serve/leadership.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "api/token.h"

namespace gw::serve {
namespace {

constexpr Nanoseconds kDuration = seconds(10);
constexpr auto kRenewEvery = std::chrono::seconds(3);

/// `HOST:PROCESS:RANDOM ENGINE`
std::string holder_name(std::string_view engine) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return fmt::format("{}:{}:{} {}", host.data(), getpid(), api::make_token().id, engine);
}

std::string_view process_of(std::string_view holder) { return holder.substr(0, holder.find(' ')); }

bool has_engine(std::string_view holder, std::string_view engine) {
  const std::size_t space = holder.find(' ');
  return space != std::string_view::npos && holder.substr(space + 1) == engine;
}

}  // namespace

Result<std::unique_ptr<Leadership>> Leadership::take(std::unique_ptr<sql::Database> database,
                                                     Options options) {
  std::unique_ptr<Leadership> leadership(new Leadership(std::move(database), options.engine));
  if (Result<void> made = leadership->database_->run(sql::kLeaseTable); !made)
    return std::unexpected(made.error());
  const std::string holder = holder_name(options.engine);
  std::string said, seen;
  for (;;) {
    const Result<sql::LeaseState> state =
        leadership->lease_.acquire(*leadership->database_, holder, kDuration);
    if (state && state->held) break;
    const std::string message = state ? fmt::format("standing by: {} serves", process_of(state->holder))
                                      : fmt::format("standing by: {}", state.error().message);
    if (message != said && options.log) options.log(message);
    said = message;
    if (state && state->holder != seen && !state->holder.empty()) {
      seen = state->holder;
      if (!has_engine(seen, options.engine) && options.elsewhere) options.elsewhere();
    }
    if (options.stop && options.stop()) return fail("stopped while standing by");
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  if (!said.empty() && options.log) options.log("taking over");
  leadership->held_ = true;
  leadership->thread_ = std::thread([raw = leadership.get()] { raw->keep(); });
  return leadership;
}

Leadership::~Leadership() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wakeup_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (held_) static_cast<void>(lease_.release(*database_).has_value());
}

void Leadership::keep() {
  std::unique_lock lock(mutex_);
  while (!wakeup_.wait_for(lock, kRenewEvery, [this] { return stopping_; })) {
    lock.unlock();
    // Where the database does not answer, nobody else can take the lease either, nor can we write: try again.
    const Result<sql::LeaseState> state = lease_.renew(*database_, kDuration);
    lock.lock();
    if (state && !state->held) {
      lost_elsewhere_ = !state->holder.empty() && !has_engine(state->holder, engine_);
      held_ = false;
      return;
    }
  }
}

}  // namespace gw::serve
