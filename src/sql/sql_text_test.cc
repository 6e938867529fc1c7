// Names, shortened statements, and which texts would end a transaction.
#include "sql/sql_text.h"

#include <gtest/gtest.h>

namespace gw::sql {
namespace {

TEST(SqlText, IsShortenedToOneLine) {
  EXPECT_EQ(quoted_sql("  SELECT 1\n   FROM t \n"), "\"SELECT 1 FROM t\"");
  EXPECT_EQ(quoted_sql(""), "\"\"");
  const std::string text = quoted_sql(std::string(500, 'x'));
  EXPECT_LT(text.size(), 130U);
  EXPECT_TRUE(text.ends_with("...\""));
  std::string umlauts;
  for (int index = 0; index < 200; ++index) umlauts += "ä";
  const std::string cut = quoted_sql(umlauts);  // Never in the middle of a character.
  EXPECT_EQ((cut.size() - 5) % 2, 0U);
}

TEST(SqlText, NamesAreQuoted) {
  EXPECT_EQ(quoted_name("job"), "\"job\"");
  EXPECT_EQ(quoted_name("a\"; DROP TABLE b"), "\"a\"\"; DROP TABLE b\"");
}

TEST(SqlText, FindsStatementsThatTouchTheTransaction) {
  for (const char* harmless : {
           "",
           "CREATE TABLE a(x BIGINT); CREATE INDEX commit_index ON a(x);",
           "-- COMMIT;\nSELECT 1; /* ; COMMIT; */ SELECT 2",
           "INSERT INTO a VALUES ('; COMMIT; it''s'); SELECT \"; ROLLBACK\"",
           "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN; COMMIT; END; $$ LANGUAGE plpgsql;",
           "CREATE FUNCTION f() RETURNS trigger AS $body$ ; COMMIT; $$ $body$ LANGUAGE plpgsql; SELECT $1",
           "CREATE TRIGGER a AFTER INSERT ON b BEGIN UPDATE c SET x = CASE WHEN 1 THEN 2 END; DELETE FROM d; "
           "END;",
           "CREATE TEMP TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; END; SELECT 2",
           "SELECT 1 AS \"begin\"; UPDATE a SET release = 1",
       }) {
    EXPECT_EQ(transaction_word(harmless), "") << harmless;
  }
  EXPECT_EQ(transaction_word("SELECT 1; commit"), "COMMIT");
  EXPECT_EQ(transaction_word("/* x */ Begin"), "BEGIN");
  EXPECT_EQ(transaction_word("CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; END; ROLLBACK"), "ROLLBACK");
  EXPECT_EQ(transaction_word("CREATE TRIGGER a BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION f(); END"),
            "END");
  EXPECT_EQ(transaction_word("SELECT 'a;b'; SAVEPOINT x"), "SAVEPOINT");
}

}  // namespace
}  // namespace gw::sql
