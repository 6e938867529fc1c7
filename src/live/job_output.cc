// Reading of segment files, and inotify over their folders.
#include "live/job_output.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "live/local_engine_attempts.h"
#include "supervise/records.h"
#include "supervise/system.h"

namespace gw::live {

namespace fs = std::filesystem;
using supervise::Descriptor;

namespace {

std::string reason(int error) { return std::generic_category().message(error); }

/// The offset in a name `STEM.0000000000000000`.
std::optional<std::uint64_t> segment_offset(std::string_view name, std::string_view stem) {
  if (!name.starts_with(stem)) return std::nullopt;
  name.remove_prefix(stem.size());
  if (name.size() < 2 || name.front() != '.') return std::nullopt;
  name.remove_prefix(1);
  std::uint64_t offset = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), offset);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return offset;
}

struct Segments {
  std::vector<std::pair<std::uint64_t, std::string>> names;  ///< By offset.
  bool ended = false;
};

/// Whether the attempt has ended is looked up before the segments: then they are all there.
Result<Segments> list_segments(const fs::path& attempt, std::string_view stem) {
  Segments segments;
  segments.ended = ::access((attempt / supervise::kExitFile).c_str(), F_OK) == 0;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(attempt.c_str()), ::closedir);
  if (!folder) {
    if (errno == ENOENT) return segments;
    return fail(fmt::format("{}: cannot read the output: {}", attempt.string(), reason(errno)));
  }
  while (const dirent* entry = ::readdir(folder.get())) {
    if (const std::optional<std::uint64_t> offset = segment_offset(entry->d_name, stem))
      segments.names.emplace_back(*offset, entry->d_name);
  }
  std::sort(segments.names.begin(), segments.names.end());
  return segments;
}

/// Appends up to `most` bytes of a segment from `at` on. False: the segment has gone meanwhile.
Result<bool> read_segment(const fs::path& path, std::uint64_t at, std::size_t most, std::string& bytes,
                          std::uint64_t& size) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return false;
    return fail(fmt::format("{}: cannot read the output: {}", path.string(), reason(errno)));
  }
  size = static_cast<std::uint64_t>(std::max<off_t>(::lseek(file.get(), 0, SEEK_END), 0));
  if (at >= size) return true;
  const std::size_t before = bytes.size();
  bytes.resize(before + std::min<std::uint64_t>(most, size - at));
  std::size_t have = before;
  while (have < bytes.size()) {
    const ssize_t got =
        ::pread(file.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(at + have - before));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(fmt::format("{}: cannot read the output: {}", path.string(), reason(errno)));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return true;
}

/// None: a segment went while it was to be read, begin again.
Result<std::optional<OutputPart>> try_read(const fs::path& attempt, std::string_view stem,
                                           std::uint64_t offset, std::size_t most) {
  Result<Segments> segments = list_segments(attempt, stem);
  if (!segments) return std::unexpected(std::move(segments.error()));
  OutputPart part;
  part.ended = segments->ended;
  part.offset = part.next = offset;
  if (segments->names.empty()) return part;
  part.first = segments->names.front().first;
  bool placed = false;
  for (std::size_t index = 0; index < segments->names.size(); ++index) {
    const auto& [begin, name] = segments->names[index];
    const bool last = index + 1 == segments->names.size();
    if (!last && segments->names[index + 1].first <= offset) continue;
    const std::uint64_t at = placed ? part.next : std::max(offset, begin);
    // Behind a gap the next call goes on: the bytes of a part are without one.
    if (placed && begin != part.next) break;
    std::uint64_t size = 0;
    const std::size_t before = part.bytes.size();
    const Result<bool> read = read_segment(attempt / name, at - begin, most - before, part.bytes, size);
    if (!read) return std::unexpected(read.error());
    if (!*read) return std::optional<OutputPart>();
    if (part.bytes.size() > before) {
      if (!placed) part.offset = at;
      placed = true;
      part.next = at + (part.bytes.size() - before);
    }
    if (last) part.end = begin + size;
    if (part.bytes.size() == most) break;
  }
  return part;
}

/// What `try_read` leaves open when it stops early.
Result<std::uint64_t> end_of(const fs::path& attempt, std::string_view stem) {
  const Result<Segments> segments = list_segments(attempt, stem);
  if (!segments) return std::unexpected(segments.error());
  if (segments->names.empty()) return std::uint64_t{0};
  const auto& [begin, name] = segments->names.back();
  std::error_code error;
  const std::uintmax_t size = fs::file_size(attempt / name, error);
  return begin + (error ? 0 : static_cast<std::uint64_t>(size));
}

}  // namespace

fs::path attempt_folder(const fs::path& jobs, AttemptId id) {
  constexpr std::uint64_t kJobsPerFolder = 1000;
  return jobs / fmt::format("{}/{}.{}", id.job / kJobsPerFolder, id.job, id.attempt);
}

fs::path set_aside_attempt(const fs::path& attempt, int number) {
  return fmt::format("{}.old-{}", attempt.string(), number);
}

Result<OutputPart> read_output(const fs::path& attempt, OutputStream stream, std::uint64_t offset,
                               std::size_t most, std::uint64_t identity) {
  if (identity != 0) {
    // Looked at first: a folder that is moved away meanwhile is not there to be read.
    const std::optional<std::uint64_t> found = attempt_identity(attempt);
    if (found && *found != identity) return OutputPart{};
  }
  constexpr int kTries = 10;  // A job that prints faster than we read drops what we are about to open.
  const std::string_view stem =
      stream == OutputStream::kOutput ? supervise::kOutputStem : supervise::kErrorStem;
  for (int number = 0; number < kTries; ++number) {
    Result<std::optional<OutputPart>> part = try_read(attempt, stem, offset, most);
    if (!part) return std::unexpected(std::move(part.error()));
    if (!part->has_value()) continue;
    OutputPart found = std::move(part->value());
    if (found.end == 0) {
      const Result<std::uint64_t> end = end_of(attempt, stem);
      if (!end) return std::unexpected(end.error());
      found.end = found.bytes.empty() ? *end : std::max(*end, found.next);
    }
    if (found.bytes.empty()) {  // Nothing there yet, or asked for what is yet to come.
      found.next = std::min(std::max(offset, found.first), found.end);
      found.offset = found.next;
    }
    return found;
  }
  return fail(fmt::format("{}: the output is dropped faster than it can be read; ask for a later offset",
                          attempt.string()));
}

Result<void> remove_attempt(const fs::path& jobs, AttemptId id) {
  const fs::path folder = attempt_folder(jobs, id);
  std::error_code error;
  for (int number = 1; !error; ++number) {
    if (fs::remove_all(set_aside_attempt(folder, number), error) == 0) break;
  }
  if (!error) fs::remove_all(folder, error);
  if (error)
    return fail(fmt::format("{}: cannot remove the attempt's folder: {}", folder.string(), error.message()));
  return {};
}

Result<OutputWatch> OutputWatch::open() {
  const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (descriptor < 0) {
    return fail(
        fmt::format("cannot watch output: {}; raise fs.inotify.max_user_instances (sysctl)", reason(errno)));
  }
  return OutputWatch(descriptor);
}

OutputWatch::OutputWatch(OutputWatch&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      attempts_(std::move(other.attempts_)),
      watches_(std::move(other.watches_)) {}

OutputWatch::~OutputWatch() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> OutputWatch::watch(const fs::path& jobs, AttemptId id) {
  const fs::path folder = attempt_folder(jobs, id);
  const int watch =
      ::inotify_add_watch(descriptor_, folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
  if (watch < 0) {
    return fail(fmt::format("{}: cannot watch for output: {}{}", folder.string(), reason(errno),
                            errno == ENOSPC ? "; raise fs.inotify.max_user_watches (sysctl)" : ""));
  }
  attempts_[watch] = id;
  watches_[id] = watch;
  return {};
}

void OutputWatch::unwatch(AttemptId id) {
  const auto found = watches_.find(id);
  if (found == watches_.end()) return;
  ::inotify_rm_watch(descriptor_, found->second);
  attempts_.erase(found->second);
  watches_.erase(found);
}

std::vector<AttemptId> OutputWatch::take(int milliseconds) {
  std::vector<AttemptId> fresh;
  pollfd wanted{descriptor_, POLLIN, 0};
  if (milliseconds != 0 && ::poll(&wanted, 1, milliseconds) <= 0) return fresh;
  alignas(inotify_event) std::array<char, 1 << 14> buffer{};
  while (true) {
    const ssize_t got = ::read(descriptor_, buffer.data(), buffer.size());
    if (got <= 0) break;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* name = buffer.data() + at + sizeof event;
      at += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) {  // Any of them may have something.
        for (const auto& [watch, id] : attempts_) fresh.push_back(id);
        continue;
      }
      const auto found = attempts_.find(event.wd);
      if (found == attempts_.end()) continue;
      if ((event.mask & IN_IGNORED) != 0) {  // The folder has gone.
        watches_.erase(found->second);
        attempts_.erase(found);
        continue;
      }
      const std::string_view file = event.len > 0 ? name : "";
      const bool output = segment_offset(file, supervise::kOutputStem).has_value() ||
                          segment_offset(file, supervise::kErrorStem).has_value();
      if (output || file == supervise::kExitFile) fresh.push_back(found->second);
    }
  }
  std::sort(fresh.begin(), fresh.end());
  fresh.erase(std::unique(fresh.begin(), fresh.end()), fresh.end());
  return fresh;
}

}  // namespace gw::live
