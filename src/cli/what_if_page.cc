// Figures in words, and the page around them.
#include "cli/what_if_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/text_table.h"
#include "report/text.h"

namespace gw {
namespace {

using client::Json;

enum class Unit { kSeconds, kCount, kShare, kWatts, kJoules };

struct Known {
  const char* key;
  const char* name;
  Unit unit;
};
constexpr Known kKnown[] = {
    {"wait_waiting_mean_s", "wait of waiting jobs, mean", Unit::kSeconds},
    {"wait_waiting_median_s", "wait of waiting jobs, median", Unit::kSeconds},
    {"wait_waiting_p90_s", "wait of waiting jobs, P90", Unit::kSeconds},
    {"wait_new_mean_s", "wait of new jobs, mean", Unit::kSeconds},
    {"wait_new_median_s", "wait of new jobs, median", Unit::kSeconds},
    {"wait_new_p90_s", "wait of new jobs, P90", Unit::kSeconds},
    {"gpus_used_mean", "GPUs in use, mean", Unit::kCount},
    {"utilisation", "utilisation", Unit::kShare},
    {"power_mean_w", "IT power, mean", Unit::kWatts},
    {"power_peak_w", "IT power, peak", Unit::kWatts},
    {"energy_j", "IT energy", Unit::kJoules},
    {"starts", "starts", Unit::kCount},
    {"ends", "ends", Unit::kCount},
    {"interruptions", "interruptions", Unit::kCount},
    {"rejections", "rejections", Unit::kCount},
    {"waiting_at_end", "waiting at the horizon", Unit::kCount},
    {"running_at_end", "running at the horizon", Unit::kCount},
};

std::string amount(Unit unit, double value) {
  switch (unit) {
    case Unit::kSeconds:
      return report::format_duration(value);
    case Unit::kCount:
      return report::format_number(value);
    case Unit::kShare:
      return report::format_percent(value);
    case Unit::kWatts:
      return power_text(value * 1000);
    case Unit::kJoules:
      return fmt::format("{} MWh", report::format_number(value / 3.6e9));
  }
  return {};
}

std::string with_sign(Unit unit, double value) {
  if (value == 0) return "0";
  return (value > 0 ? "+" : "-") + amount(unit, std::abs(value));
}

std::string escaped_html(std::string_view text) {
  std::string out;
  for (const char letter : report::printable_name(text)) {
    switch (letter) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += letter;
    }
  }
  return out;
}

/// Two steps of values over the horizon as one picture.
std::string chart(const std::string& title, const Json& base, const Json& changed, double step_s,
                  double horizon_s, double (*scaled)(double), const char* unit) {
  constexpr double kWidth = 860, kHeight = 200, kLeft = 60, kBottom = 24;
  double top = 0;
  for (const Json* values : {&base, &changed}) {
    for (const Json& value : *values) top = std::max(top, scaled(value.get<double>()));
  }
  if (top <= 0 || horizon_s <= 0) return {};
  top *= 1.05;
  const auto x = [&](double seconds) {
    return kLeft + (kWidth - kLeft) * std::min(seconds, horizon_s) / horizon_s;
  };
  const auto y = [&](double value) { return (kHeight - kBottom) * (1 - value / top); };
  const auto line = [&](const Json& values, const char* name) {
    std::string points;
    for (std::size_t bin = 0; bin < values.size(); ++bin) {
      const double value = y(scaled(values[bin].get<double>()));
      points += fmt::format("{:.1f},{:.1f} {:.1f},{:.1f} ", x(static_cast<double>(bin) * step_s), value,
                            x(static_cast<double>(bin + 1) * step_s), value);
    }
    return fmt::format("<polyline class=\"{}\" points=\"{}\"/>", name, points);
  };
  std::string svg = fmt::format("<h2>{}</h2>\n<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
                                escaped_html(title), kWidth, kHeight, escaped_html(title));
  for (const double part : {0.0, 0.5, 1.0}) {
    svg += fmt::format("<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", kLeft, kWidth,
                       y(top * part));
    svg += fmt::format("<text x=\"0\" y=\"{:.1f}\">{} {}</text>", std::max(12.0, y(top * part)),
                       report::format_number(top * part), unit);
  }
  for (int part = 0; part <= 4; ++part) {
    const double seconds = horizon_s * part / 4;
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"{}\">{}</text>", x(seconds), kHeight - 4,
                       part == 4   ? "end"
                       : part == 0 ? "start"
                                   : "middle",
                       report::format_duration(seconds));
  }
  return svg + line(base, "base") + line(changed, "changed") + "</svg>\n";
}

std::string shift_list(const char* title, const Json& shifts, double horizon_s) {
  if (shifts.empty()) return {};
  std::string html = fmt::format("<h2>{}</h2>\n<ul>\n", title);
  for (const Json& shift : shifts)
    html += fmt::format("<li>{}</li>\n", escaped_html(shift_text(shift, horizon_s)));
  return html + "</ul>\n";
}

double itself(double value) { return value; }
double kilowatts(double watts) { return watts / 1000; }

}  // namespace

std::vector<WhatIfRow> what_if_rows(const Json& answer) {
  std::vector<WhatIfRow> rows;
  const Json& figures = answer.at("figures");
  for (const Known& known : kKnown) {
    if (!figures.contains(known.key)) continue;
    const Json& figure = figures.at(known.key);
    const double base = figure.at("base"), changed = figure.at("changed");
    if (base == 0 && changed == 0) continue;
    const auto in_world = [&](const char* world, double value) {
      const bool at_least = figure.contains("at_least") && figure.at("at_least").value(world, false);
      return (at_least ? ">= " : "") + amount(known.unit, value);
    };
    rows.push_back({known.name, in_world("base", base), in_world("changed", changed),
                    with_sign(known.unit, figure.at("difference")),
                    fmt::format("{} to {}", with_sign(known.unit, figure.at("low")),
                                with_sign(known.unit, figure.at("high")))});
  }
  return rows;
}

std::string cut_text(const Json& answer) {
  bool any = false;
  for (const auto& [name, figure] : answer.at("figures").items())
    any = any || (figure.contains("at_least") && (figure.at("at_least").value("base", false) ||
                                                  figure.at("at_least").value("changed", false)));
  if (!any) return {};
  return fmt::format(
      ">= : jobs that have not started within {} count with that much; in truth they wait longer, and the "
      "difference may be larger (--horizon)",
      report::format_duration(answer.at("horizon_s").get<double>()));
}

std::string shift_text(const Json& shift, double horizon_s) {
  const auto when = [&](const char* world) {
    const double seconds = shift.at(fmt::format("{}_s", world));
    if (seconds >= horizon_s) return fmt::format("after {}", report::format_duration(horizon_s));
    if (seconds <= 0) return std::string("now");
    const auto unstarted = shift.value(fmt::format("{}_unstarted", world), std::uint64_t{0});
    return fmt::format("in {}{}", report::format_duration(seconds),
                       unstarted > 0 ? fmt::format(" or more (not within {} in {} of the futures)",
                                                   report::format_duration(horizon_s), unstarted)
                                     : "");
  };
  std::string who = shift.value("job", "");
  if (!shift.value("name", "").empty()) who += fmt::format(" [{}]", shift.value("name", ""));
  if (!shift.value("tenant", "").empty()) who += " of " + shift.value("tenant", "");
  return fmt::format("{}: {} instead of {}", who, when("changed"), when("base"));
}

std::string what_if_page(const Json& answer) {
  std::string title = "What if: ";
  for (const Json& change : answer.at("changes"))
    title += (title.ends_with(": ") ? "" : ", ") + change.get<std::string>();
  if (answer.at("changes").empty()) title += "nothing";
  const double horizon_s = answer.at("horizon_s");
  const Json& series = answer.at("series");
  const double step_s = series.at("step_s");
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n<style>\n"
      "body{{font:15px system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;color:#1b1f24;"
      "background:#fff}}\n"
      "table{{border-collapse:collapse}}td,th{{padding:.25em .8em;text-align:right;border-bottom:1px solid "
      "#d0d7de}}td:first-child,th:first-child{{text-align:left}}\n"
      "svg{{width:100%}}svg line{{stroke:#d0d7de}}svg text{{font-size:11px;fill:#57606a}}"
      "polyline{{fill:none;stroke-width:2}}.base{{stroke:#6e7781}}.changed{{stroke:#0969da}}\n"
      "b.base{{color:#6e7781}}b.changed{{color:#0969da}}\n"
      "@media(prefers-color-scheme:dark){{body{{background:#0d1117;color:#e6edf3}}}}\n"
      "</style></head><body>\n<h1>{0}</h1>\n",
      escaped_html(title));
  html += fmt::format(
      "<p>As of {}, for the next {}{}; {} pairs of futures with equal jobs. <b class=\"base\">As it is</b>, "
      "<b class=\"changed\">changed</b>.</p>\n",
      escaped_html(answer.value("as_of", "")), report::format_duration(horizon_s),
      answer.value("shortened", false) ? " (shortened: there is too much to simulate)" : "",
      answer.value("members", 0));
  for (const Json& note : answer.at("notes"))
    html += fmt::format("<p>{}</p>\n", escaped_html(note.get<std::string>()));
  html +=
      "<table><tr><th></th><th>as it is</th><th>changed</th><th>difference</th><th>95 % "
      "interval</th></tr>\n";
  for (const WhatIfRow& row : what_if_rows(answer))
    html += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        escaped_html(row.name), row.base, row.changed, row.difference, row.interval);
  html += "</table>\n";
  if (const std::string cut = cut_text(answer); !cut.empty())
    html += fmt::format("<p>{}</p>\n", escaped_html(cut));
  html +=
      chart("GPUs in use", series.at("gpus_base"), series.at("gpus_changed"), step_s, horizon_s, itself, "");
  html += chart("IT power", series.at("watts_base"), series.at("watts_changed"), step_s, horizon_s, kilowatts,
                "kW");
  html += shift_list("Jobs that start sooner", answer.at("sooner"), horizon_s);
  html += shift_list("Jobs that start later", answer.at("later"), horizon_s);
  return html + "</body></html>\n";
}

}  // namespace gw
