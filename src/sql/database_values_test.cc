// What both drivers must do alike: values of every type, parameters, and the SQL around them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "sql/database.h"
#include "sql/testing/both_databases.h"

namespace gw::sql {
namespace {

using testing::change;
using ::testing::ElementsAre;
using testing::number_of;
using testing::rows_of;

constexpr Statement kInsert{"INSERT INTO t(id, i, r, s, b) VALUES ($1, $2, $3, $4, $5)"};
constexpr Statement kInsertText{"INSERT INTO t(id, s) VALUES ($1, $2)"};

class BothValues : public testing::BothDatabases {
 protected:
  void SetUp() override {
    testing::BothDatabases::SetUp();
    if (IsSkipped()) return;
    run("CREATE TABLE t(id BIGINT PRIMARY KEY, i BIGINT, r DOUBLE PRECISION, s TEXT, b BYTEA);"
        "CREATE INDEX t_i ON t(i)");
  }
  void insert(std::int64_t id, std::string_view text) { must_change(kInsertText.sql, {id, text}); }
  std::int64_t count() { return number("SELECT count(*) FROM t"); }
};

GW_BOTH_DATABASES(BothValues);

TEST_P(BothValues, ValuesOfEveryTypeComeBackAsTheyWere) {
  const std::string zeros("\0a\0\xff\xfe\0", 6);
  const std::string utf8 = "Größe \xe2\x82\xac \xf0\x9f\x9a\x80 'quoted' \"too\" \\ $1 %";
  const std::string large(std::size_t{1} << 20, '\x80');
  const std::string long_text(300'000, 'x');
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  struct Case {
    Param i, r, s, b;
  };
  const Case cases[] = {
      {std::int64_t{0}, 0.0, std::string_view{}, Blob{}},
      {kLeast, std::numeric_limits<double>::denorm_min(), std::string_view(utf8), Blob{zeros}},
      {kMost, -1.0 / 3, std::string_view(long_text), Blob{large}},
      {std::int64_t{-1}, std::numeric_limits<double>::infinity(), std::string_view("0012"), Blob{"\x01"}},
      {{}, {}, {}, {}},
      {std::int64_t{1} << 53, 5.0, std::string_view(""), Blob{""}},
  };
  ASSERT_TRUE(database_->begin().has_value());
  std::int64_t id = 0;
  for (const Case& one : cases)
    database_->execute(kInsert, std::array<Param, 5>{id++, one.i, one.r, one.s, one.b});
  const Result<void> committed = database_->commit();
  ASSERT_TRUE(committed.has_value()) << committed.error().message;

  std::size_t seen = 0;
  const Result<void> done =
      database_->query({"SELECT i, r, s, b FROM t ORDER BY id"}, {}, [&](const Row& row) {
        const Case& one = cases[seen++];
        const auto expect_null = [&](int column, const Param& value, ValueKind kind) {
          const bool null = std::holds_alternative<std::monostate>(value);
          EXPECT_EQ(row.null(column), null) << seen << ", " << column;
          EXPECT_EQ(row.kind(column), null ? ValueKind::kNull : kind) << seen << ", " << column;
          return null;
        };
        if (!expect_null(0, one.i, ValueKind::kInteger)) {
          EXPECT_EQ(row.integer(0), std::get<std::int64_t>(one.i));
        }
        if (!expect_null(1, one.r, ValueKind::kReal)) {
          EXPECT_EQ(row.real(1), std::get<double>(one.r));
        }
        if (!expect_null(2, one.s, ValueKind::kText)) {
          EXPECT_EQ(row.text(2), std::get<std::string_view>(one.s));
        }
        if (!expect_null(3, one.b, ValueKind::kBlob)) {
          EXPECT_EQ(row.blob(3), std::get<Blob>(one.b).bytes);
        }
        if (row.null(0)) {
          EXPECT_EQ(row.integer(0), 0);
          EXPECT_EQ(row.real(1), 0.0);
          EXPECT_EQ(row.text(2), "");
          EXPECT_EQ(row.blob(3), "");
        }
        return true;
      });
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(seen, std::size(cases));
}

TEST_P(BothValues, ANullFirstDoesNotFixAParametersType) {
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute(kInsert, std::array<Param, 5>{std::int64_t{1}, {}, 1.5, {}, {}});
  database_->execute(kInsert, std::array<Param, 5>{std::int64_t{2}, std::int64_t{7}, {}, {}, {}});
  database_->execute(kInsert, std::array<Param, 5>{std::int64_t{3}, {}, {}, "x", Blob{"y"}});
  database_->execute(kInsert,
                     std::array<Param, 5>{std::int64_t{4}, std::int64_t{8}, std::int64_t{9}, {}, {}});
  const Result<void> committed = database_->commit();
  ASSERT_TRUE(committed.has_value()) << committed.error().message;
  const auto rows = rows_of(*database_, "SELECT id, i, r, s, b FROM t ORDER BY id");
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  EXPECT_THAT(*rows, ElementsAre("1|NULL|1.5|NULL|NULL", "2|7|NULL|NULL|NULL", "3|NULL|NULL|x|x'79'",
                                 "4|8|9|NULL|NULL"));
}

TEST_P(BothValues, ParametersMayComeInAnyOrderAndRepeat) {
  insert(1, "a");
  insert(2, "b");
  const auto rows = rows_of(
      *database_, "SELECT id, CAST($3 AS TEXT) FROM t WHERE s = $2 AND id = $1 AND id >= $1 AND s <> $3",
      {std::int64_t{2}, "b", "c"});
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  EXPECT_THAT(*rows, ElementsAre("2|c"));
}

TEST_P(BothValues, SumsAndTruthValuesAreNumbers) {
  insert(1, "a");
  insert(2, "b");
  const auto rows =
      rows_of(*database_,
              "SELECT sum(id), count(*), max(id), sum(id) * 2.5, id IS NULL, 2 > 1, avg(r) FROM t "
              "GROUP BY id IS NULL");
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  EXPECT_THAT(*rows, ElementsAre("3|2|2|7.5|0|1|NULL"));
}

TEST_P(BothValues, AWrongNumberOfParametersIsAnError) {
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute(kInsertText, std::array<Param, 1>{std::int64_t{2}});
  EXPECT_FALSE(database_->commit().has_value());
  EXPECT_FALSE(rows_of(*database_, "SELECT $1 + 1").has_value());
  EXPECT_EQ(count(), 0);
}

TEST_P(BothValues, TextsAndPatternsCompareByBytesOfTheirCase) {
  insert(1, "Node");
  insert(2, "node");
  EXPECT_THAT(*rows_of(*database_, "SELECT s FROM t WHERE s LIKE $1", {"no%"}), ElementsAre("node"));
  // A name in double quotes is never a string.
  EXPECT_FALSE(rows_of(*database_, "SELECT id FROM t WHERE s = \"node\"").has_value());
}

TEST_P(BothValues, UpsertWorksInBoth) {
  for (const std::string_view text : {"one", "two"}) {
    ASSERT_TRUE(change(*database_,
                       "INSERT INTO t(id, s) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET s = excluded.s",
                       {std::int64_t{1}, text})
                    .has_value());
  }
  EXPECT_THAT(*rows_of(*database_, "SELECT id, s FROM t"), ElementsAre("1|two"));
  ASSERT_TRUE(database_->begin().has_value());
  const auto rows =
      rows_of(*database_, "INSERT INTO t(id, s) VALUES ($1, $2) RETURNING id, s", {std::int64_t{2}, "three"});
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  EXPECT_THAT(*rows, ElementsAre("2|three"));
  ASSERT_TRUE(database_->commit().has_value());
  EXPECT_EQ(count(), 2);
}

TEST_P(BothValues, ThousandsOfDifferentTextsAreFine) {
  for (int number = 0; number < 2500; ++number)
    ASSERT_EQ(number_of(*database_, fmt::format("SELECT {}", number).c_str()), number);
}

}  // namespace
}  // namespace gw::sql
