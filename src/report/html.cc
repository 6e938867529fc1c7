// Puts data into the page's template.
#include "report/html.h"

#include <fmt/format.h>

namespace gw::report {

std::string json_for_script(const Json& json) {
  return script_safe(json.dump(-1, ' ', true, Json::error_handler_t::replace));
}

std::string script_safe(std::string_view text) {
  std::string safe;
  safe.reserve(text.size() + 64);
  for (const char character :
       text) {  // These three occur inside JSON strings only, where \u00XX means the same.
    if (character == '<' || character == '>' || character == '&') {
      safe += fmt::format("\\u{:04x}", static_cast<unsigned>(character));
    } else {
      safe += character;
    }
  }
  return safe;
}

Result<std::string> render_html(std::string_view page_template, const Json& reports) {
  return render_html_text(page_template, reports.dump(-1, ' ', true, Json::error_handler_t::replace));
}

Result<std::string> render_html_text(std::string_view page_template, std::string_view reports) {
  const std::size_t place = page_template.find(kDataPlaceholder);
  if (place == std::string_view::npos ||
      page_template.find(kDataPlaceholder, place + kDataPlaceholder.size()) != std::string_view::npos) {
    return fail(fmt::format("the report's template must hold {} once; it is damaged: install gw again",
                            kDataPlaceholder));
  }
  std::string page(page_template.substr(0, place));
  page += script_safe(reports);
  page += page_template.substr(place + kDataPlaceholder.size());
  return page;
}

}  // namespace gw::report
