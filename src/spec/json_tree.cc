// Builds a JsonTree from the events of nlohmann's parser, which checks syntax and UTF-8 and does not recurse.
#include "spec/json_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "spec/described.h"

namespace gw::spec {

namespace {

/// Where the byte at `offset` stands, in characters.
Mark mark_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::string_view row = before.substr(before.rfind('\n') + 1);  // From 0 where there is no line break.
  return {static_cast<std::uint32_t>(lines + 1), static_cast<std::uint32_t>(characters(row) + 1)};
}

/// nlohmann's message without its own number and place.
std::string plain_message(std::string_view message) {
  if (message.starts_with("[json.exception."))
    message.remove_prefix(std::min(message.size(), message.find("] ") + 2));
  if (message.starts_with("parse error at "))
    message.remove_prefix(std::min(message.size(), message.find(": ") + 2));
  if (message.starts_with("syntax error ")) message.remove_prefix(13);
  // What was read last may be long, no UTF-8, and is known from the place.
  const std::size_t last = message.find("; last read: ");
  std::string plain(message.substr(0, std::min(last, std::size_t{300})));
  const std::size_t expected = message.rfind("'; expected ");
  constexpr std::size_t kLongest = 60;  // What is longer is no kind of token, but part of what was read.
  if (last != std::string_view::npos && expected != std::string_view::npos &&
      message.size() - expected < kLongest && is_utf8(message.substr(expected)))
    plain += message.substr(expected + 1);
  return plain;
}

}  // namespace

/// Takes the parser's events; a false answer ends the parsing.
class JsonTreeBuilder {
 public:
  JsonTreeBuilder(JsonTree& tree, std::string_view text, Findings& findings, const YamlLimits& limits)
      : tree_(tree), text_(text), findings_(findings), limits_(limits) {}

  bool null() { return add(YamlNode::Kind::kNull) != nullptr; }
  bool boolean(bool value) { return plain(value ? "true" : "false"); }
  bool number_integer(std::int64_t value) { return plain(fmt::format_int(value)); }
  bool number_unsigned(std::uint64_t value) { return plain(fmt::format_int(value)); }
  bool number_float(double /*value*/, const std::string& digits) { return plain(digits); }
  bool string(std::string& value) {
    YamlNode* node = add(YamlNode::Kind::kScalar);
    if (node == nullptr) return false;
    node->quoted = true;
    take(*node, value);
    return true;
  }
  bool binary(std::vector<std::uint8_t>& /*value*/) { return false; }  // Not in JSON texts.
  bool key(std::string& value) { return string(value); }
  bool start_object(std::size_t /*items*/) { return open(YamlNode::Kind::kMap); }
  bool start_array(std::size_t /*items*/) { return open(YamlNode::Kind::kList); }
  bool end_object() {
    find_duplicates(*open_.back());
    return close();
  }
  bool end_array() { return close(); }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& problem) {
    stop(mark_at(text_, position == 0 ? 0 : position - 1),
         fmt::format("this is not JSON: {}", plain_message(problem.what())));
    return false;
  }

  /// Of the parts that can be read.
  void report_duplicates() {
    for (const YamlNode* node : duplicates_)
      findings_.error(node->at, fmt::format("key {} stands here a second time; keep one", what_is(*node)));
  }

 private:
  void stop(Mark at, std::string message) { findings_.error(at, std::move(message)); }

  YamlNode* add(YamlNode::Kind kind) {
    if (tree_.nodes_.size() >= limits_.values) {
      stop({}, fmt::format("the text holds more than {} values; send less at a time", limits_.values));
      return nullptr;
    }
    YamlNode& node = tree_.nodes_.emplace_back();
    node.kind = kind;
    node.at = {static_cast<std::uint32_t>(tree_.nodes_.size()), 1};
    if (!open_.empty()) {
      std::vector<const YamlNode*>& items = open_.back()->items;
      if (items.empty()) items.reserve(8);
      items.push_back(&node);
    }
    return &node;
  }

  bool plain(std::string_view text) {
    YamlNode* node = add(YamlNode::Kind::kScalar);
    if (node == nullptr) return false;
    node->text = text;
    return true;
  }
  bool plain(const fmt::format_int& number) { return plain(std::string_view(number.data(), number.size())); }

  /// The parser allows its text to be taken, but must then allocate the next one.
  static void take(YamlNode& node, std::string& text) {
    constexpr std::size_t kWorthwhile = 256;
    if (text.size() >= kWorthwhile) {
      node.text = std::move(text);
    } else {
      node.text.assign(text);
    }
  }

  bool open(YamlNode::Kind kind) {
    YamlNode* node = add(kind);
    if (node == nullptr) return false;
    if (open_.size() >= limits_.depth) {
      stop({}, fmt::format("values are nested more than {} deep", limits_.depth));
      return false;
    }
    open_.push_back(node);
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  void find_duplicates(const YamlNode& map) {
    constexpr std::size_t kFew = 32;  // Of items, so 16 keys: looking at each pair is quicker than sorting.
    if (map.items.size() <= kFew) {
      for (std::size_t index = 2; index < map.items.size(); index += 2) {
        for (std::size_t before = 0; before < index; before += 2) {
          if (map.items[before]->text != map.items[index]->text) continue;
          duplicates_.push_back(map.items[index]);
          break;
        }
      }
      return;
    }
    std::vector<const YamlNode*> keys;
    keys.reserve(map.items.size() / 2);
    for (std::size_t index = 0; index < map.items.size(); index += 2) keys.push_back(map.items[index]);
    std::stable_sort(keys.begin(), keys.end(),
                     [](const YamlNode* a, const YamlNode* b) { return a->text < b->text; });
    for (std::size_t index = 1; index < keys.size(); ++index) {
      if (keys[index]->text == keys[index - 1]->text) duplicates_.push_back(keys[index]);
    }
  }

  JsonTree& tree_;
  std::string_view text_;
  Findings& findings_;
  const YamlLimits& limits_;
  std::vector<YamlNode*> open_;
  std::vector<const YamlNode*> duplicates_;
};

std::optional<JsonTree> JsonTree::parse(std::string_view text, Findings& findings, const YamlLimits& limits) {
  if (text.size() > limits.bytes) {
    findings.error({}, fmt::format("the text has {} bytes; at most {} are read", text.size(), limits.bytes));
    return std::nullopt;
  }
  std::optional<JsonTree> tree(std::in_place);
  JsonTreeBuilder builder(*tree, text, findings, limits);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return std::nullopt;
  builder.report_duplicates();
  return tree;
}

namespace {

void add_step(std::string& path, const YamlNode& key) {
  if (is_text(Text::kVariable, key.text) && key.text.size() <= 60) {
    if (!path.empty()) path += '.';
    path += key.text;
  } else {
    path += fmt::format("[{}]", what_is(key));
  }
}

/// The path of the node with that number below `node`, which has a smaller one. Numbers ascend in the order
/// of the text, so the way down leads through the last item that does not stand behind it.
std::string path_of(const YamlNode* node, std::uint32_t number) {
  std::string path;
  while (node->at.line != number && !node->items.empty()) {
    const auto behind =
        std::upper_bound(node->items.begin(), node->items.end(), number,
                         [](std::uint32_t wanted, const YamlNode* item) { return wanted < item->at.line; });
    const std::size_t index = static_cast<std::size_t>(behind - node->items.begin()) - 1;
    if (node->kind == YamlNode::Kind::kMap) {
      add_step(path, *node->items[index / 2 * 2]);
    } else {
      path += fmt::format("[{}]", index);
    }
    node = node->items[index];
  }
  return path;
}

}  // namespace

std::vector<Diagnostic> JsonTree::placed(std::vector<Diagnostic> findings) const {
  for (Diagnostic& finding : findings) {
    if (finding.at.line > root().at.line) finding.path = path_of(&root(), finding.at.line);
    finding.at = {};
  }
  return findings;
}

}  // namespace gw::spec
