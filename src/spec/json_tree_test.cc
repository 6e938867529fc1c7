// The JSON tree: values as YAML's, paths of nodes, places of syntax errors.
#include "spec/json_tree.h"

#include <gtest/gtest.h>

#include <string>

namespace gw::spec {
namespace {

JsonTree parse(std::string_view text) {
  Findings findings("t");
  std::optional<JsonTree> tree = JsonTree::parse(text, findings);
  EXPECT_TRUE(tree && !findings.failed()) << diagnostics_text(findings.take());
  return std::move(*tree);
}

std::string problem(std::string_view text, const YamlLimits& limits = {}) {
  Findings findings("t");
  const std::optional<JsonTree> tree = JsonTree::parse(text, findings, limits);
  const std::vector<Diagnostic> all = findings.take();
  EXPECT_EQ(tree.has_value(), all.empty());
  return diagnostics_text(all);
}

TEST(JsonTree, ValuesAreThoseOfYaml) {
  const JsonTree tree =
      parse(R"({"a": "1", "b": 1, "c": -2.50, "d": true, "e": null, "f": [[], {}], "g": 1e3})");
  const YamlNode& root = tree.root();
  ASSERT_EQ(root.kind, YamlNode::Kind::kMap);
  EXPECT_TRUE(root.find("a")->quoted);
  EXPECT_EQ(root.find("a")->text, "1");
  EXPECT_FALSE(root.find("b")->quoted);
  EXPECT_EQ(root.find("b")->text, "1");
  EXPECT_EQ(root.find("c")->text, "-2.50") << "as it was written";
  EXPECT_EQ(root.find("d")->text, "true");
  EXPECT_FALSE(root.find("d")->quoted);
  EXPECT_EQ(root.find("e")->kind, YamlNode::Kind::kNull);
  ASSERT_EQ(root.find("f")->items.size(), 2U);
  EXPECT_EQ(root.find("f")->items[1]->kind, YamlNode::Kind::kMap);
  EXPECT_EQ(root.find("g")->text, "1e3");
  EXPECT_EQ(root.find("z"), nullptr);
  EXPECT_EQ(parse("\"alone\"").root().text, "alone");
  EXPECT_EQ(parse(" 18446744073709551615 ").root().text, "18446744073709551615");
}

TEST(JsonTree, EveryNodeHasItsPath) {
  const JsonTree tree = parse(R"({"a": [1, {"b c": [2, 3]}], "d": {"": 4}, "e": {}})");
  const auto path = [&tree](const YamlNode& node) {
    return tree.placed({{Severity::kError, "t", node.at, "m"}}).front().text();
  };
  const YamlNode& root = tree.root();
  const YamlNode& list = *root.find("a");
  EXPECT_EQ(path(root), "t: m");
  EXPECT_EQ(path(*root.items[0]), "t.a: m") << "a key has its value's path";
  EXPECT_EQ(path(list), "t.a: m");
  EXPECT_EQ(path(*list.items[0]), "t.a[0]: m");
  EXPECT_EQ(path(*list.items[1]->find("b c")->items[1]), "t.a[1][\"b c\"][1]: m");
  EXPECT_EQ(path(*root.find("d")->find("")), "t.d[\"\"]: m");
  EXPECT_EQ(path(*root.find("e")), "t.e: m");
  const JsonTree rows = parse("[0, [1]]");
  EXPECT_EQ(rows.placed({{Severity::kWarning, "t", rows.root().items[1]->items[0]->at, "m"}}).front().text(),
            "t[1][0]: warning: m");
}

TEST(JsonTree, Limits) {
  YamlLimits limits;
  limits.values = 4;
  limits.depth = 2;
  limits.bytes = 20;
  EXPECT_EQ(problem("[1,2,3]", limits), "");
  EXPECT_EQ(problem("[1,2,3,4]", limits), "t: the text holds more than 4 values; send less at a time");
  EXPECT_EQ(problem("[[]]", limits), "");
  EXPECT_EQ(problem("[[[]]]", limits), "t: values are nested more than 2 deep");
  EXPECT_EQ(problem("[                   ]", limits), "t: the text has 21 bytes; at most 20 are read");
}

TEST(JsonTree, SyntaxErrorsHaveTheirPlace) {
  EXPECT_EQ(problem("{\"a\":\n  tru}"), "t:2:6: this is not JSON: while parsing value - invalid literal");
  EXPECT_EQ(problem("{\"a\": 1, // no\n}"),
            "t:1:10: this is not JSON: while parsing object key - invalid literal; "
            "expected string literal");
  EXPECT_EQ(problem("{\"a\": 1}{}"),
            "t:1:9: this is not JSON: while parsing value - unexpected '{'; expected end of "
            "input");
  EXPECT_EQ(problem("[\"a\nb\"]").substr(0, 40), "t:1:4: this is not JSON: while parsing v");
}

}  // namespace
}  // namespace gw::spec
