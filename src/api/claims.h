// Claims: one JSON object of a token (its header or its payload), read strictly and within bounds.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/json_tree.h"

namespace gw::api {

/// Keys that stand twice, texts that are not UTF-8, deep nesting and a value that is no object are refused.
/// Values are found by their exact key; each getter gives none for a value of another type.
class Claims {
 public:
  /// The Error says what is wrong without quoting the text.
  static Result<Claims> parse(std::string_view text);

  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  [[nodiscard]] std::optional<std::string_view> text(std::string_view key) const;
  /// Seconds since 1970, perhaps with a fraction (RFC 7519, NumericDate).
  [[nodiscard]] std::optional<double> number(std::string_view key) const;
  [[nodiscard]] std::optional<bool> truth(std::string_view key) const;
  /// A text, or a list of nothing but texts.
  [[nodiscard]] std::optional<std::vector<std::string_view>> texts(std::string_view key) const;

 private:
  explicit Claims(spec::JsonTree tree) : tree_(std::move(tree)) {}
  [[nodiscard]] const spec::YamlNode* find(std::string_view key) const { return tree_.root().find(key); }

  spec::JsonTree tree_;
};

}  // namespace gw::api
