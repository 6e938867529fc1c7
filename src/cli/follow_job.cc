// Events of a job to standard output and error.
#include "cli/follow_job.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include "cli/server_access.h"
#include "report/text.h"

namespace gw {
namespace {

std::atomic<int> interrupts{0};
std::atomic<client::Connection*> interrupted_connection{nullptr};

void on_interrupt(int) {
  ++interrupts;
  if (client::Connection* connection = interrupted_connection.load()) connection->interrupt();
}

/// Counts ^C while it lives.
class InterruptGuard {
 public:
  explicit InterruptGuard(client::Connection& connection) {
    interrupts = 0;
    interrupted_connection = &connection;
    struct sigaction action{};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, &int_before_);
    sigaction(SIGTERM, &action, &term_before_);
  }
  ~InterruptGuard() {
    sigaction(SIGINT, &int_before_, nullptr);
    sigaction(SIGTERM, &term_before_, nullptr);
    interrupted_connection = nullptr;
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction int_before_{};
  struct sigaction term_before_{};
};

std::string decoded(const client::Json& event) {
  if (event.contains("text")) return event["text"].get<std::string>();
  if (!event.contains("base64")) return {};
  std::string bytes;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const char c : event["base64"].get<std::string>()) {
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

}  // namespace

int exit_code_of(const client::Json& job) {
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

Result<ExitCode> follow_job(const AppContext& context, client::Connection& connection, std::uint64_t number,
                            bool cancel_on_interrupt, bool quiet) {
  const InterruptGuard guard(connection);
  client::Json last;
  std::uint64_t offset = 0;
  int seen_interrupts = 0;
  int failures = 0;
  std::string shown;
  for (;;) {
    const std::optional<client::Failure> failure = connection.events(
        fmt::format("/v1/jobs/{}/follow?offset={}", number, offset), [&](const http::ServerEvent& event) {
          const client::Json json = client::Json::parse(event.data, nullptr, false);
          if (!json.is_object()) return true;
          failures = 0;
          if (event.event == "out" || event.event == "err") {
            const std::string bytes = decoded(json);
            std::FILE* to = event.event == "out" ? stdout : stderr;
            std::fwrite(bytes.data(), 1, bytes.size(), to);
            std::fflush(to);
            if (event.event == "out") offset = json.value("offset", offset) + bytes.size();
          } else if (event.event == "status") {
            const std::string status = json.value("status", "");
            const std::string text =
                status + (json.contains("reason") ? " (" + json["reason"].get<std::string>() + ")" : "");
            if (json.value("attempt", 0) > 1 && status == "running") offset = 0;
            if (!quiet && context.progress && text != shown &&
                (status == "waiting" || status == "blocked" || status == "held" || !shown.empty()))
              fmt::print(
                  stderr, "gw: job {} {}\n", number,
                  report::printable(status == "running" ? "runs on " + json.value("place", "") : text));
            shown = text;
          } else if (event.event == "gap") {
            fmt::print(stderr, "gw: {} bytes of output were dropped\n", json.value("dropped_bytes", 0));
          } else if (event.event == "end") {
            last = json;
            return false;
          }
          return true;
        });
    if (!last.is_null()) break;
    if (interrupts > seen_interrupts) {
      seen_interrupts = interrupts;
      if (!cancel_on_interrupt || seen_interrupts > 1) {
        fmt::print(stderr, "gw: left; job {} goes on\n", number);
        return ExitCode{130};
      }
      fmt::print(stderr, "gw: cancelling job {}; once more to leave it\n", number);
      if (const auto cancelled = connection.remove(fmt::format("/v1/jobs/{}", number)); !cancelled) {
        report_failure(context, cancelled.error());
        return kRunFailed;
      }
      continue;
    }
    if (failure && failure->kind == client::Failure::Kind::kRefused && failure->status != 503) {
      report_failure(context, *failure);
      return kRunFailed;
    }
    // The server went away, perhaps for a restart: the job goes on, so we look for it again.
    if (++failures == 1 && failure) print_error(context, failure->message + "; trying again");
    if (failures > 120) return kRunFailed;
    std::this_thread::sleep_for(std::chrono::milliseconds(failures < 10 ? 200 : 1000));
  }
  const int code = exit_code_of(last);
  const std::string status = last.value("status", "");
  if (!quiet && status != "completed" && status != "failed")
    print_error(context, fmt::format("job {}: {}{}", number, status,
                                     last.contains("note") ? ": " + last["note"].get<std::string>() : ""));
  return ExitCode{code};
}

}  // namespace gw
