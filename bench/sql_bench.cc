// Benchmarks of durable transactions on SQLite and PostgreSQL: how many a second, at how many syncs.
//
// The databases lie in $GW_BENCH_DIR (else the folder for temporary files), which should be on the disk that
// is meant: memory file systems sync for nothing.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/rng.h"
#include "sql/database.h"
#include "sql/testing/postgres_server.h"

namespace gw::sql {
namespace {

namespace fs = std::filesystem;

constexpr Statement kInsert{"INSERT INTO job(id, state, submitted, owner, spec) VALUES ($1, $2, $3, $4, $5)"};
constexpr std::size_t kRowBytes = 300;

/// A folder with a database file, or a server that syncs.
class Place {
 public:
  explicit Place(Dialect dialect) {
    if (dialect == Dialect::kPostgres) {
      Result<std::unique_ptr<testing::PostgresServer>> started =
          testing::PostgresServer::start({.fsync = true});
      if (started) {
        server_ = std::move(*started);
      } else {
        problem_ = started.error().message;
      }
      return;
    }
    const char* named = std::getenv("GW_BENCH_DIR");
    std::string folder =
        ((named != nullptr ? fs::path(named) : fs::temp_directory_path()) / "sql-bench-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) problem_ = "cannot make " + folder;
    folder_ = folder;
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    std::error_code error;
    if (!folder_.empty()) fs::remove_all(folder_, error);
  }
  [[nodiscard]] Result<std::unique_ptr<Database>> open() const {
    if (!problem_.empty()) return fail(problem_);
    return server_ != nullptr ? open_postgres(server_->socket_url())
                              : open_sqlite((folder_ / "bench.db").string());
  }

 private:
  fs::path folder_;
  std::unique_ptr<testing::PostgresServer> server_;
  std::string problem_;
};

/// Rows of 300 bytes with two indexes beside the key: jobs by state and time, and by owner.
void BM_DurableInserts(benchmark::State& bench, Dialect dialect) {
  const Place place(dialect);
  Result<std::unique_ptr<Database>> database = place.open();
  const auto refuse = [&](const std::string& message) { bench.SkipWithError(message.c_str()); };
  if (!database) return refuse(database.error().message);
  const Result<void> made = (*database)->run(
      "CREATE TABLE job(id BIGINT PRIMARY KEY, state TEXT NOT NULL, submitted BIGINT NOT NULL, owner TEXT "
      "NOT NULL, spec "
      "BYTEA NOT NULL); CREATE INDEX job_state ON job(state, submitted); CREATE INDEX job_owner ON "
      "job(owner)");
  if (!made) return refuse(made.error().message);
  Rng rng(1);
  std::string spec(kRowBytes - 60, '\0');
  for (char& byte : spec) byte = static_cast<char>(rng.next());
  std::int64_t id = 0;
  const Counters before = (*database)->counters();
  for (auto _ : bench) {
    if (const Result<void> begun = (*database)->begin(); !begun) return refuse(begun.error().message);
    for (std::int64_t row = 0; row < bench.range(0); ++row) {
      const std::string owner = fmt::format("tenant-{:03}/user-{:04}", rng.below(300), rng.below(5000));
      (*database)->execute(kInsert, std::array<Param, 5>{id++, std::string_view("queued"),
                                                         static_cast<std::int64_t>(rng.below(1'000'000)),
                                                         std::string_view(owner), Blob{spec}});
    }
    if (const Result<void> done = (*database)->commit(); !done) return refuse(done.error().message);
  }
  const Counters& after = (*database)->counters();
  const auto transactions = static_cast<double>(after.commits - before.commits);
  bench.SetItemsProcessed(id);
  bench.counters["transactions"] = benchmark::Counter(transactions, benchmark::Counter::kIsRate);
  bench.counters["syncs_per_transaction"] = static_cast<double>(after.syncs - before.syncs) / transactions;
}
BENCHMARK_CAPTURE(BM_DurableInserts, sqlite, Dialect::kSqlite)
    ->Arg(1)
    ->Arg(16)
    ->Arg(256)
    ->ArgName("inserts")
    ->MinTime(2)
    ->UseRealTime();
BENCHMARK_CAPTURE(BM_DurableInserts, postgres, Dialect::kPostgres)
    ->Arg(1)
    ->Arg(16)
    ->Arg(256)
    ->ArgName("inserts")
    ->MinTime(2)
    ->UseRealTime();

/// A row by its key, as for a page of a dashboard.
void BM_Lookup(benchmark::State& bench, Dialect dialect) {
  const Place place(dialect);
  Result<std::unique_ptr<Database>> database = place.open();
  if (!database) return bench.SkipWithError(database.error().message.c_str());
  constexpr std::int64_t kRows = 100'000;
  bool ready = (*database)->run("CREATE TABLE t(id BIGINT PRIMARY KEY, s TEXT)") && (*database)->begin();
  if (!ready) return bench.SkipWithError("cannot make the table");
  const std::string text(kRowBytes, 'x');
  for (std::int64_t id = 0; id < kRows; ++id)
    (*database)->execute({"INSERT INTO t(id, s) VALUES ($1, $2)"},
                         std::array<Param, 2>{id, std::string_view(text)});
  ready = (*database)->commit().has_value();
  Result<std::unique_ptr<Database>> reader = (*database)->open_reader();
  if (!ready || !reader) return bench.SkipWithError("cannot fill the table");
  Rng rng(1);
  for (auto _ : bench) {
    std::size_t bytes = 0;
    const std::array<Param, 1> key = {static_cast<std::int64_t>(rng.below(kRows))};
    const Result<void> done = (*reader)->query({"SELECT s FROM t WHERE id = $1"}, key, [&](const Row& row) {
      bytes = row.text(0).size();
      return true;
    });
    if (!done || bytes != kRowBytes) return bench.SkipWithError("a row is missing");
  }
}
BENCHMARK_CAPTURE(BM_Lookup, sqlite, Dialect::kSqlite)->UseRealTime();
BENCHMARK_CAPTURE(BM_Lookup, postgres, Dialect::kPostgres)->UseRealTime();

}  // namespace
}  // namespace gw::sql

BENCHMARK_MAIN();
