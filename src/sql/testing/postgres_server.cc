// initdb and postgres as child processes.
#include "sql/testing/postgres_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/check.h"

namespace gw::sql::testing {
namespace {

namespace fs = std::filesystem;

/// The newest version that Debian's layout, or $GIGAWERK_POSTGRES_BIN, offers.
fs::path find_programs() {
  if (const char* named = std::getenv("GIGAWERK_POSTGRES_BIN"); named != nullptr) return named;
  fs::path newest;
  int newest_version = 0;
  std::error_code error;
  for (const fs::directory_entry& version : fs::directory_iterator("/usr/lib/postgresql", error)) {
    const int number = std::atoi(version.path().filename().c_str());
    if (number <= newest_version || !fs::exists(version.path() / "bin" / "initdb", error)) continue;
    newest_version = number;
    newest = version.path() / "bin";
  }
  return newest;
}

std::uint16_t free_port() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(listener);
  return bound ? ntohs(address.sin_port) : std::uint16_t{0};
}

std::string percent_encoded(std::string_view text) {
  std::string result;
  for (const char c : text) result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return result;
}

/// A child as that user, whose output goes to `log`. It gets `at_death` when this thread ends.
pid_t spawn(const std::vector<std::string>& command, const fs::path& log, uid_t user, gid_t group,
            int at_death) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const bool ready = out >= 0 && in >= 0 && ::dup2(in, 0) >= 0 && ::dup2(out, 1) >= 0 &&
                     ::dup2(out, 2) >= 0 &&
                     (::geteuid() != 0 || (::setgid(group) == 0 && ::setuid(user) == 0)) &&
                     ::chdir("/") == 0 && ::prctl(PR_SET_PDEATHSIG, at_death) == 0 && ::getppid() == parent;
  if (ready) ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

std::string PostgresServer::missing() {
  if (find_programs().empty())
    return "PostgreSQL is not installed (no /usr/lib/postgresql/*/bin/initdb): apt-get install postgresql";
  if (::geteuid() == 0 && ::getpwnam("postgres") == nullptr)
    return "PostgreSQL refuses to run as root, and there is no user postgres to run it as";
  return {};
}

Result<std::unique_ptr<PostgresServer>> PostgresServer::start(const PostgresServerOptions& options) {
  if (const std::string problem = missing(); !problem.empty()) return fail(problem);
  std::unique_ptr<PostgresServer> server(new PostgresServer());
  server->options_ = options;
  server->programs_ = find_programs();
  server->user_ = ::geteuid();
  server->group_ = ::getegid();
  if (server->user_ == 0) {
    const passwd* entry = ::getpwnam("postgres");
    server->user_ = entry->pw_uid;
    server->group_ = entry->pw_gid;
  }
  // Not $TMPDIR: the name of a socket has at most 107 bytes, and another user must get there.
  std::string folder = "/tmp/gigawerk-postgres-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr)
    return fail(fmt::format("{}: cannot make the folder: {}", folder, std::strerror(errno)));
  server->folder_ = folder;
  if (::geteuid() == 0 && ::chown(folder.c_str(), server->user_, server->group_) != 0)
    return fail(fmt::format("{}: cannot give the folder to postgres: {}", folder, std::strerror(errno)));
  if (Result<void> made = server->make_data(); !made) return std::unexpected(std::move(made.error()));
  constexpr int kTries = 5;  // Another test may take the port between our look and the server's.
  Result<void> started = fail("");
  for (int attempt = 0; attempt < kTries && !started; ++attempt) {
    server->port_ = free_port();
    started = server->start_again();
  }
  if (!started) return std::unexpected(std::move(started.error()));
  return server;
}

PostgresServer::~PostgresServer() {
  resume();
  stop(Stop::kImmediate);
  std::error_code error;
  if (!folder_.empty()) fs::remove_all(folder_, error);
}

std::string PostgresServer::log_tail() const {
  std::ifstream file(folder_ / "log");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  constexpr std::size_t kTail = 2000;
  return text.size() > kTail ? text.substr(text.size() - kTail) : text;
}

Result<void> PostgresServer::run(std::vector<std::string> command) const {
  const pid_t child = spawn(command, folder_ / "log", user_, group_, SIGKILL);
  int status = -1;
  while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return fail(fmt::format("{} failed: {}", command[0], log_tail()));
  return {};
}

Result<void> PostgresServer::make_data() {
  const fs::path password = folder_ / "password";
  std::ofstream(password) << kPassword << "\n";
  return run({programs_ / "initdb", "--pgdata=" + (folder_ / "data").string(),
              "--username=" + std::string(kUser), "--pwfile=" + password.string(), "--auth-local=trust",
              "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync",
              "--no-instructions"});
}

Result<void> PostgresServer::start_again() {
  GW_CHECK(process_ == -1);
  std::vector<std::string> command = {programs_ / "postgres", "-D", folder_ / "data"};
  const auto set = [&](const std::string& setting) {
    command.emplace_back("-c");
    command.push_back(setting);
  };
  set("listen_addresses=127.0.0.1");
  set(fmt::format("port={}", port_));
  set("unix_socket_directories=" + folder_.string());
  set("shared_buffers=16MB");
  set("max_connections=40");
  if (!options_.fsync) set("fsync=off");
  for (const std::string& setting : options_.settings) set(setting);
  process_ = spawn(command, folder_ / "log", user_, group_, SIGQUIT);
  if (process_ < 0) return fail("cannot start a process");
  return wait_until_ready();
}

Result<void> PostgresServer::wait_until_ready() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (PQping(socket_url().c_str()) != PQPING_OK) {
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) == process_) {
      process_ = -1;
      return fail(fmt::format("PostgreSQL did not start: {}", log_tail()));
    }
    if (std::chrono::steady_clock::now() > deadline)
      return fail(fmt::format("PostgreSQL did not start in 60 s: {}", log_tail()));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return {};
}

std::string PostgresServer::url(std::uint16_t port, const std::string& database) const {
  return fmt::format("postgres://{}:{}@127.0.0.1:{}/{}?sslmode=disable", kUser, percent_encoded(kPassword),
                     port == 0 ? port_ : port, database);
}

std::string PostgresServer::socket_url(const std::string& database) const {
  return fmt::format("postgres://{}@/{}?host={}&port={}", kUser, database, percent_encoded(folder_.string()),
                     port_);
}

void PostgresServer::stop(Stop how) {
  if (process_ == -1) return;
  ::kill(process_, how == Stop::kFast ? SIGINT : SIGQUIT);
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
}

/// The postmaster and its children; each backend leads a process group of its own.
void PostgresServer::signal_all(int signal) const {
  if (process_ == -1) return;
  ::kill(process_, signal);
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
    const int number = std::atoi(entry.path().filename().c_str());
    if (number <= 0) continue;
    std::ifstream file(entry.path() / "stat");
    std::string text;
    std::getline(file, text);
    const std::size_t after = text.rfind(')');  // "PID (name) state parent ..."
    if (after == std::string::npos || after + 4 >= text.size()) continue;
    if (std::atoi(text.c_str() + after + 4) == process_) ::kill(number, signal);
  }
}

void PostgresServer::pause() { signal_all(SIGSTOP); }
void PostgresServer::resume() { signal_all(SIGCONT); }

}  // namespace gw::sql::testing
