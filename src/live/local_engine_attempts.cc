// Files in the folders of attempts.
#include "live/local_engine_attempts.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string_view>
#include <system_error>

#include "live/job_output.h"
#include "supervise/claim.h"
#include "supervise/system.h"

namespace gw::live {

namespace fs = std::filesystem;
using supervise::Descriptor;

namespace {

constexpr const char* kPartialStop = "stop.new";
constexpr const char* kPartialLimit = "limit.new";

Error cannot(std::string_view what, const fs::path& path, int error) {
  return Error{fmt::format("{}: {}: {}{}", path.string(), what, std::generic_category().message(error),
                           error == ENOSPC ? "; free some space" : "")};
}

/// A new file. Who crashes on the way leaves one that is not whole.
Result<void> write_new(const fs::path& path, std::string_view bytes, mode_t mode) {
  ::unlink(path.c_str());
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file || !supervise::write_all(file.get(), bytes)) {
    const int error = errno;
    ::unlink(path.c_str());
    return std::unexpected(cannot("cannot write", path, error));
  }
  return {};
}

bool is_there(const fs::path& path) { return ::access(path.c_str(), F_OK) == 0; }

/// Folders that jobs may pass through, but not look into.
Result<void> make_folders(const fs::path& folder) {
  constexpr mode_t kMode = 0711;
  if (::mkdir(folder.c_str(), kMode) == 0 || errno == EEXIST) return {};
  if (errno == ENOENT && folder.has_parent_path() && folder.parent_path() != folder) {
    if (Result<void> parent = make_folders(folder.parent_path()); !parent) return parent;
    if (::mkdir(folder.c_str(), kMode) == 0 || errno == EEXIST) return {};
  }
  return std::unexpected(cannot("cannot make the folder", folder, errno));
}

std::optional<supervise::ExitRecord> read_exit_record(const fs::path& folder) {
  const std::optional<std::string> bytes =
      supervise::read_file_at(AT_FDCWD, (folder / supervise::kExitFile).c_str());
  return bytes ? supervise::decode_exit(*bytes) : std::nullopt;
}

std::optional<std::uint64_t> launch_identity(const fs::path& folder) {
  const std::optional<supervise::LaunchRecord> launch = read_launch_record(folder);
  return launch ? std::optional(launch->identity) : std::nullopt;
}

std::string boot_id() {
  std::string id = supervise::read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id").value_or("");
  while (id.ends_with('\n')) id.pop_back();
  return id;
}

}  // namespace

std::optional<std::uint64_t> attempt_identity(const fs::path& folder) {
  if (const std::optional<supervise::ExitRecord> exit = read_exit_record(folder)) return exit->identity;
  const std::optional<std::string> claim =
      supervise::read_file_at(AT_FDCWD, (folder / supervise::kClaimFile).c_str());
  const std::optional<std::uint64_t> claimed = supervise::decode_claim(claim.value_or("")).identity;
  return claimed ? claimed : launch_identity(folder);
}

AttemptSight look_at_attempt(const fs::path& folder) {
  AttemptSight sight;
  const auto ended = [&] {
    std::optional<supervise::ExitRecord> exit = read_exit_record(folder);
    if (!exit) return false;
    sight.stage = AttemptSight::Stage::kEnded;
    sight.exit = std::move(*exit);
    sight.identity = sight.exit.identity;
    return true;
  };
  if (ended()) return sight;
  const std::optional<std::string> claim =
      supervise::read_file_at(AT_FDCWD, (folder / supervise::kClaimFile).c_str());
  const supervise::ClaimRecord claimed = supervise::decode_claim(claim.value_or(""));
  sight.identity = claimed.identity;
  if (!sight.identity) sight.identity = launch_identity(folder);
  if (!claim) return sight;
  sight.started_unix_ns = claimed.started_unix_ns;
  sight.ran_ns = claimed.ran_ns;
  if (const std::optional<pid_t> holder = supervise::lock_holder(folder.string())) {
    sight.stage = AttemptSight::Stage::kRunning;
    sight.supervisor = *holder;
  } else if (!ended()) {  // It may just have ended.
    sight.stage = AttemptSight::Stage::kDeserted;
    if (supervise::decode_exit(*claim)) {
      // Killed between its last word and giving it its name.
      ::rename((folder / supervise::kClaimFile).c_str(), (folder / supervise::kExitFile).c_str());
      ended();
    }
  }
  return sight;
}

std::optional<supervise::LaunchRecord> read_launch_record(const fs::path& folder) {
  const std::optional<std::string> bytes =
      supervise::read_file_at(AT_FDCWD, (folder / supervise::kLaunchFile).c_str());
  return bytes ? supervise::decode_launch(*bytes) : std::nullopt;
}

fs::path LiveList::file_of(AttemptId id) const { return folder_ / fmt::format("{}.{}", id.job, id.attempt); }

Result<void> LiveList::make() const { return make_folders(folder_); }

Result<void> LiveList::add(AttemptId id, const fs::path& launch) const {
  const fs::path file = file_of(id);
  // A second name of the launch file: cheaper by far than a file.
  if (::link(launch.c_str(), file.c_str()) == 0 || errno == EEXIST) return {};
  const Descriptor made(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!made) return std::unexpected(cannot("cannot write", file, errno));
  return {};
}

void LiveList::remove(AttemptId id) const { ::unlink(file_of(id).c_str()); }

std::vector<AttemptId> LiveList::all() const {
  std::vector<AttemptId> ids;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder_.c_str()), ::closedir);
  if (!open) return ids;
  while (const dirent* entry = ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    const char* end = name.data() + name.size();
    AttemptId id;
    const auto [dot, job_error] = std::from_chars(name.data(), end, id.job);
    if (job_error != std::errc{} || dot == end || *dot != '.') continue;
    const auto [rest, attempt_error] = std::from_chars(dot + 1, end, id.attempt);
    if (attempt_error == std::errc{} && rest == end) ids.push_back(id);
  }
  return ids;
}

Result<void> write_attempt(const fs::path& folder, const supervise::LaunchRecord& record,
                           const std::string& script, const std::optional<Owner>& owner) {
  if (Result<void> made = make_folders(folder); !made) return made;
  // One that is not whole has never been handed to a supervisor.
  if (read_launch_record(folder)) return {};
  const auto give = [&](const fs::path& path) -> Result<void> {
    if (!owner || ::chown(path.c_str(), owner->user, owner->group) == 0) return {};
    return std::unexpected(cannot("cannot give it to the job's account", path, errno));
  };
  if (!script.empty()) {
    const fs::path file = folder / supervise::kScriptFile;
    if (Result<void> written = write_new(file, script, 0500); !written) return written;
    if (Result<void> given = give(file); !given) return given;
  }
  if (owner && !record.change_user && record.working_folder.empty()) {  // The supervisor would not know.
    const fs::path work = folder / supervise::kWorkFolder;
    if (::mkdir(work.c_str(), 0700) != 0 && errno != EEXIST)
      return std::unexpected(cannot("cannot make the folder", work, errno));
    if (Result<void> given = give(work); !given) return given;
  }
  return write_new(folder / supervise::kLaunchFile, encode(record), 0600);
}

Result<void> set_attempt_aside(const fs::path& folder) {
  for (int number = 1;; ++number) {
    const fs::path aside = set_aside_attempt(folder, number);
    if (!is_there(aside) && ::rename(folder.c_str(), aside.c_str()) == 0) return {};
    if (is_there(aside)) continue;
    if (errno == ENOENT) return {};
    return std::unexpected(cannot("cannot move another job's attempt out of the way", folder, errno));
  }
}

bool write_exit_record(const fs::path& folder, const supervise::ExitRecord& record, bool claim) {
  if (!make_folders(folder)) return false;
  const Descriptor open_folder(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Descriptor file(::openat(open_folder.get(), supervise::kClaimFile,
                                 O_WRONLY | O_CLOEXEC | (claim ? O_CREAT | O_EXCL : 0), 0644));
  if (!open_folder || !file) return false;
  const bool over = claim && ::faccessat(open_folder.get(), supervise::kExitFile, F_OK, 0) == 0;
  if (!over && supervise::write_exit(open_folder.get(), file.get(), record)) return true;
  // Somebody has run it to its end meanwhile, or an empty claim would say that somebody has begun it.
  if (claim) ::unlinkat(open_folder.get(), supervise::kClaimFile, 0);
  return false;
}

bool write_stop(const fs::path& folder, Nanoseconds most_grace) {
  const fs::path stop = folder / supervise::kStopFile;
  // Whole before it has its name, and in place of one that was there: that may be a name of the claim.
  if (const fs::path partial = folder / kPartialStop; most_grace < kLongestSpan) {
    if (write_new(partial, supervise::encode_stop(most_grace.count()), 0600) &&
        ::rename(partial.c_str(), stop.c_str()) == 0)
      return true;
  }
  if (Descriptor(::open(stop.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600))) return true;
  // A full disk may still have room for a name.
  return ::link((folder / supervise::kClaimFile).c_str(), stop.c_str()) == 0 || errno == EEXIST;
}

bool write_limit(const fs::path& folder, Nanoseconds limit) {
  const fs::path partial = folder / kPartialLimit;
  return write_new(partial, supervise::encode_limit(limit.count()), 0600) &&
         ::rename(partial.c_str(), (folder / supervise::kLimitFile).c_str()) == 0;
}

void tidy_attempt(const fs::path& folder) {
  for (const char* name : {supervise::kLaunchFile, supervise::kStopFile, kPartialStop, supervise::kLimitFile,
                           kPartialLimit, supervise::kScriptFile})
    ::unlink((folder / name).c_str());
}

bool BootNote::exists() const { return is_there(file_); }

bool BootNote::is_current() const {
  const std::string id = boot_id();
  return !id.empty() && supervise::read_file_at(AT_FDCWD, file_.c_str()) == id;
}

Result<void> BootNote::renew() const {
  const fs::path partial = file_.string() + ".new";  // A note cut short would say that all may be lost.
  const Descriptor file(::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file || !supervise::write_all(file.get(), boot_id()) || ::fsync(file.get()) != 0 ||
      ::rename(partial.c_str(), file_.c_str()) != 0)
    return std::unexpected(cannot("cannot write", file_, errno));
  return {};
}

}  // namespace gw::live
