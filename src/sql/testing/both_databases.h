// BothDatabases: a GoogleTest fixture that runs each test with SQLite and with PostgreSQL.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "sql/testing/test_database.h"

namespace gw::sql::testing {

/// Derive from it, and name the class in GW_BOTH_DATABASES. A set-up of one's own must call this one's and
/// return if the test is skipped then.
class BothDatabases : public ::testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    if (const std::string missing = TestDatabase::missing(GetParam()); !missing.empty())
      GTEST_SKIP() << missing;
    Result<std::unique_ptr<TestDatabase>> made = TestDatabase::make(GetParam());
    ASSERT_TRUE(made.has_value()) << made.error().message;
    test_ = std::move(*made);
    database_ = open();
  }
  [[nodiscard]] bool postgres() const { return GetParam() == Dialect::kPostgres; }

  /// Another connection (SQLite has but one that writes).
  [[nodiscard]] std::unique_ptr<Database> open() const { return value(test_->open()); }
  [[nodiscard]] std::unique_ptr<Database> reader() const { return value(database_->open_reader()); }

  void run(const std::string& sql) const {
    const Result<void> done = database_->run(sql);
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
  void must_change(const char* sql, std::initializer_list<Param> params = {}) const {
    const Result<void> done = change(*database_, sql, params);
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
  [[nodiscard]] std::vector<std::string> rows(const char* sql,
                                              std::initializer_list<Param> params = {}) const {
    Result<std::vector<std::string>> found = rows_of(*database_, sql, params);
    if (!found) ADD_FAILURE() << found.error().message;
    return found.value_or(std::vector<std::string>{});
  }
  [[nodiscard]] std::int64_t number(const char* sql, std::initializer_list<Param> params = {}) const {
    return number_of(*database_, sql, params);
  }

  std::unique_ptr<TestDatabase> test_;
  std::unique_ptr<Database> database_;

 private:
  static std::unique_ptr<Database> value(Result<std::unique_ptr<Database>> opened) {
    if (!opened) ADD_FAILURE() << opened.error().message;
    return std::move(*opened);
  }
};

#define GW_BOTH_DATABASES(fixture)                                                                        \
  INSTANTIATE_TEST_SUITE_P(Sql, fixture,                                                                  \
                           ::testing::Values(::gw::sql::Dialect::kSqlite, ::gw::sql::Dialect::kPostgres), \
                           [](const auto& test) { return ::gw::sql::testing::dialect_name(test.param); })

}  // namespace gw::sql::testing
