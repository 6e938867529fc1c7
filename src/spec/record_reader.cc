// The scalar readers and the wording of what is wrong with a value.
#include "spec/record_reader.h"

#include <fmt/ranges.h>

#include <cmath>

namespace gw::spec {

namespace {

/// Whether YAML tools would take an unquoted scalar for something else than text.
bool looks_like_no_text(std::string_view text) {
  return text == "true" || text == "false" || text == "True" || text == "False" || text == "TRUE" ||
         text == "FALSE" || parse_number(text).has_value();
}

std::string bounds_text(const Rule& rule, Unit unit) {
  std::string text;
  if (!std::isnan(rule.min))
    text += fmt::format(" {} {}", rule.above_min ? "above" : "from", amount_text(rule.min, unit));
  if (!std::isnan(rule.max))
    text += fmt::format(" {} {}", rule.above_min ? "and at most" : "to", amount_text(rule.max, unit));
  return text;
}

/// What to write: an example and the units there are.
std::string unit_advice(Unit unit) {
  std::string units;
  for (const UnitSuffix& suffix : suffixes(unit)) {
    if (!units.empty()) units += ", ";
    units += suffix.text;
  }
  return fmt::format("write for example {} (units, as they are written here: {})", unit_example(unit), units);
}

bool in_bounds(double value, const Rule& rule) {
  if (!std::isnan(rule.min) && (value < rule.min || (rule.above_min && value == rule.min))) return false;
  return std::isnan(rule.max) || value <= rule.max;
}

}  // namespace

void RecordReader::read(std::string_view key, const YamlNode& node, std::string& out, const Rule& rule) {
  if (node.kind != YamlNode::Kind::kScalar) {
    findings_.error(node.at, fmt::format("\"{}\" must be a text, not {}", key, what_is(node)));
    return;
  }
  if (!node.quoted && looks_like_no_text(node.text)) {
    findings_.error(node.at, fmt::format("\"{0}\" must be a text; write \"{1}\" in quotes", key, node.text));
    return;
  }
  if (!rule.choices.empty() &&
      std::find(rule.choices.begin(), rule.choices.end(), node.text) == rule.choices.end()) {
    findings_.error(node.at, fmt::format("\"{}\" cannot be {}{}", key, what_is(node),
                                         suggestion(node.text, rule.choices)));
    return;
  }
  if (node.text.empty()) {
    if (rule.empty_allowed) {
      out.clear();
      return;
    }
    findings_.error(node.at, fmt::format("\"{}\" is an empty text; write one or leave the key out", key));
    return;
  }
  if (!is_text(rule.text, node.text)) {
    findings_.error(node.at, fmt::format("\"{}\" {}, not {}", key, text_wanted(rule.text), what_is(node)));
    return;
  }
  if (node.text.size() > rule.bytes_max) {
    findings_.error(node.at, fmt::format("\"{}\" has {} bytes; at most {} are allowed", key, node.text.size(),
                                         rule.bytes_max));
    return;
  }
  out = node.text;
}

void RecordReader::read(std::string_view key, const YamlNode& node, bool& out, const Rule& /*rule*/) {
  const std::string& text = node.text;
  const bool yes = text == "true" || text == "True" || text == "TRUE";
  const bool no = text == "false" || text == "False" || text == "FALSE";
  if (node.kind != YamlNode::Kind::kScalar || node.quoted || (!yes && !no)) {
    findings_.error(node.at, fmt::format("\"{}\" must be true or false, not {}", key, what_is(node)));
    return;
  }
  out = yes;
}

void RecordReader::read(std::string_view key, const YamlNode& node, double& out, const Rule& rule) {
  const std::optional<double> value =
      node.kind == YamlNode::Kind::kScalar && (rule.unit != Unit::kNone || !node.quoted)
          ? parse_amount(node.text, rule.unit)
          : std::nullopt;
  if (!value || !in_bounds(*value, rule)) {
    const std::string wanted = rule.unit == Unit::kNone ? std::string("a number") : "an amount with its unit";
    const std::string hint =
        value || rule.unit == Unit::kNone ? std::string() : "; " + unit_advice(rule.unit);
    findings_.error(node.at, fmt::format("\"{}\" must be {}{}, not {}{}", key, wanted,
                                         bounds_text(rule, rule.unit), what_is(node), hint));
    return;
  }
  out = *value;
}

bool RecordReader::read_integer(std::string_view key, const YamlNode& node, std::int64_t& out,
                                const Rule& rule, double low, double high) {
  Rule bounds = rule;
  if (std::isnan(bounds.min)) bounds.min = low;
  if (std::isnan(bounds.max)) bounds.max = high;
  const std::optional<double> value =
      node.kind == YamlNode::Kind::kScalar && !node.quoted ? parse_number(node.text) : std::nullopt;
  if (!value || *value != std::floor(*value) || !in_bounds(*value, bounds)) {
    findings_.error(node.at, fmt::format("\"{}\" must be a whole number from {:.0f} to {:.0f}, not {}", key,
                                         bounds.min, bounds.max, what_is(node)));
    return false;
  }
  out = static_cast<std::int64_t>(*value);
  return true;
}

bool RecordReader::read_quantity(std::string_view key, const YamlNode& node, std::int64_t& out,
                                 const Rule& rule, Unit unit) {
  const std::optional<double> value =
      node.kind == YamlNode::Kind::kScalar ? parse_amount(node.text, unit) : std::nullopt;
  if (!value) {
    findings_.error(node.at, fmt::format("\"{}\" must be an amount with its unit, not {}; {}", key,
                                         what_is(node), unit_advice(unit)));
    return false;
  }
  constexpr double kLargest = 4.6e18;  // Half of the 64-bit range, so that two may be added.
  if (*value > kLargest || !in_bounds(*value, rule)) {
    findings_.error(node.at, fmt::format("\"{}\" is out of range: {}; it must be{}", key, node.text,
                                         std::isnan(rule.min) && std::isnan(rule.max)
                                             ? fmt::format(" at most {}", amount_text(kLargest, unit))
                                             : bounds_text(rule, unit)));
    return false;
  }
  out = std::llround(*value);
  return true;
}

void RecordReader::read(std::string_view key, const YamlNode& node, Shares& out, const Rule& rule) {
  out.entries.clear();
  out.written = true;
  if (node.kind != YamlNode::Kind::kMap) {
    findings_.error(node.at,
                    fmt::format("\"{}\" must map names to shares, not {}; write {{first: 0.6, second: 0.4}}",
                                key, what_is(node)));
    return;
  }
  for (std::size_t index = 0; index + 1 < node.items.size(); index += 2) {
    const YamlNode& name = *node.items[index];
    const YamlNode& share = *node.items[index + 1];
    const std::optional<double> value =
        share.kind == YamlNode::Kind::kScalar && !share.quoted ? parse_number(share.text) : std::nullopt;
    if (!value || *value < 0 || *value > 1e9) {
      findings_.error(share.at, fmt::format("the share of \"{}\" must be a number from 0 to 1e9, not {}",
                                            name.text, what_is(share)));
      continue;
    }
    out.entries.push_back({name.text, *value, name.at});
  }
  if (node.items.size() / 2 < rule.items_min)
    findings_.error(node.at, fmt::format("\"{}\" needs at least {} share", key, rule.items_min));
}

void RecordReader::read(std::string_view key, const YamlNode& node, Texts& out, const Rule& rule) {
  out.entries.clear();
  if (node.kind != YamlNode::Kind::kMap) {
    findings_.error(node.at, fmt::format("\"{}\" must map names to texts, not {}; write {{NAME: \"text\"}}",
                                         key, what_is(node)));
    return;
  }
  out.entries.reserve(node.items.size() / 2);
  for (std::size_t index = 0; index + 1 < node.items.size(); index += 2) {
    const YamlNode& name = *node.items[index];
    if (!is_text(rule.names, name.text)) {
      findings_.error(
          name.at, fmt::format("a name in \"{}\" {}, not {}", key, text_wanted(rule.names), what_is(name)));
      continue;
    }
    Texts::Entry& entry = out.entries.emplace_back();
    entry.name = name.text;
    read(name.text, *node.items[index + 1], entry.text, rule);
  }
}

bool RecordReader::read_list(std::string_view key, const YamlNode& node, const Rule& rule,
                             bool single_allowed) {
  if (node.kind != YamlNode::Kind::kList) {
    findings_.error(node.at, fmt::format("\"{}\" must be a list{}, not {}; begin each item with `- `", key,
                                         single_allowed ? " or one mapping" : "", what_is(node)));
    return false;
  }
  const std::size_t count = node.items.size();
  if (count < rule.items_min || count > rule.items_max) {
    if (rule.items_min == rule.items_max) {
      findings_.error(node.at, fmt::format("\"{}\" must have {} items, not {}", key, rule.items_min, count));
    } else {
      findings_.error(node.at, fmt::format("\"{}\" must have {} {} item{}, not {}", key,
                                           count < rule.items_min ? "at least" : "at most",
                                           count < rule.items_min ? rule.items_min : rule.items_max,
                                           rule.items_min == 1 && count == 0 ? "" : "s", count));
    }
    return false;
  }
  return true;
}

void RecordReader::Fields::empty_value(std::string_view name, const YamlNode& value, const Rule& rule) {
  reader_.findings_.error(value.at,
                          fmt::format("\"{}\" has no value; {}", name,
                                      rule.required ? "write one" : "write one or leave the key out"));
}

void RecordReader::Fields::check_group(std::initializer_list<std::string_view> names, bool one_needed) {
  if (node_.kind != YamlNode::Kind::kMap) return;
  std::vector<const YamlNode*> found;
  for (std::size_t index = 0; index + 1 < node_.items.size(); index += 2) {
    const YamlNode* key = node_.items[index];
    const bool again = std::any_of(found.begin(), found.end(),  // Which the tree has reported.
                                   [&](const YamlNode* one) { return one->text == key->text; });
    if (!again && std::find(names.begin(), names.end(), key->text) != names.end()) found.push_back(key);
  }
  if (found.empty() && one_needed)
    reader_.findings_.error(node_.at, fmt::format("\"{}\" needs one of: {}", key_, fmt::join(names, ", ")));
  if (found.size() > 1)
    reader_.findings_.error(found[1]->at, fmt::format("\"{}\" and \"{}\" exclude each other; keep one",
                                                      found[0]->text, found[1]->text));
}

void RecordReader::Fields::finish() {
  if (node_.kind == YamlNode::Kind::kScalar && !shorthand_.empty()) return;
  if (node_.kind != YamlNode::Kind::kMap) {
    reader_.findings_.error(node_.at, fmt::format("\"{}\" must be a mapping with the keys {}; not {}", key_,
                                                  fmt::join(known_, ", "), what_is(node_)));
    return;
  }
  for (const std::string_view name : missing_)
    reader_.findings_.error(node_.at, fmt::format("\"{}\" lacks the key \"{}\"", key_, name));
  for (std::size_t index = 0; index + 1 < node_.items.size(); index += 2) {
    const YamlNode& key = *node_.items[index];
    if (std::find(known_.begin(), known_.end(), key.text) != known_.end()) continue;
    if (reader_.findings_.errors() >= Findings::kMax) {  // Only counted: no need to look for near misses.
      reader_.findings_.error(key.at, {});
      continue;
    }
    reader_.findings_.error(key.at,
                            fmt::format("unknown key {}{}", what_is(key),
                                        suggestion(key.text, std::span<const std::string_view>(known_),
                                                   fmt::format("known here: {}", fmt::join(known_, ", ")))));
  }
}

}  // namespace gw::spec
