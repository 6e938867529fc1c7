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
  // Behind the first that does not fit none follow: what is there depends on the width alone.
  const auto show = [&](bool extra) {
    for (const std::size_t index : order) {
      if ((columns[index].importance < kExtra) != extra) continue;
      const std::size_t more = columns[index].least + (used == 0 ? 0 : 1);
      if (used + more > width) {
        if (used == 0) widths[index] = used = width;  // The most important one is there, cut if it must be.
        return false;
      }
      widths[index] = columns[index].least;
      used += more;
    }
    return true;
  };
  const auto grow = [&](std::size_t Column::* wish) {
    std::size_t wanted = 0;
    for (std::size_t index = 0; index < columns.size(); ++index) {
      if (widths[index] > 0 && columns[index].*wish > widths[index])
        wanted += columns[index].*wish - widths[index];
    }
    const std::size_t spare = width - used;
    for (std::size_t index = 0; index < columns.size(); ++index) {
      if (widths[index] == 0 || columns[index].*wish <= widths[index]) continue;
      const std::size_t can = columns[index].*wish - widths[index];
      const std::size_t part = wanted <= spare ? can : spare * can / wanted;
      widths[index] += part;
      used += part;
    }
    return wanted <= spare;
  };
  if (show(false) && grow(&Column::good)) {
    show(true);
    grow(&Column::good);
  }
  grow(&Column::most);
  for (std::size_t index = columns.size(); used < width && index-- > 0;) {
    if (widths[index] == 0) continue;
    widths[index] += width - used;
    used = width;
  }
  return widths;
}

}  // namespace gw::top
