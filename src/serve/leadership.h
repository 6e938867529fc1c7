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
  /// Waits until the lease is free and takes it, then keeps it by a thread of its own on `database`. `stop`
  /// is asked every second while waiting: true gives an Error.
  static Result<std::unique_ptr<Leadership>> take(std::unique_ptr<sql::Database> database,
                                                  const std::function<bool()>& stop,
                                                  const std::function<void(std::string_view)>& log);
  /// Gives the lease back.
  ~Leadership();
  Leadership(const Leadership&) = delete;
  Leadership& operator=(const Leadership&) = delete;

  /// False once another has taken over: this server must end. Writes are fenced off in any case.
  [[nodiscard]] bool held() const { return held_.load(); }
  /// To be called in each transaction that writes: it fails once another server leads.
  void fence(sql::Database& writer) const { lease_.fence(writer); }

 private:
  explicit Leadership(std::unique_ptr<sql::Database> database)
      : database_(std::move(database)), lease_("factory") {}
  void keep();

  std::unique_ptr<sql::Database> database_;
  sql::Lease lease_;
  std::atomic<bool> held_{false};
  std::mutex mutex_;
  std::condition_variable wakeup_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gw::serve
