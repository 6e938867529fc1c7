// The upper part of a frame.
#include <fmt/format.h>

#include <algorithm>

#include "report/text.h"
#include "top/draw.h"
#include "top/figures.h"

namespace gw::top {
namespace {

constexpr Look kGood{Hue::kGreen, false, false, false};
constexpr Look kBad{Hue::kRed, true, false, true};

std::string count_text(std::int64_t count) {
  return report::format_count(static_cast<std::uint64_t>(std::max<std::int64_t>(0, count)));
}

struct Health {
  std::string text;
  Look look;
};

Health health_of(const Screen& screen) {
  if (!screen.is_answered() || !screen.failure.empty()) {
    const std::int64_t seconds = (screen.local_ns - screen.answered_ns) / 1'000'000'000;
    if (!screen.summary) return {"no answer yet", kBad};
    return {fmt::format("no answer since {} ({})", clock_text(screen.summary->now_ns), short_span(seconds)),
            kBad};
  }
  if (!screen.summary) return {"asking", kDimLook};
  if (!screen.summary->healthy) return {"THE STORE FAILS", kBad};
  return {"healthy", kGood};
}

void draw_title(Canvas& canvas, const Screen& screen) {
  const Health health = health_of(screen);
  const std::size_t width = canvas.columns();
  std::size_t right = width - std::min(width, cells_of(health.text, screen.unicode) + 1);
  canvas.put(0, right, health.text, health.look);
  const Summary* summary = screen.summary ? &*screen.summary : nullptr;
  std::string time;
  if (summary != nullptr && summary->now_ns != kNoTime && screen.is_answered())
    time = (width >= 100 ? date_text(summary->now_ns) : clock_text(summary->now_ns)) + " UTC";
  const std::string fleet = summary == nullptr       ? "gigawerk"
                            : summary->fleet.empty() ? "factory"
                                                     : summary->fleet;
  // The fleet's name is what tells one terminal from another: it gives way last.
  if (const std::size_t need = time.size() + 2; !time.empty() && right > need + 16) {
    right -= need;
    canvas.put(0, right, time);
  }
  const std::size_t room = right > 3 ? right - 3 : 0;
  const std::size_t name = std::min(room, cells_of(fleet, screen.unicode));
  canvas.put_in(0, 1, name, fleet, kBoldLook);
  if (summary == nullptr) return;
  std::size_t at = name + 3;
  std::vector<std::string> facts{fmt::format("policy {}", summary->policy)};
  if (summary->engine == "twin") facts.insert(facts.begin(), "simulated");
  if (width >= 120) facts.push_back(screen.server);
  for (const std::string& fact : facts) {
    if (at + cells_of(fact, screen.unicode) + 2 > right) continue;
    at = canvas.put(0, at, fact, kDimLook) + 2;
  }
}

/// `52 used  8 free  16 reserved  4 off`
std::size_t draw_use(Canvas& canvas, std::size_t row, std::size_t column, const Use& use, bool wide) {
  column = canvas.put(row, column, short_amount(use.used), kBoldLook);
  column = canvas.put(row, column, wide ? " used  " : fmt::format("/{}", short_amount(use.all)));
  if (wide) column = canvas.put(row, column, short_amount(use.free) + " free");
  if (use.reserved > 0)
    column = canvas.put(row, column, fmt::format("  {} reserved", short_amount(use.reserved)),
                        {Hue::kYellow, false, false, false});
  if (use.off > 0)
    column = canvas.put(row, column, fmt::format("  {} off", short_amount(use.off)),
                        {Hue::kRed, false, false, false});
  return column;
}

void draw_gauge(Canvas& canvas, std::size_t row, std::size_t column, std::size_t width, std::size_t label,
                const Use& use) {
  const bool wide = width >= 60;
  const std::size_t text = (wide ? 28 : 16) + (use.reserved > 0 ? 16 : 0);
  canvas.put_in(row, column, label, use.name);
  const std::size_t bar =
      width > label + 1 + text + 2 ? std::min<std::size_t>(100, width - label - 1 - text - 2) : 0;
  const double all = use.all > 0 ? use.all : 1;
  std::size_t at = column + label + 1;
  if (bar >= 6) {
    // Used and free are what is left of what is on; hatched at the end is what is off.
    const std::size_t off =
        use.off > 0 ? std::clamp<std::size_t>(
                          static_cast<std::size_t>(use.off / all * static_cast<double>(bar) + 0.5), 1, bar)
                    : 0;
    const std::size_t on = bar - off;
    const double on_all = std::max(use.all - use.off, use.used);
    const Canvas::Part used[] = {{on_all > 0 ? use.used / on_all : 0, Hue::kGreen, false}};
    canvas.bar(row, at, on, used);
    const Canvas::Part gone[] = {{1, Hue::kRed, true}};
    canvas.bar(row, at + on, off, gone);
    at += bar + 1;
  }
  draw_use(canvas, row, at, use, wide);
}

void draw_gauges(Canvas& canvas, const Screen& screen, const Layout& layout) {
  std::vector<Use> gauges = screen.gauges();
  const std::size_t room = layout.gauge_rows * layout.gauges_a_row;
  if (gauges.empty() || room == 0) return;
  if (gauges.size() > room) {  // What has no line of its own is added up.
    Use rest;
    const std::size_t from = room - 1;
    rest.name =
        from == 0 ? fmt::format("{} types", gauges.size()) : fmt::format("{} more", gauges.size() - from);
    for (std::size_t index = from; index < gauges.size(); ++index) {
      rest.all += gauges[index].all, rest.used += gauges[index].used;
      rest.free += gauges[index].free, rest.off += gauges[index].off;
      rest.reserved += gauges[index].reserved;
    }
    gauges.resize(from);
    gauges.push_back(rest);
  }
  std::size_t label = 4;
  for (const Use& use : gauges) label = std::max(label, cells_of(use.name, screen.unicode));
  const std::size_t width = (canvas.columns() - 1) / layout.gauges_a_row;
  label = std::min(label, std::max<std::size_t>(6, width / 4));
  for (std::size_t index = 0; index < gauges.size(); ++index)
    draw_gauge(canvas, layout.gauge_row + index / layout.gauges_a_row,
               1 + index % layout.gauges_a_row * width, width - 1, label, gauges[index]);
}

void draw_jobs(Canvas& canvas, const Screen& screen, std::size_t row) {
  const Summary& summary = *screen.summary;
  struct Part {
    std::string word;
    std::int64_t count;
    Look look;
  };
  std::vector<Part> parts{{"running", summary.running, {Hue::kGreen, true, false, false}}};
  if (summary.states) {
    parts.push_back({"waiting", summary.states->waiting, kBoldLook});
    if (summary.states->blocked > 0) parts.push_back({"blocked", summary.states->blocked, kBoldLook});
    if (summary.states->held > 0) parts.push_back({"held", summary.states->held, kBoldLook});
  } else {
    parts.push_back({"not running", summary.open - summary.running, kBoldLook});
  }
  const bool narrow = canvas.columns() < 60;
  std::size_t at = canvas.put(row, 1, "Jobs ", kPlainLook);
  for (const Part& part : parts) {
    if (at + count_text(part.count).size() + 1 + part.word.size() > canvas.columns()) break;
    at = canvas.put(row, at, count_text(part.count), part.look);
    at = canvas.put(row, at, fmt::format(" {}{}", part.word, narrow ? " " : "  "));
  }
  std::string nodes = fmt::format("{} node{}", count_text(summary.nodes), summary.nodes == 1 ? "" : "s");
  const std::string off = summary.nodes_off > 0 ? fmt::format(", {} off", count_text(summary.nodes_off)) : "";
  const std::size_t need = nodes.size() + off.size() + 1;
  if (at + need + 1 <= canvas.columns()) {
    const std::size_t column = canvas.put(row, canvas.columns() - need, nodes);
    canvas.put(row, column, off, {Hue::kRed, false, false, false});
    // Between both, how busy the factory was lately.
    const std::size_t room = canvas.columns() - need - at;
    const std::size_t marks = std::min<std::size_t>({screen.busy.size(), 40, room > 18 ? room - 18 : 0});
    if (marks >= 8) {
      const std::vector<double> lately(screen.busy.end() - static_cast<std::ptrdiff_t>(marks),
                                       screen.busy.end());
      report::Style style;
      style.unicode = screen.unicode;
      const std::size_t next = canvas.put(row, at + 2, "lately ", kDimLook);
      canvas.put(row, next, report::sparkline(style, lately, 1, marks), {Hue::kGreen, false, false, false});
    }
  }
}

}  // namespace

void draw_header(Canvas& canvas, const Screen& screen, const Layout& layout) {
  draw_title(canvas, screen);
  if (!screen.summary) return;
  draw_gauges(canvas, screen, layout);
  if (layout.jobs_row) draw_jobs(canvas, screen, *layout.jobs_row);
}

void draw_tabs(Canvas& canvas, const Screen& screen, const Layout& layout) {
  const std::size_t row = layout.tabs_row;
  const bool narrow = canvas.columns() < 60;
  std::size_t at = 0;
  for (const Pane pane : {Pane::kQueue, Pane::kNodes, Pane::kTenants}) {
    std::string title = fmt::format(" {} {}", static_cast<std::size_t>(pane) + 1, pane_name(pane));
    title[3] = static_cast<char>(title[3] & ~0x20);
    std::string count;
    if (pane == Pane::kQueue && screen.summary) count = count_text(screen.summary->open);
    if (pane == Pane::kNodes && screen.summary) count = count_text(screen.summary->nodes);
    if (pane == Pane::kTenants && screen.tenants.known) count = fmt::format("{}", screen.all_tenants);
    if (!narrow && !count.empty()) title += " " + count;
    const Look look = pane == screen.pane ? Look{Hue::kPlain, true, false, true} : kPlainLook;
    at = canvas.put(row, at, title + " ", look);
  }
  std::vector<std::string> facts;
  if (screen.pane == Pane::kQueue && !screen.tenant.empty())
    facts.push_back(fmt::format("of {}", screen.tenant));
  if (!screen.list().filter.empty()) facts.push_back(fmt::format("/{}", screen.list().filter));
  const bool usual = screen.list().sort == 0 && !screen.list().reversed;
  if (!narrow || !usual)
    facts.push_back(fmt::format("by {}{}", screen.sort().title, screen.list().reversed ? ", reversed" : ""));
  std::string text;
  for (const std::string& fact : facts) {
    if (!text.empty()) text += "  ";
    text += fact;
  }
  const std::size_t cells = cells_of(text, screen.unicode);
  const std::size_t room = canvas.columns() > at + 2 ? canvas.columns() - at - 2 : 0;
  const std::size_t width = std::min(room, cells);
  const bool is_part =
      !screen.list().filter.empty() || (screen.pane == Pane::kQueue && !screen.tenant.empty());
  canvas.put_in(row, canvas.columns() - 1 - width, width, text,
                is_part ? Look{Hue::kYellow, true, false, false} : kDimLook);
}

}  // namespace gw::top
