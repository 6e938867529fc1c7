// What is kept of a job's output, and that its offsets mean the same for ever.
#include "supervise/output_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>

namespace gw::supervise {
namespace {

namespace fs = std::filesystem;

/// In a folder of its own, as the supervisor is.
class OutputLogTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "gigawerk-output-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    before_ = fs::current_path();
    fs::current_path(folder);
  }
  void TearDown() override {
    const fs::path folder = fs::current_path();
    fs::current_path(before_);
    fs::remove_all(folder);
  }
  static std::map<std::string, std::string> files() {
    std::map<std::string, std::string> result;
    for (const fs::directory_entry& entry : fs::directory_iterator("."))
      result[entry.path().filename()] = read_file_at(AT_FDCWD, entry.path().c_str()).value_or("");
    return result;
  }

 private:
  fs::path before_;
};

TEST_F(OutputLogTest, NothingPrintedMakesNoFile) {
  OutputLog log("out", 10, 100);
  log.append("");
  EXPECT_TRUE(files().empty());
}

TEST_F(OutputLogTest, FilesAreNamedByWhatCameBefore) {
  OutputLog log("out", 10, 100);
  log.append("0123456789abc");
  log.append("def");
  EXPECT_EQ(files(), (std::map<std::string, std::string>{{"out.0000000000000000", "0123456789"},
                                                         {"out.0000000000000010", "abcdef"}}));
  EXPECT_EQ(log.bytes(), 16U);
  EXPECT_EQ(log.dropped_bytes() + log.lost_bytes(), 0U);
}

TEST_F(OutputLogTest, TheOldestGoesWhenTheCapIsReached) {
  OutputLog log("out", 10, 25);
  for (int number = 0; number < 10; ++number) log.append("abcdefg");
  EXPECT_EQ(files(), (std::map<std::string, std::string>{{"out.0000000000000050", "bcdefgabcd"},
                                                         {"out.0000000000000060", "efgabcdefg"}}));
  EXPECT_EQ(log.dropped_bytes(), 50U);
  EXPECT_EQ(log.bytes(), 70U);
}

TEST_F(OutputLogTest, ACapBelowOneFileKeepsOne) {
  OutputLog log("out", 10, 3);
  log.append("0123456789ab");
  EXPECT_EQ(files(), (std::map<std::string, std::string>{{"out.0000000000000010", "ab"}}));
}

TEST_F(OutputLogTest, AFailedWriteLosesItsBytesAndLeavesAGap) {
  OutputLog log("out", 100, 1000);
  log.append("before");
  rlimit unlimited{};
  ::getrlimit(RLIMIT_FSIZE, &unlimited);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{8, unlimited.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &tight);
  log.append("middle");  // Two bytes fit.
  const rlimit none{0, unlimited.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &none);
  log.append("lost");
  ::setrlimit(RLIMIT_FSIZE, &unlimited);
  log.append("after");
  EXPECT_EQ(files(), (std::map<std::string, std::string>{{"out.0000000000000000", "beforemi"},
                                                         {"out.0000000000000016", "after"}}));
  EXPECT_EQ(log.lost_bytes(), 8U);
  EXPECT_EQ(log.bytes(), 21U);
  EXPECT_EQ(log.error(), EFBIG);
}

TEST_F(OutputLogTest, WithoutAFolderEverythingIsLostAndCounted) {
  const fs::path folder = fs::current_path();
  OutputLog log("no-such-folder/out", 100, 1000);
  log.append("gone");
  EXPECT_EQ(log.lost_bytes(), 4U);
  EXPECT_EQ(log.bytes(), 4U);
  EXPECT_EQ(log.error(), ENOENT);
}

}  // namespace
}  // namespace gw::supervise
