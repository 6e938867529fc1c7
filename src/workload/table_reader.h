// TableReader: what the readers of tables share: the header, fields by column name, the loop over rows.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "workload/field_text.h"
#include "workload/job_reader.h"
#include "workload/rows.h"

namespace gw::workload {

class TableReader : public JobReader {
 public:
  Result<void> rewind() final;
  Result<bool> next(TraceJob& job) final;
  [[nodiscard]] bool zero_is_first() const override { return dates_; }

 protected:
  enum class Separator : std::uint8_t { kComma, kPipe };
  TableReader(std::unique_ptr<ByteSource> source, const TraceOptions& options, Separator separator);

  /// Called with the columns of the header at hand; finds them with `column` and says in an Error what is
  /// missing.
  virtual Result<void> take_header() = 0;
  /// Published names of columns for files without a header; empty when `first` is one.
  virtual std::vector<std::string> names_without_header(const Row& first) const;
  /// Fills all of `job` except what `begin_job` set; else the reason (a literal) why the row makes no sense,
  /// or kLeftOut where `leave_out` counted it.
  virtual const char* take(TraceJob& job) = 0;

  static constexpr char kLeftOut[] = "";  // Told apart by its address.
  static constexpr int kNoColumn = -1;

  /// Index of the first of these columns that the header has (case ignored), or kNoColumn.
  [[nodiscard]] int column(std::initializer_list<std::string_view> names) const;
  /// The field of the current row, trimmed; empty for kNoColumn and for words that mean nothing (`None`,
  /// `nan`).
  [[nodiscard]] std::string_view field(int index) const;
  /// `log.csv: the columns Submit and State are missing; ...`
  [[nodiscard]] Error missing(const std::vector<std::string>& columns, std::string_view advice) const;

  const char* leave_out(const char* reason) {
    tally_.left_out(reason, row_.line);
    return kLeftOut;
  }
  void adjusted(const char* reason) { tally_.adjusted(reason, row_.line); }

  /// A point in time: a date (then the run's zero is the earliest submit time) or seconds from the log's
  /// zero. None also where it is of the other kind than the log's: the first row accepted fixes that.
  std::optional<Instant> time(std::string_view text);
  /// Checks submit (absent, unreadable, out of range: the reason), and sets it.
  const char* take_submit(std::string_view text, TraceJob& job);
  /// Sets run time and limit; `limit` 0 = not said.
  const char* take_run_time(Nanoseconds run, Nanoseconds limit, TraceJob& job);

  /// Resources of the whole job, 0 = none or not said; memory in MiB.
  struct Resources {
    std::int64_t nodes = 0;
    std::int64_t gpus = 0;
    std::int64_t cpu_milli = 0;
    std::int64_t memory_mib = 0;
  };
  /// A gang where the nodes are known and the GPUs divide evenly, else GPUs anywhere; CPU only without GPUs.
  const char* take_resources(const Resources& all, TraceJob& job);

  std::uint8_t class_named(std::string_view name);
  /// The bit of a GPU type; 0 (any type) for the 65th and on.
  std::uint64_t type_bit(std::string_view name);
  TenantId tenant(
      std::initializer_list<std::string_view> path);  ///< Empty parts are left out; `all` for none.

  Row row_;
  bool dates_ = false;

 private:
  enum class TimeKind : std::uint8_t { kNumber, kDate };
  Result<bool> read_header();

  std::unique_ptr<ByteSource> source_;
  std::unique_ptr<RowSource> rows_;
  std::vector<std::string> names_;
  bool header_known_ = false;
  std::optional<TimeKind> log_times_;  // None before the first row is accepted.
  std::optional<TimeKind> row_times_;  // Of the current row; none before its first time.
  bool row_mixes_ = false;
  bool first_row_waits_ = false;  // The file has no header: its first row is data.
};

}  // namespace gw::workload
