// What is wrong with a file, where, and what would be right: all of it at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "spec/broken_files.h"
#include "spec/scenario.h"
#include "spec/test_catalog.h"

namespace gw::spec {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::vector<Diagnostic> findings(const std::string& text) {
  const Checked<Scenario> scenario = parse_scenario(text, "f.yaml", test_catalog());
  return scenario ? scenario->warnings : scenario.error();
}

TEST(ReaderErrors, EachBrokenFileIsNamedWithItsPlace) {
  for (const BrokenFile& file : broken_files()) {
    const Checked<Scenario> scenario = parse_scenario(file.text, "f.yaml", test_catalog());
    ASSERT_FALSE(scenario.has_value()) << file.name;
    EXPECT_THAT(scenario.error().front().text(), StartsWith(std::string("f.yaml:") + file.finding))
        << file.name;
  }
}

TEST(ReaderErrors, AllErrorsAreReportedAtOnceInOrder) {
  const std::string text = diagnostics_text(findings(R"(gigawerk: 1
seed: many
fleet:
  sites:
    - name: lab
      pue: 7
      gird: {capacity: 1 MW}
      racks: {count: 2, nodes: {type: dgx-b20, count: 4, gpuss: 8}}
tenants:
  - {name: a, load: 0.5, classes: {trian: 1}}
  - {name: b, wieght: 3}
)"));
  EXPECT_EQ(text,
            "f.yaml:2:7: \"seed\" must be a whole number from 0 to 9007199254740991, not \"many\"\n"
            "f.yaml:6:12: \"pue\" must be a number from 1 to 5, not \"7\"\n"
            "f.yaml:7:7: unknown key \"gird\"; did you mean \"grid\"?\n"
            "f.yaml:8:39: unknown node type \"dgx-b20\"; did you mean \"dgx-b200\"?\n"
            "f.yaml:8:58: unknown key \"gpuss\"; one of: type, count\n"
            "f.yaml:10:36: unknown job class \"trian\"; did you mean \"train\"?\n"
            "f.yaml:11:15: unknown key \"wieght\"; did you mean \"weight\"?");
}

TEST(ReaderErrors, WhatIsNotYamlSaysWhere) {
  EXPECT_THAT(diagnostics_text(findings("gigawerk: 1\nfleet: [\n")),
              HasSubstr("f.yaml:3:1: this is not YAML: "));
  EXPECT_THAT(diagnostics_text(findings("")),
              HasSubstr("f.yaml: the file is empty; begin with `gigawerk: 1`"));
  EXPECT_THAT(diagnostics_text(findings(std::string("a\0b", 3))), HasSubstr("it is not a YAML text"));
  EXPECT_THAT(diagnostics_text(findings("gigawerk: 1\n---\ngigawerk: 1\n")),
              HasSubstr("keep one document per file"));
}

TEST(ReaderErrors, UnitsAndNamesInOtherCaseAndTabsAreExplained) {
  const auto told = [](const std::string& text) {
    return diagnostics_text(findings("gigawerk: 1\n" + text));
  };
  EXPECT_THAT(told("fleet: {sites: {name: a, grid: {capacity: 60 KW}, nodes: {type: dgx-b200, count: 1}}}\n"),
              HasSubstr("units, as they are written here: W, kW, MW, GW"));
  EXPECT_THAT(told("workload: {duration: 7 days}\n"), HasSubstr("ms, s, min, h, d"));
  EXPECT_THAT(told("fleet: {sites: {name: a, nodes: {type: DGX-B200, count: 1}}}\n"),
              HasSubstr("did you mean \"dgx-b200\"?"));
  EXPECT_THAT(told("fleet:\n\tsites: {name: a}\n"), HasSubstr("f.yaml:3:1: a tab stands in the indentation"));
}

TEST(ReaderErrors, WholeNumbersThatYamlToolsRoundAreRefused) {
  EXPECT_THAT(diagnostics_text(findings("gigawerk: 1\nseed: 9007199254740993\n")),
              HasSubstr("from 0 to 9007199254740991"));
  EXPECT_THAT(diagnostics_text(findings("gigawerk: 1\nseed: 9007199254740992\n")),
              HasSubstr("from 0 to 9007199254740991"));
}

TEST(ReaderErrors, MissingFilesAndFoldersAreNamed) {
  const Checked<Scenario> missing = read_scenario("/nonexistent/x.yaml", {GW_SOURCE_DIR "/catalog", {}});
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(diagnostics_text(missing.error()),
              StartsWith("/nonexistent/x.yaml: cannot open: No such file"));
  const Checked<Scenario> folder = read_scenario("/", {GW_SOURCE_DIR "/catalog", {}});
  ASSERT_FALSE(folder.has_value());
  EXPECT_THAT(diagnostics_text(folder.error()), HasSubstr("this is a folder"));
}

TEST(ReaderErrors, AMillionMistakesDoNotFillTheMemory) {
  std::string text = "gigawerk: 1\n";
  for (int index = 0; index < 20000; ++index) text += "x" + std::to_string(index) + ": 1\n";
  const std::vector<Diagnostic> all = findings(text);
  EXPECT_EQ(all.size(), Findings::kMax + 1);
  EXPECT_THAT(all.back().message, HasSubstr("more findings are left out"));
}

}  // namespace
}  // namespace gw::spec
