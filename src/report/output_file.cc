// The system calls behind OutputFile.
#include "report/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

namespace gw::report {

namespace fs = std::filesystem;

namespace {

std::string reason(int error) { return std::generic_category().message(error); }

std::string hint(int error) {
  if (error == ENOSPC || error == EDQUOT) return "; free some space or choose another folder with --out";
  if (error == EACCES || error == EROFS || error == EPERM)
    return "; choose a folder you may write to with --out";
  return "";
}

}  // namespace

OutputFile::OutputFile(fs::path path, fs::path partial, int descriptor)
    : path_(std::move(path)), partial_(std::move(partial)), descriptor_(descriptor), buffer_(kBufferBytes) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      partial_(std::move(other.partial_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      buffer_(std::move(other.buffer_)),
      used_(std::exchange(other.used_, 0)),
      error_(std::move(other.error_)) {}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(partial_.c_str());
}

Result<OutputFile> OutputFile::open(const fs::path& path) {
  if (path.has_parent_path()) {
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (error) {
      return fail(fmt::format("{}: cannot make the folder: {}{}", path.parent_path().string(),
                              error.message(), hint(error.value())));
    }
  }
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return fail(fmt::format("{}: is a folder, not a file", path.string()));
  fs::path partial = path;
  partial += ".partial";
  const int descriptor = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return fail(fmt::format("{}: cannot write: {}{}", path.string(), reason(errno), hint(errno)));
  return OutputFile(path, std::move(partial), descriptor);
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

void OutputFile::write_out(std::string_view text) {
  while (!text.empty() && error_.empty()) {
    const ssize_t written = ::write(descriptor_, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      error_ = fmt::format("{}: cannot write: {}{}", path_.string(), reason(errno), hint(errno));
    } else {
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }
}

Result<void> OutputFile::commit() {
  flush();
  const int descriptor = std::exchange(descriptor_, -1);
  if (::close(descriptor) != 0 && error_.empty())
    error_ = fmt::format("{}: cannot write: {}{}", path_.string(), reason(errno), hint(errno));
  if (error_.empty() && ::rename(partial_.c_str(), path_.c_str()) != 0)
    error_ = fmt::format("{}: cannot put the finished file in place: {}", path_.string(), reason(errno));
  if (error_.empty()) return {};
  ::unlink(partial_.c_str());
  return fail(error_);
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

}  // namespace gw::report
