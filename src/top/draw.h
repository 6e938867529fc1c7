// The parts of a frame, each drawn by a file of its own.
#pragma once

#include "top/screen.h"

namespace gw::top {

inline constexpr Look kPlainLook{};
inline constexpr Look kBoldLook{Hue::kPlain, true, false, false};
inline constexpr Look kDimLook{Hue::kPlain, false, true, false};
inline constexpr Look kReverseLook{Hue::kPlain, false, false, true};

/// Fleet, policy, time, health; gauges; jobs by state.
void draw_header(Canvas& canvas, const Screen& screen, const Layout& layout);
/// The names of the panes, and how the one in front is sorted and filtered.
void draw_tabs(Canvas& canvas, const Screen& screen, const Layout& layout);
/// The table of the pane in front.
void draw_list(Canvas& canvas, const Screen& screen, const Layout& layout);
/// The page that covers the lists.
void draw_overlay(Canvas& canvas, const Screen& screen, const Layout& layout);
/// The last line: a question, news, or what keys there are.
void draw_footer(Canvas& canvas, const Screen& screen, const Layout& layout);

}  // namespace gw::top
