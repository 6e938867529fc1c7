// PostgreSQL alone: URLs and passwords, connections that break or hang, commits whose answer is lost.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "sql/postgres_url.h"
#include "sql/testing/postgres_server.h"
#include "sql/testing/tcp_proxy.h"
#include "sql/testing/test_database.h"

namespace gw::sql {
namespace {

using testing::change;
using ::testing::ElementsAre;
using testing::Fault;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::number_of;
using testing::PostgresServer;
using testing::rows_of;
using testing::TcpProxy;
using Clock = std::chrono::steady_clock;

constexpr const char* kInsert = "INSERT INTO t(id) VALUES ($1)";
constexpr const char* kCount = "SELECT count(*) FROM t";

class Postgres : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = PostgresServer::missing(); !missing.empty()) GTEST_SKIP() << missing;
    Result<std::unique_ptr<PostgresServer>> started = PostgresServer::start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
    server_ = std::move(*started);
    database_ = open(server_->url());
    ASSERT_TRUE(database_->run("CREATE TABLE t(id BIGINT PRIMARY KEY)").has_value());
  }

  static std::unique_ptr<Database> open(const std::string& url, const PostgresOptions& options = {}) {
    Result<std::unique_ptr<Database>> opened = open_postgres(url, options);
    if (!opened) ADD_FAILURE() << opened.error().message;
    return std::move(*opened);
  }
  std::unique_ptr<TcpProxy> proxy() {
    Result<std::unique_ptr<TcpProxy>> started = TcpProxy::start(server_->port());
    EXPECT_TRUE(started.has_value());
    return std::move(*started);
  }
  /// Ends the session of `victim` from another one.
  void terminate(Database& victim) {
    const std::int64_t process = number_of(victim, "SELECT pg_backend_pid()");
    end(process);
  }
  void end(std::int64_t process) {
    const std::unique_ptr<Database> other = open(server_->socket_url());
    ASSERT_EQ(number_of(*other, "SELECT pg_terminate_backend(CAST($1 AS INTEGER), 10000)", {process}), 1);
  }

  std::unique_ptr<PostgresServer> server_;
  std::unique_ptr<Database> database_;
};

TEST_F(Postgres, ASessionThatWasEndedWhileIdleIsMadeAnew) {
  terminate(*database_);
  const Result<void> done = change(*database_, kInsert, {std::int64_t{1}});
  ASSERT_TRUE(done.has_value()) << done.error().message;
  terminate(*database_);
  EXPECT_EQ(number_of(*database_, kCount), 1);
  terminate(*database_);
  ASSERT_TRUE(database_->run("CREATE TABLE u(id BIGINT)").has_value());
}

TEST_F(Postgres, ASessionThatIsEndedInATransactionFailsItsCommitAndNothingIsKept) {
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute({kInsert}, std::array<Param, 1>{std::int64_t{1}});
  const std::int64_t process = number_of(*database_, "SELECT pg_backend_pid()");
  end(process);
  database_->execute({kInsert}, std::array<Param, 1>{std::int64_t{2}});
  const Result<void> committed = database_->commit();
  ASSERT_FALSE(committed.has_value());
  EXPECT_THAT(committed.error().message, HasSubstr("terminating connection due to administrator command"));
  EXPECT_FALSE(database_->outcome_unknown()) << committed.error().message;
  EXPECT_EQ(number_of(*database_, kCount), 0);
  ASSERT_TRUE(change(*database_, kInsert, {std::int64_t{1}}).has_value());
}

TEST_F(Postgres, EveryCallSurvivesASessionThatIsEndedBeforeIt) {
  const auto end_own = [&] {
    ASSERT_TRUE(database_->begin().has_value());
    database_->execute({kInsert}, std::array<Param, 1>{std::int64_t{1}});
    end(number_of(*database_, "SELECT pg_backend_pid()"));
  };
  end_own();
  EXPECT_FALSE(rows_of(*database_, kCount).has_value());
  EXPECT_FALSE(database_->run("CREATE TABLE u(id BIGINT)").has_value());
  EXPECT_FALSE(database_->commit().has_value());
  end_own();
  database_->rollback();
  end_own();
  EXPECT_FALSE(database_->run("CREATE TABLE u(id BIGINT)").has_value());
  database_->rollback();
  // Large enough that the driver sends and reads before the commit.
  end_own();
  const std::string large(100'000, 'x');
  for (int number = 0; number < 20; ++number)
    database_->execute({"SELECT length($1)"}, std::array<Param, 1>{std::string_view(large)});
  EXPECT_FALSE(database_->commit().has_value());
  EXPECT_EQ(number_of(*database_, kCount), 0);
}

TEST_F(Postgres, AServerThatComesBackIsUsedAgain) {
  ASSERT_TRUE(change(*database_, kInsert, {std::int64_t{1}}).has_value());
  for (const PostgresServer::Stop how : {PostgresServer::Stop::kFast, PostgresServer::Stop::kImmediate}) {
    ASSERT_TRUE(database_->begin().has_value());
    database_->execute({kInsert}, std::array<Param, 1>{std::int64_t{7}});
    EXPECT_GT(number_of(*database_, kCount), 0);
    server_->stop(how);
    EXPECT_FALSE(database_->commit().has_value());
    const Result<void> begun = database_->begin();
    ASSERT_FALSE(begun.has_value());
    EXPECT_THAT(begun.error().message, HasSubstr("cannot connect"));
    EXPECT_THAT(begun.error().message, HasSubstr("check the URL, and that the server runs"));
    const auto rows = rows_of(*database_, kCount);
    EXPECT_FALSE(rows.has_value());
    const Result<void> started = server_->start_again();
    ASSERT_TRUE(started.has_value()) << started.error().message;
    EXPECT_EQ(number_of(*database_, kCount), 1);
  }
  const Result<void> done = change(*database_, kInsert, {std::int64_t{2}});
  EXPECT_TRUE(done.has_value()) << done.error().message;
}

TEST_F(Postgres, ACommitWhoseAnswerIsLostIsOfUnknownOutcome) {
  const std::unique_ptr<TcpProxy> between = proxy();
  const std::unique_ptr<Database> shaky = open(server_->url(between->port()));
  ASSERT_TRUE(change(*shaky, kInsert, {std::int64_t{0}}).has_value());
  // COMMIT is prepared by now and passes as a short name: what is sent just before it tells it.
  std::int64_t id = 1;
  for (const Fault fault : {Fault::kCutBefore, Fault::kCutAtAnswer}) {
    const std::string mark = fmt::format("answer-lost-{}", id);
    ASSERT_TRUE(shaky->begin().has_value());
    between->set_trigger(mark);
    between->set(fault);
    shaky->execute({kInsert}, std::array<Param, 1>{id});
    shaky->execute({"SELECT length($1)"}, std::array<Param, 1>{std::string_view(mark)});
    const Result<void> committed = shaky->commit();
    ASSERT_FALSE(committed.has_value());
    EXPECT_THAT(committed.error().message, HasSubstr("answer to COMMIT was lost"));
    EXPECT_TRUE(shaky->outcome_unknown());
    EXPECT_EQ(between->triggered(), id);
    between->set(Fault::kNone);
    // Reading again over a new connection tells.
    EXPECT_EQ(number_of(*shaky, "SELECT count(*) FROM t WHERE id = $1", {id}),
              fault == Fault::kCutBefore ? 0 : 1);
    ++id;
  }
  ASSERT_TRUE(change(*shaky, kInsert, {std::int64_t{9}}).has_value());
  EXPECT_FALSE(shaky->begin().has_value() && shaky->outcome_unknown());
  shaky->rollback();
}

TEST_F(Postgres, ANetworkThatSwallowsEverythingEndsInAnErrorInTime) {
  const std::unique_ptr<TcpProxy> between = proxy();
  const std::unique_ptr<Database> shaky = open(server_->url(between->port()), {.answer_seconds = 1});
  ASSERT_TRUE(change(*shaky, kInsert, {std::int64_t{0}}).has_value());
  const Clock::time_point begin = Clock::now();
  ASSERT_TRUE(shaky->begin().has_value());
  between->set(Fault::kSwallow);
  shaky->execute({kInsert}, std::array<Param, 1>{std::int64_t{1}});
  const Result<void> committed = shaky->commit();
  ASSERT_FALSE(committed.has_value());
  EXPECT_THAT(committed.error().message, HasSubstr("no answer for 1 s"));
  EXPECT_TRUE(shaky->outcome_unknown());
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
  between->set(Fault::kNone);
  EXPECT_EQ(number_of(*shaky, kCount), 1);
}

TEST_F(Postgres, AServerThatStandsStillEndsInAnErrorInTime) {
  const std::unique_ptr<Database> patient =
      open(server_->url() + "&connect_timeout=2", {.answer_seconds = 1});
  ASSERT_TRUE(change(*patient, kInsert, {std::int64_t{0}}).has_value());
  server_->pause();
  const Clock::time_point begin = Clock::now();
  const auto rows = rows_of(*patient, kCount);
  ASSERT_FALSE(rows.has_value());
  EXPECT_THAT(rows.error().message, HasSubstr("no answer for 1 s"));
  const Result<void> begun = patient->begin();  // Has to connect.
  ASSERT_FALSE(begun.has_value());
  EXPECT_THAT(begun.error().message, HasSubstr("timeout expired"));
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(20));
  server_->resume();
  EXPECT_EQ(number_of(*patient, kCount), 1);
}

TEST_F(Postgres, ATransactionThatStandsStillLosesItsSession) {
  const std::unique_ptr<Database> slow = open(server_->url(), {.idle_transaction_seconds = 1});
  ASSERT_TRUE(slow->begin().has_value());
  slow->execute({kInsert}, std::array<Param, 1>{std::int64_t{1}});
  EXPECT_EQ(number_of(*slow, kCount), 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  const Result<void> committed = slow->commit();
  ASSERT_FALSE(committed.has_value());
  EXPECT_THAT(committed.error().message, HasSubstr("idle-in-transaction timeout"));
  EXPECT_EQ(number_of(*slow, kCount), 0);
}

TEST_F(Postgres, AFullPipelineNeitherStallsNorHoardsAnswers) {
  // More answers than the sockets hold, while the driver only sends.
  ASSERT_TRUE(database_->begin().has_value());
  const std::string large(2000, 'x');
  for (int number = 0; number < 20'000; ++number)
    database_->execute({"SELECT $1"}, std::array<Param, 1>{std::string_view(large)});
  const Result<void> committed = database_->commit();
  EXPECT_TRUE(committed.has_value()) << committed.error().message;
}

TEST_F(Postgres, CommitsAreSynchronousWhateverTheServersDefaultIs) {
  ASSERT_TRUE(database_->run("ALTER USER gigawerk SET synchronous_commit = off").has_value());
  const std::unique_ptr<Database> other = open(server_->url());
  EXPECT_THAT(*rows_of(*other, "SHOW synchronous_commit"), ElementsAre("on"));
}

TEST_F(Postgres, TypesThatAreNotSharedAreRefusedByName) {
  const auto rows = rows_of(*database_, "SELECT 1, now() AS at");
  ASSERT_FALSE(rows.has_value());
  EXPECT_THAT(rows.error().message, HasSubstr("column 2 (at)"));
  EXPECT_THAT(rows.error().message, HasSubstr("CAST"));
  EXPECT_EQ(number_of(*database_, kCount), 0);
}

TEST_F(Postgres, NoMessageShowsThePassword) {
  const std::string url = server_->url();
  EXPECT_EQ(database_->name(), fmt::format("postgres://gigawerk@127.0.0.1:{}/postgres", server_->port()));
  std::vector<std::string> messages;
  const auto try_to_open = [&](const std::string& one) {
    const Result<std::unique_ptr<Database>> opened = open_postgres(one);
    ASSERT_FALSE(opened.has_value()) << one;
    messages.push_back(opened.error().message);
  };
  const std::uint16_t port = server_->port();
  try_to_open(fmt::format("postgres://gigawerk:Secret77@127.0.0.1:{}/postgres", port));
  EXPECT_THAT(messages.back(), HasSubstr("password authentication failed"));
  try_to_open(server_->url(0, "nowhere"));
  EXPECT_THAT(messages.back(), HasSubstr("database \"nowhere\" does not exist"));
  try_to_open("postgres://gigawerk:Secret77@127.0.0.1:1/postgres");
  EXPECT_THAT(messages.back(), HasSubstr("check the URL"));
  for (const std::string& message : messages) {
    EXPECT_THAT(message, Not(HasSubstr("Secret77")));
    EXPECT_THAT(message, Not(HasSubstr(PostgresServer::kPassword)));
    EXPECT_THAT(message, Not(HasSubstr("w%2F")));
  }
}

TEST(PostgresUrl, SaysWhatItNamesAndNotItsPassword) {
  const auto name = [](const std::string& url) { return read_postgres_url(url).value().name; };
  EXPECT_EQ(name("postgres://me:secret@db.example:5433/factory?sslmode=require"),
            "postgres://me@db.example:5433/factory");
  EXPECT_EQ(name("postgresql:///factory?host=/run/postgresql&password=secret"),
            "postgres:///factory?host=/run/postgresql");
  EXPECT_EQ(name("postgres://me@a,b/factory"), "postgres://me@a,b/factory");
}

TEST(PostgresUrl, MistakesAreRefusedWithoutRepeatingThem) {
  for (const char* url :
       {"postgres://me:sec%zzret@host/db", "postgres://me:sec@ret@host/db", "postgres://me:sec/ret@host/db",
        "postgres://me:ret@host:port/db", "postgres://me:ret@host/db?sec=ret", "mysql://me:ret@host/db",
        "host=h password=ret"}) {
    const Result<PostgresTarget> read = read_postgres_url(url);
    ASSERT_FALSE(read.has_value()) << url;
    EXPECT_THAT(read.error().message, Not(HasSubstr("ret"))) << url;
    EXPECT_THAT(read.error().message, HasSubstr("write postgres://USER"));
  }
}

TEST(PostgresUrl, DefaultsFillOnlyWhatIsOpen) {
  const auto value = [](const PostgresTarget& target, std::string_view keyword) {
    std::string found;
    for (const auto& [name, text] : target.settings) {
      if (name == keyword) found += text + ";";
    }
    return found;
  };
  const PostgresTarget plain = *read_postgres_url("postgres://me@host/db");
  EXPECT_EQ(value(plain, "connect_timeout"), "10;");
  EXPECT_EQ(value(plain, "tcp_user_timeout"), "30000;");
  const PostgresTarget said = *read_postgres_url("postgres://me@host/db?connect_timeout=3");
  EXPECT_EQ(value(said, "connect_timeout"), "3;");
}

}  // namespace
}  // namespace gw::sql
