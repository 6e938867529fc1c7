// Output is read by offset, over files that come and go.
#include "live/job_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "supervise/output_log.h"

namespace gw::live {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class JobOutputTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "gigawerk-output-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    jobs_ = folder;
    attempt_ = attempt_folder(jobs_, {4321, 2});
    fs::create_directories(attempt_);
  }
  void TearDown() override { fs::remove_all(jobs_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(attempt_ / name, std::ios::app) << text;
  }
  [[nodiscard]] OutputPart read(std::uint64_t offset, std::size_t most = 1000) const {
    Result<OutputPart> part = read_output(attempt_, OutputStream::kOutput, offset, most);
    EXPECT_TRUE(part.has_value());
    return part ? *part : OutputPart{};
  }

  fs::path jobs_;
  fs::path attempt_;
};

TEST_F(JobOutputTest, FoldersAreMadeOfNumbers) {
  EXPECT_EQ(attempt_folder("/state/jobs", {4321, 2}), "/state/jobs/4/4321.2");
  EXPECT_EQ(attempt_folder("/state/jobs", {7, 1}), "/state/jobs/0/7.1");
}

TEST_F(JobOutputTest, NothingIsThereYet) {
  const OutputPart part = read(0);
  EXPECT_EQ(part.bytes, "");
  EXPECT_EQ(part.next, 0U);
  EXPECT_FALSE(part.ended);
  EXPECT_EQ(read(99).next, 0U);
  const Result<OutputPart> unknown = read_output(jobs_ / "none", OutputStream::kOutput, 0, 10);
  ASSERT_TRUE(unknown.has_value());
  EXPECT_EQ(unknown->bytes, "");
}

TEST_F(JobOutputTest, IsReadOverSeveralFiles) {
  write("out.0000000000000000", "0123456789");
  write("out.0000000000000010", "abcdefghij");
  write("out.0000000000000020", "ABC");
  write("err.0000000000000000", "error");
  write("out.note", "not a segment");
  write("output.0000000000000000", "not a segment");
  EXPECT_EQ(read(0).bytes, "0123456789abcdefghijABC");
  EXPECT_EQ(read(0).next, 23U);
  EXPECT_EQ(read(0).end, 23U);
  EXPECT_EQ(read(8, 5).bytes, "89abc");
  EXPECT_EQ(read(8, 5).next, 13U);
  EXPECT_EQ(read(8, 5).end, 23U);
  EXPECT_EQ(read(10, 10).bytes, "abcdefghij");
  EXPECT_EQ(read(22).bytes, "C");
  EXPECT_EQ(read(23).bytes, "");
  EXPECT_EQ(read(23).next, 23U);
  EXPECT_EQ(read(1000).next, 23U);
  EXPECT_EQ(read_output(attempt_, OutputStream::kError, 1, 100)->bytes, "rror");
}

TEST_F(JobOutputTest, WhatWasDroppedIsPassedOver) {
  write("out.0000000000000050", "abc");
  const OutputPart part = read(3);
  EXPECT_EQ(part.bytes, "abc");
  EXPECT_EQ(part.offset, 50U);
  EXPECT_EQ(part.first, 50U);
  EXPECT_EQ(part.next, 53U);
}

TEST_F(JobOutputTest, AGapIsNotReadOver) {
  write("out.0000000000000000", "abc");
  write("out.0000000000000010", "xyz");
  const OutputPart before = read(1);
  EXPECT_EQ(before.bytes, "bc");
  EXPECT_EQ(before.next, 3U);
  EXPECT_EQ(before.end, 13U);
  const OutputPart after = read(before.next);
  EXPECT_EQ(after.bytes, "xyz");
  EXPECT_EQ(after.offset, 10U);
  EXPECT_EQ(read(7).offset, 10U);
}

TEST_F(JobOutputTest, TheEndIsTold) {
  write("out.0000000000000000", "abc");
  EXPECT_FALSE(read(0).ended);
  write("exit", "");
  EXPECT_TRUE(read(0).ended);
}

RC_GTEST_FIXTURE_PROP(JobOutputTest, AFollowerSeesEveryByteThatIsKept, ()) {
  // A log with small files is written in pieces; a follower reads in pieces between.
  const auto text = rc::gen::container<std::string>(rc::gen::inRange('a', 'z'));
  const auto pieces = *rc::gen::resize(25, rc::gen::container<std::vector<std::string>>(text));
  const auto segment = static_cast<std::uint64_t>(*rc::gen::inRange(1, 20));
  const auto cap = segment * static_cast<std::uint64_t>(*rc::gen::inRange(1, 10));
  const fs::path before = fs::current_path();
  for (const fs::directory_entry& entry : fs::directory_iterator(attempt_)) fs::remove(entry.path());
  fs::current_path(attempt_);
  supervise::OutputLog log("out", segment, cap);
  fs::current_path(before);
  std::string all;
  std::uint64_t next = 0;
  const auto check = [&](const OutputPart& part) {
    RC_ASSERT(part.offset >= next || part.bytes.empty());
    RC_ASSERT(part.bytes == all.substr(part.offset, part.bytes.size()));
    RC_ASSERT(part.next == part.offset + part.bytes.size());
    RC_ASSERT(part.end == all.size() || part.bytes.empty());
    next = part.next;
  };
  for (const std::string& piece : pieces) {
    fs::current_path(attempt_);
    log.append(piece);
    fs::current_path(before);
    all += piece;
    check(read(next, static_cast<std::size_t>(*rc::gen::inRange(1, 50))));
  }
  while (true) {
    const std::uint64_t last = next;
    check(read(next, 7));
    if (next == last) break;
  }
  RC_ASSERT(next == all.size());
  RC_ASSERT(read(0).first == log.dropped_bytes());
}

TEST_F(JobOutputTest, AFileMayGoWhileItIsRead) {
  std::atomic<bool> ending = false;
  std::thread writer([&] {
    // The writer has no working folder of its own: it uses whole paths.
    const std::string stem = (attempt_ / "out").string();
    supervise::OutputLog log(stem.c_str(), 64, 128);
    while (!ending) log.append("0123456789");
  });
  std::uint64_t next = 0;
  // Where the writer has a busy machine for itself, it takes long until something is caught.
  for (int number = 0; number < 3000 || (next == 0 && number < 1'000'000); ++number) {
    const Result<OutputPart> part = read_output(attempt_, OutputStream::kOutput, next, 100);
    if (!part) {  // Allowed: it says so.
      EXPECT_THAT(part.error().message, HasSubstr("dropped faster"));
      continue;
    }
    for (std::size_t at = 0; at < part->bytes.size(); ++at)
      ASSERT_EQ(part->bytes[at], static_cast<char>('0' + (part->offset + at) % 10));
    next = part->next;
  }
  ending = true;
  writer.join();
  EXPECT_GT(next, 0U);
}

TEST_F(JobOutputTest, AWatchTellsWhoHasMore) {
  Result<OutputWatch> watch = OutputWatch::open();
  ASSERT_TRUE(watch.has_value());
  const AttemptId first{4321, 2};
  const AttemptId second{5, 1};
  fs::create_directories(attempt_folder(jobs_, second) / "work");
  EXPECT_FALSE(watch->watch(jobs_, {99, 1}).has_value());
  ASSERT_TRUE(watch->watch(jobs_, first).has_value());
  ASSERT_TRUE(watch->watch(jobs_, first).has_value());
  ASSERT_TRUE(watch->watch(jobs_, second).has_value());
  EXPECT_THAT(watch->take(), IsEmpty());
  write("out.0000000000000000", "a");
  write("out.0000000000000000", "b");
  pollfd readable{watch->descriptor(), POLLIN, 0};
  EXPECT_EQ(::poll(&readable, 1, 0), 1);
  EXPECT_THAT(watch->take(), ElementsAre(first));
  EXPECT_THAT(watch->take(), IsEmpty());
  // Neither what a job does in its working folder nor the engine's own files count.
  std::ofstream(attempt_folder(jobs_, second) / "work" / "file") << "x";
  std::ofstream(attempt_folder(jobs_, second) / "claim") << "x";
  EXPECT_THAT(watch->take(), IsEmpty());
  fs::rename(attempt_folder(jobs_, second) / "claim", attempt_folder(jobs_, second) / "exit");
  EXPECT_THAT(watch->take(), ElementsAre(second));
  watch->unwatch(first);
  write("out.0000000000000000", "c");
  EXPECT_THAT(watch->take(), IsEmpty());
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    std::ofstream(attempt_folder(jobs_, second) / "out.0000000000000000") << "x";
  });
  EXPECT_THAT(watch->take(10'000), ElementsAre(second));
  later.join();
  EXPECT_TRUE(remove_attempt(jobs_, second).has_value());
  watch->take();
  EXPECT_FALSE(watch->watch(jobs_, second).has_value());
}

}  // namespace
}  // namespace gw::live
