// docs/formats-jobs.md keeps its word: its examples are jobs, its table of sbatch's options is the reader's.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "spec/catalog.h"
#include "spec/job_json.h"
#include "spec/job_spec_file.h"
#include "spec/sbatch.h"

namespace gw::spec {
namespace {

std::string page() { return read_text_file(GW_SOURCE_DIR "/docs/formats-jobs.md").value_or(std::string()); }

/// The fenced blocks of that language.
std::vector<std::string> blocks(const std::string& text, std::string_view language) {
  std::vector<std::string> all;
  const std::string fence = "\n```" + std::string(language) + "\n";
  for (std::size_t at = text.find(fence); at != text.npos; at = text.find(fence, at)) {
    at += fence.size();
    all.push_back(text.substr(at, text.find("```\n", at) - at));
  }
  return all;
}

TEST(JobDocs, ExamplesOfJobFilesAreValid) {
  const std::vector<std::string> examples = blocks(page(), "yaml");
  ASSERT_GE(examples.size(), 8U);
  for (const std::string& example : examples) {
    const Checked<JobSpec> job = parse_job(example, "example");
    EXPECT_TRUE(job.has_value()) << example << diagnostics_text(job.error());
  }
}

TEST(JobDocs, ExamplesOfJsonAreValid) {
  const std::vector<std::string> examples = blocks(page(), "json");
  ASSERT_GE(examples.size(), 1U);
  for (const std::string& example : examples) {
    const Checked<JobSpec> job = parse_job_json(example);
    EXPECT_TRUE(job.has_value()) << example << diagnostics_text(job.error());
  }
}

TEST(JobDocs, ExamplesOfScriptsAreValid) {
  const std::vector<std::string> examples = blocks(page(), "bash");
  ASSERT_GE(examples.size(), 1U);
  for (const std::string& example : examples) {
    const Checked<SbatchJob> job = parse_sbatch(example, "example");
    ASSERT_TRUE(job.has_value()) << example << diagnostics_text(job.error());
    EXPECT_TRUE(job->unsupported.empty()) << diagnostics_text(job->unsupported);
    EXPECT_TRUE(job->warnings.empty()) << diagnostics_text(job->warnings);
  }
}

TEST(JobDocs, TheTableOfOptionsIsUpToDate) {
  EXPECT_NE(page().find(sbatch_markdown()), std::string::npos) << "run: tools/update-yaml-docs";
}

}  // namespace
}  // namespace gw::spec
