// Leadership: of several servers on one database one serves; the others stand by and take over when it is
// gone.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.h"
#include "sql/database.h"
#include "sql/lease.h"

namespace gw::serve {

class Leadership {
 public:
  struct Options {
    std::string engine;          ///< Whose attempts this server's are (see live::ControllerOptions).
    std::function<bool()> stop;  ///< Asked every second while waiting: true gives an Error.
    std::function<void(std::string_view)> log;
    /// Called before waiting for a server whose attempts are another engine's.
    std::function<void()> elsewhere;
  };
  /// Waits until the lease is free and takes it, then keeps it by a thread of its own on `database`.
  static Result<std::unique_ptr<Leadership>> take(std::unique_ptr<sql::Database> database, Options options);
  /// Gives the lease back.
  ~Leadership();
  Leadership(const Leadership&) = delete;
  Leadership& operator=(const Leadership&) = delete;

  /// False once another has taken over: this server must end. Writes are fenced off in any case.
  [[nodiscard]] bool held() const { return held_.load(); }
  /// It has been lost to a server with another engine: what runs here is not the factory's any more.
  [[nodiscard]] bool lost_elsewhere() const { return lost_elsewhere_.load(); }
  /// To be called in each transaction that writes: it fails once another server leads.
  void fence(sql::Database& writer) const { lease_.fence(writer); }

 private:
  Leadership(std::unique_ptr<sql::Database> database, std::string engine)
      : database_(std::move(database)), lease_("factory"), engine_(std::move(engine)) {}
  void keep();

  std::unique_ptr<sql::Database> database_;
  sql::Lease lease_;
  std::string engine_;
  std::atomic<bool> held_{false};
  std::atomic<bool> lost_elsewhere_{false};
  std::mutex mutex_;
  std::condition_variable wakeup_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gw::serve
