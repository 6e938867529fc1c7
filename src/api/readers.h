// Readers: a few threads with a database connection each, for requests that must look into the archive.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "live/archive.h"

namespace gw::api {

class Readers {
 public:
  using Work = std::function<void(live::Archive&)>;
  using Open = std::function<Result<std::unique_ptr<sql::Database>>()>;

  /// Opens `threads` connections; the Error is the first that fails.
  static Result<std::unique_ptr<Readers>> start(const Open& open, unsigned threads);
  /// Lets what is in work end; what waits is dropped.
  ~Readers();
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  enum class Size : std::uint8_t {
    kShort,
    kLong,  ///< One at a time, so that there is a thread for the short ones; of two threads and more.
  };
  /// False if too much waits already: the caller says so.
  bool post(Work work, Size size = Size::kShort);
  [[nodiscard]] std::size_t waiting() const;

 private:
  Readers() = default;
  void run(std::unique_ptr<live::Archive> archive);

  mutable std::mutex mutex_;
  std::condition_variable wakeup_;
  std::deque<Work> queue_;
  std::deque<Work> long_queue_;
  bool long_runs_ = false;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gw::api
