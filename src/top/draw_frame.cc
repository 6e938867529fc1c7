// A frame as a whole, the pages that cover its lists, and its last line.
#include <fmt/format.h>

#include <algorithm>

#include "report/text.h"
#include "top/draw.h"

namespace gw::top {
namespace {

constexpr std::size_t kLabel = 16;

/// A line of a page as the screen has it.
struct ShownLine {
  std::string label;
  std::string text;
  Look look;
  bool labelled = false;  ///< `text` stands where texts beside labels do.
};

std::vector<ShownLine> page_lines(std::span<const TextLine> page, const Screen& screen) {
  std::vector<ShownLine> lines;
  const std::size_t room = screen.columns > kLabel + 12 ? screen.columns - kLabel - 3 : 0;
  for (const TextLine& line : page) {
    if (line.text.empty() || room == 0) {  // A heading; or a screen too narrow for two columns.
      lines.push_back({line.label, "", line.look});
      if (!line.text.empty()) lines.push_back({"", line.text, {}});
      continue;
    }
    const bool wide = line.label.empty();
    std::string label = line.label;
    for (std::string& piece : broken(line.text, wide ? room + kLabel : room, screen.unicode)) {
      lines.push_back({label, std::move(piece), line.look, !wide});
      label.clear();
    }
  }
  return lines;
}

std::vector<ShownLine> output_lines(const Screen& screen) {
  std::vector<ShownLine> lines;
  for (const std::string& line : screen.output.text.lines()) {
    for (std::string& piece : broken(line, screen.columns, screen.unicode))
      lines.push_back({"", std::move(piece), {}});
  }
  return lines;
}

std::vector<ShownLine> lines_of(const Screen& screen) {
  switch (screen.overlays.back().kind) {
    case Overlay::Kind::kOutput:
      return output_lines(screen);
    case Overlay::Kind::kHelp:
      return page_lines(help_text(), screen);
    case Overlay::Kind::kJob:
    case Overlay::Kind::kNode:
      break;
  }
  return page_lines(screen.text, screen);
}

std::string overlay_title(const Screen& screen) {
  const Overlay& overlay = screen.overlays.back();
  switch (overlay.kind) {
    case Overlay::Kind::kJob:
      return fmt::format(" Job {}  {} ", overlay.id, overlay.name);
    case Overlay::Kind::kNode:
      return fmt::format(" Node {} ", overlay.id);
    case Overlay::Kind::kOutput:
      return fmt::format(" Output of job {}  {} ", overlay.id, overlay.name);
    case Overlay::Kind::kHelp:
      break;
  }
  return " Keys and columns ";
}

/// What a page shows while it has no lines.
std::string empty_text(const Screen& screen) {
  if (screen.overlays.back().kind != Overlay::Kind::kOutput) return "asking ...";
  const OutputView& output = screen.output;
  if (!output.refusal.empty()) return output.refusal;
  if (!output.placed) return "asking ...";
  if (output.attempt == 0) return "it has not run yet";
  return output.ended ? "it printed nothing" : "it has printed nothing yet";
}

struct Hint {
  std::string_view key, word;
};

std::vector<Hint> hints_of(const Screen& screen) {
  if (!screen.overlays.empty()) {
    switch (screen.overlays.back().kind) {
      case Overlay::Kind::kJob:
        return {{"q", "back"}, {"o", "output"},  {"c", "cancel"},
                {"h", "hold"}, {"r", "release"}, {"?", "help"}};
      case Overlay::Kind::kNode:
        return {{"q", "back"}, {"d", "drain"}, {"r", "resume"}, {"?", "help"}};
      case Overlay::Kind::kOutput:
        return {{"q", "back"}, {"End", "follow"}, {"c", "cancel"}, {"?", "help"}};
      case Overlay::Kind::kHelp:
        break;
    }
    return {{"q", "back"}};
  }
  switch (screen.pane) {
    case Pane::kQueue:
      return {{"?", "help"},   {"q", "quit"},   {"Enter", "details"}, {"/", "filter"},  {"s", "sort"},
              {"c", "cancel"}, {"o", "output"}, {"h", "hold"},        {"r", "release"}, {"Tab", "nodes"}};
    case Pane::kNodes:
      return {{"?", "help"}, {"q", "quit"},  {"Enter", "details"}, {"/", "filter"},
              {"s", "sort"}, {"d", "drain"}, {"r", "resume"},      {"Tab", "tenants"}};
    case Pane::kTenants:
      break;
  }
  return {{"?", "help"},   {"q", "quit"}, {"Enter", "its queue"},
          {"/", "filter"}, {"s", "sort"}, {"Tab", "queue"}};
}

std::string position_text(const Screen& screen, const Layout& layout) {
  std::size_t first = 0, last = 0, all = 0;
  if (screen.overlays.empty()) {
    all = screen.found();
    first = screen.list().top;
    last = std::min(all, first + layout.list_rows);
  } else {
    all = overlay_lines(screen);
    const Overlay& overlay = screen.overlays.back();
    const std::size_t end = all > layout.body_rows ? all - layout.body_rows : 0;
    first = overlay.kind == Overlay::Kind::kOutput && overlay.follow ? end : std::min(overlay.scroll, end);
    last = std::min(all, first + layout.body_rows);
    if (overlay.kind == Overlay::Kind::kOutput && overlay.follow)
      return screen.output.ended ? "ended" : "following";
  }
  if (all == 0) return "";
  if (screen.overlays.empty())
    return fmt::format("{}/{}", report::format_count(screen.list().cursor + 1), report::format_count(all));
  return last - first == all ? std::string()
                             : fmt::format("{}-{}/{}", first + 1, last, report::format_count(all));
}

}  // namespace

std::size_t overlay_lines(const Screen& screen) {
  return screen.overlays.empty() ? 0 : lines_of(screen).size();
}

void draw_overlay(Canvas& canvas, const Screen& screen, const Layout& layout) {
  const Overlay& overlay = screen.overlays.back();
  canvas.put_in(layout.tabs_row, 0, canvas.columns(), overlay_title(screen),
                {Hue::kPlain, true, false, true});
  const std::vector<ShownLine> lines = lines_of(screen);
  if (lines.empty()) {
    canvas.put(layout.body_row, 1, empty_text(screen), kDimLook);
    return;
  }
  const bool output = overlay.kind == Overlay::Kind::kOutput;
  const std::size_t last = lines.size() > layout.body_rows ? lines.size() - layout.body_rows : 0;
  const std::size_t first = output && overlay.follow ? last : std::min(overlay.scroll, last);
  for (std::size_t line = 0; line < layout.body_rows && first + line < lines.size(); ++line) {
    const ShownLine& shown = lines[first + line];
    const std::size_t row = layout.body_row + line;
    if (output) {
      canvas.put(row, 0, shown.text);
      continue;
    }
    const bool heading = shown.text.empty();
    const std::size_t at = canvas.put(row, 1, shown.label, heading ? shown.look : kDimLook);
    if (!heading) canvas.put(row, shown.labelled ? std::max(at + 1, kLabel + 2) : 2, shown.text, shown.look);
  }
}

void draw_footer(Canvas& canvas, const Screen& screen, const Layout& layout) {
  const std::size_t row = layout.last_row;
  if (screen.prompt) {
    const Prompt& prompt = *screen.prompt;
    const bool asks = prompt.kind == Prompt::Kind::kConfirm;
    const std::string text = prompt.question + prompt.text;
    const std::size_t width = canvas.columns() > 1 ? canvas.columns() - 1 : canvas.columns();
    canvas.put_in(row, 0, width, text, asks ? Look{Hue::kYellow, true, false, true} : kBoldLook, Align::kLeft,
                  asks ? Cut::kEnd : Cut::kBegin);
    if (!asks) {
      const std::size_t at = std::min(width, cells_of(text, screen.unicode));
      canvas.put(row, at, " ", kReverseLook);  // Where the next character goes.
    }
    return;
  }
  const std::string position = position_text(screen, layout);
  const std::size_t right = canvas.columns() - std::min(canvas.columns(), position.size() + 1);
  canvas.put(row, right, position, kDimLook);
  const std::size_t room = right > 2 ? right - 2 : 0;
  if (!screen.notice.text.empty() || !screen.failure.empty()) {
    const bool bad = screen.notice.text.empty() || screen.notice.bad;
    const std::string& text = screen.notice.text.empty() ? screen.failure : screen.notice.text;
    canvas.put_in(row, 1, room, text, {bad ? Hue::kRed : Hue::kGreen, true, false, false});
    return;
  }
  std::size_t at = 1;
  for (const Hint& hint : hints_of(screen)) {
    if (at + hint.key.size() + 1 + hint.word.size() > room) continue;
    at = canvas.put(row, at, hint.key, kBoldLook) + 1;
    at = canvas.put(row, at, hint.word, kDimLook) + 2;
  }
}

Canvas draw(const Screen& screen) {
  Canvas canvas(screen.columns, screen.rows, screen.unicode);
  if (screen.columns < 20 || screen.rows < 5) {
    canvas.put(0, 0, "the terminal is too small");
    return canvas;
  }
  const Layout layout = layout_of(screen);
  draw_header(canvas, screen, layout);
  if (screen.overlays.empty()) {
    draw_tabs(canvas, screen, layout);
    draw_list(canvas, screen, layout);
  } else {
    draw_overlay(canvas, screen, layout);
  }
  if (!screen.still) draw_footer(canvas, screen, layout);
  return canvas;
}

}  // namespace gw::top
