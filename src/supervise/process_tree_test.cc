// Processes below a process are found and ended, wherever they have gone.
#include "supervise/process_tree.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>

namespace gw::supervise {
namespace {

/// Until `holds()` does, for half a minute at most: what a shell starts is there when the system has time for
/// it.
template <class Holds>
bool eventually(Holds holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::usleep(2'000);
  }
  return true;
}

/// A shell that prints a line once it has begun.
pid_t shell(const char* text) {
  int pair[2] = {-1, -1};
  EXPECT_EQ(::pipe2(pair, O_CLOEXEC), 0);
  const pid_t process = ::fork();
  if (process == 0) {
    ::dup2(pair[1], STDOUT_FILENO);
    ::execl("/bin/sh", "sh", "-c", text, nullptr);
    ::_exit(127);
  }
  ::close(pair[1]);
  char byte = 0;
  EXPECT_EQ(::read(pair[0], &byte, 1), 1);
  ::close(pair[0]);
  return process;
}

TEST(ProcessTree, FindsAllBelow) {
  const pid_t root = shell("sleep 100 & sh -c 'sleep 101 & setsid sleep 102 & echo ready; sleep 103' & wait");
  std::vector<pid_t> found;
  EXPECT_TRUE(eventually([&] {
    found = descendants_of(root);
    return found.size() >= 5 && memory_of(found) > 100'000;
  }));
  EXPECT_THAT(found, testing::SizeIs(5));
  EXPECT_THAT(children_of(root), testing::SizeIs(2));
  EXPECT_THAT(descendants_of(::getpid()), testing::IsSupersetOf(found));
  EXPECT_THAT(descendants_of(::getpid()), testing::Contains(root));
  kill_descendants(root);
  int status = 0;
  ASSERT_EQ(::waitpid(root, &status, 0), root);  // It waits for its children only.
  EXPECT_TRUE(descendants_of(root).empty());
}

TEST(ProcessTree, ASubreaperReachesWhatHasLostItsParents) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  const pid_t root = shell("(setsid sh -c '(sleep 200 & sleep 201) & echo ready; sleep 202' & ) ; sleep 0.1");
  ASSERT_EQ(::waitpid(root, nullptr, 0), root);
  // The shell of the new session and three that sleep.
  EXPECT_TRUE(eventually([] { return descendants_of(::getpid()).size() >= 4; }));
  EXPECT_TRUE(eventually([] {
    kill_descendants(::getpid());
    pid_t gone = 0;
    while ((gone = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    return gone < 0;  // No children are left.
  }));
  EXPECT_TRUE(descendants_of(::getpid()).empty());
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST(ProcessTree, OfNobodyThereIsNothing) {
  EXPECT_TRUE(descendants_of(0x7ffffffe).empty());
  EXPECT_EQ(memory_of({0x7ffffffe}), 0U);
}

}  // namespace
}  // namespace gw::supervise
