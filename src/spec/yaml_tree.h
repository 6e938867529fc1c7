// YamlTree: a YAML text as a tree that knows the place of each value and cannot grow beyond set limits.
//
// Built from yaml-cpp's events rather than its nodes, so that duplicate keys, aliases that contain themselves
// and aliases that multiply ("billion laughs") are seen while they are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spec/diagnostic.h"

namespace gw::spec {

struct YamlNode {
  enum class Kind : std::uint8_t { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  bool quoted = false;      ///< A scalar in quotes or a block scalar: text, never a number.
  std::uint16_t depth = 1;  ///< Levels below and including this one, aliases followed.
  Mark at;
  std::uint64_t expanded = 1;  ///< Values below and including this one, aliases followed.
  std::string text;            ///< Of a scalar.
  std::vector<const YamlNode*>
      items;  ///< Of a list; of a map: key, value, key, value, ... with unique scalar keys.

  /// The value under `key` of a map, or nullptr.
  [[nodiscard]] const YamlNode* find(std::string_view key) const;
};

/// `a list`, `a mapping`, `"text"`, `nothing`: what stands there, for error messages.
std::string what_is(const YamlNode& node);

struct YamlLimits {
  std::size_t bytes = std::size_t{16} << 20;
  std::uint64_t values = 1'000'000;  ///< After following aliases.
  std::uint16_t depth = 64;
};

class YamlTree {
 public:
  /// The one document in `text`, or nothing after reporting why there is none. Duplicate keys are reported
  /// too, but the tree is given, so that a reader finds what else is wrong. Merge keys (`<<: *base`) are
  /// resolved: keys written beside them win.
  static std::optional<YamlTree> parse(std::string_view text, Findings& findings,
                                       const YamlLimits& limits = {});

  [[nodiscard]] const YamlNode& root() const { return *root_; }

 private:
  friend class YamlTreeBuilder;
  std::deque<YamlNode> nodes_;  ///< Addresses stay.
  const YamlNode* root_ = nullptr;
};

}  // namespace gw::spec
