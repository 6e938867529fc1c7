// PostgresServer: a private PostgreSQL server for tests, in a temporary folder, gone with its object.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace gw::sql::testing {

struct PostgresServerOptions {
  /// Off saves time; on where crashes of the machine or real times matter.
  bool fsync = false;
  /// More settings, as `work_mem=1MB`.
  std::vector<std::string> settings{};
};

/// Listens on a free port of 127.0.0.1, where it asks for the password, and on a socket in its folder. It
/// runs as the user of this process, or as `postgres` where that is root. It dies with the thread that
/// started it, so let that be the main one.
class PostgresServer {
 public:
  static constexpr const char* kUser = "gigawerk";
  static constexpr const char* kPassword = "p@ss:w/rd";

  /// Empty where a server can be started; else why not (for GTEST_SKIP).
  static std::string missing();

  static Result<std::unique_ptr<PostgresServer>> start(const PostgresServerOptions& options = {});
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;
  ~PostgresServer();

  /// Over TCP, with the password. `port` for a proxy in between.
  [[nodiscard]] std::string url(std::uint16_t port = 0, const std::string& database = "postgres") const;
  /// Over the socket, without a password.
  [[nodiscard]] std::string socket_url(const std::string& database = "postgres") const;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

  enum class Stop : std::uint8_t {
    kFast,       ///< Ends sessions, writes everything.
    kImmediate,  ///< As if it had crashed.
  };
  void stop(Stop how = Stop::kFast);
  /// On the same port and data.
  Result<void> start_again();
  /// Holds every process of the server, as an overloaded machine may; `resume` lets them go on.
  void pause();
  void resume();

 private:
  PostgresServer() = default;
  Result<void> run(std::vector<std::string> command) const;
  Result<void> make_data();
  Result<void> wait_until_ready();
  void signal_all(int signal) const;
  [[nodiscard]] std::string log_tail() const;

  PostgresServerOptions options_;
  std::filesystem::path programs_;
  std::filesystem::path folder_;
  uid_t user_ = 0;
  gid_t group_ = 0;
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

}  // namespace gw::sql::testing
