// CSV rows through libcsv, line by line so that every row knows its place; and plain `|`-separated rows.
#include "workload/rows.h"

#include <csv.h>

#include "base/check.h"

namespace gw::workload {
namespace {

constexpr const char* kTooLong = "line is longer than 64 KiB";
constexpr const char* kNul = "row holds a NUL byte";

class CsvRows final : public RowSource {
 public:
  explicit CsvRows(ByteSource& source) : lines_(source) { start_parser(); }
  CsvRows(const CsvRows&) = delete;
  CsvRows& operator=(const CsvRows&) = delete;
  ~CsvRows() override { csv_free(&parser_); }

  Result<void> rewind() override {
    restart_parser();
    return lines_.rewind();
  }

  Result<bool> next(Row& row) override {
    for (;;) {
      const Result<bool> there = read(row);
      if (!there || !*there || row.problem != nullptr || !row.fields.empty()) return there;
    }
  }

 private:
  void start_parser() { GW_CHECK(csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) == 0); }
  void restart_parser() {
    csv_free(&parser_);
    start_parser();
    bytes_.clear();
    ends_.clear();
    ended_ = false;
  }
  static void on_field(void* text, std::size_t size, void* self) {
    auto& rows = *static_cast<CsvRows*>(self);
    rows.bytes_.append(static_cast<const char*>(text), size);
    rows.ends_.push_back(rows.bytes_.size());
  }
  static void on_row(int, void* self) { static_cast<CsvRows*>(self)->ended_ = true; }
  bool feed(std::string_view text) {
    return csv_parse(&parser_, text.data(), text.size(), on_field, on_row, this) == text.size();
  }

  Result<bool> read(Row& row) {
    bytes_.clear();
    ends_.clear();
    ended_ = false;
    row.fields.clear();
    row.problem = nullptr;
    row.lines = 0;
    std::size_t size = 0;
    std::string_view line;
    for (;;) {
      const Result<bool> there = lines_.next(line);
      if (!there) return there;
      if (!*there) {
        if (row.lines == 0) return false;
        return spoiled(row, "a quote is never closed");
      }
      if (row.lines++ == 0) {
        row.line = lines_.number();
        first_line_.assign(line.substr(0, 128));
        row.text = first_line_;
      }
      size += line.size() + 1;
      if (lines_.cut()) return spoiled(row, kTooLong);
      if (size > LineReader::kLongestLine) return spoiled(row, "a quote is not closed within 64 KiB");
      if (line.find('\0') != std::string_view::npos) return spoiled(row, kNul);
      if (!feed(line) || !feed("\n")) return spoiled(row, "quotes are not as CSV wants them");
      if (ended_) break;
      if (line.empty() && row.lines == 1) return true;  // An empty line: libcsv gives no row for it.
      if (!in_quotes()) return true;                    // Only blanks.
    }
    std::size_t from = 0;
    for (const std::size_t to : ends_) {
      row.fields.emplace_back(bytes_.data() + from, to - from);
      from = to;
    }
    return true;
  }
  [[nodiscard]] bool in_quotes() const { return parser_.quoted != 0; }
  Result<bool> spoiled(Row& row, const char* problem) {
    restart_parser();
    row.problem = problem;
    return true;
  }

  LineReader lines_;
  csv_parser parser_{};
  std::string bytes_;              // Of all fields of the row.
  std::vector<std::size_t> ends_;  // Of each field in bytes_.
  std::string first_line_;
  bool ended_ = false;
};

class PipeRows final : public RowSource {
 public:
  explicit PipeRows(ByteSource& source) : lines_(source) {}
  Result<void> rewind() override { return lines_.rewind(); }
  Result<bool> next(Row& row) override {
    std::string_view line;
    do {
      const Result<bool> there = lines_.next(line);
      if (!there || !*there) return there;
    } while (line.empty());
    row.line = lines_.number();
    row.lines = 1;
    row.text = line;
    row.problem = lines_.cut() ? kTooLong : line.find('\0') != std::string_view::npos ? kNul : nullptr;
    row.fields.clear();
    if (row.problem != nullptr) return true;
    for (std::size_t from = 0;;) {
      const std::size_t to = line.find('|', from);
      row.fields.push_back(line.substr(from, to - from));
      if (to == std::string_view::npos) return true;
      from = to + 1;
    }
  }

 private:
  LineReader lines_;
};

}  // namespace

std::unique_ptr<RowSource> csv_rows(ByteSource& source) { return std::make_unique<CsvRows>(source); }
std::unique_ptr<RowSource> pipe_rows(ByteSource& source) { return std::make_unique<PipeRows>(source); }

}  // namespace gw::workload
