// parse_json: any described record from a JSON text, checked as the YAML files are.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "spec/described.h"
#include "spec/diagnostic.h"
#include "spec/json_tree.h"
#include "spec/record_reader.h"

namespace gw::spec {

/// `text` as a record of that kind; `what` names it in messages (`tenant: "name" must be ...`). Records with
/// an Override cannot be read: it would outlive the tree that it points into.
template <Record T>
Checked<T> parse_json(std::string_view text, std::string_view what, const YamlLimits& limits = {}) {
  Findings findings{std::string(what)};
  const std::optional<JsonTree> tree = JsonTree::parse(text, findings, limits);
  if (!tree) return std::unexpected(findings.take());
  T record;
  RecordReader(findings).read_record(what, tree->root(), record);
  if (findings.failed()) return std::unexpected(tree->placed(findings.take()));
  return record;
}

}  // namespace gw::spec
