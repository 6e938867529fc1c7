// Builds a YamlTree from yaml-cpp's parser events.
#include "spec/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <streambuf>

#include "base/utf8.h"

namespace gw::spec {

const YamlNode* YamlNode::find(std::string_view key) const {
  if (kind != Kind::kMap) return nullptr;
  for (std::size_t index = 0; index + 1 < items.size(); index += 2) {
    if (items[index]->text == key) return items[index + 1];
  }
  return nullptr;
}

std::string what_is(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a mapping";
    case YamlNode::Kind::kScalar:
      break;
  }
  constexpr std::size_t kShown = 60;
  if (node.text.size() <= kShown) return fmt::format("\"{}\"", node.text);
  return fmt::format("\"{}...\"", utf8_front(node.text, kShown));
}

namespace {

struct Stop {};  ///< Thrown through the parser once a limit is reached; the error is recorded before.

Mark mark_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

/// A stream over text that is not copied.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // Only ever read.
    setg(begin, begin, begin + text.size());
  }
};

/// The first line with a tab before its text, or 0.
std::uint32_t tab_line(std::string_view text) {
  std::uint32_t line = 1;
  while (!text.empty()) {
    const std::string_view row = text.substr(0, text.find('\n'));
    const std::size_t begin = row.find_first_not_of(' ');
    if (begin != row.npos && row[begin] == '\t') return line;
    text.remove_prefix(std::min(text.size(), row.size() + 1));
    ++line;
  }
  return 0;
}

}  // namespace

class YamlTreeBuilder : public YAML::EventHandler {
 public:
  YamlTreeBuilder(YamlTree& tree, Findings& findings, const YamlLimits& limits)
      : tree_(tree), findings_(findings), limits_(limits) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode* node = make(YamlNode::Kind::kNull, mark, anchor);
    // The parser stands at the next token by now; the key is what people look for.
    if (!open_.empty() && open_.back()->kind == YamlNode::Kind::kMap && open_.back()->items.size() % 2 == 1)
      node->at = open_.back()->items.back()->at;
    finish(node);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode* node = make(YamlNode::Kind::kScalar, mark, anchor);
    node->quoted = tag == "!";
    node->text = value;
    if (!node->quoted && (value == "~" || value == "null" || value.empty()))
      node->kind = YamlNode::Kind::kNull;
    finish(node);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const YamlNode* target = anchor < anchors_.size() ? anchors_[anchor] : nullptr;
    if (target == nullptr) stop(mark_of(mark), "unknown alias; define it before with `&name`");
    if (std::find(open_.begin(), open_.end(), target) != open_.end())
      stop(mark_of(mark), "this alias contains itself; repeat the part that is meant");
    attach(target);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open_.push_back(make(YamlNode::Kind::kList, mark, anchor));
    check_open_depth();
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open_.push_back(make(YamlNode::Kind::kMap, mark, anchor));
    check_open_depth();
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override {
    check_keys(*open_.back());
    close();
  }

 private:
  [[noreturn]] void stop(Mark at, std::string message) {
    findings_.error(at, std::move(message));
    throw Stop{};
  }

  void check_open_depth() {
    if (open_.size() > limits_.depth)
      stop(open_.back()->at,
           fmt::format("values are nested more than {} deep; a model file needs about ten", limits_.depth));
  }

  YamlNode* make(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (tree_.nodes_.size() >= limits_.values)
      stop(mark_of(mark),
           fmt::format("the file holds more than {} values; write groups with `count:`", limits_.values));
    YamlNode& node = tree_.nodes_.emplace_back();
    node.kind = kind;
    node.at = mark_of(mark);
    if (anchor != 0) {
      if (anchors_.size() <= anchor) anchors_.resize(anchor + 1);
      anchors_[anchor] = &node;
    }
    return &node;
  }

  void close() {
    YamlNode* node = open_.back();
    open_.pop_back();
    finish(node);
  }

  void finish(const YamlNode* node) { attach(node); }

  void attach(const YamlNode* node) {
    if (open_.empty()) {
      tree_.root_ = node;
      return;
    }
    YamlNode& parent = *open_.back();
    parent.items.push_back(node);
    parent.expanded += node->expanded;
    parent.depth = std::max(parent.depth, static_cast<std::uint16_t>(node->depth + 1));
    if (parent.expanded > limits_.values)
      stop(node->at,
           fmt::format("aliases expand to more than {} values; write groups with `count:`", limits_.values));
    if (parent.depth > limits_.depth)
      stop(node->at, fmt::format("aliases nest values more than {} deep", limits_.depth));
  }

  /// Refuses keys that are no scalars or stand twice, then resolves merge keys.
  void check_keys(YamlNode& map) {
    std::vector<const YamlNode*> keys;
    const YamlNode* merged = nullptr;
    std::vector<const YamlNode*> own;
    for (std::size_t index = 0; index + 1 < map.items.size(); index += 2) {
      const YamlNode* key = map.items[index];
      if (key->kind != YamlNode::Kind::kScalar)
        stop(key->at,
             fmt::format("a key must be plain text, not {}; put texts with braces in quotes", what_is(*key)));
      if (key->text == "<<" && !key->quoted && merged == nullptr) {
        merged = map.items[index + 1];
        continue;
      }
      keys.push_back(key);
      own.push_back(key);
      own.push_back(map.items[index + 1]);
    }
    sort_keys(keys);
    for (std::size_t index = 1; index < keys.size(); ++index) {
      if (keys[index]->text == keys[index - 1]->text)
        findings_.error(keys[index]->at,
                        fmt::format("key \"{}\" stands here a second time, first in line {}; keep one",
                                    keys[index]->text, keys[index - 1]->at.line));
    }
    if (merged == nullptr) return;
    map.items = std::move(own);
    if (merged->kind == YamlNode::Kind::kList) {
      for (const YamlNode* source : merged->items) merge(map, *source);
    } else {
      merge(map, *merged);
    }
  }

  static void sort_keys(std::vector<const YamlNode*>& keys) {
    std::stable_sort(keys.begin(), keys.end(),
                     [](const YamlNode* a, const YamlNode* b) { return a->text < b->text; });
  }

  void merge(YamlNode& map, const YamlNode& source) {
    if (source.kind != YamlNode::Kind::kMap) {
      findings_.error(source.at, "`<<` takes an alias of a mapping, e.g. `<<: *base`");
      return;
    }
    std::vector<const YamlNode*> own;
    for (std::size_t index = 0; index < map.items.size(); index += 2) own.push_back(map.items[index]);
    sort_keys(own);
    for (std::size_t index = 0; index + 1 < source.items.size(); index += 2) {
      const std::string& key = source.items[index]->text;
      const auto at =
          std::lower_bound(own.begin(), own.end(), key,
                           [](const YamlNode* node, const std::string& text) { return node->text < text; });
      if (at != own.end() && (*at)->text == key) continue;
      map.items.push_back(source.items[index]);
      map.items.push_back(source.items[index + 1]);
    }
  }

  YamlTree& tree_;
  Findings& findings_;
  const YamlLimits& limits_;
  std::vector<YamlNode*> open_;
  std::vector<const YamlNode*> anchors_;
};

std::optional<YamlTree> YamlTree::parse(std::string_view text, Findings& findings, const YamlLimits& limits) {
  if (text.size() > limits.bytes) {
    findings.error({}, fmt::format("the file has {} bytes; at most {} are read. Write groups with `count:`",
                                   text.size(), limits.bytes));
    return std::nullopt;
  }
  if (text.find('\0') != text.npos) {
    findings.error({}, "the file holds zero bytes: it is not a YAML text");
    return std::nullopt;
  }
  YamlTree tree;
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    YamlTreeBuilder builder(tree, findings, limits);
    if (!parser.HandleNextDocument(builder) || tree.root_ == nullptr) {
      findings.error({}, "the file is empty; begin with `gigawerk: 1`");
      return std::nullopt;
    }
    const YamlNode* root = tree.root_;
    if (parser.HandleNextDocument(builder)) {
      findings.error(tree.root_->at, "a second document begins here; keep one document per file");
      return std::nullopt;
    }
    tree.root_ = root;
  } catch (const Stop&) {
    return std::nullopt;
  } catch (const YAML::Exception& problem) {
    if (const std::uint32_t line = tab_line(text); line != 0 && mark_of(problem.mark).line >= line) {
      findings.error({line, 1}, "a tab stands in the indentation, which YAML does not allow; use spaces");
    } else {
      findings.error(mark_of(problem.mark), fmt::format("this is not YAML: {}", problem.msg));
    }
    return std::nullopt;
  }
  return tree;
}

}  // namespace gw::spec
