// Shares the width of a screen between columns.
#include "top/columns.h"

#include <algorithm>
#include <numeric>

namespace gw::top {

std::vector<std::size_t> fit_columns(std::span<const Column> columns, std::size_t width) {
  std::vector<std::size_t> widths(columns.size());
  std::vector<std::size_t> order(columns.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return columns[a].importance > columns[b].importance;
  });
  std::size_t used = 0;
  for (const std::size_t index : order) {
    const std::size_t more = columns[index].least + (used == 0 ? 0 : 1);
    if (used + more > width) {
      // The most important one is there, cut if it must be; behind the first that does not fit none follow.
      if (used == 0) widths[index] = used = width;
      break;
    }
    widths[index] = columns[index].least;
    used += more;
  }
  std::size_t wish = 0;
  for (std::size_t index = 0; index < columns.size(); ++index) {
    if (widths[index] > 0 && columns[index].most > widths[index]) wish += columns[index].most - widths[index];
  }
  const std::size_t spare = width - used;
  std::size_t left = spare;
  for (std::size_t index = 0; index < columns.size(); ++index) {
    if (widths[index] == 0 || columns[index].most <= widths[index]) continue;
    const std::size_t can = columns[index].most - widths[index];
    const std::size_t part = wish <= spare ? can : spare * can / wish;
    widths[index] += part;
    left -= part;
  }
  for (std::size_t index = columns.size(); left > 0 && index-- > 0;) {
    if (widths[index] == 0) continue;
    widths[index] += left;
    break;
  }
  return widths;
}

}  // namespace gw::top
