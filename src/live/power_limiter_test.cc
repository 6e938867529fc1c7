// The command that limits power: run with the right words, in order, again when it fails, and to free GPUs.
#include "live/power_limiter.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace gw::live {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class IdleEngine final : public Engine {
 public:
  explicit IdleEngine(std::vector<Report>& reports) : reports_(reports) {}
  void start(Launch) override {}
  void stop(const Stop&) override {}
  void recover(std::vector<Launch>) override {}
  void forget(AttemptId) override {}
  void take(std::vector<Report>& reports, std::vector<NodeReport>&) override {
    for (const Report& report : std::exchange(reports_, {})) reports.push_back(report);
  }

 private:
  std::vector<Report>& reports_;
};

class PowerLimiterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "gigawerk-limiter-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    options_.command = folder_ / "limit";
    options_.file = folder_ / "power-limits";
    options_.retry_after = Nanoseconds{20'000'000};
    options_.log = [this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      log_.emplace_back(line);
    };
    command(R"(echo "$GIGAWERK_JOB $GIGAWERK_ATTEMPT $GIGAWERK_NODE $GIGAWERK_GPUS $GIGAWERK_GPU_TYPE )"
            R"($GIGAWERK_POWER_PERMILLE $GIGAWERK_POWER_WATTS" >> )" +
            (folder_ / "runs").string());
  }
  void TearDown() override {
    limiter_.reset();
    fs::remove_all(folder_);
  }
  void command(const std::string& text) {
    std::ofstream(options_.command) << "#!/bin/sh\n" << text << "\n";
    fs::permissions(options_.command, fs::perms::owner_all);
  }
  void open() {
    limiter_.reset();
    Result<std::unique_ptr<PowerLimiter>> limiter =
        PowerLimiter::open(std::make_unique<IdleEngine>(reports_), options_);
    ASSERT_TRUE(limiter) << limiter.error().message;
    limiter_ = std::move(*limiter);
  }
  static ClockLimit limit(std::uint64_t job, std::uint32_t permille, std::uint64_t gpus = 0b11,
                          const std::string& node = "n1") {
    ClockLimit limit;
    limit.id = {job, 1};
    limit.permille = permille;
    limit.gpu_watts = permille;
    limit.gpu_free_watts = 1000;
    limit.gpu_type = "h100";
    limit.nodes = {{node, gpus}};
    return limit;
  }
  std::vector<std::string> runs() {
    limiter_->finish();
    std::ifstream file(folder_ / "runs");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    std::ofstream(folder_ / "runs", std::ios::trunc);
    return lines;
  }
  void take() {
    std::vector<Report> reports;
    std::vector<NodeReport> nodes;
    limiter_->take(reports, nodes);
  }
  static Launch launch(std::uint64_t job) {
    Launch launch;
    launch.id = {job, 1};
    return launch;
  }

  fs::path folder_;
  PowerLimiterOptions options_;
  std::vector<Report> reports_;
  std::unique_ptr<PowerLimiter> limiter_;
  std::mutex mutex_;
  std::vector<std::string> log_;
};

TEST_F(PowerLimiterTest, GpusAreLimitedAndFreedWhenTheirAttemptEnds) {
  open();
  limiter_->limit_clocks(limit(7, 800));
  EXPECT_THAT(runs(), ElementsAre("7 1 n1 0,1 h100 800 800"));
  limiter_->limit_clocks(limit(7, 700));
  EXPECT_THAT(runs(), ElementsAre("7 1 n1 0,1 h100 700 700"));
  Report report;
  report.id = {7, 1};
  reports_ = {report};  // It has started.
  take();
  EXPECT_THAT(runs(), IsEmpty());
  report.ended = true;
  reports_ = {report};
  take();
  EXPECT_THAT(runs(), ElementsAre("7 1 n1 0,1 h100 1000 1000"));
  limiter_->forget({7, 1});
  EXPECT_THAT(runs(), IsEmpty());
  limiter_->limit_clocks(limit(8, 1000));  // It was never limited.
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_THAT(log_, IsEmpty());
}

TEST_F(PowerLimiterTest, AGpuThatSeveralShareHasTheLowestLimit) {
  options_.gpu_names = {"GPU-a", "GPU-b"};
  open();
  limiter_->limit_clocks(limit(1, 800, 0b10));
  EXPECT_THAT(runs(), ElementsAre("1 1 n1 GPU-b h100 800 800"));
  limiter_->limit_clocks(limit(2, 600, 0b10));
  EXPECT_THAT(runs(), ElementsAre("2 1 n1 GPU-b h100 600 600"));
  limiter_->forget({2, 1});
  EXPECT_THAT(runs(), ElementsAre("1 1 n1 GPU-b h100 800 800"));
  limiter_->limit_clocks(limit(1, 1000, 0b10));
  EXPECT_THAT(runs(), ElementsAre("1 1 n1 GPU-b h100 1000 1000"));
}

TEST_F(PowerLimiterTest, ARunThatFailsIsTriedAgainAndThenTold) {
  command("echo x >> " + (folder_ / "runs").string() + "; exit 3");
  open();
  limiter_->limit_clocks(limit(1, 800));
  EXPECT_THAT(runs(), SizeIs(PowerLimiter::kTries));
  EXPECT_EQ(limiter_->failures(), 1U);
  ASSERT_THAT(log_, SizeIs(PowerLimiter::kTries));
  EXPECT_THAT(log_.back(), HasSubstr("ended with 3"));
}

TEST_F(PowerLimiterTest, ARunThatHangsIsKilled) {
  command("sleep 60");
  options_.patience = Nanoseconds{50'000'000};
  open();
  limiter_->limit_clocks(limit(1, 800));
  limiter_->finish();
  EXPECT_EQ(limiter_->failures(), 1U);
  EXPECT_THAT(log_.back(), HasSubstr("was killed"));
}

TEST_F(PowerLimiterTest, WhatEndedWhileNobodyServedIsFreed) {
  open();
  for (const std::uint64_t job : {1, 2, 3})
    limiter_->limit_clocks(limit(job, 800, 1, fmt::format("n{}", job)));
  EXPECT_THAT(runs(), SizeIs(3));
  open();  // 1 has ended meanwhile; 2 is limited still; 3 is not, as its cap is over.
  limiter_->recover({launch(2), launch(3)});
  take();
  EXPECT_THAT(runs(), ElementsAre("1 1 n1 0 h100 1000 1000"));
  limiter_->limit_clocks(limit(2, 800, 1, "n2"));
  EXPECT_THAT(runs(), ElementsAre("2 1 n2 0 h100 800 800"));
  take();
  EXPECT_THAT(runs(), ElementsAre("3 1 n3 0 h100 1000 1000"));
  open();  // What it knows is kept.
  limiter_->recover({});
  EXPECT_THAT(runs(), ElementsAre("2 1 n2 0 h100 1000 1000"));
  limiter_.reset();
  EXPECT_EQ(fs::file_size(options_.file), 0U);
}

TEST_F(PowerLimiterTest, NothingToRunAndNothingToReadAreErrors) {
  std::ofstream(options_.file) << "nonsense\n";
  EXPECT_FALSE(PowerLimiter::open(std::make_unique<IdleEngine>(reports_), options_));
  fs::remove(options_.file);
  options_.command = folder_ / "nothing";
  const auto opened = PowerLimiter::open(std::make_unique<IdleEngine>(reports_), options_);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("name an executable file"));
}

}  // namespace
}  // namespace gw::live
