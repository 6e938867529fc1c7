// gw-supervise: runs one attempt of a job, apart from the server that started it, and outlives it.
//
// gw-supervise FOLDER [REPORTS]: FOLDER is the attempt's, REPORTS a descriptor that takes its start. It says
// nothing: what happens stands in FOLDER (docs/job-environment.md).
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "supervise/supervisor.h"

int main(int count, char** arguments) {
  using namespace gw::supervise;
  constexpr int kReports = 3;  // Where the engine puts its pipe; tasks may find their input there.
  if (count < 2) {
    constexpr std::string_view kUse = "gw-supervise is started by gw serve, with the folder of an attempt\n";
    (void)write_all(STDERR_FILENO, kUse);
    return kUnreadableStatus;
  }
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  const int reports = count > 2 && std::atoi(arguments[2]) == kReports ? kReports : -1;
  ::close_range(reports < 0 ? kReports : kReports + 1, ~0U, 0);
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0) return kFailedStatus + errno;
  // Descriptors 0 to 3 are taken: nothing that is opened later stands in the way of a task's own.
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, number);
  if (reports < 0) ::dup2(null, kReports);
  ::fcntl(kReports, F_SETFD, FD_CLOEXEC);
  if (null > kReports) ::close(null);

  ::setsid();  // Fails where we lead a session already.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (::chdir(arguments[1]) != 0) return kFailedStatus + errno;
  int status = 0;
  std::optional<Claimed> claimed = claim_attempt(status);
  if (!claimed) return status;
  if (!claimed->record) {
    ExitRecord exit;
    exit.ending = Ending::kLost;
    exit.started_unix_ns = unix_now();
    exit.note = "its launch record cannot be read";
    write_exit(AT_FDCWD, claimed->claim.get(), exit);
    return kUnreadableStatus;
  }
  Supervisor(std::move(*claimed), reports).run();
  return 0;
}
