// The journal: what is written is read again and verified; damage, lies and full disks are found and named.
#include "runtime/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/crc32c.h"
#include "sched/codec.h"
#include "sched/random_case.h"

namespace gw::runtime {
namespace {

using sched::random_case::Driver;
using testing::HasSubstr;

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct TempFile {
  TempFile() {
    static int count = 0;
    path = testing::TempDir() + "/gw_journal_" + std::to_string(::getpid()) + "_" + std::to_string(count++);
  }
  ~TempFile() { std::filesystem::remove(path); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  std::string path;
};

JournalHeader header_of(std::uint64_t seed, std::string_view policy) {
  Rng rng(seed);
  JournalHeader header{"test run", sched::random_case::random_fleet(rng), *policy_by_name(policy)};
  if (seed % 2 != 0) header.policy.reclaim_to = ReclaimTarget::kFairShare;
  return header;
}

/// Drives a core over a random workload into a store.
void record(Store& store, const JournalHeader& header, std::uint64_t seed, std::uint32_t jobs = 40) {
  Rng rng = Rng(seed).split("workload");
  sched::random_case::WorkloadWish wish;
  wish.jobs = jobs;
  const sched::random_case::Workload workload = random_workload(rng, header.fleet, wish);
  sched::Core core(header.fleet, header.policy);
  Driver driver(workload);
  std::uint64_t batches = 0;
  while (!driver.done()) {
    const std::vector<sched::Event> events = driver.next();
    ASSERT_TRUE(store.append_events(driver.now(), events));
    for (const sched::Event& event : events) core.apply(event, driver.now());
    const sched::Plan& plan = core.plan(driver.now());
    driver.planned(plan);
    ASSERT_TRUE(store.append_plan(driver.now(), plan));
    if (store.snapshot_interval() != 0 && ++batches % store.snapshot_interval() == 0) {
      ASSERT_TRUE(store.append_snapshot(driver.now(), core.snapshot()));
    }
  }
}

std::string journal_bytes(std::uint64_t seed, std::string_view policy, std::uint64_t snapshot_interval = 7) {
  const TempFile file;
  const JournalHeader header = header_of(seed, policy);
  Result<std::unique_ptr<JournalWriter>> writer = JournalWriter::create(file.path, header, snapshot_interval);
  EXPECT_TRUE(writer);
  record(**writer, header, seed);
  EXPECT_TRUE((*writer)->close());
  return slurp(file.path);
}

Result<VerifyReport> verify(std::string bytes) {
  Result<std::unique_ptr<JournalReader>> reader = JournalReader::from_memory(std::move(bytes), "memory");
  if (!reader) return std::unexpected(reader.error());
  return verify_journal(**reader);
}

TEST(Crc32c, KnownVectors) {
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);  // RFC 3720, appendix B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  std::string ascending;
  for (char byte = 0; byte < 32; ++byte) ascending += byte;
  EXPECT_EQ(crc32c(ascending), 0x46dd794eU);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xe3069283U);
}

TEST(Journal, EveryPolicysRunVerifies) {
  for (const PolicyName& policy : policy_names()) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      const Result<VerifyReport> report = verify(journal_bytes(seed, policy.name));
      ASSERT_TRUE(report) << policy.name << ", seed " << seed << ": " << report.error().message;
      EXPECT_GT(report->batches, 10U);
      EXPECT_GE(report->events, 40U);
      EXPECT_GT(report->starts, 0U);
      EXPECT_EQ(report->snapshots, report->batches / 7);
    }
  }
}

TEST(Journal, ReadsWhatWasWritten) {
  const std::string bytes = journal_bytes(3, "gigawerk");
  const JournalHeader want = header_of(3, "gigawerk");
  Result<std::unique_ptr<JournalReader>> reader = JournalReader::from_memory(bytes, "memory");
  ASSERT_TRUE(reader);
  const JournalHeader& header = (*reader)->header();
  EXPECT_EQ(header.run_name, "test run");
  EXPECT_EQ(header.policy, want.policy);
  EXPECT_EQ(header.fleet.node_type_of, want.fleet.node_type_of);
  ASSERT_EQ(header.fleet.fabric.size(), want.fleet.fabric.size());
  for (std::size_t level = 0; level < want.fleet.fabric.size(); ++level) {
    EXPECT_EQ(header.fleet.fabric[level].level, want.fleet.fabric[level].level);
    EXPECT_EQ(header.fleet.fabric[level].first, want.fleet.fabric[level].first);
  }
  for (std::size_t type = 0; type < want.fleet.node_types.size(); ++type) {
    EXPECT_EQ(header.fleet.node_types[type].gpus, want.fleet.node_types[type].gpus);
    EXPECT_EQ(header.fleet.node_types[type].cpu_milli, want.fleet.node_types[type].cpu_milli);
    EXPECT_EQ(header.fleet.node_types[type].memory_mib, want.fleet.node_types[type].memory_mib);
  }
  // Written again record by record, it is the same file.
  const TempFile file;
  Result<std::unique_ptr<JournalWriter>> writer = JournalWriter::create(file.path, header);
  ASSERT_TRUE(writer);
  for (;;) {
    Result<JournalRecord> record = (*reader)->next();
    ASSERT_TRUE(record) << record.error().message;
    if (const auto* events = std::get_if<EventsRecord>(&*record)) {
      ASSERT_TRUE((*writer)->append_events(events->now, events->events));
    } else if (const auto* plan = std::get_if<PlanRecord>(&*record)) {
      ASSERT_TRUE((*writer)->append_plan(plan->now, plan->plan));
    } else if (const auto* snapshot = std::get_if<SnapshotRecord>(&*record)) {
      ASSERT_TRUE((*writer)->append_snapshot(snapshot->now, snapshot->bytes));
    } else {
      break;
    }
  }
  ASSERT_TRUE((*writer)->close());
  EXPECT_EQ(slurp(file.path), bytes);
}

TEST(Journal, AnyFlippedByteIsFound) {
  const std::string bytes = journal_bytes(2, "gigawerk");
  ASSERT_TRUE(verify(bytes));
  Rng rng(5);
  for (std::size_t at = 0; at < bytes.size(); at += 1 + rng.below(150)) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << rng.below(8)));
    const Result<VerifyReport> report = verify(damaged);
    ASSERT_FALSE(report) << "byte " << at;
    ASSERT_THAT(report.error().message, HasSubstr(at < 8 ? "not a gigawerk journal" : "byte "))
        << "byte " << at;
  }
}

TEST(Journal, AnyTruncationOrAdditionIsFound) {
  const std::string bytes = journal_bytes(2, "easy");
  Rng rng(6);
  for (std::size_t size = 0; size < bytes.size(); size += 1 + rng.below(150)) {
    const Result<VerifyReport> report = verify(bytes.substr(0, size));
    ASSERT_FALSE(report) << size << " bytes";
  }
  EXPECT_THAT(verify(bytes.substr(0, bytes.size() - 1)).error().message, HasSubstr("cut short"));
  EXPECT_THAT(verify(bytes + '\0').error().message, HasSubstr("bytes follow the end"));
}

/// A journal that is whole but says otherwise than the core decides.
TEST(Journal, AChangedPlanIsRefusedWithItsPlace) {
  const std::string bytes = journal_bytes(4, "gigawerk", 0);
  Result<std::unique_ptr<JournalReader>> reader = JournalReader::from_memory(bytes, "memory");
  ASSERT_TRUE(reader);
  const TempFile file;
  Result<std::unique_ptr<JournalWriter>> writer = JournalWriter::create(file.path, (*reader)->header());
  ASSERT_TRUE(writer);
  std::uint64_t plans = 0;
  std::uint64_t changed_at = 0;
  for (;;) {
    const std::uint64_t offset = (*reader)->offset();
    Result<JournalRecord> record = (*reader)->next();
    ASSERT_TRUE(record);
    if (auto* events = std::get_if<EventsRecord>(&*record)) {
      ASSERT_TRUE((*writer)->append_events(events->now, events->events));
    } else if (auto* plan = std::get_if<PlanRecord>(&*record)) {
      if (++plans > 10 && changed_at == 0 && !plan->plan.starts.empty()) {
        plan->plan.starts.front().placement.pieces.front().gpu_mask ^= 1;
        changed_at = offset;
      }
      ASSERT_TRUE((*writer)->append_plan(plan->now, plan->plan));
    } else {
      break;
    }
  }
  ASSERT_TRUE((*writer)->close());
  ASSERT_GT(changed_at, 0U);
  const Result<VerifyReport> report = verify_journal(file.path);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr(file.path + ": byte " + std::to_string(changed_at) + ":"));
  EXPECT_THAT(report.error().message, HasSubstr("the core decides otherwise"));
}

/// Writes one batch with `event` and an empty plan, and verifies that.
std::string problem_with(const std::vector<sched::Event>& events, Instant now) {
  const TempFile file;
  Result<std::unique_ptr<JournalWriter>> writer =
      JournalWriter::create(file.path, {"events", flat_fleet(4, 8), *policy_by_name("gigawerk")});
  EXPECT_TRUE(writer && (*writer)->append_events(now, events) && (*writer)->append_plan(now, {}) &&
              (*writer)->close());
  const Result<VerifyReport> report = verify_journal(file.path);
  return report ? "" : report.error().message;
}

TEST(Journal, EventsThatMakeNoSenseAreRefused) {
  using sched::Event;
  JobRequest good;
  good.shape.gpus = 8;
  good.tenant = TenantId{0};
  good.limit = hours(1);
  const auto submitted = [&](auto&& change) {
    JobRequest request = good;
    change(request);
    return problem_with({Event::job_submitted(JobId{0}, request)}, Instant{});
  };
  EXPECT_THAT(submitted([](JobRequest&) {}),
              HasSubstr("decides otherwise"));  // It starts: the plan is not empty.
  EXPECT_THAT(submitted([](JobRequest& r) { r.limit = Nanoseconds{0}; }), HasSubstr("limit"));
  EXPECT_THAT(submitted([](JobRequest& r) { r.submit = Instant{-1}; }), HasSubstr("submission"));
  EXPECT_THAT(submitted([](JobRequest& r) { r.submit = Instant::max(); }), HasSubstr("submission"));
  EXPECT_THAT(submitted([](JobRequest& r) { r.tenant = TenantId{9}; }), HasSubstr("tenant"));
  EXPECT_THAT(submitted([](JobRequest& r) { r.shape.nodes = r.shape.gpus = ~0U; }),
              HasSubstr("too many GPUs"));
  EXPECT_THAT(submitted([](JobRequest& r) { r.shape.gpu_milli = 500; }), HasSubstr("share of a GPU"));
  EXPECT_THAT(submitted([](JobRequest& r) { r.shape.cpu_milli = INT64_MAX; }), HasSubstr("CPU or memory"));
  EXPECT_THAT(submitted([](JobRequest& r) { r.shape.memory_mib = -1; }), HasSubstr("CPU or memory"));
  EXPECT_THAT(problem_with({Event::job_ended(JobId{0})}, Instant{}), HasSubstr("does not run"));
  EXPECT_THAT(problem_with({Event::job_cancelled(JobId{7})}, Instant{}), HasSubstr("not there"));
  EXPECT_THAT(problem_with({Event::node_down(NodeId{4})}, Instant{}), HasSubstr("node is unknown"));
  // Ids may leave a gap, for jobs that come late, but not any: nor may one come twice.
  EXPECT_THAT(problem_with({Event::job_submitted(JobId{sched::State::kMostReserved}, good)}, Instant{}),
              HasSubstr("out of order"));
  EXPECT_THAT(
      problem_with({Event::job_submitted(JobId{0}, good), Event::job_submitted(JobId{0}, good)}, Instant{}),
      HasSubstr("out of order"));
  EXPECT_THAT(problem_with({Event::tenant_added(TenantId{3}, 1)}, Instant{}), HasSubstr("parent"));
  EXPECT_THAT(problem_with({}, Instant{-1}), HasSubstr("time"));
  EXPECT_THAT(problem_with({}, Instant::max()), HasSubstr("time"));
  EXPECT_EQ(problem_with({Event::tenant_added(TenantId{0}, 1)}, Instant{}), "");
  std::vector<sched::Event> chain;
  for (std::uint32_t tenant = 0; tenant < 100; ++tenant)
    chain.push_back(Event::tenant_added(TenantId{tenant}, 1));
  EXPECT_THAT(problem_with(chain, Instant{}), HasSubstr("too deep"));
}

TEST(Journal, WriteErrorsAreReported) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full on this system";
  const JournalHeader header = header_of(1, "fifo");
  Result<std::unique_ptr<JournalWriter>> writer = JournalWriter::create("/dev/full", header);
  ASSERT_TRUE(writer);  // Buffered: the disk has not been asked yet.
  Result<void> done = (*writer)->close();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("/dev/full: cannot write: No space left"));
  writer = JournalWriter::create("/dev/full", header);
  done = {};
  for (int batch = 0; batch < 100'000 && done; ++batch)
    done = (*writer)->append_snapshot(Instant{}, "0123456789");
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("/dev/full: cannot write: No space left"));
  EXPECT_FALSE(JournalWriter::create("/nowhere/journal", header));
  EXPECT_THAT(JournalReader::open("/nowhere/journal").error().message, HasSubstr("/nowhere/journal"));
}

}  // namespace
}  // namespace gw::runtime
