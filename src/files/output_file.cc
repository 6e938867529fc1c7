// The system calls behind OutputFile.
#include "files/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

namespace gw::files {

namespace fs = std::filesystem;

namespace {

std::string reason(int error) { return std::generic_category().message(error); }

std::string hint(int error) {
  if (error == ENOSPC || error == EDQUOT) return "; free some space or choose another folder";
  if (error == EACCES || error == EROFS || error == EPERM) return "; choose a folder you may write to";
  if (error == ENOENT) return "; make its folder first or choose another";
  return "";
}

/// Names of the partial files there are: what a signal handler may read. Files beyond these slots are not
/// removed by it.
std::array<std::atomic<const char*>, 64> partial_files{};
static_assert(std::atomic<const char*>::is_always_lock_free);

int take_slot(const char* partial) {
  for (std::size_t slot = 0; slot < partial_files.size(); ++slot) {
    const char* none = nullptr;
    if (partial_files[slot].compare_exchange_strong(none, partial)) return static_cast<int>(slot);
  }
  return -1;
}

/// No signal reaches this thread between making a partial file and noting its name.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

/// `path` with the links that it ends in followed, also where they point to nothing yet; none where they go
/// in a circle or through /proc, whose links (/dev/stdout) are not names.
std::optional<fs::path> links_followed(fs::path path) {
  constexpr int kMostLinks = 40;
  std::error_code error;
  for (int links = 0; fs::is_symlink(path, error); ++links) {
    if (links == kMostLinks) return std::nullopt;
    const fs::path parent = path.parent_path();
    if (fs::canonical(parent.empty() ? "." : parent, error).string().starts_with("/proc/"))
      return std::nullopt;
    const fs::path to = fs::read_symlink(path, error);
    if (error) return std::nullopt;
    path = to.is_absolute() ? to : parent / to;
  }
  return path;
}

}  // namespace

void remove_partial_files() noexcept {
  for (std::atomic<const char*>& slot : partial_files) {
    if (const char* partial = slot.load(); partial != nullptr) ::unlink(partial);
  }
}

OutputFile::OutputFile(fs::path path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor), buffer_(kBufferBytes) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      partial_(std::move(other.partial_)),
      slot_(std::exchange(other.slot_, -1)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      buffer_(std::move(other.buffer_)),
      used_(std::exchange(other.used_, 0)),
      error_(std::move(other.error_)) {}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  drop_partial();
}

void OutputFile::forget_partial() {
  if (slot_ >= 0) partial_files[static_cast<std::size_t>(slot_)].store(nullptr);
  slot_ = -1;
  partial_.reset();
}

void OutputFile::drop_partial() {
  if (partial_) ::unlink(partial_.get());
  forget_partial();
}

Result<OutputFile> OutputFile::open(const fs::path& path, Folder folder) {
  if (folder == Folder::kMake && path.has_parent_path()) {
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (error) {
      return fail(fmt::format("{}: cannot make the folder: {}{}", path.parent_path().string(),
                              error.message(), hint(error.value())));
    }
  }
  struct stat status{};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode))
    return fail(fmt::format("{}: is a folder, not a file", path.string()));
  const std::optional<fs::path> target = links_followed(path);
  const bool in_place = exists && (!S_ISREG(status.st_mode) || !target);
  OutputFile file(path, -1);
  if (in_place) {
    file.descriptor_ = ::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  } else if (!target) {
    errno = ELOOP;
  } else if (!exists || ::access(path.c_str(), W_OK) == 0) {
    file.target_ = *target;
    if (Result<void> made = file.make_partial(); !made) return std::unexpected(std::move(made.error()));
    if (exists) ::fchmod(file.descriptor_, status.st_mode & 0777);  // The rights that the file had.
  }
  if (file.descriptor_ < 0)
    return fail(fmt::format("{}: cannot write: {}{}", path.string(), reason(errno), hint(errno)));
  return file;
}

Result<OutputFile> OutputFile::standard_output() {
  const int descriptor = ::dup(STDOUT_FILENO);
  if (descriptor < 0) return fail(fmt::format("standard output: cannot write: {}", reason(errno)));
  return OutputFile("standard output", descriptor);
}

/// FILE.<process>-<number>.partial, a name that no other file has.
Result<void> OutputFile::make_partial() {
  constexpr std::size_t kLongestName = 200;  // Of 255: room for what is appended.
  constexpr int kTries = 10'000;
  int error = EEXIST;
  const std::string name = target_.filename().string().substr(0, kLongestName);
  for (int number = 0; number < kTries; ++number) {
    const std::string partial =
        (target_.parent_path() / fmt::format("{}.{}-{}.partial", name, ::getpid(), number)).string();
    partial_ = std::make_unique<char[]>(partial.size() + 1);
    std::memcpy(partial_.get(), partial.c_str(), partial.size() + 1);
    const SignalsHeld held;
    descriptor_ = ::open(partial_.get(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) {
      slot_ = take_slot(partial_.get());
      return {};
    }
    error = errno;
    if (error != EEXIST) break;
  }
  partial_.reset();
  return fail(fmt::format("{}: cannot write: {}{}", path_.string(), reason(error), hint(error)));
}

void OutputFile::write_large(std::string_view text) {
  flush();
  if (text.size() >= kBufferBytes) {
    write_out(text);
  } else {
    write(text);
  }
}

void OutputFile::flush() {
  const std::size_t used = std::exchange(used_, 0);
  write_out({buffer_.data(), used});
}

void OutputFile::fail_to_write(int error) {
  if (error_.empty())
    error_ = fmt::format("{}: cannot write: {}{}", path_.string(), reason(error), hint(error));
}

void OutputFile::write_out(std::string_view text) {
  while (!text.empty() && error_.empty()) {
    const ssize_t written = ::write(descriptor_, text.data(), text.size());
    if (written < 0) {
      if (errno != EINTR) fail_to_write(errno);
    } else {
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }
}

bool OutputFile::can_overwrite() const {
  struct stat status{};
  return ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode) &&
         ::lseek(descriptor_, 0, SEEK_CUR) == 0 && (::fcntl(descriptor_, F_GETFL) & O_APPEND) == 0;
}

void OutputFile::overwrite(std::size_t at, std::string_view text) {
  flush();
  while (!text.empty() && error_.empty()) {
    const ssize_t written = ::pwrite(descriptor_, text.data(), text.size(), static_cast<off_t>(at));
    if (written < 0) {
      if (errno != EINTR) fail_to_write(errno);
    } else {
      text.remove_prefix(static_cast<std::size_t>(written));
      at += static_cast<std::size_t>(written);
    }
  }
}

Result<void> OutputFile::status() const { return error_.empty() ? Result<void>{} : fail(error_); }

Result<void> OutputFile::finish() {
  flush();
  const int descriptor = std::exchange(descriptor_, -1);
  if (descriptor >= 0 && ::close(descriptor) != 0) fail_to_write(errno);
  if (!error_.empty()) drop_partial();
  return status();
}

Result<void> OutputFile::publish() {
  if (!error_.empty() || !partial_) return status();
  if (::rename(partial_.get(), target_.c_str()) == 0) {
    forget_partial();
  } else {
    error_ = fmt::format("{}: cannot put the finished file in place: {}", path_.string(), reason(errno));
    drop_partial();
  }
  return status();
}

Result<void> OutputFile::commit() {
  if (Result<void> finished = finish(); !finished) return finished;
  return publish();
}

Result<void> commit_all(std::span<OutputFile* const> files) {
  for (OutputFile* file : files) {
    if (file == nullptr) continue;
    if (Result<void> finished = file->finish(); !finished) return finished;
  }
  for (OutputFile* file : files) {
    if (file == nullptr) continue;
    if (Result<void> published = file->publish(); !published) return published;
  }
  return {};
}

Result<void> write_file(const fs::path& path, std::string_view text) {
  Result<OutputFile> file = OutputFile::open(path);
  if (!file) return std::unexpected(std::move(file.error()));
  file->write(text);
  return file->commit();
}

Result<std::string> read_file(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return fail(fmt::format("{}: cannot read: {}", path.string(), reason(errno)));
  std::string text;
  struct stat status{};
  if (::fstat(descriptor, &status) == 0 && status.st_size > 0)
    text.reserve(static_cast<std::size_t>(status.st_size) + 1);
  while (true) {
    constexpr std::size_t kChunk = 1 << 16;
    const std::size_t before = text.size();
    text.resize(before + kChunk);
    const ssize_t got = ::read(descriptor, text.data() + before, kChunk);
    text.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const int error = errno;
      ::close(descriptor);
      if (got < 0) return fail(fmt::format("{}: cannot read: {}", path.string(), reason(error)));
      return text;
    }
  }
}

}  // namespace gw::files
