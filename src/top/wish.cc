// From what is looked at to what is asked.
#include "top/wish.h"

#include <fmt/format.h>

#include <algorithm>

namespace gw::top {
namespace {

std::string sort_key(const Screen& screen) {
  std::string key(screen.sort().key);
  if (!screen.list().reversed) return key;
  // The fleet's own order has a name only when it is reversed.
  if (key.empty()) key = "fleet";
  if (key.front() == '-') return key.substr(1);
  return "-" + key;
}

std::string text_of(std::size_t number) { return number == 0 ? "" : fmt::format("{}", number); }

Ask list_ask(const Screen& screen, std::size_t height) {
  const ListView& list = screen.list();
  const Window window = window_of(list.top, height);
  const std::string count = fmt::format("{}", window.count);
  switch (screen.pane) {
    case Pane::kQueue:
      return {Ask::Kind::kJobs, "/v1/jobs" + client::query({{"status", "open"},
                                                            {"sort", sort_key(screen)},
                                                            {"text", list.filter},
                                                            {"tenant", screen.tenant},
                                                            {"offset", text_of(window.first)},
                                                            {"limit", count}})};
    case Pane::kNodes:
      return {Ask::Kind::kNodes, "/v1/nodes" + client::query({{"sort", sort_key(screen)},
                                                              {"text", list.filter},
                                                              {"after", text_of(window.first)},
                                                              {"limit", count}})};
    case Pane::kTenants:
      break;
  }
  return {Ask::Kind::kTenants, "/v1/tenants"};
}

}  // namespace

Window window_of(std::size_t top, std::size_t height) {
  height = std::clamp<std::size_t>(height, 2, 500);  // The server gives 1,000 rows at a time.
  const std::size_t half = height / 2;
  const std::size_t aligned = top / half * half;
  const std::size_t first = aligned >= half ? aligned - half : 0;
  return {first, aligned + half + height - first};
}

std::vector<Ask> wish_of(const Screen& screen) {
  std::vector<Ask> wish{{Ask::Kind::kSummary, "/v1/summary"}};
  if (screen.overlays.empty() || screen.overlays.back().kind == Overlay::Kind::kHelp) {
    wish.push_back(list_ask(screen, layout_of(screen).list_rows));
    return wish;
  }
  const Overlay& overlay = screen.overlays.back();
  const std::string job = "/v1/jobs/" + client::escaped(overlay.id);
  switch (overlay.kind) {
    case Overlay::Kind::kJob:
      wish.push_back({Ask::Kind::kJob, job});
      wish.push_back({Ask::Kind::kExplain, job + "/explain"});
      break;
    case Overlay::Kind::kNode:
      wish.push_back({Ask::Kind::kNode, "/v1/nodes/" + client::escaped(overlay.id, true)});
      break;
    case Overlay::Kind::kOutput: {
      constexpr std::size_t kMostBytes = std::size_t{256} << 10;
      // The first question only finds out where the output ends.
      const OutputView& output = screen.output;
      wish.push_back({Ask::Kind::kOutput, fmt::format("{}/output?offset={}&limit={}", job, output.next,
                                                      output.placed ? kMostBytes : 1)});
      break;
    }
    case Overlay::Kind::kHelp:
      break;
  }
  return wish;
}

}  // namespace gw::top
