// PostgreSQL behind the interface Database: transactions over a pipeline, and connecting again.
#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "sql/postgres_connection.h"
#include "sql/sql_text.h"

namespace gw::sql {
namespace {

class PostgresDatabase final : public Database {
 public:
  PostgresDatabase(PostgresTarget target, const PostgresOptions& options, bool read_only)
      : target_(std::move(target)), options_(options), read_only_(read_only) {}

  /// Connects unless a connection stands.
  Result<void> connect() {
    if (connection_ != nullptr) connection_->clear_failure();
    if (connection_ != nullptr && connection_->ready()) return {};
    connection_.reset();
    Result<std::unique_ptr<PostgresConnection>> made =
        PostgresConnection::open(target_, options_, read_only_);
    if (!made) return std::unexpected(std::move(made.error()));
    connection_ = std::move(*made);
    return {};
  }

  Result<void> begin() override {
    GW_CHECK(!in_transaction_ && !in_query_);
    outcome_unknown_ = false;
    if (Result<void> done = connect(); !done) return done;
    connection_->send(read_only_ ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN", {});
    in_transaction_ = true;
    wrote_ = false;
    return {};
  }

  void execute(const Statement& statement, std::span<const Param> params) override {
    GW_CHECK(in_transaction_ && !in_query_);
    if (connection_->failure()) return;
    ++counters_.statements;
    wrote_ = true;
    connection_->send(statement.sql, params);
  }

  Result<void> commit() override {
    GW_CHECK(in_transaction_ && !in_query_);
    const bool sent = connection_->send("COMMIT", {}, PostgresConnection::Send::kCommit);
    if (sent) connection_->finish();
    if (sent && connection_->committed()) {
      in_transaction_ = false;
      ++counters_.commits;
      if (wrote_) ++counters_.syncs;
      return {};
    }
    const std::optional<PostgresFailure>& failure = connection_->failure();
    // An answer to an earlier statement means that COMMIT was not obeyed; none, that it may have been.
    outcome_unknown_ =
        sent && !read_only_ && failure && (!failure->answered || (failure->at_commit && failure->fatal));
    Error error{failure ? failure->message
                        : fmt::format("{}: the server rolled the transaction back", target_.name)};
    if (outcome_unknown_)
      error.message += "; the answer to COMMIT was lost: read again to see whether it was kept";
    rollback();
    return std::unexpected(std::move(error));
  }

  void rollback() override {
    GW_CHECK(!in_query_);
    if (!in_transaction_) return;
    in_transaction_ = false;
    // The server passes the first over if a statement before it failed and nothing was awaited since.
    for (int attempt = 0; attempt < 2; ++attempt) {
      connection_->clear_failure();
      if (connection_->dead() || connection_->transaction() == PQTRANS_IDLE) break;
      connection_->send("ROLLBACK", {});
      connection_->finish();
    }
    if (connection_->dead() || connection_->transaction() != PQTRANS_IDLE) connection_.reset();
  }
  [[nodiscard]] bool outcome_unknown() const override { return outcome_unknown_; }

  Result<void> query(const Statement& statement, std::span<const Param> params,
                     const std::function<bool(const Row&)>& row) override {
    GW_CHECK(!in_query_);
    if (!in_transaction_) {
      if (Result<void> done = connect(); !done) return done;
    }
    ++counters_.statements;
    struct Mark {
      bool& in_query;
      ~Mark() { in_query = false; }
    } mark{in_query_};
    in_query_ = true;
    connection_->query(statement.sql, params, row);
    return outcome();
  }

  Result<void> run(const std::string& sql) override {
    GW_CHECK(!in_query_);
    if (in_transaction_) {
      wrote_ = true;
      connection_->finish();
    } else if (Result<void> done = connect(); !done) {
      return done;
    }
    ++counters_.statements;
    connection_->run(sql);
    if (Result<void> done = outcome(); !done) return done;
    if (connection_->transaction() == (in_transaction_ ? PQTRANS_INTRANS : PQTRANS_IDLE)) return {};
    connection_->give_up(
        fmt::format("{}: {} must neither begin nor end a transaction", target_.name, quoted_sql(sql)));
    return outcome();
  }

  Result<std::unique_ptr<Database>> open_reader() override {
    auto reader = std::make_unique<PostgresDatabase>(target_, options_, true);
    if (Result<void> done = reader->connect(); !done) return std::unexpected(std::move(done.error()));
    return reader;
  }

  [[nodiscard]] Dialect dialect() const override { return Dialect::kPostgres; }
  [[nodiscard]] const Counters& counters() const override { return counters_; }
  [[nodiscard]] const std::string& name() const override { return target_.name; }

 private:
  [[nodiscard]] Result<void> outcome() const {
    const std::optional<PostgresFailure>& failure = connection_->failure();
    return failure ? fail(failure->message) : Result<void>{};
  }

  PostgresTarget target_;
  PostgresOptions options_;
  bool read_only_;
  std::unique_ptr<PostgresConnection> connection_;  ///< Null: to be made by the next call.
  bool in_transaction_ = false;
  bool in_query_ = false;
  bool wrote_ = false;
  bool outcome_unknown_ = false;
  Counters counters_;
};

}  // namespace

Result<std::unique_ptr<Database>> open_postgres(const std::string& url, const PostgresOptions& options) {
  Result<PostgresTarget> target = read_postgres_url(url);
  if (!target) return std::unexpected(std::move(target.error()));
  auto database = std::make_unique<PostgresDatabase>(std::move(*target), options, false);
  if (Result<void> done = database->connect(); !done) return std::unexpected(std::move(done.error()));
  return database;
}

}  // namespace gw::sql
