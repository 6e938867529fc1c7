// Files, spooled pipes and memory as ByteSources.
#include "workload/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace gw::workload {
namespace {

class FileSource final : public ByteSource {
 public:
  FileSource(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  ~FileSource() override { ::close(descriptor_); }

  Result<std::size_t> read(std::span<char> into) override {
    for (;;) {
      const ssize_t got = ::read(descriptor_, into.data(), into.size());
      if (got > 0) {
        at_ += static_cast<std::uint64_t>(got);
        return static_cast<std::size_t>(got);
      }
      if (got == 0) return at_end();
      if (errno != EINTR) return fail(fmt::format("{}: cannot be read: {}", name_, std::strerror(errno)));
    }
  }
  Result<void> rewind() override {
    at_ = 0;
    if (::lseek(descriptor_, 0, SEEK_SET) == 0) return {};
    return fail(fmt::format("{}: cannot be read a second time: {}", name_, std::strerror(errno)));
  }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  Result<std::size_t> at_end() {
    if (!size_) size_ = at_;
    if (*size_ == at_) return 0;
    return fail(
        fmt::format("{}: had {} bytes when it was read first and {} now; is the file being written? Read a "
                    "copy that rests",
                    name_, *size_, at_));
  }

  int descriptor_;
  std::string name_;
  std::uint64_t at_ = 0;
  std::optional<std::uint64_t> size_;  // As the first pass that reached the end found it.
};

class MemorySource final : public ByteSource {
 public:
  MemorySource(std::string_view bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}
  Result<std::size_t> read(std::span<char> into) override {
    const std::size_t count = std::min(into.size(), bytes_.size() - at_);
    std::copy_n(bytes_.data() + at_, count, into.data());
    at_ += count;
    return count;
  }
  Result<void> rewind() override {
    at_ = 0;
    return {};
  }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  std::string name_;
};

/// Copies all of `from` into an unnamed temporary file and gives that, at its first byte.
Result<int> spool(FileSource& from) {
  Result<int> spooled = unnamed_temporary_file();
  if (!spooled) return fail(std::move(spooled.error().message));
  std::vector<char> buffer(256 * 1024);
  const auto give_up = [&](std::string message) -> Result<int> {
    ::close(*spooled);
    return fail(std::move(message));
  };
  for (;;) {
    const Result<std::size_t> got = from.read(buffer);
    if (!got) return give_up(got.error().message);
    if (*got == 0) break;
    for (std::size_t written = 0; written < *got;) {
      const ssize_t put = ::write(*spooled, buffer.data() + written, *got - written);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) {
        return give_up(
            fmt::format("{}: cannot be copied to a temporary file: {}; set TMPDIR to a place with room",
                        from.name(), std::strerror(errno)));
      }
      written += static_cast<std::size_t>(put);
    }
  }
  if (::lseek(*spooled, 0, SEEK_SET) != 0)
    return give_up(fmt::format("{}: temporary file lost", from.name()));
  return *spooled;
}

}  // namespace

Result<int> unnamed_temporary_file() {
  const char* folder = std::getenv("TMPDIR");
  std::string path =
      fmt::format("{}/gigawerk-XXXXXX", folder != nullptr && *folder != '\0' ? folder : "/tmp");
  const int descriptor = ::mkostemp(path.data(), O_CLOEXEC);
  if (descriptor < 0) {
    return fail(
        fmt::format("{}: no temporary file can be made: {}; set TMPDIR to a folder that can be written", path,
                    std::strerror(errno)));
  }
  ::unlink(path.c_str());
  return descriptor;
}

Result<std::unique_ptr<ByteSource>> open_file(const std::string& path) {
  const bool standard_input = path == "-";
  const int descriptor = standard_input ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const std::string name = standard_input ? "<stdin>" : path;
  if (descriptor < 0) {
    return fail(fmt::format("{}: cannot be opened: {}; check the path", name, std::strerror(errno)));
  }
  auto file = std::make_unique<FileSource>(descriptor, name);
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return fail(fmt::format("{}: {}", name, std::strerror(errno)));
  if (S_ISDIR(status.st_mode)) return fail(fmt::format("{}: is a folder; name the file in it", name));
  if (S_ISREG(status.st_mode) && !standard_input) return file;
  const Result<int> spooled = spool(*file);
  if (!spooled) return fail(spooled.error().message);
  return std::make_unique<FileSource>(*spooled, name);
}

std::unique_ptr<ByteSource> memory_source(std::string_view bytes, std::string name) {
  return std::make_unique<MemorySource>(bytes, std::move(name));
}

}  // namespace gw::workload
