// The YAML tree: places, duplicates, aliases, merge keys and limits.
#include "spec/yaml_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gw::spec {
namespace {

using testing::HasSubstr;

std::string problem(std::string_view text, const YamlLimits& limits = {}) {
  Findings findings("t");
  const bool parsed = YamlTree::parse(text, findings, limits).has_value();
  const std::vector<Diagnostic> all = findings.take();
  EXPECT_EQ(parsed, all.empty() || all.front().message.starts_with("key ") ||
                        all.front().message.starts_with("`<<`"));
  return diagnostics_text(all);
}

YamlTree parse(std::string_view text) {
  Findings findings("t");
  std::optional<YamlTree> tree = YamlTree::parse(text, findings);
  EXPECT_TRUE(tree && !findings.failed()) << diagnostics_text(findings.take());
  return std::move(*tree);
}

TEST(YamlTree, KnowsThePlaceOfEachValue) {
  const YamlTree tree = parse("a: 1\nb:\n  - x\n  - {c: 'two words', d: ~}\n");
  const YamlNode* list = tree.root().find("b");
  ASSERT_NE(list, nullptr);
  ASSERT_EQ(list->items.size(), 2U);
  const YamlNode* c = list->items[1]->find("c");
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->at, (Mark{4, 9}));
  EXPECT_TRUE(c->quoted);
  EXPECT_EQ(c->text, "two words");
  EXPECT_EQ(list->items[1]->find("d")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(tree.root().find("z"), nullptr);
  EXPECT_EQ(tree.root().expanded, 11U);
}

TEST(YamlTree, AliasesAndMergeKeys) {
  const YamlTree tree = parse("base: &b {x: 1, y: 2}\ncopy: *b\nmine: {<<: *b, y: 3}\n");
  EXPECT_EQ(tree.root().find("copy"), tree.root().find("base"));
  EXPECT_EQ(tree.root().find("mine")->find("x")->text, "1");
  EXPECT_EQ(tree.root().find("mine")->find("y")->text, "3");
  EXPECT_THAT(problem("a: {<<: 3}\n"), HasSubstr("t:1:9: `<<` takes an alias of a mapping"));
}

TEST(YamlTree, DuplicateKeysAreRefused) {
  EXPECT_EQ(problem("a: 1\nb: 2\na: 3\n"),
            "t:3:1: key \"a\" stands here a second time, first in line 1; keep one");
  EXPECT_THAT(problem("{[1, 2]: x}\n"), HasSubstr("a key must be plain text, not a list"));
}

TEST(YamlTree, BillionLaughsStayCheap) {
  std::string text = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int level = 1; level < 30; ++level) {
    const std::string below = "*l" + std::to_string(level - 1);
    text += "l" + std::to_string(level) + ": &l" + std::to_string(level) + " [" + below;
    for (int copy = 1; copy < 10; ++copy) text += ", " + below;
    text += "]\n";
  }
  EXPECT_THAT(problem(text), HasSubstr("aliases expand to more than 1000000 values"));
}

TEST(YamlTree, ChainsOfAliasesHaveALimitToo) {
  std::string text = "a0: &a0 [x]\n";
  for (int level = 1; level < 200; ++level)
    text += "a" + std::to_string(level) + ": &a" + std::to_string(level) + " [*a" +
            std::to_string(level - 1) + "]\n";
  EXPECT_THAT(problem(text), HasSubstr("aliases nest values more than 64 deep"));
}

TEST(YamlTree, AliasesOfThemselvesAndOfNothing) {
  EXPECT_THAT(problem("a: &a [*a]\n"), HasSubstr("t:1:8: this alias contains itself"));
  EXPECT_THAT(problem("a: *b\n"), HasSubstr("t:1:4: this is not YAML: the referenced anchor is not defined"));
}

TEST(YamlTree, LimitsOfDepthValuesAndBytes) {
  EXPECT_THAT(problem(std::string(100, '[') + std::string(100, ']')), HasSubstr("nested more than 64 deep"));
  EXPECT_THAT(problem(std::string(100000, '[')), HasSubstr("nested more than 64 deep"));
  EXPECT_THAT(problem("[1, 2, 3, 4]", {.values = 3}), HasSubstr("more than 3 values"));
  EXPECT_THAT(problem("[1, 2, 3, 4]", {.bytes = 5}), HasSubstr("the file has 12 bytes; at most 5 are read"));
}

}  // namespace
}  // namespace gw::spec
