// Names, orders and places.
#include "top/screen.h"

#include <algorithm>
#include <array>

namespace gw::top {
namespace {

constexpr std::array<std::string_view, kPanes> kPaneNames = {"queue", "nodes", "tenants"};

constexpr Sort kQueueSorts[] = {
    {"line", "place in line", "queue", false}, {"time", "time", "-time", true},
    {"gpus", "GPUs", "-gpus", true},           {"cpus", "CPUs", "-cpus", true},
    {"limit", "limit", "-limit", true},        {"tenant", "tenant", "tenant", false},
    {"user", "user", "user", false},           {"name", "name", "name", false},
    {"newest", "number", "-number", true}};
constexpr Sort kNodeSorts[] = {
    {"fleet", "place in the fleet", "", false},      {"state", "state", "state", false},
    {"gpus", "free GPUs", "-gpus_free", true},       {"cpus", "free CPUs", "-cpus_free", true},
    {"memory", "free memory", "-memory_free", true}, {"name", "name", "name", false}};
// Tenants are sorted here: there are few of them.
constexpr Sort kTenantSorts[] = {{"tree", "place in the tree", "", false},
                                 {"gpus", "GPUs", "", true},
                                 {"asked", "GPUs asked for", "", true},
                                 {"over", "share over what is due", "", true},
                                 {"jobs", "jobs", "", true}};

}  // namespace

std::string_view pane_name(Pane pane) { return kPaneNames[static_cast<std::size_t>(pane)]; }

std::optional<Pane> pane_by_name(std::string_view name) {
  const auto found = std::find(kPaneNames.begin(), kPaneNames.end(), name);
  if (found == kPaneNames.end()) return std::nullopt;
  return static_cast<Pane>(found - kPaneNames.begin());
}

std::span<const Sort> sorts_of(Pane pane) {
  switch (pane) {
    case Pane::kQueue:
      return kQueueSorts;
    case Pane::kNodes:
      return kNodeSorts;
    case Pane::kTenants:
      break;
  }
  return kTenantSorts;
}

std::size_t Screen::found() const {
  switch (pane) {
    case Pane::kQueue:
      return jobs.found;
    case Pane::kNodes:
      return nodes.found;
    case Pane::kTenants:
      break;
  }
  return tenants.found;
}

bool Screen::known() const {
  return pane == Pane::kQueue ? jobs.known : pane == Pane::kNodes ? nodes.known : tenants.known;
}

std::vector<Use> Screen::gauges() const {
  std::vector<Use> gauges;
  if (!summary) return gauges;
  gauges = summary->gpus;
  if (gauges.empty() && summary->cpus && summary->cpus->all > 0) gauges.push_back(*summary->cpus);
  return gauges;
}

Layout layout_of(const Screen& screen) {
  Layout layout;
  const std::size_t rows = screen.rows;
  const std::size_t gauges = screen.gauges().size();
  std::size_t row = 1;  // Behind the header.
  layout.gauges_a_row =
      std::clamp<std::size_t>(screen.columns / 80, 1, std::clamp<std::size_t>(gauges, 1, 3));
  if (gauges > 0 && rows >= 9) {
    const std::size_t wanted = (gauges + layout.gauges_a_row - 1) / layout.gauges_a_row;
    layout.gauge_row = row;
    layout.gauge_rows = rows < 16 ? 1 : std::min(wanted, std::max<std::size_t>(1, (rows - 10) / 4));
    row += layout.gauge_rows;
  }
  if (rows >= 8) layout.jobs_row = row++;
  if (rows >= 20) ++row;
  layout.tabs_row = row;
  layout.titles_row = row + 1;
  layout.list_row = row + 2;
  layout.last_row = rows == 0 ? 0 : screen.still ? rows : rows - 1;
  layout.list_rows = layout.last_row > layout.list_row ? layout.last_row - layout.list_row : 0;
  layout.body_row = row + 1;
  layout.body_rows = layout.last_row > layout.body_row ? layout.last_row - layout.body_row : 0;
  return layout;
}

}  // namespace gw::top
