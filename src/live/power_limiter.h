// PowerLimiter: an engine that hands every call to another one, and has the GPUs of attempts whose clocks are
// capped limited by a command of the operator's, as nvidia-smi -pl does it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "live/engine.h"

namespace gw::live {

struct PowerLimiterOptions {
  /// Run without a shell, once for each node of an attempt; docs/power.md says with which variables.
  std::filesystem::path command;
  /// Where it keeps which GPUs are limited: those of attempts that end while nobody serves are freed later.
  std::filesystem::path file;
  /// Names of the GPUs by their number on the node, where all nodes are one machine; empty: their numbers.
  std::vector<std::string> gpu_names;
  unsigned at_a_time = 16;               ///< Runs of the command.
  Nanoseconds patience = seconds(30);    ///< One run may take so long.
  Nanoseconds retry_after = seconds(5);  ///< One that failed is tried again then; kTries times in all.
  /// For people: runs that failed. Called on threads of the limiter's own. May be empty.
  std::function<void(std::string_view)> log;
};

/// Nothing waits for the command: what is ordered while a run for the same GPUs is in work comes after it,
/// and takes the place of what was ordered before. GPUs are freed (the command is run with 1000 thousandths)
/// when the attempt that they were limited for ends, whoever serves then.
class PowerLimiter final : public Engine {
 public:
  static constexpr int kTries = 3;

  /// An Error where the command is no program, or the file cannot be read.
  static Result<std::unique_ptr<PowerLimiter>> open(std::unique_ptr<Engine> engine,
                                                    PowerLimiterOptions options);
  /// Waits for runs in work, not for those that are ordered: the file knows what is to be freed.
  ~PowerLimiter() override;
  PowerLimiter(const PowerLimiter&) = delete;
  PowerLimiter& operator=(const PowerLimiter&) = delete;

  void start(Launch launch) override { engine_->start(std::move(launch)); }
  void stop(const Stop& stop) override { engine_->stop(stop); }
  void recover(std::vector<Launch> expected) override;
  void forget(AttemptId id) override;
  void limit_clocks(const ClockLimit& limit) override;
  void take(std::vector<Report>& reports, std::vector<NodeReport>& nodes) override;
  [[nodiscard]] std::optional<Instant> next_due() const override { return engine_->next_due(); }

  /// GPUs whose limit could not be set, each time.
  [[nodiscard]] std::uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }
  /// Until all that was ordered has been run (tests).
  void finish();

 private:
  /// GPUs that attempts have together: of one attempt, or one GPU that several share.
  struct Place {
    std::string node;
    std::uint64_t gpus = 0;
    auto operator<=>(const Place&) const = default;
  };
  struct Limit {
    std::uint32_t permille = 1000;
    std::int64_t watts = 0;
    std::int64_t free_watts = 0;
    std::string gpu_type;
  };
  struct Order {
    AttemptId id;
    Limit limit;
  };

  PowerLimiter(std::unique_ptr<Engine> engine, PowerLimiterOptions options)
      : engine_(std::move(engine)), options_(std::move(options)) {}
  Result<void> read_file();
  void write_file();
  // With the mutex locked.
  [[nodiscard]] std::string file_text() const;
  void release(AttemptId id);
  void order(const Place& place, AttemptId id, const Limit& before);
  [[nodiscard]] std::optional<Place> next_place() const;

  void work();
  [[nodiscard]] std::string run_command(const Place& place, const Order& order) const;

  std::unique_ptr<Engine> engine_;
  PowerLimiterOptions options_;
  int takes_ = 0;  ///< Since `recover`.

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<AttemptId, std::vector<Place>> places_;  ///< Of attempts that are limited.
  std::map<Place, std::map<AttemptId, Limit>> limits_;
  std::set<AttemptId> doubtful_;  ///< Limited before a restart, and not told again yet.
  std::map<Place, Order> orders_;
  std::deque<Place> queue_;  ///< Of `orders_`.
  std::map<Place, Order> in_work_;
  std::uint64_t version_ = 0;  ///< Counts changes of what the file has to say.
  std::uint64_t written_ = 0;
  bool stopping_ = false;
  std::atomic<std::uint64_t> failures_{0};

  std::mutex file_;
  std::vector<std::thread> threads_;
};

}  // namespace gw::live
