// The JSON Schema agrees with the reader, and what is committed agrees with both.
#include "spec/schema.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "spec/broken_files.h"
#include "spec/broken_jobs.h"
#include "spec/job_json.h"
#include "spec/job_spec_file.h"
#include "spec/random_job.h"
#include "spec/scenario.h"
#include "spec/test_catalog.h"

namespace gw::spec {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = GW_SOURCE_DIR;

std::string contents(const fs::path& path) { return read_text_file(path.string()).value_or(std::string()); }

std::vector<std::string> yaml_files(const fs::path& folder) {
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(Schema, CommittedFilesAreUpToDate) {
  EXPECT_EQ(contents(kSource / "schema/scenario.schema.json"), json_schema(FileKind::kScenario))
      << "run: gw schema scenario > schema/scenario.schema.json";
  EXPECT_EQ(contents(kSource / "schema/fleet.schema.json"), json_schema(FileKind::kFleet))
      << "run: gw schema fleet > schema/fleet.schema.json";
  EXPECT_EQ(contents(kSource / "schema/catalog.schema.json"), json_schema(FileKind::kCatalog))
      << "run: gw schema catalog > schema/catalog.schema.json";
  EXPECT_EQ(contents(kSource / "schema/job.schema.json"), json_schema(FileKind::kJob))
      << "run: gw schema job > schema/job.schema.json";
}

TEST(Schema, TheReferenceIsUpToDate) {
  const std::string docs = contents(kSource / "docs/formats-yaml.md");
  for (const FileKind kind : {FileKind::kScenario, FileKind::kCatalog, FileKind::kJob})
    EXPECT_NE(docs.find(reference_markdown(kind)), docs.npos) << "run: tools/update-yaml-docs";
}

TEST(Schema, ScenariosAreValid) {
  Checked<Catalog> catalog = read_catalog(kSource / "catalog");
  ASSERT_TRUE(catalog.has_value()) << diagnostics_text(catalog.error());
  std::vector<std::string> files = yaml_files(kSource / "scenarios");
  for (const std::string& file : yaml_files(kSource / "scenarios/fleets")) files.push_back(file);
  ASSERT_GE(files.size(), 6U);
  for (const std::string& file : files) {
    const Checked<Scenario> scenario = parse_scenario(contents(file), file, *catalog);
    ASSERT_TRUE(scenario.has_value()) << diagnostics_text(scenario.error());
    EXPECT_TRUE(scenario->warnings.empty()) << diagnostics_text(scenario->warnings);
  }
}

/// Runs the schema checker of Debian's python3-jsonschema over `files`; gives its output lines: `good` or the
/// error.
std::vector<std::string> check(FileKind kind, const std::vector<std::string>& files, const fs::path& folder) {
  std::ofstream(folder / "schema.json") << json_schema(kind);
  std::ofstream list(folder / "files");
  for (const std::string& file : files) list << file << '\n';
  list.close();
  const std::string command = fmt::format(
      "python3 '{}' '{}' '{}' > '{}'", (kSource / "tests/check_schema.py").string(),
      (folder / "schema.json").string(), (folder / "files").string(), (folder / "result").string());
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  std::ifstream result(folder / "result");
  std::vector<std::string> lines;
  for (std::string line; std::getline(result, line);) lines.push_back(line);
  return lines;
}

bool has_validator() { return std::system("python3 -c 'import jsonschema, yaml' 2>/dev/null") == 0; }

TEST(Schema, AnIndependentValidatorAgreesWithTheReaderOfJobs) {
  if (!has_validator()) GTEST_SKIP() << "needs python3-jsonschema and python3-yaml";
  const fs::path folder = fs::temp_directory_path() / fmt::format("gw-job-schema-test-{}", getpid());
  fs::create_directories(folder);
  std::vector<std::string> files;
  const auto add = [&](const std::string& text) {
    files.push_back((folder / fmt::format("job-{}.yaml", files.size())).string());
    std::ofstream(files.back()) << text;
  };
  for (std::uint64_t seed = 0; seed < 100; ++seed)  // JSON is YAML.
    add("{\"gigawerk\": 1, \"job\": " + job_json(RandomJob(seed).draw()) + "}\n");
  const std::size_t good = files.size();
  for (const std::string& file : files) {
    const Checked<JobSpec> job = read_job(file);
    EXPECT_TRUE(job.has_value()) << diagnostics_text(job.error());
  }
  for (const BrokenJob& job : broken_jobs()) add(job.text());
  const std::vector<std::string> lines = check(FileKind::kJob, files, folder);
  ASSERT_EQ(lines.size(), files.size());
  for (std::size_t index = 0; index < good; ++index) EXPECT_EQ(lines[index], "good") << files[index];
  for (std::size_t index = good; index < lines.size(); ++index) {
    const BrokenJob& job = broken_jobs()[index - good];
    EXPECT_EQ(lines[index] != "good", job.schema_knows) << job.keys << lines[index];
  }
  fs::remove_all(folder);
}

TEST(Schema, AnIndependentValidatorAgreesWithTheReader) {
  if (!has_validator()) GTEST_SKIP() << "needs python3-jsonschema and python3-yaml";
  const fs::path folder = fs::temp_directory_path() / fmt::format("gw-schema-test-{}", getpid());
  fs::create_directories(folder);

  std::vector<std::string> good = yaml_files(kSource / "scenarios");
  good.push_back((kSource / "tests/data/hundred-thousand-gpus.yaml").string());
  EXPECT_THAT(check(FileKind::kScenario, good, folder),
              testing::AllOf(testing::SizeIs(good.size()), testing::Each("good")));
  const std::vector<std::string> fleets = yaml_files(kSource / "scenarios/fleets");
  EXPECT_THAT(check(FileKind::kFleet, fleets, folder),
              testing::AllOf(testing::SizeIs(fleets.size()), testing::Each("good")));
  const std::vector<std::string> catalog = yaml_files(kSource / "catalog");
  EXPECT_THAT(check(FileKind::kCatalog, catalog, folder),
              testing::AllOf(testing::SizeIs(catalog.size()), testing::Each("good")));

  std::vector<std::string> broken;
  for (const BrokenFile& file : broken_files()) {
    broken.push_back((folder / fmt::format("broken-{}.yaml", broken.size())).string());
    std::ofstream(broken.back()) << file.text;
  }
  const std::vector<std::string> lines = check(FileKind::kScenario, broken, folder);
  ASSERT_EQ(lines.size(), broken.size());
  for (std::size_t index = 0; index < lines.size(); ++index) {
    if (broken_files()[index].schema_knows) {
      EXPECT_NE(lines[index], "good") << broken_files()[index].name;
    }
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace gw::spec
