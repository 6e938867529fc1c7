// Composes the terminal summary: headline, charts of one line, tables.
#include "report/terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "report/table.h"

namespace gw::report {
namespace {

using twin::GroupSummary;
using twin::RunSummary;

constexpr std::size_t kMostTenants = 10;
constexpr std::size_t kLabel = 18;

std::string heading(const Style& style, std::string_view text) {
  return "\n" + paint(style, Colour::kBold, text) + "\n";
}

std::string line(const Style& style, std::string_view label, std::string_view text) {
  return "  " + paint(style, Colour::kDim, pad_right(label, kLabel)) + std::string(text) + "\n";
}

/// Facts one after the other, on as many lines as it takes.
std::string list(const Style& style, std::string_view label, const std::vector<std::string>& facts) {
  const std::string_view separator = style.unicode ? " · " : " - ";
  std::string text;
  std::string row;
  for (const std::string& fact : facts) {
    if (!row.empty() && columns(row) + separator.size() + columns(fact) + kLabel + 2 > style.width) {
      text += line(style, text.empty() ? label : "", row);
      row.clear();
    }
    if (!row.empty()) row += separator;
    row += fact;
  }
  return text + line(style, text.empty() ? label : "", row);
}

/// `text` on lines of at most the style's width, dim.
std::string note(const Style& style, std::string_view text) {
  std::string lines;
  for (const std::string& row : wrapped(text, style.width - 2))
    lines += "  " + paint(style, Colour::kDim, row) + "\n";
  return lines;
}

std::string title(const RunSummary& summary, const Style& style) {
  std::vector<std::string> facts;
  if (!summary.labels.policy.empty()) facts.push_back("policy " + summary.labels.policy);
  if (!summary.labels.fleet.empty()) facts.push_back(printable_name(summary.labels.fleet));
  facts.push_back(format_number(summary.gpus) + " GPUs");
  facts.push_back(format_duration(summary.makespan_s));
  facts.push_back(fmt::format("seed {}", summary.labels.seed));
  std::string row;
  for (const std::string& fact : facts) row += (row.empty() ? "" : style.unicode ? " · " : " - ") + fact;
  return "\n" +
         paint(style, Colour::kBold, shorten(style, printable_name(summary.labels.name), style.width)) +
         "\n" + shorten(style, row, style.width) + "\n";
}

std::string use(const RunSummary& summary, const Style& style) {
  const std::size_t width = style.width - kLabel - 2 - 10;
  const double existing = summary.gpu_hours.existing > 0 ? summary.gpu_hours.existing : 1;
  const double shown = summary.utilization_until_last_submit;
  const Colour colour = shown >= 0.8 ? Colour::kGreen : shown >= 0.5 ? Colour::kYellow : Colour::kRed;
  std::string text = heading(style, "GPUs");
  text += line(style, "allocated",
               paint(style, colour, bar(style, shown, width)) +
                   paint(style, Colour::kBold, pad_left(format_percent(shown), 10)));
  const double tail = summary.last_end_s - summary.last_submit_s;
  if (tail > 0.01 * summary.makespan_s) {
    const std::string fact =
        fmt::format("until the last submit, {} asked for; {} to the end",
                    format_percent(summary.offered_load), format_percent(summary.utilization));
    text += line(style, "", shorten(style, fact, style.width - kLabel - 2));
  }
  const twin::RunSeries& series = summary.series;
  if (series.bins() > 1) {
    std::vector<double> share(series.bins());
    for (std::size_t bin = 0; bin < share.size(); ++bin)
      share[bin] = series.total_gpus[bin] > 0 ? series.allocated_gpus[bin] / series.total_gpus[bin] : 0;
    text += line(style, "over time",
                 paint(style, colour, sparkline(style, share, 1.0, width)) + pad_left("of 100 %", 10));
    const double most = *std::max_element(series.pending_jobs.begin(), series.pending_jobs.end());
    text += line(style, "jobs waiting",
                 paint(style, Colour::kBlue, sparkline(style, series.pending_jobs, most, width)) +
                     pad_left("of " + format_number(most), 10));
  }
  const auto hours = [&](double gpu_hours, const char* what) {
    return fmt::format("{} {} ({})", format_number(gpu_hours), what, format_percent(gpu_hours / existing));
  };
  return text + list(style, "GPU-hours",
                     {hours(summary.gpu_hours.useful, "useful"), hours(summary.gpu_hours.lost, "lost"),
                      hours(summary.gpu_hours.idle, "idle"), hours(summary.gpu_hours.down, "down")});
}

/// Each reason on lines of its own, and what may be done about it.
std::string rejected(const RunFacts& facts, const Style& style) {
  std::string text;
  std::string type;
  for (const RejectedGroup& group : facts.rejected) {
    text += list(style, "",
                 {fmt::format("{} {}", format_count(group.jobs), printable_name(group.why)),
                  fmt::format("such as job {}", printable_name(group.example))});
    if (type.empty() && !group.gpu_types.empty()) type = group.gpu_types.front();
  }
  if (type.empty()) return text;
  const std::string name = printable_name(type);
  return text +
         note(style, facts.generated
                         ? "Name GPU types of the fleet in gpu_types of the job's class to let it run."
                         : fmt::format("To run them: --gpu-type {}=any, or --gpu-type {}=TYPE of the fleet.",
                                       name, name));
}

std::string jobs(const RunSummary& summary, const Style& style, const RunFacts& facts) {
  const RunSummary::Jobs& from = summary.jobs;
  std::string text = heading(style, "Jobs");
  std::vector<std::string> counts = {format_count(from.submitted) + " submitted",
                                     format_count(from.started) + " started",
                                     format_count(from.finished) + " finished"};
  if (from.withdrawn != 0) counts.push_back(format_count(from.withdrawn) + " withdrawn");
  if (from.rejected == 0) counts.emplace_back("none rejected");
  text += list(style, "counted", counts);
  if (from.rejected != 0) {
    std::vector<std::string> reasons = {format_count(from.rejected)};
    if (facts.rejected.empty()) {
      for (const twin::NamedCount& reason : from.rejected_by)
        reasons.push_back(fmt::format("{}: {}", reason.name, format_count(reason.count)));
    }
    text += list(style, "rejected", reasons) + rejected(facts, style);
  }
  if (const std::string rows = rows_sentence(facts.rows); !rows.empty()) text += line(style, "rows", rows);
  if (from.finished != 0) {
    const auto share = [&](std::uint64_t count, const char* what) {
      return format_percent(static_cast<double>(count) / static_cast<double>(from.finished)) + " " + what;
    };
    text += list(style, "outcome",
                 {share(from.completed, "completed"), share(from.failed, "failed"),
                  share(from.cancelled, "cancelled"), share(from.timed_out, "at their limit")});
  }
  if (from.grown != 0 || from.shrunk != 0)
    text += list(style, "elastic",
                 {format_count(from.grown) + " times a job grew while it ran",
                  format_count(from.shrunk) + " times one shrank"});
  if (summary.failures.node_failures != 0 || from.restarts != 0) {
    text += list(style, "failures",
                 {format_count(summary.failures.node_failures) + " node failures",
                  fmt::format("{} restarts of {} jobs", format_count(from.restarts),
                              format_count(from.restarted_jobs)),
                  format_count(from.preemptions) + " of them preemptions",
                  format_count(from.replacements) + " at once with a spare node",
                  format_number(summary.failures.lost_gpu_hours) + " GPU-hours of work lost"});
  }
  return text;
}

std::vector<std::string> wait_row(const std::string& name, std::uint64_t jobs_started,
                                  const twin::Distribution& wait, const twin::Distribution& slowdown) {
  const bool finished = slowdown.count != 0;
  return {name,
          format_count(jobs_started),
          format_duration(wait.mean),
          format_duration(wait.p50),
          format_duration(wait.p90),
          format_duration(wait.p99),
          format_duration(wait.max),
          finished ? format_number(slowdown.p50) : "-",
          finished ? format_number(slowdown.p90) : "-"};
}

std::string waits(const RunSummary& summary, const Style& style) {
  Table table({"by GPUs", "jobs", "mean", "p50", "p90", "p99", "max", "slowdown p50", "p90"});
  table.add(wait_row("all", summary.jobs.started, summary.wait_s, summary.slowdown));
  for (const GroupSummary& size : summary.by_size) {
    if (size.started != 0) table.add(wait_row(size.name, size.started, size.wait_s, size.slowdown));
  }
  std::string text = heading(style, "Waits and bounded slowdown") + table.text(style);
  if (summary.by_class.size() > 1) {
    Table classes({"by class", "jobs", "mean", "p50", "p90", "p99", "max", "slowdown p50", "p90"});
    for (const GroupSummary& kind : summary.by_class)
      classes.add(
          wait_row(shorten(style, printable_name(kind.name), 24), kind.started, kind.wait_s, kind.slowdown));
    text += "\n" + classes.text(style);
  }
  return text;
}

std::string tenants(const RunSummary& summary, const Style& style) {
  std::vector<const twin::TenantSummary*> tops;
  for (const twin::TenantSummary& tenant : summary.tenants) {
    if (tenant.depth == 1) tops.push_back(&tenant);
  }
  if (tops.size() < 2) return "";
  double all = 0;
  for (const twin::TenantSummary* tenant : tops) all += tenant->gpu_hours;
  const auto share = [&](double hours) { return all > 0 ? format_percent(hours / all) : "-"; };
  Table table({"tenant", "jobs", "GPU-hours", "share", "entitled", "wait p50", "p90", "max"});
  twin::TenantSummary rest;
  for (std::size_t index = 0; index < tops.size(); ++index) {
    const twin::TenantSummary& tenant = *tops[index];
    if (index < kMostTenants || tops.size() == kMostTenants + 1) {
      table.add({shorten(style, printable_name(tenant.path), 30), format_count(tenant.submitted),
                 format_number(tenant.gpu_hours), share(tenant.gpu_hours), share(tenant.entitled_gpu_hours),
                 format_duration(tenant.wait_s.p50), format_duration(tenant.wait_s.p90),
                 format_duration(tenant.wait_s.max)});
      continue;
    }
    rest.submitted += tenant.submitted;
    rest.gpu_hours += tenant.gpu_hours;
    rest.entitled_gpu_hours += tenant.entitled_gpu_hours;
    rest.wait_max_s = std::max(rest.wait_max_s, tenant.wait_max_s);
  }
  if (rest.submitted != 0) {
    table.add({fmt::format("{} others", tops.size() - kMostTenants), format_count(rest.submitted),
               format_number(rest.gpu_hours), share(rest.gpu_hours), share(rest.entitled_gpu_hours), "", "",
               format_duration(rest.wait_max_s)});
  }
  return heading(style, "Tenants") + table.text(style) +
         note(style, fmt::format("Fair-share error: {} of the GPU-time went beyond its owner's entitlement.",
                                 format_percent(summary.fair_share.misallocated_share)));
}

std::string reservations(const RunSummary& summary, const Style& style) {
  if (summary.reservations.empty()) return "";
  Table table({"reservation", "of", "times", "GPUs", "GPU-hours", "used", "share"});
  std::string refused;
  for (const twin::ReservationSummary& reservation : summary.reservations) {
    if (!reservation.refusal.empty()) {
      refused += note(style, fmt::format("Reservation {} was refused: {}.", printable_name(reservation.name),
                                         reservation.refusal));
      continue;
    }
    table.add({shorten(style, printable_name(reservation.name), 24),
               reservation.tenant.empty() ? "nobody" : shorten(style, printable_name(reservation.tenant), 24),
               format_count(reservation.times), format_number(reservation.gpus),
               format_number(reservation.reserved_gpu_hours), format_number(reservation.used_gpu_hours),
               reservation.reserved_gpu_hours > 0
                   ? format_percent(reservation.used_gpu_hours / reservation.reserved_gpu_hours)
                   : "-"});
  }
  return heading(style, "Reservations") + table.text(style) + refused;
}

std::string places(const RunSummary& summary, const Style& style, bool flat) {
  std::uint64_t all = 0;
  std::uint64_t gangs = 0;
  for (const twin::SpanSummary& span : summary.spans) {
    all += span.jobs;
    gangs += span.gang_jobs;
  }
  std::string text;
  if (gangs != 0 && !flat) {  // Of a flat machine every job spans all of it.
    Table table({"jobs within one", "jobs", "share", "of gangs", "GPU-hours"});
    for (const twin::SpanSummary& span : summary.spans) {
      if (span.jobs == 0) continue;
      table.add({printable_name(span.level), format_count(span.jobs),
                 format_percent(static_cast<double>(span.jobs) / static_cast<double>(all)),
                 format_percent(static_cast<double>(span.gang_jobs) / static_cast<double>(gangs)),
                 format_number(span.gpu_hours)});
    }
    text += heading(style, "Spans of the fabric") + table.text(style);
  }
  if (summary.reasons.empty()) return text;
  double hours = 0;
  for (const twin::ReasonSummary& reason : summary.reasons) hours += reason.wait_hours;
  Table table({"first reason", "jobs", "wait, hours", "share", ""});
  table.align_left(4);
  for (const twin::ReasonSummary& reason : summary.reasons) {
    const double share = hours > 0 ? reason.wait_hours / hours : 0;
    table.add({shorten(style, reason.name, 36), format_count(reason.jobs), format_number(reason.wait_hours),
               format_percent(share), bar(style, share, 16)});
  }
  text += heading(style, "Why jobs waited") + table.text(style);
  if (flat) return text;  // Of equal processors anywhere none is of no use.
  const RunSummary::Fragmentation& part = summary.fragmentation;
  return text +
         note(style,
              fmt::format(
                  "While a head job waits ({} of the time), {} GPUs are free and of no use to it (type or "
                  "place); {} if only the times count at which they would be enough by number.",
                  format_percent(part.head_wait_share), format_number(part.unusable_gpus_mean),
                  format_number(part.fragmented_gpus_mean)));
}

/// Feeds that could be above their caps: megawatts against cap.
std::string power(const RunSummary& summary, const Style& style) {
  const twin::PowerSummary& from = summary.power;
  if (!from.limited) return "";
  constexpr std::size_t kMostRows = 12;
  Table table({"feed", "mean MW", "peak MW", "cap MW", "lowest", "peak/cap", "above cap", "longest"});
  for (std::size_t row = 0; row < std::min(from.feeds.size(), kMostRows); ++row) {
    const twin::FeedSummary& feed = from.feeds[row];
    table.add({shorten(style, feed.name, 36), format_number(feed.mean_mw), format_number(feed.peak_mw),
               format_number(feed.cap_mean_mw), format_number(feed.cap_min_mw),
               format_percent(feed.peak_share), format_percent(feed.above_share),
               format_duration(feed.longest_above_s)});
  }
  std::string text = heading(style, "Power") + table.text(style);
  if (from.limited_feeds > kMostRows)
    text += note(style, fmt::format("{} feeds have caps that can bind; report.json has more of them.",
                                    format_count(from.limited_feeds)));
  text += note(
      style, fmt::format(
                 "{} changes of caps; clocks capped or freed {} times, {} jobs stopped; {} MWh of IT energy.",
                 format_count(from.cap_changes), format_count(from.clock_orders),
                 format_count(from.stopped_jobs), format_number(from.energy_mwh)));
  if (from.late_feeds == 0)
    return text + note(style, fmt::format("No feed was above its cap for longer than {}.",
                                          format_duration(from.reaction_s)));
  return text + note(style, fmt::format("{} feeds were above their caps for longer than {}: {} at most.",
                                        format_count(from.late_feeds), format_duration(from.reaction_s),
                                        format_duration(from.longest_above_s)));
}

/// What energy cost and emitted, with and without shifting.
std::string energy(const RunSummary& summary, const Style& style) {
  const twin::EnergySummary& from = summary.energy;
  if (!from.priced && !from.carbon) return "";
  Table table({"facility energy", "MWh", "EUR", "EUR/MWh", "t CO2", "g/kWh"});
  const auto row = [&](const std::string& name, double mwh, double euros, double tonnes) {
    table.add({name, format_number(mwh), from.priced ? format_number(euros) : "-",
               from.priced && mwh > 0 ? format_number(euros / mwh) : "-",
               from.carbon ? format_number(tonnes) : "-",
               from.carbon && mwh > 0 ? format_number(tonnes / mwh * 1000) : "-"});
  };
  for (const twin::EnergySummary::Site& site : from.sites)
    row(shorten(style, site.name, 36), site.mwh, site.euros, site.tonnes);
  if (from.sites.size() > 1) row("all", from.mwh, from.euros, from.tonnes);
  if (from.has_unshifted)
    row("without shifting", from.unshifted_mwh, from.unshifted_euros, from.unshifted_tonnes);
  std::string text = heading(style, "Energy") + table.text(style);
  const double shifted = static_cast<double>(std::max<std::uint64_t>(from.shifted_jobs, 1));
  text += note(style,
               fmt::format("{} of {} flexible jobs waited for a better hour, {} on average; {} ended after "
                           "their deadline{}.",
                           format_count(from.shifted_jobs), format_count(from.flexible_jobs),
                           format_duration(from.shifted_hours / shifted * 3600), format_count(from.late_jobs),
                           from.has_unshifted
                               ? fmt::format(" ({} without shifting)", format_count(from.unshifted_late_jobs))
                               : std::string()));
  return text;
}

/// How fast jobs went where they were.
std::string physics(const RunSummary& summary, const Style& style) {
  const twin::PhysicsSummary& from = summary.physics;
  if (!from.used || from.all.jobs == 0) return "";
  Table table({"paced by physics", "jobs", "GPU-hours", "speed", "span", "contention", "caps"});
  const auto row = [&](const twin::PhysicsSummary::Class& each) {
    const double hours = std::max(each.gpu_hours, 1e-9);
    table.add({printable_name(shorten(style, each.name, 36)), format_count(each.jobs),
               format_number(each.gpu_hours), format_percent(each.speed),
               format_percent(each.lost_span / hours), format_percent(each.lost_contention / hours),
               format_percent(each.lost_caps / hours)});
  };
  for (const twin::PhysicsSummary::Class& each : from.classes) row(each);
  if (from.classes.size() > 1) row(from.all);
  return heading(style, "Speed") + table.text(style) +
         note(style,
              "Of what each job would do at its best on the same GPUs; the rest is lost to where its GPUs "
              "lay, to other jobs on its links, and to capped clocks.");
}

std::string machine(const RunSummary& summary, const Style& style) {
  if (summary.run.wall_s <= 0) return "";
  return "\n" +
         paint(style, Colour::kDim,
               fmt::format("Simulated in {} ({} jobs/s, {} at most).", format_duration(summary.run.wall_s),
                           format_count(static_cast<std::uint64_t>(summary.run.jobs_per_s)),
                           format_bytes(summary.run.peak_rss_bytes))) +
         "\n";
}

}  // namespace

std::string terminal_summary(const RunSummary& summary, const Style& style, const RunFacts& facts) {
  std::string text = title(summary, style);
  for (const std::string& sentence : facts.notes) text += note(style, printable_name(sentence));
  if (summary.jobs.submitted == 0) return text + "\nNo job was submitted.\n";
  text += jobs(summary, style, facts);
  text += use(summary, style);
  text += waits(summary, style);
  text += tenants(summary, style);
  text += reservations(summary, style);
  text += places(summary, style, facts.flat);
  text += power(summary, style);
  text += energy(summary, style);
  text += physics(summary, style);
  return text + machine(summary, style);
}

}  // namespace gw::report
