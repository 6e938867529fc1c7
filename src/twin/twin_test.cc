// The recorded logs through the whole pipeline.
#include "twin/twin.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "sched/reference.h"
#include "workload/trace.h"

namespace gw::twin {
namespace {

std::filesystem::path recorded(const char* name) {
  const char* data = std::getenv("GIGAWERK_DATA");
  const std::filesystem::path folder =
      data != nullptr ? data : std::filesystem::path(GW_SOURCE_DIR) / "../shared/data";
  return folder / "canonical" / name;
}

double mean_wait(const std::filesystem::path& log, std::uint32_t processors, const char* policy) {
  auto stream = workload::open_trace(log.string());
  EXPECT_TRUE(stream.has_value());
  const Fleet fleet = flat_fleet(processors);
  TwinOptions options;
  options.policy = *policy_by_name(policy);
  const Result<RunSummary> summary = run_twin(fleet, **stream, options);
  EXPECT_TRUE(summary.has_value());
  return summary->wait_s.mean;
}

/// Mean waits that independent simulators give on these logs (first come first served: to the printed digit).
TEST(RecordedLogs, MeanWaitsAreThePublishedOnes) {
  if (!std::filesystem::exists(recorded("nasa.swf")))
    GTEST_SKIP() << "no recorded workloads; set GIGAWERK_DATA";
  const auto tenths = [](double wait) { return std::round(wait * 10) / 10; };
  EXPECT_EQ(tenths(mean_wait(recorded("lublin256.swf"), 256, "fifo")), 2388443.8);
  EXPECT_EQ(tenths(mean_wait(recorded("theta22.swf"), 4360, "fifo")), 159516.2);
  EXPECT_EQ(tenths(mean_wait(recorded("nasa.swf"), 128, "fifo")), 8.1);
  EXPECT_EQ(std::round(mean_wait(recorded("lublin256.swf"), 256, "easy")), 97156);
  EXPECT_EQ(std::round(mean_wait(recorded("theta22.swf"), 4360, "easy")), 43818);
}

/// Start times on recorded logs equal those of the slow reference: whole logs, and as many first jobs as its
/// cost per pass (linear in the queue, times the reservations under conservative) allows where the queue is
/// deep.
TEST(RecordedLogs, StartTimesEqualTheReference) {
  if (!std::filesystem::exists(recorded("nasa.swf")))
    GTEST_SKIP() << "no recorded workloads; set GIGAWERK_DATA";
  using sched::reference::Rule;
  constexpr std::size_t kAll = SIZE_MAX;
  struct Case {
    const char* log;
    std::uint32_t processors;
    std::size_t easy_jobs;
    std::size_t conservative_jobs;
  };
  for (const Case& test : {Case{"nasa.swf", 128, kAll, kAll}, Case{"lublin256.swf", 256, kAll, 1500},
                           Case{"theta22.swf", 4360, kAll, 3000}, Case{"philly82k.swf", 2496, kAll, kAll},
                           Case{"philly82k.swf", 432, 20'000, 2000}}) {
    auto stream = workload::open_trace(recorded(test.log).string());
    ASSERT_TRUE(stream.has_value());
    std::vector<sched::reference::SimpleJob> jobs;
    TraceJob job;
    while (jobs.size() < test.easy_jobs && *(*stream)->next(job)) {
      jobs.push_back({job.request.submit.count() / kNanosecondsPerSecond,
                      job.truth.run_time.count() / kNanosecondsPerSecond,
                      job.request.limit.count() / kNanosecondsPerSecond, job.request.shape.gpus});
    }
    const Fleet fleet = flat_fleet(test.processors);
    EXPECT_EQ(sched::reference::simulate_core(jobs, fleet, *policy_by_name("easy")),
              sched::reference::simulate(jobs, test.processors, Rule::kEasy))
        << test.log;
    EXPECT_EQ(sched::reference::simulate_core(jobs, fleet, *policy_by_name("fifo")),
              sched::reference::simulate(jobs, test.processors, Rule::kFifo))
        << test.log;
    jobs.resize(std::min(jobs.size(), test.conservative_jobs));
    EXPECT_EQ(sched::reference::simulate_core(jobs, fleet, *policy_by_name("conservative")),
              sched::reference::simulate(jobs, test.processors, Rule::kConservative))
        << test.log;
  }
}

}  // namespace
}  // namespace gw::twin
