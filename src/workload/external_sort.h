// ExternalSort: a stable sort of byte records by key in bounded memory, over unnamed temporary files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gw::workload {

/// Add all records, then take them in order of key (bytewise); equal keys keep the order in which they were
/// added. Runs of at most `memory` bytes are sorted and written out; kWays runs of one level are merged into
/// one of the next level as soon as they exist, so few files are open however much is added. What fits into
/// one run never touches a file.
class ExternalSort {
 public:
  static constexpr std::size_t kWays = 32;
  static constexpr std::size_t kDefaultMemory = 4 * 1024 * 1024;

  explicit ExternalSort(std::size_t memory = kDefaultMemory);
  ExternalSort(const ExternalSort&) = delete;
  ExternalSort& operator=(const ExternalSort&) = delete;
  ~ExternalSort();

  Result<void> add(std::string_view key, std::string_view record);
  /// Ends the adding; call once.
  Result<void> finish();
  /// The next record; false at the end. Views stay valid until the next call.
  Result<bool> next(std::string_view& key, std::string_view& record);

  /// A key that orders like the number.
  static std::string key_of(std::int64_t number);

 private:
  struct Run;
  struct Entry {
    std::size_t offset;  // Into arena_: key bytes, then record bytes.
    std::uint32_t key_size;
    std::uint32_t record_size;
  };
  [[nodiscard]] std::string_view key(const Entry& entry) const {
    return {arena_.data() + entry.offset, entry.key_size};
  }
  void sort_arena();
  Result<void> spill();
  Result<void> merge_newest();  // The last kWays runs become one, in their place.
  Result<void> start_merge(std::size_t first);
  Result<bool> next_merged(std::string_view& key, std::string_view& record);

  std::size_t memory_;
  std::vector<char> arena_;
  std::vector<Entry> entries_;
  std::size_t taken_ = 0;
  std::vector<std::unique_ptr<Run>> runs_;  // In order of their records' adding.
  std::vector<std::size_t> heap_;           // Runs that have a record ready, smallest first.
  std::size_t last_ = 0;                    // 1 + the run whose record was given last; 0 = none.
};

}  // namespace gw::workload
