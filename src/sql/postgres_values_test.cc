// The binary format of NUMERIC, against texts of it.
#include "sql/postgres_values.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>

#include "sql/testing/postgres_server.h"
#include "sql/testing/test_database.h"

namespace gw::sql {
namespace {

std::string words(std::initializer_list<int> list) {
  std::string bytes;
  for (const int word : list) {
    bytes.push_back(static_cast<char>(word >> 8));
    bytes.push_back(static_cast<char>(word));
  }
  return bytes;
}

TEST(Numeric, ReadsWhatTheServerSends) {
  EXPECT_EQ(numeric_text(words({0, 0, 0, 0})), "0");
  EXPECT_EQ(numeric_text(words({1, 0, 0, 0, 7})), "7");
  EXPECT_EQ(numeric_text(words({2, 1, 0x4000, 0, 12, 345})), "-120345");
  EXPECT_EQ(numeric_text(words({1, 2, 0, 0, 5})), "500000000");
  EXPECT_EQ(numeric_text(words({1, -2, 0, 6, 1200})), "0.000012");
  EXPECT_EQ(numeric_text(words({2, 0, 0, 2, 3, 1400})), "3.14");
  EXPECT_EQ(numeric_text(words({0, 0, 0xC000, 0})), "nan");
  EXPECT_EQ(numeric_text(words({2, 0, 0, 0, 1})), "");
  EXPECT_EQ(numeric_text("abc"), "");
}

TEST(Numeric, AgreesWithTheServersOwnText) {
  if (const std::string missing = testing::PostgresServer::missing(); !missing.empty())
    GTEST_SKIP() << missing;
  auto server = testing::PostgresServer::start();
  ASSERT_TRUE(server.has_value()) << server.error().message;
  auto database = open_postgres((*server)->url());
  ASSERT_TRUE(database.has_value()) << database.error().message;
  EXPECT_TRUE(rc::check("numbers of any size and scale", [&] {
    const auto integer = *rc::gen::container<std::string>(rc::gen::inRange<char>('0', '9' + 1));
    const auto fraction = *rc::gen::container<std::string>(rc::gen::inRange<char>('0', '9' + 1));
    const std::string number =
        fmt::format("{}0{}{}{}", *rc::gen::element("", "-"), integer, fraction.empty() ? "" : ".", fraction);
    const std::string sql =
        fmt::format("SELECT CAST({0} AS NUMERIC), CAST(CAST({0} AS NUMERIC) AS TEXT)", number);
    bool same = false;
    const Result<void> done = (*database)->query({sql.c_str()}, {}, [&](const Row& row) {
      const std::string text(row.text(1));
      same = row.text(0) == text && row.real(0) == std::strtod(text.c_str(), nullptr) &&
             row.kind(0) == (text.size() < 18 && fraction.empty() ? ValueKind::kInteger : row.kind(0));
      return true;
    });
    RC_ASSERT(done.has_value());
    RC_ASSERT(same);
  }));
}

}  // namespace
}  // namespace gw::sql
