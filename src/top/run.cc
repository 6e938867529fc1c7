// The loop between keys, answers and frames.
#include "top/run.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>

#include "top/asker.h"
#include "top/terminal.h"

namespace gw::top {
namespace {

constexpr int kTickMs = 500;

std::int64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

/// Signals are read like keys: no handler interrupts ncurses.
class Signals {
 public:
  Signals() : descriptor_(make()) {}
  ~Signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  [[nodiscard]] int get() const { return descriptor_.get(); }
  /// 0 if there is none.
  [[nodiscard]] int next() const {
    signalfd_siginfo info{};
    return read(descriptor_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  int make() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGWINCH, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT})
      sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  }
  sigset_t before_{};
  Descriptor descriptor_;
};

/// The server's URL, once it has answered.
std::expected<std::string, client::Failure> first_contact(const RunOptions& options) {
  const auto connection = client::Connection::open(options.settings);
  if (!connection) return std::unexpected(connection.error());
  if (const auto summary = (*connection)->get("/v1/summary"); !summary)
    return std::unexpected(summary.error());
  return (*connection)->server();
}

/// The answers of one frame: asked until the screen wants nothing more.
struct Still {
  Model model;
  std::vector<Answer> answers;
};

std::expected<Still, client::Failure> still_frame(const RunOptions& options, std::size_t columns,
                                                  std::size_t rows) {
  auto connection = client::Connection::open(options.settings);
  if (!connection) return std::unexpected(connection.error());
  ModelOptions model = options.model;
  model.still = true;
  model.server = (*connection)->server();
  Still still{Model(model), {}};
  still.model.resize(columns, rows);
  still.model.tick(1);
  for (int round = 0; round < 3; ++round) {  // What the summary says changes how many rows there is room for.
    bool asked = false;
    for (const Ask& ask : wish_of(still.model.screen())) {
      const bool known = std::any_of(still.answers.begin(), still.answers.end(),
                                     [&](const Answer& answer) { return answer.ask == ask; });
      if (known) continue;
      Answer answer = ask_server(**connection, ask);
      if (answer.failure) return std::unexpected(*answer.failure);
      still.model.take(answer);
      still.answers.push_back(std::move(answer));
      asked = true;
    }
    if (!asked) break;
  }
  return still;
}

}  // namespace

std::expected<int, client::Failure> run_on_terminal(const RunOptions& options) {
  const std::expected<std::string, client::Failure> server = first_contact(options);
  if (!server) return std::unexpected(server.error());
  ModelOptions wanted = options.model;
  wanted.server = *server;
  const Signals signals;
  const Descriptor arrived(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  Result<std::unique_ptr<Terminal>> terminal = Terminal::open({options.colour, wanted.unicode});
  if (!terminal)
    return std::unexpected(
        client::Failure{client::Failure::Kind::kRefused, 0, "terminal", terminal.error().message});
  Model model(wanted);
  model.resize((*terminal)->columns(), (*terminal)->rows());
  model.tick(now_ns());
  Asker asker({options.settings, std::chrono::nanoseconds(wanted.interval_ns), [&arrived] {
                 const std::uint64_t one = 1;
                 // It can only fail if it is raised already.
                 [[maybe_unused]] const ssize_t written = write(arrived.get(), &one, sizeof one);
               }});
  while (!model.done()) {
    asker.tell(model.take_orders());
    asker.want(wish_of(model.screen()));
    (*terminal)->show(draw(model.screen()));
    pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {signals.get(), POLLIN, 0}, {arrived.get(), POLLIN, 0}};
    if (poll(waits, std::size(waits), kTickMs) < 0 && errno != EINTR) break;
    model.tick(now_ns());
    while (const int signal = signals.next()) {
      if (signal == SIGWINCH) (*terminal)->resize();
      if (signal == SIGTSTP) (*terminal)->suspend();
      if (signal == SIGCONT) (*terminal)->redraw();
      if (signal == SIGINT || signal == SIGQUIT || signal == SIGTERM || signal == SIGHUP) return 128 + signal;
    }
    model.resize((*terminal)->columns(), (*terminal)->rows());
    if ((waits[2].revents & POLLIN) != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t size = read(arrived.get(), &count, sizeof count);
      const Asker::Arrived news = asker.take();
      for (const OrderResult& result : news.results) model.take(result);
      for (const Answer& answer : news.answers) model.take(answer);
    }
    if ((waits[0].revents & POLLIN) != 0) {
      bool any = false;
      while (const std::optional<Key> key = (*terminal)->key()) {
        model.press(*key);
        any = true;
      }
      if (!any && (waits[0].revents & (POLLHUP | POLLERR)) != 0) return 128 + SIGHUP;
    } else if ((waits[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
      return 128 + SIGHUP;  // The terminal is gone.
    }
  }
  return 0;
}

std::expected<std::string, client::Failure> frame_text(const RunOptions& options, std::size_t columns,
                                                       std::size_t rows) {
  const auto still = still_frame(options, columns, rows);
  if (!still) return std::unexpected(still.error());
  std::string text = draw(still->model.screen()).text();
  text.erase(text.find_last_not_of('\n') + 1);
  return text + '\n';
}

std::expected<Json, client::Failure> frame_json(const RunOptions& options, std::size_t columns,
                                                std::size_t rows) {
  const auto still = still_frame(options, columns, rows);
  if (!still) return std::unexpected(still.error());
  const Screen& screen = still->model.screen();
  Json json;
  json["server"] = screen.server;
  for (const Answer& answer : still->answers) {
    if (answer.ask.kind == Ask::Kind::kSummary) json["summary"] = answer.json;
  }
  json["pane"] = pane_name(screen.pane);
  json["sort"] = screen.sort().name;
  json["reversed"] = screen.list().reversed;
  json["filter"] = screen.list().filter;
  json["found"] = screen.found();
  Json rows_json = Json::array();
  const Answer& list = still->answers.back();
  const char* key = screen.pane == Pane::kQueue ? "jobs" : screen.pane == Pane::kNodes ? "nodes" : "tenants";
  const std::size_t count = layout_of(screen).list_rows;
  if (screen.pane == Pane::kTenants) {  // Sorted and filtered here.
    for (const TenantRow& tenant : screen.tenants.rows) {
      for (const Json& each : list_at(list.json, key)) {
        if (rows_json.size() < count && text_at(each, "path") == tenant.path) rows_json.push_back(each);
      }
    }
  } else {
    for (const Json& each : list_at(list.json, key)) {
      if (rows_json.size() < count) rows_json.push_back(each);
    }
  }
  json[key] = std::move(rows_json);
  return json;
}

}  // namespace gw::top
