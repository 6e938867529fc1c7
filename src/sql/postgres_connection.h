// PostgresConnection: one session of libpq in pipeline mode. Statements are sent without waiting for answers;
// `finish` reads them all. What goes wrong is kept until it is asked for.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "sql/database.h"
#include "sql/postgres_error.h"
#include "sql/postgres_url.h"
#include "sql/postgres_values.h"

namespace gw::sql {

class PostgresConnection {
 public:
  static Result<std::unique_ptr<PostgresConnection>> open(const PostgresTarget& target,
                                                          const PostgresOptions& options, bool read_only);
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  /// Whether the session still stands, as far as can be told without asking the server: a server that has
  /// ended it has said so by now. Forgets what is prepared if that is stale. Only outside a transaction.
  [[nodiscard]] bool ready();

  enum class Send : std::uint8_t { kStatement, kCommit };
  /// Sends a statement, preparing it first where it is new. After a failure nothing is sent, and false given.
  bool send(const char* sql, std::span<const Param> params, Send send = Send::kStatement);
  /// Waits for the answers to everything sent.
  void finish();
  /// Sends a statement and gives its rows, after everything that was sent before.
  void query(const char* sql, std::span<const Param> params, const std::function<bool(const Row&)>& row);
  /// Runs a text of any number of statements; nothing sent may be unanswered.
  void run(const std::string& sql);
  /// Drops the session, which makes the server roll back what is open.
  void give_up(std::string message);

  /// The first since it was last cleared.
  [[nodiscard]] const std::optional<PostgresFailure>& failure() const { return failure_; }
  void clear_failure() { failure_.reset(); }
  /// Nothing more can be done with it.
  [[nodiscard]] bool dead() const { return dead_ || PQstatus(connection_.get()) == CONNECTION_BAD; }
  /// PQTRANS_ACTIVE while statements are on their way: the server tells the state at each `finish`.
  [[nodiscard]] PGTransactionStatusType transaction() const {
    return synced_ ? PQtransactionStatus(connection_.get()) : PQTRANS_ACTIVE;
  }
  /// Whether the last COMMIT sent was answered and obeyed.
  [[nodiscard]] bool committed() const { return committed_; }

 private:
  /// A statement on the server. Its parameters have types, which are known once a value other than NULL came.
  struct Prepared {
    std::string name;
    std::vector<Oid> types;  ///< 0 = not known yet.
    bool made = false;       ///< Or on its way.
  };
  enum class Kind : std::uint8_t { kPrepare, kStatement, kCommit, kQuery, kSync };
  struct Pending {
    Kind kind;
    const std::string* sql;  ///< Null for a sync.
    Prepared* prepared;
  };
  struct Close {
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  };

  PostgresConnection(PGconn* connection, std::string name, const PostgresOptions& options)
      : connection_(connection), name_(std::move(name)), options_(options) {}
  Result<void> set_up(bool read_only);
  bool push(const char* sql, std::span<const Param> params, Kind kind);
  void sync(const std::function<bool(const Row&)>* row);
  Prepared& prepared_for(std::vector<std::unique_ptr<Prepared>>& known, std::span<const Param> params);
  void append(Pending pending);
  /// Hands to the system what libpq has buffered, and takes what has been answered meanwhile.
  void pump();
  /// Waits until a result can be taken. False: the connection is given up.
  bool wait(bool for_ever = false);
  void take(const std::function<bool(const Row&)>* row);
  void take_rows(const PGresult* result, const std::function<bool(const Row&)>* row);
  void keep(PostgresFailure failure);
  /// The connection is of no more use: libpq says why, or `what`.
  void lose(std::string_view what);
  void lose_silent(std::string_view what);

  std::unique_ptr<PGconn, Close> connection_;
  std::string name_;
  PostgresOptions options_;
  std::unordered_map<std::string, std::vector<std::unique_ptr<Prepared>>> prepared_;
  std::uint64_t names_ = 0;
  std::deque<Pending> pending_;
  PostgresParams params_;
  std::vector<Oid> types_;
  std::size_t unsent_ = 0;  ///< Bytes since the last `pump`, about.
  bool stopped_ = false;    ///< The reader of the rows wants no more.
  bool synced_ = true;      ///< Every statement sent was answered up to a sync.
  bool stale_ = false;
  bool dead_ = false;
  bool committed_ = false;
  std::optional<PostgresFailure> failure_;
};

}  // namespace gw::sql
