// Sorted runs in temporary files and their k-way merge.
#include "workload/external_sort.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "workload/byte_source.h"

namespace gw::workload {

namespace {
constexpr std::size_t kBuffer = 64 * 1024;

Error file_error(std::string_view doing) {
  return Error{fmt::format("a temporary file for sorting cannot be {}: {}; set TMPDIR to a place with room",
                           doing, std::strerror(errno))};
}
}  // namespace

/// One sorted run: an unnamed file of (key size, record size, key, record), written once, then read once.
struct ExternalSort::Run {
  explicit Run(int opened) : descriptor(opened) { buffer.reserve(kBuffer); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { ::close(descriptor); }

  Result<void> flush() {
    for (std::size_t written = 0; written < buffer.size();) {
      const ssize_t put = ::write(descriptor, buffer.data() + written, buffer.size() - written);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return std::unexpected(file_error("written"));
      written += static_cast<std::size_t>(put);
    }
    buffer.clear();
    return {};
  }
  void append(const void* bytes, std::size_t size) {
    const char* from = static_cast<const char*>(bytes);
    buffer.insert(buffer.end(), from, from + size);
  }
  Result<void> write(std::string_view its_key, std::string_view its_record) {
    const std::uint32_t sizes[2] = {static_cast<std::uint32_t>(its_key.size()),
                                    static_cast<std::uint32_t>(its_record.size())};
    append(sizes, sizeof sizes);
    append(its_key.data(), its_key.size());
    append(its_record.data(), its_record.size());
    if (buffer.size() >= kBuffer) return flush();
    return {};
  }

  Result<void> start_reading() {
    if (const Result<void> flushed = flush(); !flushed) return flushed;
    if (::lseek(descriptor, 0, SEEK_SET) != 0) return std::unexpected(file_error("read"));
    at = 0;
    return {};
  }
  /// At least `size` unread bytes in the buffer; false when the file ends before.
  Result<bool> need(std::size_t size) {
    while (buffer.size() - at < size) {
      buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(at));
      at = 0;
      const std::size_t had = buffer.size();
      buffer.resize(std::max(kBuffer, size));
      ssize_t got = 0;
      do {
        got = ::read(descriptor, buffer.data() + had, buffer.size() - had);
      } while (got < 0 && errno == EINTR);
      if (got < 0) return std::unexpected(file_error("read"));
      buffer.resize(had + static_cast<std::size_t>(got));
      if (got == 0) return false;
    }
    return true;
  }
  /// Moves to the next record; false at the end.
  Result<bool> advance() {
    at += record_end;
    record_end = 0;
    std::uint32_t sizes[2];
    Result<bool> there = need(sizeof sizes);
    if (!there || !*there) return there;
    std::memcpy(sizes, buffer.data() + at, sizeof sizes);
    const std::size_t whole = sizeof sizes + sizes[0] + sizes[1];
    there = need(whole);
    if (!there) return there;
    if (!*there) return fail("a temporary file for sorting ends in the middle; is the disk full?");
    key = {buffer.data() + at + sizeof sizes, sizes[0]};
    record = {buffer.data() + at + sizeof sizes + sizes[0], sizes[1]};
    record_end = whole;
    return true;
  }

  int descriptor;
  std::uint32_t level = 0;  // 0 = spilled; n + 1 = merged from runs of level n.
  std::vector<char> buffer;
  std::size_t at = 0;
  std::size_t record_end = 0;
  std::string_view key;
  std::string_view record;
};

ExternalSort::ExternalSort(std::size_t memory) : memory_(memory) {}
ExternalSort::~ExternalSort() = default;

std::string ExternalSort::key_of(std::int64_t number) {
  const std::uint64_t ordered = static_cast<std::uint64_t>(number) ^ (std::uint64_t{1} << 63);
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i) bytes[static_cast<std::size_t>(i)] = static_cast<char>(ordered >> (56 - 8 * i));
  return bytes;
}

Result<void> ExternalSort::add(std::string_view key, std::string_view record) {
  const std::size_t size = key.size() + record.size();
  GW_CHECK(size < (std::size_t{1} << 30));
  if (!entries_.empty() && arena_.size() + size + (entries_.size() + 1) * sizeof(Entry) > memory_) {
    if (Result<void> spilled = spill(); !spilled) return spilled;
  }
  entries_.push_back(
      {arena_.size(), static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(record.size())});
  arena_.insert(arena_.end(), key.begin(), key.end());
  arena_.insert(arena_.end(), record.begin(), record.end());
  return {};
}

void ExternalSort::sort_arena() {
  // std::string_view compares bytes as unsigned; offsets break ties in the order of adding.
  std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
    const int order = key(a).compare(key(b));
    return order != 0 ? order < 0 : a.offset < b.offset;
  });
}

Result<void> ExternalSort::spill() {
  sort_arena();
  const Result<int> file = unnamed_temporary_file();
  if (!file) return fail(file.error().message);
  auto run = std::make_unique<Run>(*file);
  for (const Entry& entry : entries_) {
    const std::string_view record{arena_.data() + entry.offset + entry.key_size, entry.record_size};
    if (Result<void> written = run->write(key(entry), record); !written) return written;
  }
  if (Result<void> flushed = run->flush(); !flushed) return flushed;
  run->buffer = {};
  runs_.push_back(std::move(run));
  arena_.clear();
  entries_.clear();
  // Levels never rise towards the back, so equal ones at the ends of a stretch mean equal ones between.
  while (runs_.size() >= kWays && runs_[runs_.size() - kWays]->level == runs_.back()->level) {
    if (Result<void> merged = merge_newest(); !merged) return merged;
  }
  return {};
}

Result<void> ExternalSort::start_merge(std::size_t first) {
  heap_.clear();
  last_ = 0;
  for (std::size_t i = first; i < runs_.size(); ++i) {
    if (Result<void> started = runs_[i]->start_reading(); !started) return started;
    const Result<bool> there = runs_[i]->advance();
    if (!there) return fail(there.error().message);
    if (*there) heap_.push_back(i);
  }
  const auto later = [this](std::size_t a, std::size_t b) {
    const int order = runs_[a]->key.compare(runs_[b]->key);
    return order != 0 ? order > 0 : a > b;
  };
  std::make_heap(heap_.begin(), heap_.end(), later);
  return {};
}

Result<bool> ExternalSort::next_merged(std::string_view& key, std::string_view& record) {
  const auto later = [this](std::size_t a, std::size_t b) {
    const int order = runs_[a]->key.compare(runs_[b]->key);
    return order != 0 ? order > 0 : a > b;
  };
  if (last_ != 0) {
    const Result<bool> there = runs_[last_ - 1]->advance();
    if (!there) return there;
    if (*there) {
      heap_.push_back(last_ - 1);
      std::push_heap(heap_.begin(), heap_.end(), later);
    }
    last_ = 0;
  }
  if (heap_.empty()) return false;
  std::pop_heap(heap_.begin(), heap_.end(), later);
  const Run& run = *runs_[heap_.back()];
  last_ = heap_.back() + 1;
  heap_.pop_back();
  key = run.key;
  record = run.record;
  return true;
}

Result<void> ExternalSort::merge_newest() {
  const std::size_t first = runs_.size() - kWays;
  if (Result<void> started = start_merge(first); !started) return started;
  const Result<int> file = unnamed_temporary_file();
  if (!file) return fail(file.error().message);
  auto merged = std::make_unique<Run>(*file);
  merged->level = runs_[first]->level + 1;
  for (;;) {
    std::string_view key;
    std::string_view record;
    const Result<bool> there = next_merged(key, record);
    if (!there) return fail(there.error().message);
    if (!*there) break;
    if (Result<void> written = merged->write(key, record); !written) return written;
  }
  if (Result<void> flushed = merged->flush(); !flushed) return flushed;
  merged->buffer = {};
  runs_.resize(first);
  runs_.push_back(std::move(merged));
  return {};
}

Result<void> ExternalSort::finish() {
  if (runs_.empty()) {
    sort_arena();
    return {};
  }
  if (!entries_.empty()) {
    if (Result<void> spilled = spill(); !spilled) return spilled;
  }
  arena_ = {};
  entries_ = {};
  return start_merge(0);
}

Result<bool> ExternalSort::next(std::string_view& key, std::string_view& record) {
  if (!runs_.empty()) return next_merged(key, record);
  if (taken_ == entries_.size()) return false;
  const Entry& entry = entries_[taken_++];
  key = this->key(entry);
  record = {arena_.data() + entry.offset + entry.key_size, entry.record_size};
  return true;
}

}  // namespace gw::workload
