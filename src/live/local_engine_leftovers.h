// Sweeper: ends what is left of attempts whose supervisors have gone, on a thread of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "live/engine.h"

namespace gw::live {

/// What may be left of an attempt.
struct Leftovers {
  AttemptId id;
  std::string mark;           ///< In the environment of its processes; empty: not known.
  std::string control_group;  ///< Empty: it had none.
  std::vector<std::vector<std::string>> cleanup;
};

/// Kills every process of this machine that carries one of `marks`, until there is none. Gives how many.
std::size_t kill_marked(const std::set<std::string>& marks);

class Sweeper {
 public:
  /// `swept` is called on the sweeper's thread once nothing of an attempt is left.
  explicit Sweeper(std::function<void(AttemptId)> swept) : swept_(std::move(swept)) {}
  Sweeper(const Sweeper&) = delete;
  Sweeper& operator=(const Sweeper&) = delete;
  /// Finishes what it is at; what waits stays undone.
  ~Sweeper();

  void sweep(Leftovers leftovers);

 private:
  void work();

  std::function<void(AttemptId)> swept_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Leftovers> waiting_;
  bool ending_ = false;
  std::thread thread_;  ///< Started when there is something to do.
};

}  // namespace gw::live
