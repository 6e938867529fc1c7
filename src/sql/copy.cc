// Streaming rows from one database into another.
#include "sql/copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "sql/sql_text.h"

namespace gw::sql {
namespace {

struct Column {
  std::string name;
  ValueKind kind = ValueKind::kNull;
};

// Generated columns are computed anew.
constexpr Statement kColumnsOfSqlite{
    "SELECT name, type FROM pragma_table_xinfo($1) WHERE hidden = 0 ORDER BY cid"};
constexpr Statement kColumnsOfPostgres{
    "SELECT CAST(column_name AS TEXT), CAST(data_type AS TEXT) FROM information_schema.columns WHERE "
    "table_name = $1 "
    "AND table_schema = current_schema() AND is_generated = 'NEVER' ORDER BY ordinal_position"};

/// The type that a declaration stands for, by SQLite's own rule; none where shared SQL does not know it.
std::optional<ValueKind> declared_kind(std::string_view type) {
  std::string upper(type);
  std::ranges::transform(upper, upper.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  const auto has = [&](std::string_view part) { return upper.find(part) != std::string::npos; };
  if (has("INT")) return ValueKind::kInteger;
  if (has("CHAR") || has("TEXT")) return ValueKind::kText;
  if (has("BYTEA") || has("BLOB")) return ValueKind::kBlob;
  if (has("DOUBLE") || has("REAL") || has("FLOA")) return ValueKind::kReal;
  return std::nullopt;
}

Result<std::vector<Column>> columns_of(Database& database, const std::string& table) {
  std::vector<Column> columns;
  std::string refused;
  Result<void> done = database.query(
      database.dialect() == Dialect::kSqlite ? kColumnsOfSqlite : kColumnsOfPostgres,
      std::array<Param, 1>{std::string_view(table)}, [&](const Row& row) {
        const std::optional<ValueKind> kind = declared_kind(row.text(1));
        if (!kind)
          refused = fmt::format("{}: {}.{} has the type {}, which is not shared by all databases",
                                database.name(), table, row.text(0), row.text(1));
        columns.push_back({std::string(row.text(0)), kind.value_or(ValueKind::kNull)});
        return true;
      });
  if (!done) return std::unexpected(std::move(done.error()));
  if (!refused.empty()) return fail(refused);
  if (columns.empty()) return fail(fmt::format("{}: there is no table {}", database.name(), table));
  return columns;
}

std::string_view kind_name(ValueKind kind) {
  switch (kind) {
    case ValueKind::kInteger:
      return "an integer";
    case ValueKind::kReal:
      return "a real number";
    case ValueKind::kText:
      return "a text";
    case ValueKind::kBlob:
      return "bytes";
    default:
      return "NULL";
  }
}

/// Copies one table inside the target's transaction.
class TableCopy {
 public:
  TableCopy(Database& source, Database& target, const std::string& table, std::uint64_t rows_per_commit)
      : source_(source), target_(target), table_(table), rows_per_commit_(rows_per_commit) {}

  Result<std::uint64_t> run() {
    if (Result<void> ready = prepare(); !ready) return std::unexpected(std::move(ready.error()));
    Result<void> failed;
    Result<void> read = source_.query({select_.c_str()}, {}, [&](const Row& row) {
      ++rows_;
      failed = put(row);
      return failed.has_value();
    });
    if (!failed) return std::unexpected(std::move(failed.error()));
    if (!read) return std::unexpected(std::move(read.error()));
    const Result<std::uint64_t> found = count();
    if (!found) return found;
    if (*found == rows_) return rows_;
    return fail(
        fmt::format("{}: {} has {} rows after {} were copied into it; does another program write there?",
                    target_.name(), table_, *found, rows_));
  }

 private:
  Result<std::uint64_t> count() {
    std::uint64_t rows = 0;
    const std::string sql = fmt::format("SELECT count(*) FROM {}", quoted_name(table_));
    Result<void> done = target_.query({sql.c_str()}, {}, [&](const Row& row) {
      rows = static_cast<std::uint64_t>(row.integer(0));
      return true;
    });
    if (!done) return std::unexpected(std::move(done.error()));
    return rows;
  }

  Result<void> prepare() {
    Result<std::vector<Column>> from = columns_of(source_, table_);
    if (!from) return std::unexpected(std::move(from.error()));
    const Result<std::vector<Column>> to = columns_of(target_, table_);
    if (!to) return std::unexpected(to.error());
    const Result<std::uint64_t> there = count();
    if (!there) return std::unexpected(there.error());
    if (*there > 0) {
      return fail(fmt::format("{}: {} has {} rows already; copy into an empty database", target_.name(),
                              table_, *there));
    }
    std::string names;
    std::string marks;
    for (const Column& column : *from) {
      const auto match = std::ranges::find(*to, column.name, &Column::name);
      if (match == to->end()) {
        return fail(
            fmt::format("{}: {} has no column {}, which the source has; bring both to the same schema",
                        target_.name(), table_, column.name));
      }
      columns_.push_back(*match);
      const std::string_view comma = names.empty() ? "" : ", ";
      names += fmt::format("{}{}", comma, quoted_name(column.name));
      marks += fmt::format("{}${}", comma, columns_.size());
    }
    select_ = fmt::format("SELECT {} FROM {}", names, quoted_name(table_));
    insert_ = fmt::format("INSERT INTO {}({}) VALUES ({})", quoted_name(table_), names, marks);
    params_.resize(columns_.size());
    return {};
  }

  Result<void> put(const Row& row) {
    for (std::size_t index = 0; index < columns_.size(); ++index) {
      const int column = static_cast<int>(index);
      const ValueKind kind = row.kind(column);
      const ValueKind wanted = columns_[index].kind;
      switch (kind) {
        case ValueKind::kNull:
          params_[index] = std::monostate{};
          break;
        case ValueKind::kInteger:
          if (wanted == ValueKind::kReal) {
            params_[index] = row.real(column);
          } else {
            params_[index] = row.integer(column);
          }
          break;
        case ValueKind::kReal:
          params_[index] = row.real(column);
          break;
        case ValueKind::kText:
          params_[index] = row.text(column);
          break;
        case ValueKind::kBlob:
          params_[index] = Blob{row.blob(column)};
          break;
      }
      const bool widened = kind == ValueKind::kInteger && wanted == ValueKind::kReal;
      if (kind == ValueKind::kNull || kind == wanted || widened) continue;
      return fail(fmt::format("{}: {}.{} has {} in row {} where {} is expected; correct it first",
                              source_.name(), table_, columns_[index].name, kind_name(kind), rows_,
                              kind_name(wanted)));
    }
    target_.execute({insert_.c_str()}, params_);
    if (rows_per_commit_ == 0 || rows_ % rows_per_commit_ != 0) return {};
    if (Result<void> done = target_.commit(); !done) return done;
    return target_.begin();
  }

  Database& source_;
  Database& target_;
  const std::string& table_;
  std::uint64_t rows_per_commit_;
  std::vector<Column> columns_;  ///< The source's, with the target's types.
  std::string select_;
  std::string insert_;
  std::vector<Param> params_;
  std::uint64_t rows_ = 0;
};

}  // namespace

Result<std::vector<CopiedTable>> copy_tables(Database& source, Database& target,
                                             std::span<const std::string> tables,
                                             const CopyOptions& options) {
  Result<std::unique_ptr<Database>> reader = source.open_reader();
  if (!reader) return std::unexpected(std::move(reader.error()));
  if (Result<void> begun = (*reader)->begin(); !begun) return std::unexpected(std::move(begun.error()));
  if (Result<void> begun = target.begin(); !begun) return std::unexpected(std::move(begun.error()));
  std::vector<CopiedTable> copied;
  for (const std::string& table : tables) {
    const Result<std::uint64_t> rows = TableCopy(**reader, target, table, options.rows_per_commit).run();
    if (!rows) {
      target.rollback();
      return std::unexpected(rows.error());
    }
    copied.push_back({table, *rows});
  }
  if (Result<void> done = target.commit(); !done) return std::unexpected(std::move(done.error()));
  return copied;
}

}  // namespace gw::sql
