// Reads the figures of two reports, compares them and tells the result.
#include "report/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "report/table.h"

namespace gw::report {
namespace {

enum class Wish { kNone, kMore, kLess };

struct Figure {
  const char* key;
  const char* title;
  Unit unit;
  Wish wish;
};

constexpr std::array kFigures = {
    Figure{"jobs.submitted", "jobs submitted", Unit::kCount, Wish::kNone},
    Figure{"jobs.started", "jobs started", Unit::kCount, Wish::kMore},
    Figure{"jobs.finished", "jobs finished", Unit::kCount, Wish::kMore},
    Figure{"jobs.rejected", "jobs rejected", Unit::kCount, Wish::kLess},
    Figure{"utilization_until_last_submit", "utilisation, jobs coming", Unit::kShare, Wish::kMore},
    Figure{"utilization", "utilisation to last end", Unit::kShare, Wish::kMore},
    Figure{"useful_utilization", "useful utilisation", Unit::kShare, Wish::kMore},
    Figure{"makespan_s", "makespan", Unit::kSeconds, Wish::kLess},
    Figure{"wait_s.mean", "wait, mean", Unit::kSeconds, Wish::kLess},
    Figure{"wait_s.p50", "wait, p50", Unit::kSeconds, Wish::kLess},
    Figure{"wait_s.p90", "wait, p90", Unit::kSeconds, Wish::kLess},
    Figure{"wait_s.p99", "wait, p99", Unit::kSeconds, Wish::kLess},
    Figure{"wait_s.max", "wait, longest", Unit::kSeconds, Wish::kLess},
    Figure{"bounded_slowdown.mean", "bounded slowdown, mean", Unit::kFactor, Wish::kLess},
    Figure{"bounded_slowdown.p50", "bounded slowdown, p50", Unit::kFactor, Wish::kLess},
    Figure{"bounded_slowdown.p90", "bounded slowdown, p90", Unit::kFactor, Wish::kLess},
    Figure{"bounded_slowdown.p99", "bounded slowdown, p99", Unit::kFactor, Wish::kLess},
    Figure{"queue.pending_jobs_mean", "jobs waiting, mean", Unit::kFactor, Wish::kLess},
    Figure{"fair_share.misallocated_share", "fair-share error", Unit::kShare, Wish::kLess},
    Figure{"fragmentation.unusable_share", "free, unusable for the head", Unit::kShare, Wish::kLess},
    Figure{"fragmentation.fragmented_share", "of these, by fragmentation", Unit::kShare, Wish::kLess},
    Figure{"failures.node_failures", "node failures", Unit::kCount, Wish::kNone},
    Figure{"gpu_hours.lost", "GPU-hours lost to failures", Unit::kHours, Wish::kLess},
    Figure{"run.jobs_per_s", "simulated jobs per second", Unit::kCount, Wish::kNone},
};

/// Of the jobs that physics paces. Their speed is a part of what they would do at their best place.
constexpr std::array kPhysicsFigures = {
    Figure{"physics.speed", "speed by physics", Unit::kShare, Wish::kMore},
    Figure{"physics.gpu_hours", "GPU-hours paced by physics", Unit::kHours, Wish::kLess},
};

/// These count GPUs that are held: more of them is better only if as much is done with each.
constexpr std::array<std::string_view, 3> kHeldFigures = {"utilization_until_last_submit", "utilization",
                                                          "useful_utilization"};

const Json* find(const Json& report, std::string_view key) {
  const Json* at = &report;
  while (!key.empty()) {
    const std::size_t dot = std::min(key.find('.'), key.size());
    const auto found = at->is_object() ? at->find(std::string(key.substr(0, dot))) : at->end();
    if (found == at->end()) return nullptr;
    at = &*found;
    key.remove_prefix(std::min(dot + 1, key.size()));
  }
  return at;
}

Result<double> figure_of(const Json& report, const std::string& path, const char* key) {
  const Json* value = find(report, key);
  if (value == nullptr || !value->is_number())
    return fail(
        fmt::format("{}: `{}` is missing or no number: the file is damaged, or of another gw", path, key));
  return value->get<double>();
}

std::string text_of(const Json& report, const char* key) {
  const Json* value = find(report, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

/// Of all GPU-hours that existed, those at full speed that the work would have taken that was done and not
/// lost. Restarts have no speed: they stay in.
Result<double> work_done(const Json& report, const std::string& path) {
  double held = 0, existing = 0, paced = 0, speed = 0;
  for (const auto& [key, into] :
       {std::pair{"gpu_hours.useful", &held}, std::pair{"gpu_hours.existing", &existing},
        std::pair{"physics.gpu_hours", &paced}, std::pair{"physics.speed", &speed}}) {
    const Result<double> value = figure_of(report, path, key);
    if (!value) return value;
    *into = *value;
  }
  return existing > 0 ? std::max(held - paced * (1 - speed), 0.0) / existing : 0.0;
}

std::string run_name(const Json& report) {
  const std::string policy = text_of(report, "policy");
  return text_of(report, "name") + (policy.empty() ? "" : fmt::format(" ({})", policy));
}

Result<std::vector<ComparedSize>> sizes_of(const Json& a, const std::string& path_a, const Json& b,
                                           const std::string& path_b) {
  std::vector<ComparedSize> sizes;
  const auto row_of = [&](const std::string& gpus) -> ComparedSize& {
    for (ComparedSize& size : sizes) {
      if (size.gpus == gpus) return size;
    }
    return sizes.emplace_back(ComparedSize{.gpus = gpus});
  };
  for (const bool first : {true, false}) {
    const std::string& path = first ? path_a : path_b;
    const Json* rows = find(first ? a : b, "by_size");
    if (rows == nullptr || !rows->is_array())
      return fail(
          fmt::format("{}: `by_size` is missing or no list: the file is damaged, or of another gw", path));
    for (const Json& row : *rows) {
      ComparedSize& size = row_of(text_of(row, "gpus"));
      const Result<double> started = figure_of(row, path + ": by_size", "started");
      const Result<double> mean = figure_of(row, path + ": by_size", "wait_s.mean");
      const Result<double> p90 = figure_of(row, path + ": by_size", "wait_s.p90");
      for (const Result<double>* value : {&started, &mean, &p90}) {
        if (!*value) return std::unexpected(value->error());
      }
      (first ? size.started_a : size.started_b) = static_cast<std::uint64_t>(std::max(*started, 0.0));
      (first ? size.wait_mean_a_s : size.wait_mean_b_s) = *mean;
      (first ? size.wait_p90_a_s : size.wait_p90_b_s) = *p90;
    }
  }
  std::erase_if(sizes, [](const ComparedSize& size) { return size.started_a == 0 && size.started_b == 0; });
  return sizes;
}

std::string told(Unit unit, double value) {
  switch (unit) {
    case Unit::kShare:
      return format_percent(value);
    case Unit::kSeconds:
      return format_duration(value);
    case Unit::kCount:
      return format_number(value);
    case Unit::kHours:
      return format_number(value) + " GPU-h";
    case Unit::kFactor:
      return format_number(value);
  }
  return "";
}

std::string with_sign(Unit unit, double difference) {
  if (difference == 0) return "0";
  if (unit == Unit::kShare) return fmt::format("{:+.1f} points", difference * 100);
  return (difference > 0 ? "+" : "") + told(unit, difference);
}

std::string relative(double a, double b) {
  if (a == b) return "equal";
  if (a == 0) return "";
  const double change = b / a - 1;
  return std::abs(change) < 10 ? fmt::format("{:+.1f} %", change * 100)
                               : fmt::format("x {}", format_number(b / a));
}

}  // namespace

Result<Comparison> compare_reports(const Json& a, const std::string& path_a, const Json& b,
                                   const std::string& path_b) {
  Comparison comparison;
  comparison.name_a = run_name(a);
  comparison.name_b = run_name(b);
  if (comparison.name_a == comparison.name_b) {
    comparison.name_a += " in " + path_a;
    comparison.name_b += " in " + path_b;
  }
  comparison.chance =
      text_of(a, "workload.kind") == "generated" && text_of(b, "workload.kind") == "generated";
  const bool physics_a = find(a, "physics") != nullptr, physics_b = find(b, "physics") != nullptr;
  const auto add = [&](const Figure& figure, const Result<double>& value_a,
                       const Result<double>& value_b) -> Result<void> {
    if (!value_a) return std::unexpected(value_a.error());
    if (!value_b) return std::unexpected(value_b.error());
    ComparedFigure row{figure.key, figure.title, figure.unit, *value_a, *value_b, Better::kNeither};
    if (figure.wish != Wish::kNone && row.a != row.b)
      row.better = (row.b > row.a) == (figure.wish == Wish::kMore) ? Better::kB : Better::kA;
    comparison.figures.push_back(std::move(row));
    return {};
  };
  const auto add_figure = [&](Figure figure) {
    const bool held = std::find(kHeldFigures.begin(), kHeldFigures.end(), figure.key) != kHeldFigures.end();
    if (held && (physics_a || physics_b)) figure.wish = Wish::kNone;
    return add(figure, figure_of(a, path_a, figure.key), figure_of(b, path_b, figure.key));
  };
  for (const Figure& figure : kFigures) {
    if (Result<void> added = add_figure(figure); !added) return std::unexpected(std::move(added.error()));
    if (std::string_view(figure.key) != kHeldFigures.back() || !physics_a || !physics_b) continue;
    if (Result<void> added = add({"work_done", "work done, of full speed", Unit::kShare, Wish::kMore},
                                 work_done(a, path_a), work_done(b, path_b));
        !added)
      return std::unexpected(std::move(added.error()));
    for (const Figure& physics : kPhysicsFigures) {
      if (Result<void> added = add_figure(physics); !added) return std::unexpected(std::move(added.error()));
    }
  }
  if (physics_a != physics_b)
    comparison.warnings.push_back(
        fmt::format("Only {} is paced by physics: GPU-hours of the two are not the same work, so that no "
                    "utilisation is better",
                    physics_a ? "A" : "B"));
  Result<std::vector<ComparedSize>> sizes = sizes_of(a, path_a, b, path_b);
  if (!sizes) return std::unexpected(std::move(sizes.error()));
  comparison.sizes = std::move(*sizes);
  const std::string print_a = text_of(a, "workload.fingerprint"),
                    print_b = text_of(b, "workload.fingerprint");
  if (const auto& jobs = comparison.figures[0]; jobs.a != jobs.b) {
    comparison.same_jobs = false;
    comparison.warnings.push_back(fmt::format("A has {} jobs and B {}: not the same workload",
                                              format_number(jobs.a), format_number(jobs.b)));
  } else if (!print_a.empty() && !print_b.empty() && print_a != print_b) {
    comparison.same_jobs = false;
    const bool other_seed = a.value("seed", Json()) != b.value("seed", Json());
    comparison.warnings.push_back(fmt::format("As many jobs, but others{}: not the same workload",
                                              comparison.chance && other_seed ? " (another seed)" : ""));
  }
  if (text_of(a, "fleet") != text_of(b, "fleet")) {
    comparison.warnings.push_back(
        fmt::format("A ran on {} and B on {}: not the same fleet", text_of(a, "fleet"), text_of(b, "fleet")));
  }
  if (!comparison.same_jobs) {
    for (ComparedFigure& figure : comparison.figures) figure.better = Better::kNeither;
  }
  return comparison;
}

std::string comparison_text(const Comparison& comparison, const Style& style) {
  const auto name = [&](const char* label, const std::string& text) {
    return fmt::format("{}  {}\n", paint(style, Colour::kBold, label),
                       shorten(style, printable_name(text), style.width - 3));
  };
  std::string text = "\n" + name("A", comparison.name_a) + name("B", comparison.name_b);
  for (const std::string& warning : comparison.warnings) {
    bool first = true;
    for (const std::string& row : wrapped(printable_name(warning), style.width - 3))
      text += paint(style, Colour::kYellow, (std::exchange(first, false) ? "!  " : "   ") + row) + "\n";
  }
  Table table({"figure", "A", "B", "B - A", "change", "better"});
  table.align_left(5);
  for (const ComparedFigure& figure : comparison.figures) {
    const char* better = figure.better == Better::kA ? "A" : figure.better == Better::kB ? "  B" : "";
    table.add({figure.title, told(figure.unit, figure.a), told(figure.unit, figure.b),
               with_sign(figure.unit, figure.difference()), relative(figure.a, figure.b), better});
  }
  text += "\n" + table.text(style);
  Table sizes({"wait by GPUs", "jobs A", "jobs B", "mean A", "mean B", "change", "p90 A", "p90 B", "change"});
  for (const ComparedSize& size : comparison.sizes) {
    sizes.add({size.gpus, format_count(size.started_a), format_count(size.started_b),
               format_duration(size.wait_mean_a_s), format_duration(size.wait_mean_b_s),
               relative(size.wait_mean_a_s, size.wait_mean_b_s), format_duration(size.wait_p90_a_s),
               format_duration(size.wait_p90_b_s), relative(size.wait_p90_a_s, size.wait_p90_b_s)});
  }
  if (!sizes.empty()) text += "\n" + sizes.text(style);
  if (comparison.chance)
    text += "\n" + paint(style, Colour::kDim, "One run each: differences may be chance; vary --seed.") + "\n";
  return text;
}

Json comparison_json(const Comparison& comparison) {
  Json json = {{"a", comparison.name_a},
               {"b", comparison.name_b},
               {"warnings", comparison.warnings},
               {"same_jobs", comparison.same_jobs}};
  json["figures"] = Json::object();
  for (const ComparedFigure& figure : comparison.figures) {
    Json row = {{"a", figure.a}, {"b", figure.b}, {"difference", figure.difference()}};
    row["relative_change"] = figure.a != 0 ? Json(figure.b / figure.a - 1) : Json(nullptr);
    row["better"] = figure.better == Better::kA ? "a" : figure.better == Better::kB ? "b" : "neither";
    json["figures"][figure.key] = std::move(row);
  }
  json["wait_by_gpus"] = Json::array();
  for (const ComparedSize& size : comparison.sizes) {
    json["wait_by_gpus"].push_back({{"gpus", size.gpus},
                                    {"started_a", size.started_a},
                                    {"started_b", size.started_b},
                                    {"mean_a_s", size.wait_mean_a_s},
                                    {"mean_b_s", size.wait_mean_b_s},
                                    {"p90_a_s", size.wait_p90_a_s},
                                    {"p90_b_s", size.wait_p90_b_s}});
  }
  return json;
}

}  // namespace gw::report
