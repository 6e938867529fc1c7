// Reads YAML values into described records; every mistake becomes a finding with its place, and reading goes
// on.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "spec/described.h"
#include "spec/diagnostic.h"
#include "spec/near_miss.h"
#include "spec/yaml_tree.h"

namespace gw::spec {

class RecordReader {
 public:
  explicit RecordReader(Findings& findings) : findings_(findings) {}

  /// Fills `record` from `node`; fields that are not written keep their values. With `partial`, required
  /// fields other than `name` may be missing (they were set before).
  template <Record T>
  void read_record(std::string_view key, const YamlNode& node, T& record, bool partial = false);

 private:
  class Fields;

  void read(std::string_view key, const YamlNode& node, std::string& out, const Rule& rule);
  void read(std::string_view key, const YamlNode& node, bool& out, const Rule& rule);
  void read(std::string_view key, const YamlNode& node, double& out, const Rule& rule);
  void read(std::string_view key, const YamlNode& node, Shares& out, const Rule& rule);
  void read(std::string_view key, const YamlNode& node, Texts& out, const Rule& rule);
  /// A whole number of at least `low` and at most `high`, narrowed by the rule.
  bool read_integer(std::string_view key, const YamlNode& node, std::int64_t& out, const Rule& rule,
                    double low, double high);
  bool read_quantity(std::string_view key, const YamlNode& node, std::int64_t& out, const Rule& rule,
                     Unit unit);
  bool read_list(std::string_view key, const YamlNode& node, const Rule& rule, bool single_allowed);

  template <std::integral T>
    requires(!std::same_as<T, bool>)
  void read(std::string_view key, const YamlNode& node, T& out, const Rule& rule) {
    constexpr double kExact = 9007199254740991.0;  // 2^53 - 1: the next whole number may have been rounded.
    const double low = std::max(-kExact, static_cast<double>(std::numeric_limits<T>::min()));
    const double high = std::min(kExact, static_cast<double>(std::numeric_limits<T>::max()));
    std::int64_t value = 0;
    if (read_integer(key, node, value, rule, low, high)) out = static_cast<T>(value);
  }

  template <class T>
    requires(kUnitOf<T> != Unit::kNone)
  void read(std::string_view key, const YamlNode& node, T& out, const Rule& rule) {
    std::int64_t value = 0;
    if (read_quantity(key, node, value, rule, kUnitOf<T>)) out = T{value};
  }

  template <Record T>
  void read(std::string_view key, const YamlNode& node, T& out, const Rule& /*rule*/) {
    read_record(key, node, out);
  }

  template <class T>
  void read(std::string_view key, const YamlNode& node, Located<T>& out, const Rule& rule) {
    out.at = node.at;
    read(key, node, out.value, rule);
  }

  template <class T>
  void read(std::string_view key, const YamlNode& node, std::optional<T>& out, const Rule& rule) {
    read(key, node, out.emplace(), rule);
  }

  template <Record T>
  void read(std::string_view key, const YamlNode& node, Override<T>& out, const Rule& /*rule*/) {
    if (node.kind == YamlNode::Kind::kMap) {
      out.node = &node;
    } else {
      findings_.error(node.at, fmt::format("\"{}\" must hold mappings, not {}", key, what_is(node)));
    }
  }

  template <class T>
  void read(std::string_view key, const YamlNode& node, std::vector<T>& out, const Rule& rule) {
    if (Record<T> && node.kind == YamlNode::Kind::kMap) {  // One of them may stand without its list.
      out.clear();
      read(key, node, out.emplace_back(), rule);
      return;
    }
    if (!read_list(key, node, rule, Record<T>)) return;
    out.clear();
    out.reserve(node.items.size());
    for (const YamlNode* item : node.items) read(key, *item, out.emplace_back(), rule);
  }

  Findings& findings_;
};

/// The visitor that reads one mapping.
class RecordReader::Fields {
 public:
  Fields(RecordReader& reader, std::string_view key, const YamlNode& node, bool partial)
      : reader_(reader), key_(key), node_(node), partial_(partial) {
    known_.reserve(48);  // The largest record has about forty fields.
  }

  template <class T>
  void field(std::string_view name, T& member, const Rule& rule) {
    known_.push_back(name);
    const YamlNode* value =
        name == shorthand_ && node_.kind == YamlNode::Kind::kScalar ? &node_ : node_.find(name);
    if (value != nullptr) {
      if (value->kind == YamlNode::Kind::kNull) {
        empty_value(name, *value, rule);
      } else {
        reader_.read(name, *value, member, rule);
      }
    } else if (rule.required && !(partial_ && name != "name")) {
      missing_.push_back(name);
    }
  }

  /// A single text in place of the mapping sets this field. Call before the fields.
  void shorthand(std::string_view name) { shorthand_ = name; }
  void exactly_one(std::initializer_list<std::string_view> names) { check_group(names, !partial_); }
  void at_most_one(std::initializer_list<std::string_view> names) { check_group(names, false); }
  void finish();

 private:
  void empty_value(std::string_view name, const YamlNode& value, const Rule& rule);
  void check_group(std::initializer_list<std::string_view> names, bool one_needed);

  RecordReader& reader_;
  std::string_view key_;
  const YamlNode& node_;
  bool partial_;
  std::string_view shorthand_;
  std::vector<std::string_view> known_;
  std::vector<std::string_view> missing_;
};

template <Record T>
void RecordReader::read_record(std::string_view key, const YamlNode& node, T& record, bool partial) {
  if constexpr (requires { record.at; }) record.at = node.at;
  Fields visit(*this, key, node, partial);
  describe(visit, record);
  visit.finish();
}

}  // namespace gw::spec
