// Records come back as they were written, and damage shows.
#include "supervise/records.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/utf8.h"

namespace gw::supervise {
namespace {

LaunchRecord full_record() {
  LaunchRecord record;
  record.job = 12'345'678'901;
  record.attempt = 3;
  record.identity = (1ULL << 63) - 5;
  record.mark = "abc";
  record.command = {"python3", "train.py", ""};
  record.environment = {"A=1", "RANK=0", "Z=\n"};
  record.tasks = {{{}, {}, "out", "", ""}, {{"other"}, {{1, "RANK=1"}}, "", "err", std::string("a\0b", 3)}};
  record.working_folder = "/data";
  record.separate_error = true;
  record.segment_bytes = 1 << 20;
  record.output_cap_bytes = 1 << 24;
  record.limit_ns = 1'000'000'000;
  record.warning_before_ns = 5;
  record.warning_signal = 10;
  record.warn_every_process = false;
  record.grace_ns = 7;
  record.reach = SignalReach::kBelowTasks;
  record.cleanup = {{"podman", "rm"}, {"x"}};
  record.change_user = true;
  record.user = 1000;
  record.group = 100;
  record.groups = {100, 27};
  record.no_new_privileges = true;
  record.control_group = "/sys/fs/cgroup/x";
  record.cpu_max = "max 100000";
  record.memory_bytes = 1ULL << 40;
  record.memory_by_group = true;
  record.processes_max = 9;
  record.processes_by_group = true;
  record.cores = {0, 5, 63};
  record.open_files = 1024;
  record.note = "note";
  return record;
}

TEST(Records, ALaunchComesBack) {
  const std::string bytes = encode(full_record());
  const std::optional<LaunchRecord> back = decode_launch(bytes);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(*back, full_record());
  EXPECT_FALSE(decode_launch(bytes + "x").has_value());
}

/// A record as the first version of its format had it: without the identity, one byte, at its end.
std::string first_version(std::string_view type, std::string_view record) {
  constexpr std::size_t kHead = 12;
  const std::string_view payload = record.substr(kHead, record.size() - kHead - 1);
  ByteWriter head;
  head.fixed32(static_cast<std::uint32_t>(payload.size()));
  head.fixed32(crc32c(payload, crc32c(type)));
  return std::string(type) + head.bytes() + std::string(payload);
}

TEST(Records, WhatEarlierServersWroteIsRead) {
  LaunchRecord launch = full_record();
  launch.identity = 0;
  EXPECT_EQ(decode_launch(first_version("GWL1", encode(launch))), launch);
  ExitRecord exit;
  exit.exit_code = 7;
  exit.note = "note";
  EXPECT_EQ(decode_exit(first_version("GWX1", encode(exit)) + std::string(100, '\0')), exit);
  const ClaimRecord claim = decode_claim(first_version("GWC1", encode(ClaimRecord{77, 0, std::nullopt, 0})));
  EXPECT_EQ(claim.supervisor, 77);
  EXPECT_EQ(claim.identity, 0U);
}

TEST(Records, EveryCutAndEveryChangedByteShows) {
  const std::string bytes = encode(full_record());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_launch(bytes.substr(0, size)).has_value()) << size;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    EXPECT_FALSE(decode_launch(damaged).has_value()) << at;
  }
}

TEST(Records, ALaunchWithoutSenseIsRefused) {
  LaunchRecord record = full_record();
  record.tasks[1].environment[0].first = 3;  // There are three variables.
  EXPECT_FALSE(decode_launch(encode(record)).has_value());
  record = full_record();
  record.command.clear();  // The first task has none of its own.
  EXPECT_FALSE(decode_launch(encode(record)).has_value());
  record = full_record();
  record.tasks.clear();
  EXPECT_FALSE(decode_launch(encode(record)).has_value());
}

RC_GTEST_PROP(Records, AnExitComesBackFromALargerFile, ()) {
  ExitRecord record;
  record.identity = *rc::gen::arbitrary<std::uint64_t>();
  record.ran = *rc::gen::arbitrary<bool>();
  record.ending = static_cast<Ending>(*rc::gen::inRange(0, 7));
  record.exit_code = *rc::gen::arbitrary<std::int32_t>();
  record.signal = *rc::gen::arbitrary<std::int32_t>();
  record.started_unix_ns = *rc::gen::arbitrary<std::int64_t>();
  record.duration_ns = *rc::gen::arbitrary<std::int64_t>();
  record.cpu_ns = *rc::gen::arbitrary<std::int64_t>();
  record.memory_peak_bytes = *rc::gen::arbitrary<std::uint64_t>();
  record.output_bytes = *rc::gen::arbitrary<std::uint64_t>();
  record.output_lost_bytes = *rc::gen::arbitrary<std::uint64_t>();
  record.note = *rc::gen::arbitrary<std::string>();
  std::string bytes = encode(record);
  RC_ASSERT(bytes.size() <= kExitRecordBytes);
  bytes.resize(kExitRecordBytes, 'x');
  const std::optional<ExitRecord> back = decode_exit(bytes);
  RC_ASSERT(back.has_value());
  RC_ASSERT(*back == record);
}

TEST(Records, ALongNoteFitsIntoTheSpaceThatIsThere) {
  ExitRecord record;
  record.note = std::string(10'000, 'n');
  const std::string bytes = encode(record);
  EXPECT_LE(bytes.size(), kExitRecordBytes);
  EXPECT_GT(decode_exit(bytes)->note.size(), 1'000U);
}

TEST(Records, ALongNoteIsCutAtAWholeCharacter) {
  for (std::size_t before = 0; before < 4; ++before) {
    ExitRecord record;
    record.note = std::string(before, 'n');
    while (record.note.size() < 3'000) record.note += "\xe6\xbc\xa2";
    const std::string note = decode_exit(encode(record))->note;
    EXPECT_TRUE(is_utf8(note));
    EXPECT_TRUE(record.note.starts_with(note));
    EXPECT_GT(note.size(), 1'000U);
  }
}

TEST(Records, AStopMaySayHowMuchGraceThereIs) {
  EXPECT_EQ(decode_stop(encode_stop(2'000'000'000)), 2'000'000'000);
  EXPECT_FALSE(decode_stop("").has_value());
  EXPECT_FALSE(decode_stop(encode(ClaimRecord{77, 9, 5, 0})).has_value());  // A name of the claim.
  EXPECT_FALSE(decode_stop(encode_stop(-1)).has_value());
  EXPECT_EQ(decode_limit(encode_limit(2'000'000'000)), 2'000'000'000);
  EXPECT_FALSE(decode_limit("").has_value());
  EXPECT_FALSE(decode_limit(encode_stop(5)).has_value());
  EXPECT_FALSE(decode_limit(encode_limit(0)).has_value());
}

TEST(Records, AClaimIsReadAsFarAsItGoes) {
  const std::string claimed = encode(ClaimRecord{77, 9, std::nullopt, 0});
  const std::string started = encode(ClaimRecord{77, 9, 5, 0});
  ASSERT_TRUE(started.starts_with(claimed));
  EXPECT_EQ(decode_claim("").supervisor, 0);
  EXPECT_FALSE(decode_claim("").identity.has_value());
  EXPECT_EQ(decode_claim(claimed).identity, 9U);
  EXPECT_EQ(decode_claim(claimed + std::string(100, '\0')).supervisor, 77);
  EXPECT_FALSE(decode_claim(claimed + std::string(100, '\0')).started_unix_ns.has_value());
  EXPECT_EQ(decode_claim(started).started_unix_ns, 5);
  // It is written over again and again: what is there of it counts.
  const std::string later = encode(ClaimRecord{77, 9, 5, std::int64_t{1} << 50});
  EXPECT_EQ(decode_claim(later).ran_ns, std::int64_t{1} << 50);
  bool was_started = false;
  for (std::size_t size = claimed.size(); size < later.size(); ++size) {
    const ClaimRecord torn = decode_claim(later.substr(0, size));
    EXPECT_EQ(torn.identity, 9U);
    EXPECT_EQ(torn.ran_ns, 0);
    EXPECT_TRUE(!was_started || torn.started_unix_ns == 5);
    was_started = torn.started_unix_ns.has_value();
  }
  EXPECT_TRUE(was_started);
}

}  // namespace
}  // namespace gw::supervise
