// What is said of a job: where it is or why it waits, and the file that it prints to.
#include "cli/job_facts.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

using client::Json;

TEST(JobFacts, Ranges) {
  EXPECT_EQ(ranges_text({3}), "3");
  EXPECT_EQ(ranges_text({3, 4}), "3,4");
  EXPECT_EQ(ranges_text({3, 4, 5, 9}), "3-5,9");
  EXPECT_EQ(ranges_text({0, 2, 4, 6, 8, 10, 12}), "0,2,4,6,8,10,...");
}

TEST(JobFacts, FilesOfOutput) {
  Json job = {{"number", 12},
              {"name", "train"},
              {"user", "ann"},
              {"spec", {{"output", "logs/%x-%j_%A.%a.100%%"}, {"working_folder", "/scratch"}}}};
  EXPECT_EQ(output_file(job, "output"), "/scratch/logs/train-12_12.%a.100%");
  EXPECT_EQ(output_file(job, "error"), "");
  job["array"] = {{"job", 10}, {"index", 2}};
  job["spec"]["output"] = "/tmp/%A_%a";
  EXPECT_EQ(output_file(job, "output"), "/tmp/10_2");
}

TEST(JobFacts, WhereOrWhy) {
  EXPECT_EQ(where_text({{"status", "running"}, {"place", "n1"}, {"note", "x"}}), "n1");
  EXPECT_EQ(where_text({{"status", "held"}, {"reason", "held"}, {"note", "by ann"}}), "(held) by ann");
  EXPECT_EQ(where_text({{"status", "launch_failed"}, {"ended", true}, {"note", "no such folder"}}),
            "no such folder");
  EXPECT_EQ(where_text({{"status", "failed"}, {"ended", true}, {"exit_code", 3}}), "exit 3");
}

TEST(JobFacts, WholeArrays) {
  Json first = {{"number", 10}, {"array", {{"job", 10}, {"index", 0}, {"tasks", 3}}}};
  EXPECT_TRUE(is_whole_array("10", first));
  EXPECT_FALSE(is_whole_array("10_0", first));
  first["array"]["tasks"] = 1;
  EXPECT_FALSE(is_whole_array("10", first));
  EXPECT_FALSE(is_whole_array("11", {{"number", 11}, {"array", {{"job", 10}, {"index", 1}, {"tasks", 3}}}}));
  EXPECT_FALSE(is_whole_array("12", {{"number", 12}}));
}

}  // namespace
}  // namespace gw
