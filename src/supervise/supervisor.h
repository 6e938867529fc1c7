// Supervisor: runs one attempt from its claim to its exit record. One process, one thread, one attempt.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "supervise/claim.h"
#include "supervise/control_group.h"
#include "supervise/output_log.h"
#include "supervise/records.h"
#include "supervise/task.h"

namespace gw::supervise {

/// The process must be a session leader and a child subreaper, have all signals blocked, and stand in the
/// attempt's folder.
class Supervisor {
 public:
  /// `claimed`: its record must be there. `reports`: pipe for a StartedMessage, or -1.
  Supervisor(Claimed claimed, int reports);
  /// Starts the tasks, waits until nothing of them is left, and writes the exit record.
  void run();

 private:
  /// Asked to end, or to end now.
  enum class Phase : std::uint8_t { kRunning, kEnding, kKilling };
  struct Capture {
    Descriptor pipe;
    OutputLog log;
  };

  bool prepare();
  void start_tasks();
  void wait_for_the_end();
  void wait_once();
  void read_signals();
  void read_status();
  bool read_output(Capture& capture);
  void reap();
  void task_ended(std::size_t rank, int status);
  void act_on_time();
  void watch_memory(std::int64_t now);
  void note_time(std::int64_t now);
  void set_timer();
  void set_limit();
  void read_limit();

  void begin_end(Ending why);
  void end_others();
  void shorten_grace();
  [[nodiscard]] pid_t living_group() const;
  void ask_processes(int signal);
  void get_ahead();
  void kill_processes();
  void fail_launch(const StartFailure& failure);
  void fail_launch(std::string note, int exit_code);
  bool fail_machine(const char* what);
  void run_cleanup();
  void finish();
  void add_note(const std::string& text);
  [[nodiscard]] std::string output_note() const;

  Claimed claimed_;
  LaunchRecord& record_;  ///< Of `claimed_`.
  int reports_;
  ExitRecord exit_;

  Descriptor signals_;
  Descriptor timer_;
  Descriptor status_;  ///< Ends when every task has become its command.
  std::vector<Capture> captures_;
  std::optional<ControlGroup> control_group_;

  std::vector<pid_t> tasks_;  ///< By rank; 0 = has ended.
  pid_t group_ = 0;           ///< Process group of the tasks.
  std::size_t tasks_left_ = 0;
  bool children_left_ = false;  ///< Tasks, or what they left behind.
  bool launch_failed_ = false;  ///< Not all tasks have become their command, and will not.
  bool started_ = false;        ///< All tasks have become their command.
  bool failed_ = false;         ///< One has ended otherwise than with 0: `exit_` says how.
  bool memory_watched_ = false;
  Phase phase_ = Phase::kRunning;
  std::optional<Ending> why_;  ///< The first reason to end, other than the tasks' own end.

  // By boot_now(); 0 = not due.
  std::int64_t started_at_ = 0;
  std::int64_t warn_at_ = 0;
  std::int64_t limit_at_ = 0;
  std::int64_t kill_at_ = 0;
  std::int64_t watch_at_ = 0;
  std::int64_t note_at_ = 0;
  std::int64_t kill_again_after_ = 0;
  std::int64_t timer_at_ = 0;  ///< What the timer is set to.
};

}  // namespace gw::supervise
