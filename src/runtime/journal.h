// The journal: a file from which a run's every decision can be repeated and checked. Format:
// docs/formats-journal.md.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "files/output_file.h"
#include "model/fleet.h"
#include "model/policy.h"
#include "runtime/seams.h"

namespace gw::runtime {

/// What a journal says about itself: enough to build the core again.
struct JournalHeader {
  std::string run_name;
  Fleet fleet;  ///< Only what the core decides by: types, nodes, fabric.
  PolicyConfig policy;
};

/// Writes a journal. Each record carries its length and a CRC-32C, so a torn end is found.
class JournalWriter final : public Store {
 public:
  static constexpr std::uint64_t kSnapshotInterval = 100'000;

  /// The file at `path` is replaced only by `close`; in a folder that exists.
  static Result<std::unique_ptr<JournalWriter>> create(const std::string& path, const JournalHeader& header,
                                                       std::uint64_t snapshot_interval = kSnapshotInterval);
  ~JournalWriter() override = default;
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  Result<void> append_events(Instant now, const std::vector<sched::Event>& events) override;
  Result<void> append_plan(Instant now, const sched::Plan& plan) override;
  Result<void> append_snapshot(Instant now, std::string_view snapshot) override;
  [[nodiscard]] std::uint64_t snapshot_interval() const override { return snapshot_interval_; }
  /// Writes the end record and gives the file its name.
  Result<void> close();
  /// Writes the end record, without which a journal reads as cut short; `file` is then for commit_all.
  Result<void> end();
  [[nodiscard]] files::OutputFile& file() { return file_; }

 private:
  JournalWriter(files::OutputFile file, std::uint64_t snapshot_interval);
  Result<void> append(char type, std::string_view payload);

  files::OutputFile file_;
  std::uint64_t snapshot_interval_;
  std::uint64_t records_ = 0;
  bool ended_ = false;
  ByteWriter buffer_;
};

struct EventsRecord {
  Instant now;
  std::vector<sched::Event> events;
};
struct PlanRecord {
  Instant now;
  sched::Plan plan;
  std::string bytes;  ///< As written, for comparison.
};
struct SnapshotRecord {
  Instant now;
  std::string bytes;
};
struct EndRecord {
  std::uint64_t records = 0;
};
using JournalRecord = std::variant<EventsRecord, PlanRecord, SnapshotRecord, EndRecord>;

/// Reads a journal record by record from a file or from memory.
class JournalReader {
 public:
  static Result<std::unique_ptr<JournalReader>> open(const std::string& path);
  static Result<std::unique_ptr<JournalReader>> from_memory(std::string bytes, std::string name);
  ~JournalReader();
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;

  [[nodiscard]] const JournalHeader& header() const { return header_; }
  /// The next record; EndRecord at the proper end. An Error names the byte where the journal is damaged or
  /// cut.
  Result<JournalRecord> next();
  [[nodiscard]] std::uint64_t offset() const { return offset_; }

 private:
  JournalReader() = default;
  Result<void> read_header();
  Result<std::pair<char, std::string>> read_record();
  bool read_bytes(std::size_t size, std::string& out);

  std::FILE* file_ = nullptr;
  std::string memory_;
  std::string name_;
  JournalHeader header_;
  std::uint64_t offset_ = 0;
  std::uint64_t records_ = 0;
};

/// What a verification found.
struct VerifyReport {
  std::uint64_t batches = 0;
  std::uint64_t events = 0;
  std::uint64_t starts = 0;
  std::uint64_t snapshots = 0;  ///< Each was compared with the core's own and resumed from.
};

/// Replays the events through a fresh core and compares every plan byte for byte, and every snapshot; from
/// the last snapshot on a second core, restored from it, must give the same plans too. The Error names the
/// first difference.
Result<VerifyReport> verify_journal(const std::string& path);
Result<VerifyReport> verify_journal(JournalReader& reader);

/// False with a reason if applying `event` to `core` would break its contract (a journal from outside).
std::string check_event(const sched::Core& core, const sched::Event& event, Instant now, Instant last,
                        const Fleet& fleet);

}  // namespace gw::runtime
