// Rows: a table's rows, one at a time, from CSV (RFC 4180, by libcsv) or from `|`-separated text (sacct -P).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "workload/line_reader.h"

namespace gw::workload {

/// Views stay valid until the next row is read.
struct Row {
  std::vector<std::string_view> fields;
  std::uint64_t line = 0;         ///< Where the row begins, from 1.
  std::uint64_t lines = 1;        ///< How many lines it takes.
  const char* problem = nullptr;  ///< Why there are no fields: a literal, or nullptr when all is well.
  std::string_view text;          ///< The row's first line, for messages.
};

class RowSource {
 public:
  virtual ~RowSource() = default;
  /// The next row that is not empty; false at the end.
  virtual Result<bool> next(Row& row) = 0;
  virtual Result<void> rewind() = 0;
};

/// Comma-separated values after RFC 4180: quoted fields may hold commas, doubled quotes and line ends. A
/// quote in the middle of a field, or one that is not closed within LineReader::kLongestLine bytes, spoils
/// its row only.
std::unique_ptr<RowSource> csv_rows(ByteSource& source);

/// Fields between `|`, as they are: sacct quotes nothing. One `|` too many at the end (sacct -p) is let pass.
std::unique_ptr<RowSource> pipe_rows(ByteSource& source);

}  // namespace gw::workload
