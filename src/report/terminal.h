// The summary of a run for a person at a terminal.
#pragma once

#include <string>

#include "report/run_facts.h"
#include "report/text.h"
#include "twin/run_summary.h"

namespace gw::report {

/// A page of text with aligned tables, at most `style.width` (80 or more) columns wide; ends with a line
/// feed.
/// Names are shown as printable_name gives them.
std::string terminal_summary(const twin::RunSummary& summary, const Style& style, const RunFacts& facts = {});

}  // namespace gw::report
