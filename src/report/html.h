// report.html: the page's template with a run's data put in; one file that opens without a network.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "report/json.h"

namespace gw::report {

/// Where the template wants the data; web/report/template.html holds it exactly once.
inline constexpr std::string_view kDataPlaceholder = "@GIGAWERK_DATA@";

/// `json` as text that may stand in an HTML script element: no `<`, no `>`, no `&`, ASCII only (so no
/// U+2028).
std::string json_for_script(const Json& json);

/// The same for JSON that is text already, in ASCII.
std::string script_safe(std::string_view json);

/// The page for `reports`, an array of one report or of two to compare.
Result<std::string> render_html(std::string_view page_template, const Json& reports);
/// The same for JSON that is text already, in ASCII.
Result<std::string> render_html_text(std::string_view page_template, std::string_view reports);

}  // namespace gw::report
