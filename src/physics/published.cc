// What published tables of training and of collectives have in common.
#include "physics/published.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "physics/published_fields.h"

namespace gw::physics {

std::string_view PublishedTable::field(std::size_t row, std::string_view column) const {
  const auto found = std::find(columns.begin(), columns.end(), column);
  if (found == columns.end()) return {};
  const auto index = static_cast<std::size_t>(found - columns.begin());
  return index < rows[row].size() ? std::string_view(rows[row][index]) : std::string_view();
}

bool PublishedTable::has(std::string_view column) const {
  return std::find(columns.begin(), columns.end(), column) != columns.end();
}

double leading_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && std::isfinite(value) ? value : 0;
}

double KnownTypes::node_watts(const Accelerator& gpu) const {
  for (const NodePower& each : node_power) {
    if (each.gpu == gpu.name) return each.watts;
  }
  return 1.75 * gpu.power_max_w;
}

const Accelerator* find_accelerator(const KnownTypes& known, std::string_view published) {
  std::string name = lower(published.substr(0, published.find_first_of(" /(")));
  if (name.starts_with("tpuv")) name.insert(3, "-");
  const auto find = [&](std::string_view wanted) -> const Accelerator* {
    for (const Accelerator& each : known.accelerators) {
      if (each.name == wanted) return &each;
    }
    return nullptr;
  };
  if (const Accelerator* exact = find(name)) return exact;
  const std::size_t dash = name.rfind('-');  // a100-80gb is the catalog's a100.
  return dash == std::string::npos ? nullptr : find(name.substr(0, dash));
}

}  // namespace gw::physics
