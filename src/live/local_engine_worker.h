// The inside of LocalEngine: its thread, and what it knows of the attempts that are not forgotten.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "live/local_engine.h"
#include "live/local_engine_attempts.h"
#include "live/local_engine_cores.h"
#include "live/local_engine_leftovers.h"
#include "supervise/system.h"

namespace gw::live {

class LocalEngine::Worker {
 public:
  explicit Worker(LocalEngineOptions options) : options_(std::move(options)), cores_(usable_cores()) {}
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  /// Opens what it needs and starts the thread.
  Result<void> open();

  struct StartOrder {
    Launch launch;
  };
  struct StopOrder {
    AttemptId id;
    Nanoseconds most_grace = kLongestSpan;
  };
  struct RecoverOrder {
    std::vector<Launch> expected;
  };
  struct ForgetOrder {
    AttemptId id;
  };
  struct SweptOrder {
    AttemptId id;
  };
  struct LimitOrder {
    AttemptId id;
    Nanoseconds limit;
  };
  using Order = std::variant<StartOrder, StopOrder, RecoverOrder, ForgetOrder, SweptOrder, LimitOrder>;
  void order(Order order);
  void take(std::vector<Report>& reports);
  [[nodiscard]] const std::string& missing_limits() const { return groups_.missing; }

 private:
  /// An attempt whose supervisor lives, or whose remains are being swept up.
  struct Running {
    std::optional<std::uint64_t> identity;
    std::uint64_t key = 0;          ///< In epoll.
    supervise::Descriptor process;  ///< pidfd; none: it is looked at from time to time.
    pid_t supervisor = 0;
    bool own_child = false;
    bool started_told = false;
    bool unexpected = false;  ///< Nobody waits for it: it is ended and forgotten.
    bool sweeping = false;
    bool prepared_before = false;  ///< By an earlier server, whose supervisor may come yet.
    std::vector<std::uint32_t> cores;
    std::int64_t cpu_milli = 0;
  };
  using SteadyClock = std::chrono::steady_clock;
  using FoundAccount = std::expected<Account, NoAccount>;
  struct CachedAccount {
    FoundAccount account;
    SteadyClock::time_point until;
  };
  /// Why an attempt could not be started.
  struct StartError {
    std::string message;
    bool machine = false;  ///< The machine has failed; else the job asked for what cannot be.
  };
  /// An attempt that the machine could not start, until that is told.
  struct Held {
    SteadyClock::time_point due;
    supervise::ExitRecord exit;
    bool maybe_begun = false;  ///< Not to be told before it is certain that nobody begins it.
  };

  /// An attempt whose folder is another job's, until that one has ended.
  struct Successor {
    Launch launch;
    bool lost = false;  ///< Not to be started: it may have been.
    bool stopped = false;
  };

  void run();
  void fetch_orders();
  void handle(StartOrder& order);
  void handle(StopOrder& order);
  void handle(RecoverOrder& order);
  void handle(ForgetOrder& order);
  void handle(SweptOrder& order);
  void handle(LimitOrder& order);
  void read_started();
  void look_at_unwatched();

  void take_up(const Launch& launch, bool recovering);
  void tell_start_again(AttemptId id, Running& running);
  void start_new(const Launch& launch);
  std::expected<LaunchSite, StartError> make_site(const Launch& launch);
  Result<void> spawn(AttemptId id, Running& running);
  void watch(AttemptId id, Running& running, supervise::Descriptor process);
  void adopt(AttemptId id, const AttemptSight& sight, bool unexpected);
  void supervisor_ended(AttemptId id);
  void succeed(const Launch& launch, bool lost);
  void begin_successor(AttemptId id);
  void fail_start(AttemptId id, std::uint64_t identity, StartError error, bool maybe_begun);
  void hold(AttemptId id, supervise::ExitRecord exit, bool maybe_begun);
  void tell_held();
  AttemptSight close_new(AttemptId id, const supervise::ExitRecord& exit) const;
  [[nodiscard]] int wait_ms() const;
  void desert(AttemptId id, const AttemptSight& sight, bool unexpected, std::uint64_t identity = 0);
  void end_unexpected(AttemptId id);
  void ask_to_stop(AttemptId id, const Running& running, Nanoseconds most_grace);
  void ask_to_end(AttemptId id, const Running& running);
  void send(AttemptId id, const Running& running, int signal) const;
  static supervise::Descriptor open_process(pid_t process);

  void note_started(AttemptId id, std::int64_t unix_ns);
  void tell_started(AttemptId id, std::uint64_t identity, std::int64_t unix_ns);
  void tell_end(AttemptId id, const supervise::ExitRecord& exit);
  void tell_ended(AttemptId id, const supervise::ExitRecord& exit);
  void finish(AttemptId id, const supervise::ExitRecord& exit, bool failed_start = false);
  void push(Report report);
  void forget(AttemptId id);
  [[nodiscard]] std::filesystem::path folder_of(AttemptId id) const;
  const FoundAccount& account_of(const std::string& name);

  LocalEngineOptions options_;
  CoreBook cores_;
  ControlGroups groups_;
  Account own_account_;
  std::uint64_t open_files_ = 0;
  std::unique_ptr<LiveList> live_;
  std::unique_ptr<BootNote> boot_;
  bool other_boot_ = false;  ///< The state is from before the machine was started.

  supervise::Descriptor folder_lock_;
  supervise::Descriptor events_;         ///< epoll
  supervise::Descriptor orders_signal_;  ///< eventfd
  supervise::Descriptor reports_read_;   ///< Pipe of StartedMessage.
  supervise::Descriptor reports_write_;

  std::mutex mutex_;
  std::vector<Order> orders_;
  std::vector<Report> reports_;
  bool ending_ = false;

  // The thread's own.
  std::deque<Order> queue_;
  std::map<AttemptId, Running> running_;
  std::map<std::uint64_t, AttemptId> keys_;
  std::set<AttemptId> unwatched_;             ///< Running ones to look at from time to time.
  std::map<AttemptId, std::uint64_t> ended_;  ///< Told, and not forgotten; their identities.
  std::map<AttemptId, Successor> successors_;
  std::map<AttemptId, Held> held_;
  std::chrono::seconds fault_delay_{0};  ///< Of the next failed start; 0: the last one was none.
  std::map<std::string, CachedAccount> accounts_;
  std::uint64_t next_key_ = 16;  ///< Smaller ones are the engine's own descriptors.

  std::thread thread_;
  std::unique_ptr<Sweeper> sweeper_;  ///< Ends before all that it calls.
};

}  // namespace gw::live
