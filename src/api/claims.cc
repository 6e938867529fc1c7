// A JsonTree with narrow limits.
#include "api/claims.h"

#include <charconv>
#include <cmath>
#include <utility>

namespace gw::api {
namespace {

constexpr spec::YamlLimits kLimits{.bytes = std::size_t{16} << 10, .values = 4096, .depth = 16};

bool is_text(const spec::YamlNode& node) { return node.kind == spec::YamlNode::Kind::kScalar && node.quoted; }

}  // namespace

Result<Claims> Claims::parse(std::string_view text) {
  spec::Findings findings("");
  std::optional<spec::JsonTree> tree = spec::JsonTree::parse(text, findings, kLimits);
  if (!tree || findings.failed()) return fail("it is no JSON of the wanted size, or has a key twice");
  if (tree->root().kind != spec::YamlNode::Kind::kMap) return fail("it is no JSON object");
  return Claims(std::move(*tree));
}

std::optional<std::string_view> Claims::text(std::string_view key) const {
  const spec::YamlNode* node = find(key);
  if (node == nullptr || !is_text(*node)) return std::nullopt;
  return node->text;
}

std::optional<double> Claims::number(std::string_view key) const {
  const spec::YamlNode* node = find(key);
  if (node == nullptr || node->kind != spec::YamlNode::Kind::kScalar || node->quoted) return std::nullopt;
  double value = 0;
  const char* end = node->text.data() + node->text.size();
  const auto [read, error] = std::from_chars(node->text.data(), end, value);
  if (error != std::errc() || read != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<bool> Claims::truth(std::string_view key) const {
  const spec::YamlNode* node = find(key);
  if (node == nullptr || node->kind != spec::YamlNode::Kind::kScalar || node->quoted) return std::nullopt;
  if (node->text == "true") return true;
  if (node->text == "false") return false;
  return std::nullopt;
}

std::optional<std::vector<std::string_view>> Claims::texts(std::string_view key) const {
  const spec::YamlNode* node = find(key);
  if (node == nullptr) return std::nullopt;
  std::vector<std::string_view> texts;
  if (is_text(*node)) {
    texts.emplace_back(node->text);
  } else if (node->kind == spec::YamlNode::Kind::kList) {
    for (const spec::YamlNode* item : node->items) {
      if (!is_text(*item)) return std::nullopt;
      texts.emplace_back(item->text);
    }
  } else {
    return std::nullopt;
  }
  return texts;
}

}  // namespace gw::api
