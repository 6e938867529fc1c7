// Events of a job to standard output and error.
#include "cli/follow_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "cli/server_access.h"
#include "client/patience.h"
#include "client/wait.h"
#include "report/text.h"

namespace gw {
namespace {

using client::Failure;
using client::Json;

constexpr unsigned kCancelSeconds = 10;
/// A stream that has lasted so long was a good one.
constexpr std::chrono::seconds kStood{5};

std::string decoded(const Json& event) {
  if (event.contains("text")) return event.at("text").get<std::string>();
  if (!event.contains("base64")) return {};
  std::string bytes;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const char c : event.at("base64").get<std::string>()) {
    int value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = c - 'A';
    } else if (c >= 'a' && c <= 'z') {
      value = c - 'a' + 26;
    } else if (c >= '0' && c <= '9') {
      value = c - '0' + 52;
    } else if (c == '+') {
      value = 62;
    } else if (c == '/') {
      value = 63;
    } else {
      break;
    }
    buffer = (buffer << 6) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>((buffer >> bits) & 0xFFU);
    }
  }
  return bytes;
}

class Follower {
 public:
  Follower(const AppContext& context, client::Connection& connection, const InterruptGuard& guard,
           std::uint64_t number, const FollowOptions& options)
      : context_(context), connection_(connection), guard_(guard), number_(number), options_(options) {}

  Followed run();

 private:
  enum class Cancel : std::uint8_t { kNo, kWanted, kDone };

  std::optional<Failure> stream();
  std::optional<Failure> silence();
  bool take(const http::ServerEvent& event);
  void begin_attempt(std::uint64_t attempt);
  void print(const Json& event, bool error);
  void say_status(const Json& job);
  std::optional<Followed> heed_interrupts();
  std::optional<Followed> cancel();
  std::optional<Followed> try_again(const std::optional<Failure>& failure);
  Followed left(std::string_view what) const;
  Followed ended() const;

  const AppContext& context_;
  client::Connection& connection_;
  const InterruptGuard& guard_;
  const std::uint64_t number_;
  const FollowOptions options_;
  client::Patience patience_{connection_.patience()};
  bool silent_ = false;  ///< The jobs of this server print nothing.
  int seen_interrupts_ = 0;
  Cancel cancel_ = Cancel::kNo;
  /// How far what was printed goes: so many bytes of that attempt. 0: it has none yet.
  std::uint64_t attempt_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t error_offset_ = 0;
  bool new_attempt_ = false;  ///< Another attempt has begun while this stream ran.
  bool told_ = false;         ///< That the job cannot be cancelled now.
  bool unread_ = false;       ///< Standard output is closed.
  std::string shown_;         ///< The state that people were told of.
  Json last_;                 ///< The job at its end.
};

Followed Follower::run() {
  for (;;) {
    const auto began = std::chrono::steady_clock::now();
    const std::optional<Failure> failure = stream();
    if (!last_.is_null()) return ended();
    if (std::chrono::steady_clock::now() - began >= kStood) patience_.restore();
    const bool interrupted = guard_.count() > seen_interrupts_;
    if (const std::optional<Followed> over = heed_interrupts()) return *over;
    if (interrupted && cancel_ == Cancel::kDone) continue;
    if (const std::optional<Followed> over = try_again(failure)) return *over;
  }
}

/// One stream, until the job's end, an interruption or a break.
std::optional<Failure> Follower::stream() {
  if (silent_) return silence();
  // A connection for each: an interruption that came too late for one does not end the next.
  const std::expected<std::unique_ptr<client::Connection>, Failure> stream = connection_.another();
  if (!stream) return stream.error();
  new_attempt_ = false;
  InterruptGuard::ends(**stream, seen_interrupts_ + 1);
  std::optional<Failure> failure;
  if (guard_.count() == seen_interrupts_ && cancel_ != Cancel::kWanted) {
    failure =
        (*stream)->events(fmt::format("/v1/jobs/{}/follow", number_) +
                              client::query({{"attempt", attempt_ == 0 ? "" : fmt::format("{}", attempt_)},
                                             {"offset", attempt_ == 0 ? "" : fmt::format("{}", offset_)}}),
                          [&](const http::ServerEvent& event) { return take(event); });
  }
  InterruptGuard::ends_nothing();
  return failure;
}

/// The same for a job that prints nothing.
std::optional<Failure> Follower::silence() {
  const auto streaming = [this](client::Connection* stream) {
    if (stream == nullptr) {
      InterruptGuard::ends_nothing();
    } else {
      InterruptGuard::ends(*stream, seen_interrupts_ + 1);
    }
    return guard_.count() == seen_interrupts_;
  };
  if (cancel_ == Cancel::kWanted) return std::nullopt;
  std::optional<Failure> failure = client::wait_for_end(
      connection_, fmt::format("{}", number_), [this](const Json& job) { last_ = job; }, streaming);
  InterruptGuard::ends_nothing();
  if (failure && failure->code == "interrupted") return std::nullopt;
  return failure;
}

/// False when it was the last.
bool Follower::take(const http::ServerEvent& event) {
  const Json json = Json::parse(event.data, nullptr, false);
  if (!json.is_object()) return true;
  if (event.event == "out" || event.event == "err") {
    print(json, event.event == "err");
  } else if (event.event == "status") {
    begin_attempt(std::max(attempt_, json.value("attempt", attempt_)));
    say_status(json);
  } else if (event.event == "gap") {
    print_error(context_, fmt::format("{} bytes of output were dropped", json.value("dropped_bytes", 0)));
  } else if (event.event == "problem") {
    print_error(context_, json.value("message", ""));
  } else if (event.event == "end") {
    last_ = json;
    return false;
  }
  return true;
}

void Follower::begin_attempt(std::uint64_t attempt) {
  if (attempt == attempt_) return;
  new_attempt_ = attempt_ != 0;
  attempt_ = attempt;
  offset_ = error_offset_ = 0;
}

void Follower::print(const Json& event, bool error) {
  begin_attempt(event.value("attempt", attempt_));
  std::string bytes = decoded(event);
  std::uint64_t& have = error ? error_offset_ : offset_;
  const std::uint64_t from = event.value("offset", have);
  // Standard error is sent from its beginning to those who come back.
  const bool again = error && from < have && !new_attempt_;
  const std::size_t known = again ? std::min<std::uint64_t>(have - from, bytes.size()) : 0;
  have = again ? std::max(have, from + bytes.size()) : from + bytes.size();
  if (options_.only_error && !error) return;
  std::FILE* to = error && !options_.only_error ? stderr : stdout;
  std::fwrite(bytes.data() + known, 1, bytes.size() - known, to);
  if (std::fflush(to) == 0 || errno != EPIPE || !options_.cancel_on_interrupt) return;
  std::clearerr(to);
  // Whoever read it has gone: `gw run -- yes | head`.
  if (!std::exchange(unread_, true)) InterruptGuard::add(SIGPIPE);
}

void Follower::say_status(const Json& job) {
  const std::string status = job.value("status", "");
  const std::string text =
      status + (job.contains("reason") ? " (" + job.at("reason").get<std::string>() + ")" : "");
  const bool waits = status == "waiting" || status == "blocked" || status == "held";
  if (!options_.quiet && context_.progress && text != shown_ && (waits || !shown_.empty()))
    print_error(context_, fmt::format("job {} {}", number_,
                                      status == "running" ? "runs on " + job.value("place", "") : text));
  shown_ = text;
}

/// What ^C asks for; a value if that is to go.
std::optional<Followed> Follower::heed_interrupts() {
  const int count = guard_.count();
  if (count > seen_interrupts_) {
    if (!options_.cancel_on_interrupt) return left("goes on");
    if (cancel_ == Cancel::kDone) return left("is being cancelled");
    if (cancel_ == Cancel::kWanted) return left("goes on: it was not cancelled, as no server answers");
    cancel_ = Cancel::kWanted;
    print_error(context_, guard_.signal() == SIGINT
                              ? fmt::format("cancelling job {}; once more to leave it", number_)
                              : fmt::format("cancelling job {}", number_));
    seen_interrupts_ = 1;  // More that came meanwhile are heeded once it is cancelled.
  }
  return cancel_ == Cancel::kWanted ? cancel() : std::nullopt;
}

std::optional<Followed> Follower::cancel() {
  // Impatient fingers do not end the very call that does what they ask for, before they ask a third time.
  const std::expected<std::unique_ptr<client::Connection>, Failure> connection =
      connection_.another(kCancelSeconds);
  if (!connection) return Followed{Followed::End::kFailed, report_failure(context_, connection.error())};
  InterruptGuard::ends(**connection, 3);
  const std::expected<Json, Failure> done =
      guard_.count() >= 3 ? Json() : (*connection)->remove(fmt::format("/v1/jobs/{}", number_));
  InterruptGuard::ends_nothing();
  if (guard_.count() >= 3) return left("may not be cancelled");
  if (!done && !done.error().may_pass())
    return Followed{Followed::End::kFailed, report_failure(context_, done.error())};
  if (done) cancel_ = Cancel::kDone;
  // Nobody is there any more to see how it ends.
  if (done && (guard_.signal() == SIGHUP || unread_))
    return left(done->value("count", 1) == 0 ? "has ended" : "is being cancelled");
  if (!done && !std::exchange(told_, true)) {
    print_error(context_, done.error().message);
    print_error(context_, fmt::format("job {} goes on; it is cancelled when the server answers within {} s",
                                      number_, connection_.patience().count()));
  }
  if (guard_.count() > seen_interrupts_)
    return left(done ? "is being cancelled" : "goes on: it was not cancelled, as no server answers");
  return std::nullopt;
}

/// After a break: the job goes on, so the server is looked for, perhaps it restarts. A value when that is
/// in vain.
std::optional<Followed> Follower::try_again(const std::optional<Failure>& failure) {
  if (failure && failure->code == "no_output" && options_.silent_too && !std::exchange(silent_, true))
    return std::nullopt;
  if (failure && !failure->may_pass())
    return Followed{Followed::End::kFailed, report_failure(context_, *failure)};
  if (!patience_.wait()) {
    const Failure gone{Failure::Kind::kUnreachable, 0, "unreachable",
                       failure ? failure->message : connection_.server() + " ends every stream at once"};
    print_error(context_, fmt::format("given up after {} s; job {} may go on", connection_.patience().count(),
                                      number_));
    return Followed{Followed::End::kFailed, report_failure(context_, gone)};
  }
  if (patience_.just_lost() && failure && cancel_ == Cancel::kNo) {
    print_error(context_, failure->message);
    print_error(context_, fmt::format("job {} goes on without it; waiting for the server for {} s "
                                      "(GIGAWERK_PATIENCE)",
                                      number_, connection_.patience().count()));
  }
  return std::nullopt;
}

Followed Follower::left(std::string_view what) const {
  print_error(context_, fmt::format("left; job {} {}", number_, what));
  return {Followed::End::kLeft, interrupted_code()};
}

Followed Follower::ended() const {
  const std::string status = last_.value("status", "");
  if (!options_.quiet && status != "completed" && status != "failed")
    print_error(context_,
                fmt::format("job {}: {}{}", number_, status,
                            last_.contains("note") ? ": " + last_.at("note").get<std::string>() : ""));
  const bool cancelled = cancel_ == Cancel::kDone && status == "cancelled";
  return {Followed::End::kEnded, cancelled ? interrupted_code() : ExitCode{exit_code_of(last_)}};
}

}  // namespace

ExitCode interrupted_code() {
  const int signal = InterruptGuard::signal();
  return ExitCode{128 + (signal == 0 ? SIGINT : signal)};
}

int exit_code_of(const Json& job) {
  const std::string status = job.value("status", "");
  const int signal = job.value("signal", 0);
  const int code = job.value("exit_code", 0);
  if (status == "completed") return 0;
  if (status == "time_limit") return 124;
  if (status == "out_of_memory") return 137;
  if (status == "cancelled") return 130;
  if (status == "launch_failed") return code == 126 || code == 127 ? code : 125;
  if (status == "failed") return signal != 0 ? 128 + signal : code != 0 ? code & 0xFF : 1;
  return 125;  // It never ran, or what became of it is not known.
}

Followed follow_job(const AppContext& context, client::Connection& connection, const InterruptGuard& guard,
                    std::uint64_t number, const FollowOptions& options) {
  return Follower(context, connection, guard, number, options).run();
}

ExitCode wait_for_job(const AppContext& context, client::Connection& connection, std::string_view id,
                      bool quiet, Json& results) {
  int worst = 0;
  const std::optional<Failure> failure = client::wait_for_end(connection, id, [&](const Json& job) {
    const int code = exit_code_of(job);
    worst = std::max(worst, code);
    results.push_back({{"id", job.value("id", "")}, {"status", job.value("status", "")}, {"code", code}});
    if (quiet) return;
    fmt::print("job {} {}{}\n", job.value("id", ""), job.value("status", ""),
               code != 0 ? fmt::format(" (exit code {})", code) : "");
    std::fflush(stdout);
  });
  if (!failure) return ExitCode{worst};
  report_failure(context, *failure);
  results.push_back({{"id", id}, {"error", error_json(*failure)}});
  return kRunFailed;
}

}  // namespace gw
