// The state machine over libpq: sending, waiting with a limit, taking answers in order.
#include "sql/postgres_connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <cerrno>
#include <utility>

#include "base/check.h"
#include "sql/sql_text.h"

namespace gw::sql {
namespace {

/// Held back no longer than this, so that memory stays small and errors are seen early.
constexpr std::size_t kPumpBytes = std::size_t{64} << 10;
constexpr std::size_t kMessageBytes = 64;
constexpr std::size_t kMostPrepared = 1024;

struct Clear {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};

}  // namespace

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(const PostgresTarget& target,
                                                                     const PostgresOptions& options,
                                                                     bool read_only) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : target.settings) {
    keywords.push_back(keyword.c_str());
    // A reader may as well look at a standby.
    values.push_back(read_only && keyword == "target_session_attrs" ? "any" : value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<PostgresConnection> made(
      new PostgresConnection(PQconnectdbParams(keywords.data(), values.data(), 0), target.name, options));
  PGconn* connection = made->connection_.get();
  if (PQstatus(connection) != CONNECTION_OK) {
    return fail(fmt::format("{}: cannot connect: {}; check the URL, and that the server runs", target.name,
                            one_line(PQerrorMessage(connection))));
  }
  PQsetNoticeProcessor(connection, [](void*, const char*) {}, nullptr);
  if (PQsetnonblocking(connection, 1) != 0) return fail(fmt::format("{}: cannot connect", target.name));
  if (Result<void> done = made->set_up(read_only); !done) return std::unexpected(std::move(done.error()));
  return made;
}

Result<void> PostgresConnection::set_up(bool read_only) {
  std::string settings = fmt::format(
      "SET synchronous_commit = on; SET client_min_messages = error; SET default_transaction_isolation = "
      "'read "
      "committed'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '{}s';",
      options_.idle_transaction_seconds);
  if (read_only) settings += "SET default_transaction_read_only = on;";
  // What nobody waits for any more should not go on running.
  if (PQserverVersion(connection_.get()) >= 140'000)
    settings += "SET client_connection_check_interval = '10s';";
  run(settings);
  if (failure_) return fail(failure_->message);
  stale_ = false;
  return {};
}

bool PostgresConnection::ready() {
  GW_CHECK(pending_.empty());
  constexpr int kMostMessages = 16;  // Notices and changed settings may wait, too.
  for (int message = 0; message < kMostMessages && !dead(); ++message) {
    pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
    if (::poll(&socket, 1, 0) <= 0) break;
    if (PQconsumeInput(connection_.get()) != 1) dead_ = true;
    static_cast<void>(PQisBusy(connection_.get()));  // Looks at what was read.
  }
  if (!dead() && (stale_ || prepared_.size() > kMostPrepared)) {
    prepared_.clear();
    run("DEALLOCATE ALL");
    stale_ = false;
    if (failure_) dead_ = true;
  }
  return !dead();
}

void PostgresConnection::keep(PostgresFailure failure) {
  stale_ = stale_ || failure.stale;
  if (failure.fatal) dead_ = true;
  if (!failure_) failure_ = std::move(failure);
}

void PostgresConnection::lose(std::string_view what) {
  const std::string text = one_line(PQerrorMessage(connection_.get()));
  lose_silent(text.empty() ? what : text);
}

/// Where libpq has nothing to say about it.
void PostgresConnection::lose_silent(std::string_view what) {
  dead_ = true;
  keep({.message = fmt::format("{}: {}; the next call connects again", name_, what)});
}

void PostgresConnection::give_up(std::string message) {
  dead_ = true;
  keep({.message = std::move(message), .answered = true});
}

/// The statement whose known types agree with the values; once more is known, a new one.
PostgresConnection::Prepared& PostgresConnection::prepared_for(std::vector<std::unique_ptr<Prepared>>& known,
                                                               std::span<const Param> params) {
  types_.resize(params.size());
  for (std::size_t index = 0; index < params.size(); ++index) types_[index] = postgres_type(params[index]);
  const auto add = [&]() -> Prepared& {
    return *known.emplace_back(std::make_unique<Prepared>(fmt::format("gw{}", names_++), types_));
  };
  for (std::size_t one = 0; one < known.size(); ++one) {
    const std::vector<Oid>& types = known[one]->types;
    bool agrees = types.size() == types_.size();
    bool enough = true;
    for (std::size_t index = 0; agrees && index < types_.size(); ++index) {
      if (types_[index] == 0 || types_[index] == types[index]) continue;
      enough = false;
      agrees = types[index] == 0;
    }
    if (!agrees) continue;
    if (enough) return *known[one];
    for (std::size_t index = 0; index < types_.size(); ++index) {
      if (types_[index] == 0) types_[index] = types[index];
    }
    // Answers to the old one may be on their way, so it stays, behind the new one.
    add();
    std::swap(known[one], known.back());
    return *known[one];
  }
  return add();
}

void PostgresConnection::append(Pending pending) {
  pending_.push_back(pending);
  // Must be said before libpq looks at the first answer to it.
  if (pending_.size() == 1 && pending.kind == Kind::kQuery) PQsetSingleRowMode(connection_.get());
}

bool PostgresConnection::push(const char* sql, std::span<const Param> params, Kind kind) {
  if (failure_) return false;
  if (dead()) {
    lose("the connection is broken");
    return false;
  }
  const auto entry = prepared_.try_emplace(sql).first;
  Prepared& prepared = prepared_for(entry->second, params);
  synced_ = false;
  PGconn* connection = connection_.get();
  if (!prepared.made) {
    if (PQsendPrepare(connection, prepared.name.c_str(), sql, static_cast<int>(prepared.types.size()),
                      prepared.types.data()) != 1) {
      lose("cannot send");
      return false;
    }
    prepared.made = true;
    append({Kind::kPrepare, &entry->first, &prepared});
    unsent_ += entry->first.size() + kMessageBytes;
  }
  params_.set(params);
  if (PQsendQueryPrepared(connection, prepared.name.c_str(), params_.count(), params_.values(),
                          params_.lengths(), params_.formats(), 1) != 1) {
    lose("cannot send");
    return false;
  }
  append({kind, &entry->first, &prepared});
  unsent_ += params_.bytes() + kMessageBytes;
  return true;
}

bool PostgresConnection::send(const char* sql, std::span<const Param> params, Send send) {
  if (send == Send::kCommit) committed_ = false;
  const bool sent = push(sql, params, send == Send::kCommit ? Kind::kCommit : Kind::kStatement);
  if (unsent_ >= kPumpBytes) pump();
  return sent;
}

void PostgresConnection::pump() {
  unsent_ = 0;
  PGconn* connection = connection_.get();
  for (int waiting = PQflush(connection); waiting != 0; waiting = PQflush(connection)) {
    if (waiting < 0) return lose("cannot send");
    // The server may have stopped reading until its answers are read.
    pollfd socket{PQsocket(connection), POLLIN | POLLOUT, 0};
    const int ready = ::poll(&socket, 1, static_cast<int>(options_.answer_seconds) * 1000);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0)
      return lose_silent(fmt::format("the server took nothing for {} s", options_.answer_seconds));
    if (PQconsumeInput(connection) != 1) return lose("the connection is broken");
  }
  if (PQconsumeInput(connection) != 1) return lose("the connection is broken");
  while (!pending_.empty() && !dead_ && PQisBusy(connection) == 0) take(nullptr);
}

bool PostgresConnection::wait(bool for_ever) {
  PGconn* connection = connection_.get();
  while (PQisBusy(connection) != 0) {
    const int waiting = PQflush(connection);
    pollfd socket{PQsocket(connection), static_cast<short>(waiting == 1 ? POLLIN | POLLOUT : POLLIN), 0};
    const int milliseconds = for_ever ? -1 : static_cast<int>(options_.answer_seconds) * 1000;
    const int ready = ::poll(&socket, 1, milliseconds);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      lose_silent(fmt::format("no answer for {} s", options_.answer_seconds));
      return false;
    }
    // Where this fails, PQgetResult says why.
    if (PQconsumeInput(connection) != 1) return true;
  }
  return true;
}

void PostgresConnection::take_rows(const PGresult* result, const std::function<bool(const Row&)>* row) {
  PostgresRow current(result);
  if (const std::string refused = current.refused(); !refused.empty()) {
    keep({.message = fmt::format("{}: {}, in {}", name_, refused, quoted_sql(*pending_.front().sql)),
          .answered = true});
    stopped_ = true;
  }
  for (int index = 0; index < PQntuples(result) && !stopped_; ++index) {
    current.move_to(result, index);
    stopped_ = !(*row)(current);
  }
}

/// One result of the first that is pending. Each statement's results end with a null, a sync's do not.
void PostgresConnection::take(const std::function<bool(const Row&)>* row) {
  const std::unique_ptr<PGresult, Clear> result(PQgetResult(connection_.get()));
  const Pending head = pending_.front();
  if (result == nullptr) {
    if (PQstatus(connection_.get()) == CONNECTION_BAD) return lose("the connection is broken");
    pending_.pop_front();
    if (!pending_.empty() && pending_.front().kind == Kind::kQuery) PQsetSingleRowMode(connection_.get());
    return;
  }
  switch (PQresultStatus(result.get())) {
    case PGRES_PIPELINE_SYNC:
      GW_CHECK(head.kind == Kind::kSync);
      pending_.pop_front();
      synced_ = pending_.empty();
      return;
    case PGRES_COMMAND_OK:
      // A transaction that had failed is answered with ROLLBACK.
      if (head.kind == Kind::kCommit) committed_ = std::string_view(PQcmdStatus(result.get())) == "COMMIT";
      return;
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
      if (head.kind == Kind::kQuery) take_rows(result.get(), row);
      return;
    case PGRES_PIPELINE_ABORTED:
      if (head.kind == Kind::kPrepare) head.prepared->made = false;
      if (!failure_)
        keep({.message = fmt::format("{}: not run after an earlier error: {}", name_, quoted_sql(*head.sql)),
              .answered = true});
      return;
    case PGRES_FATAL_ERROR: {
      if (head.kind == Kind::kPrepare) head.prepared->made = false;
      PostgresFailure failure = postgres_failure(result.get(), connection_.get(), name_,
                                                 head.sql != nullptr ? std::string_view(*head.sql) : "");
      failure.at_commit = head.kind == Kind::kCommit;
      return keep(std::move(failure));
    }
    default:
      return lose_silent("an answer that no statement here can have (COPY?)");
  }
}

/// Marks the end of what was sent, and takes every answer up to it.
void PostgresConnection::sync(const std::function<bool(const Row&)>* row) {
  struct Guard {  // Also where `row` throws, and leaves answers unread.
    PostgresConnection& self;
    ~Guard() {
      if (!self.pending_.empty()) self.dead_ = true;
      self.pending_.clear();
    }
  } guard{*this};
  if (dead_) return;
  if (PQpipelineSync(connection_.get()) != 1) return lose("cannot send");
  unsent_ = 0;
  append({Kind::kSync, nullptr, nullptr});
  stopped_ = false;
  // A broken connection may still have answers that came before its end.
  while (!pending_.empty() && !dead_ && wait()) take(row);
}

void PostgresConnection::finish() { sync(nullptr); }

void PostgresConnection::query(const char* sql, std::span<const Param> params,
                               const std::function<bool(const Row&)>& row) {
  if (push(sql, params, Kind::kQuery)) sync(&row);
}

void PostgresConnection::run(const std::string& sql) {
  GW_CHECK(pending_.empty());
  if (failure_) return;
  if (dead()) return lose("the connection is broken");
  PGconn* connection = connection_.get();
  if (PQexitPipelineMode(connection) != 1 || PQsendQuery(connection, sql.c_str()) != 1)
    return lose("cannot send");
  while (wait(true)) {
    const std::unique_ptr<PGresult, Clear> result(PQgetResult(connection));
    if (result == nullptr) break;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_FATAL_ERROR) keep(postgres_failure(result.get(), connection, name_, sql));
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
      return lose_silent("COPY is not for here");
  }
  stale_ = true;  // Tables may have changed.
  if (!dead() && PQenterPipelineMode(connection) != 1) lose("cannot send");
}

}  // namespace gw::sql
