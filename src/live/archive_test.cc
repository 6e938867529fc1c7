// What people ask of the archive: the right rows, with texts that are few.
#include "live/archive.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "live/sql_store.h"

namespace gw::live {
namespace {

/// Answers nothing, and notes what it was asked.
class Listener final : public sql::Database {
 public:
  explicit Listener(std::set<std::string>& texts) : texts_(texts) {}
  Result<void> begin() override { return {}; }
  void execute(const sql::Statement&, std::span<const sql::Param>) override {}
  Result<void> commit() override { return {}; }
  void rollback() override {}
  Result<void> query(const sql::Statement& statement, std::span<const sql::Param>,
                     const std::function<bool(const sql::Row&)>&) override {
    texts_.insert(statement.sql);
    return {};
  }
  Result<void> run(const std::string&) override { return {}; }
  Result<std::unique_ptr<sql::Database>> open_reader() override { return fail("there is none"); }
  [[nodiscard]] sql::Dialect dialect() const override { return sql::Dialect::kSqlite; }
  [[nodiscard]] const sql::Counters& counters() const override { return counters_; }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  std::set<std::string>& texts_;
  sql::Counters counters_;
  std::string name_ = "listener";
};

TEST(Archive, TheSameQuestionHasTheSameText) {
  std::set<std::string> texts;
  Archive archive(std::make_unique<Listener>(texts));
  JobFilter filter;
  for (std::uint32_t limit = 1; limit <= 50; ++limit) {
    filter.limit = limit;
    filter.states.push_back(limit % 2 == 0 ? JobState::kEnded : JobState::kWaiting);
    filter.outcomes.assign({Outcome::kLost, Outcome::kFailed, Outcome::kLost});
    if (limit % 2 == 0) std::swap(filter.outcomes[0], filter.outcomes[1]);
    if (limit == 1) filter.states.push_back(JobState::kEnded);
    ASSERT_TRUE(archive.jobs(filter));
  }
  EXPECT_EQ(texts.size(), 1U);
  for (std::uint32_t limit = 1; limit <= 50; ++limit) {
    ASSERT_TRUE(archive.audit({}, 0, limit));
    ASSERT_TRUE(archive.run_fractions(limit));
  }
  EXPECT_EQ(texts.size(), 3U);
}

class ArchiveTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / "gw-archive-XXXXXX";
    std::string name = folder_.string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    Result<std::unique_ptr<sql::Database>> database = sql::open_sqlite((folder_ / "store.db").string());
    ASSERT_TRUE(database) << database.error().message;
    Result<std::unique_ptr<SqlStore>> store = SqlStore::open(std::move(*database));
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    Result<std::unique_ptr<sql::Database>> reader = store_->database().open_reader();
    ASSERT_TRUE(reader) << reader.error().message;
    archive_ = std::make_unique<Archive>(std::move(*reader));
  }
  void TearDown() override {
    archive_.reset();
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::vector<std::uint64_t> numbers(const JobFilter& filter) {
    const Result<std::vector<JobRecord>> found = archive_->jobs(filter);
    EXPECT_TRUE(found) << found.error().message;
    std::vector<std::uint64_t> numbers;
    for (const JobRecord& job : *found) numbers.push_back(job.number);
    return numbers;
  }

  std::filesystem::path folder_;
  std::unique_ptr<SqlStore> store_;
  std::unique_ptr<Archive> archive_;
};

TEST_F(ArchiveTest, StatesAndOutcomesAddUp) {
  Changes changes;
  const auto add = [&](std::uint64_t number, JobState state, Outcome outcome) {
    JobRecord& job = changes.new_jobs.emplace_back();
    job.number = number;
    job.tenant = TenantId{0};
    job.name = "job " + std::to_string(number);
    job.spec = std::make_shared<const std::string>("{}");
    job.state = state;
    job.outcome = outcome;
  };
  add(1, JobState::kRunning, Outcome::kNone);
  add(2, JobState::kEnded, Outcome::kCompleted);
  add(3, JobState::kEnded, Outcome::kFailed);
  add(4, JobState::kWaiting, Outcome::kNone);
  add(5, JobState::kEnded, Outcome::kLost);
  ASSERT_TRUE(store_->commit(changes));
  JobFilter filter;
  filter.states = {JobState::kRunning, JobState::kRunning};
  filter.outcomes = {Outcome::kFailed, Outcome::kLost};
  EXPECT_EQ(numbers(filter), (std::vector<std::uint64_t>{5, 3, 1}));
  filter.tenants = {TenantId{0}};
  filter.limit = 2;
  EXPECT_EQ(numbers(filter), (std::vector<std::uint64_t>{5, 3}));
  filter.since = 2;
  filter.before = 5;
  EXPECT_EQ(numbers(filter), (std::vector<std::uint64_t>{3}));
  JobFilter open;
  open.states = {JobState::kWaiting, JobState::kRunning};
  EXPECT_EQ(numbers(open), (std::vector<std::uint64_t>{4, 1}));
  JobFilter completed;
  completed.outcomes = {Outcome::kCompleted};
  EXPECT_EQ(numbers(completed), (std::vector<std::uint64_t>{2}));
}

TEST_F(ArchiveTest, TransfersComeWithTheNamesOfTheirJobs) {
  Changes changes;
  JobRecord& job = changes.new_jobs.emplace_back();
  job.number = 1;
  job.tenant = TenantId{0};
  job.name = "train";
  job.spec = std::make_shared<const std::string>("{}");
  for (std::uint64_t number : {1, 2}) {  // Of 2 there is no job.
    TransferRecord& transfer = changes.transfers.emplace_back();
    transfer.sequence = number;
    transfer.attempt = {number, 1};
    transfer.tenant = TenantId{0};
    transfer.from = Instant{10};
    transfer.to = Instant{20};
    transfer.micro_gpu_s = 100;
  }
  ASSERT_TRUE(store_->commit(changes));
  UsageFilter filter;
  filter.from = Instant{15};
  std::vector<std::pair<std::int64_t, std::string>> seen;
  ASSERT_TRUE(archive_->transfers(filter, [&](const TransferRecord& transfer, const UsedJob& job) {
    seen.emplace_back(transfer.micro_gpu_s, job.array_job == 0 ? job.name : "?");
    return true;
  }));
  EXPECT_EQ(seen, (std::vector<std::pair<std::int64_t, std::string>>{{100, "train"}, {100, ""}}));
  std::int64_t used = 0;
  ASSERT_TRUE(archive_->usage(filter, [&](const UsageRow& row) {
    used += row.micro_gpu_s;
    return true;
  }));
  EXPECT_EQ(used, 100);
  filter.jobs = true;
  ASSERT_TRUE(archive_->usage(filter, [&](const UsageRow& row) {
    EXPECT_EQ(row.array_job, 0U);
    used += row.micro_gpu_s;
    return true;
  }));
  EXPECT_EQ(used, 200);
}

}  // namespace
}  // namespace gw::live
