// JsonTree: a JSON text as the tree that RecordReader reads, so that one description of a record serves YAML
// files and the bodies of the HTTP API alike.
//
// JSON strings become quoted scalars, numbers and booleans plain ones. A body seldom has lines worth naming,
// so what is wrong with a value is placed by its path (`warning.before`, `depends[1]`); only a text that is
// no JSON at all has a line and column.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "spec/diagnostic.h"
#include "spec/yaml_tree.h"

namespace gw::spec {

class JsonTree {
 public:
  /// The tree of `text`, or nothing after reporting why there is none: no JSON, not UTF-8, or beyond a limit.
  /// Keys that stand twice are reported too, but the tree is given, so that a reader finds what else is
  /// wrong.
  static std::optional<JsonTree> parse(std::string_view text, Findings& findings,
                                       const YamlLimits& limits = {});

  /// `at` of a node is its number, for `placed` only.
  [[nodiscard]] const YamlNode& root() const { return nodes_.front(); }

  /// The same findings, with the paths of the nodes that they are about.
  [[nodiscard]] std::vector<Diagnostic> placed(std::vector<Diagnostic> findings) const;

 private:
  friend class JsonTreeBuilder;
  std::deque<YamlNode> nodes_;  ///< In the order of the text; addresses stay. The root is the first.
};

}  // namespace gw::spec
