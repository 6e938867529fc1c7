// The nodes that a name stands for: a node's own name, a part of the feed tree with all below it, or an end
// of either that only one has.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "live/book.h"
#include "live/commands.h"

namespace gw::live {

struct NamedNodes {
  std::string name;           ///< In full: `munich/hall-2/row-01/rack-03`.
  std::vector<NodeId> nodes;  ///< Ascending; at least one.
};

/// A refusal (404, `unknown_node`) says which name was meant perhaps, or which ones it could stand for.
[[nodiscard]] std::expected<NamedNodes, Refusal> nodes_named(const Book& book, std::string_view name);

}  // namespace gw::live
