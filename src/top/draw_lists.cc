// The tables: queue, nodes, tenants.
#include <fmt/format.h>

#include <algorithm>

#include "report/text.h"
#include "top/columns.h"
#include "top/draw.h"
#include "top/figures.h"

namespace gw::top {
namespace {

constexpr Look kGreen{Hue::kGreen, false, false, false};
constexpr Look kYellow{Hue::kYellow, false, false, false};
constexpr Look kRed{Hue::kRed, false, false, false};

/// Where a cell is drawn to.
struct Place {
  Canvas& canvas;
  std::size_t row, column, width;
  void text(std::string_view text, Look look = {}, Align align = Align::kLeft, Cut cut = Cut::kEnd) const {
    canvas.put_in(row, column, width, text, look, align, cut);
  }
  /// Of a path the end tells more than the beginning.
  void path(std::string_view text, Look look = {}) const {
    this->text(text, look, Align::kLeft, text.find('/') == std::string_view::npos ? Cut::kEnd : Cut::kBegin);
  }
  void right(std::string_view text, Look look = {}) const { this->text(text, look, Align::kRight); }
};

enum QueueColumn : std::size_t {
  kJob,
  kName,
  kTenant,
  kUser,
  kStatus,
  kNodes,
  kGpus,
  kCpus,
  kPriority,
  kLimit,
  kTime,
  kDone,
  kWhere
};
constexpr Column kQueueColumns[] = {
    {"JOB", 7, 8, 11, 99, Align::kRight, "newest"},     {"NAME", 8, 20, 30, 92, Align::kLeft, "name"},
    {"TENANT", 12, 20, 34, 88, Align::kLeft, "tenant"}, {"USER", 8, 8, 14, 60, Align::kLeft, "user"},
    {"STATUS", 8, 8, 8, 98, Align::kLeft, "line"},      {"NODES", 5, 5, 5, 50, Align::kRight, ""},
    {"GPUS", 5, 5, 5, 94, Align::kRight, "gpus"},       {"CPUS", 5, 5, 5, 40, Align::kRight, "cpus"},
    {"PRIO", 5, 5, 5, 20, Align::kRight, ""},           {"LIMIT", 5, 6, 6, 80, Align::kRight, "limit"},
    {"TIME", 5, 6, 6, 96, Align::kRight, "time"},       {"DONE", 10, 10, 10, 30, Align::kLeft, ""},
    {"WHERE OR WHY", 12, 26, 60, 90, Align::kLeft, ""},
};

Look status_look(const JobRow& job) {
  if (job.status == "running") return kGreen;
  if (job.status == "stopping") return kYellow;
  if (job.status == "waiting") return kPlainLook;
  return kDimLook;
}

std::int64_t seconds_of(const JobRow& job, std::int64_t now_ns) {
  const std::int64_t since = job.running() && job.started_ns != kNoTime ? job.started_ns : job.submitted_ns;
  if (since == kNoTime || now_ns == kNoTime) return 0;
  return std::max<std::int64_t>(0, (now_ns - since) / 1'000'000'000);
}

void draw_job_cell(const Place& place, const JobRow& job, std::size_t column, std::int64_t now_ns) {
  const auto amount = [](double number) { return number == 0 ? std::string("-") : short_amount(number); };
  const std::int64_t seconds = seconds_of(job, now_ns);
  const double done =
      job.running() && job.limit_s > 0 ? static_cast<double>(seconds) / static_cast<double>(job.limit_s) : 0;
  switch (static_cast<QueueColumn>(column)) {
    case kJob:
      return place.right(job.id, kBoldLook);
    case kName:
      return place.text(job.name);
    case kTenant:
      return place.path(job.tenant);
    case kUser:
      return place.text(job.user);
    case kStatus:
      return place.text(job.status, status_look(job));
    case kNodes:
      return place.right(amount(static_cast<double>(job.nodes)));
    case kGpus:
      return place.right(amount(job.gpus));
    case kCpus:
      return place.right(amount(job.cpus));
    case kPriority:
      return place.right(amount(static_cast<double>(job.priority)));
    case kLimit:
      return place.right(job.limit_s > 0 ? short_span(job.limit_s) : "-");
    case kTime:
      return place.right(short_span(seconds), done >= 0.9 ? kYellow : kPlainLook);
    case kDone:
      if (job.running()) {
        const Canvas::Part parts[] = {{done, done >= 0.9 ? Hue::kYellow : Hue::kGreen, false}};
        place.canvas.bar(place.row, place.column, place.width, parts);
      }
      return;
    case kWhere:
      if (job.running()) return place.path(job.place);
      return place.text(job.reason.empty() ? "" : "(" + job.reason + ")", kDimLook);
  }
}

enum NodeColumn : std::size_t {
  kNode,
  kState,
  kType,
  kGpuBar,
  kGpuFree,
  kCpuBar,
  kCpuFree,
  kMemoryBar,
  kMemoryFree,
  kReason
};
constexpr Column kNodeColumns[] = {
    {"NODE", 14, 30, 48, 99, Align::kLeft, "name"}, {"STATE", 8, 8, 8, 98, Align::kLeft, "state"},
    {"GPU TYPE", 8, 8, 12, 60, Align::kLeft, ""},   {"GPUS", 8, 8, 16, 90, Align::kLeft, ""},
    {"FREE", 4, 5, 5, 95, Align::kRight, "gpus"},   {"CPUS", 5, 6, 12, 74, Align::kLeft, ""},
    {"FREE", 5, 5, 5, 80, Align::kRight, "cpus"},   {"MEMORY", 6, 6, 12, 72, Align::kLeft, ""},
    {"FREE", 5, 5, 5, 78, Align::kRight, "memory"}, {"REASON", 8, 16, 60, 65, Align::kLeft, ""},
};

Look state_look(const std::string& state) {
  if (state == "up") return kGreen;
  if (state == "down") return {Hue::kRed, true, false, false};
  return kYellow;
}

void draw_used(const Place& place, double all, double free) {
  if (all <= 0) return place.text("-", kDimLook);
  const Canvas::Part parts[] = {{(all - free) / all, Hue::kGreen, false}};
  place.canvas.bar(place.row, place.column, place.width, parts);
}

void draw_node_cell(const Place& place, const NodeRow& node, std::size_t column) {
  const bool down = node.state == "down";
  const auto used = [&](double all, double free) {
    if (!down) return draw_used(place, all, free);
    const Canvas::Part parts[] = {{1, Hue::kRed, true}};
    place.canvas.bar(place.row, place.column, place.width, parts);
  };
  switch (static_cast<NodeColumn>(column)) {
    case kNode:
      return place.path(node.name, kBoldLook);
    case kState:
      return place.text(node.state, state_look(node.state));
    case kType:
      return place.text(node.gpu_type.empty() ? "-" : node.gpu_type);
    case kGpuBar:
      return used(static_cast<double>(node.gpus), static_cast<double>(node.gpus_free));
    case kGpuFree:
      return place.right(node.gpus == 0 ? "-" : fmt::format("{}", node.gpus_free));
    case kCpuBar:
      return used(node.cpus, node.cpus_free);
    case kCpuFree:
      return place.right(node.cpus == 0 ? "-" : short_amount(node.cpus_free));
    case kMemoryBar:
      return used(static_cast<double>(node.memory_mib), static_cast<double>(node.memory_mib_free));
    case kMemoryFree:
      return place.right(node.memory_mib == 0 ? "-" : short_memory(node.memory_mib_free));
    case kReason:
      return place.text(node.reason);
  }
}

enum TenantColumn : std::size_t {
  kPath,
  kWeight,
  kTenantGpus,
  kAsked,
  kMostGpus,
  kTenantJobs,
  kRunning,
  kMostJobs,
  kShare,
  kPart,
  kDue
};
constexpr Column kTenantColumns[] = {
    {"TENANT", 18, 26, 50, 99, Align::kLeft, "tree"}, {"WEIGHT", 6, 6, 6, 50, Align::kRight, ""},
    {"GPUS", 6, 6, 6, 97, Align::kRight, "gpus"},     {"ASKED", 6, 6, 6, 90, Align::kRight, "asked"},
    {"LIMIT", 6, 6, 6, 85, Align::kRight, ""},        {"JOBS", 6, 6, 7, 80, Align::kRight, "jobs"},
    {"RUN", 5, 6, 6, 75, Align::kRight, ""},          {"LIMIT", 6, 6, 6, 30, Align::kRight, ""},
    {"SHARE", 8, 12, 44, 95, Align::kLeft, "over"},   {"%", 4, 4, 4, 96, Align::kRight, ""},
    {"DUE %", 5, 5, 5, 40, Align::kRight, ""},
};

void draw_tenant_cell(const Place& place, const TenantRow& tenant, std::size_t column, double all_gpus,
                      bool as_tree) {
  const double share = all_gpus > 0 ? tenant.gpus_running / all_gpus : 0;
  const auto limit = [](double number) { return number > 0 ? short_amount(number) : std::string("-"); };
  switch (static_cast<TenantColumn>(column)) {
    case kPath: {
      const std::size_t slash = tenant.path.rfind('/');
      if (!as_tree || slash == std::string::npos) return place.path(tenant.path, kBoldLook);
      const auto depth = static_cast<std::size_t>(std::count(tenant.path.begin(), tenant.path.end(), '/'));
      return place.text(std::string(std::min<std::size_t>(depth, 8) * 2, ' ') +
                        tenant.path.substr(slash + 1));
    }
    case kWeight:
      return place.right(short_amount(static_cast<double>(tenant.weight)));
    case kTenantGpus:
      return place.right(limit(tenant.gpus_running), tenant.gpus_running > 0 ? kGreen : kPlainLook);
    case kAsked:
      return place.right(limit(tenant.gpus_asked - tenant.gpus_running));
    case kMostGpus: {
      const bool full = tenant.most_gpus > 0 && tenant.gpus_asked >= tenant.most_gpus;
      return place.right(limit(tenant.most_gpus), full ? kYellow : kPlainLook);
    }
    case kTenantJobs:
      return place.right(tenant.jobs > 0 ? short_amount(static_cast<double>(tenant.jobs)) : "-");
    case kRunning:
      return place.right(tenant.running > 0 ? short_amount(static_cast<double>(tenant.running)) : "-");
    case kMostJobs: {
      const bool full = tenant.most_jobs > 0 && tenant.jobs >= tenant.most_jobs;
      return place.right(limit(static_cast<double>(tenant.most_jobs)), full ? kYellow : kPlainLook);
    }
    case kShare: {
      const bool over = tenant.due > 0 && share > tenant.due * 1.05;
      const Canvas::Part parts[] = {{share, over ? Hue::kYellow : Hue::kGreen, false}};
      return place.canvas.bar(place.row, place.column, place.width, parts, tenant.due > 0 ? tenant.due : -1);
    }
    case kPart:
      return place.right(fmt::format("{:.0f}", share * 100));
    case kDue:
      return place.right(tenant.due > 0 ? fmt::format("{:.0f}", tenant.due * 100) : "-");
  }
}

void draw_titles(Canvas& canvas, const Screen& screen, std::size_t row, std::span<const Column> columns,
                 const std::vector<std::size_t>& widths) {
  const Sort& sort = screen.sort();
  const bool down = sort.descending != screen.list().reversed;
  std::size_t at = 1;
  for (std::size_t index = 0; index < columns.size(); ++index) {
    if (widths[index] == 0) continue;
    std::string title(columns[index].title);
    const bool sorted = columns[index].sort == sort.name;
    if (sorted) title += screen.unicode ? (down ? "▾" : "▴") : (down ? "v" : "^");
    canvas.put_in(row, at, widths[index], title, sorted ? kBoldLook : kDimLook, columns[index].align);
    at += widths[index] + 1;
  }
}

/// `cell(place, row, column)` draws one cell.
template <class Row, class Cell>
void draw_table(Canvas& canvas, const Screen& screen, const Layout& layout, std::span<const Column> columns,
                const Rows<Row>& rows, Cell&& cell) {
  const std::vector<std::size_t> widths =
      fit_columns(columns, canvas.columns() > 2 ? canvas.columns() - 2 : 0);
  draw_titles(canvas, screen, layout.titles_row, columns, widths);
  const ListView& list = screen.list();
  for (std::size_t line = 0; line < layout.list_rows && list.top + line < rows.found; ++line) {
    const std::size_t row = layout.list_row + line;
    if (const Row* shown = rows.at(list.top + line); shown != nullptr) {
      std::size_t at = 1;
      for (std::size_t index = 0; index < columns.size(); ++index) {
        if (widths[index] == 0) continue;
        cell(Place{canvas, row, at, widths[index]}, *shown, index);
        at += widths[index] + 1;
      }
    } else {
      canvas.put(row, 1, screen.unicode ? "…" : "...", kDimLook);  // It has been asked for.
    }
    if (list.top + line == list.cursor && !screen.still) canvas.tint(row, 0, canvas.columns(), kReverseLook);
  }
  if (rows.found > 0 || layout.list_rows == 0) return;
  std::string text = "asking ...";
  if (rows.known)
    text = screen.list().filter.empty() ? "nothing here" : "nothing matches /" + screen.list().filter;
  if (rows.known && screen.pane == Pane::kQueue && screen.list().filter.empty())
    text = "no job waits or runs";
  if (!rows.refusal.empty()) text = rows.refusal;
  canvas.put(layout.list_row, 1, text, rows.refusal.empty() ? kDimLook : kRed);
}

}  // namespace

void draw_list(Canvas& canvas, const Screen& screen, const Layout& layout) {
  const bool known = screen.summary.has_value();
  const bool gpus = !known || !screen.summary->gpus.empty();
  const std::int64_t now_ns = known ? screen.summary->now_ns : kNoTime;
  switch (screen.pane) {
    case Pane::kQueue: {
      std::vector<Column> columns(std::begin(kQueueColumns), std::end(kQueueColumns));
      if (!gpus) std::swap(columns[kGpus].importance, columns[kCpus].importance);
      if (!gpus) columns[kGpus].importance = 0;
      return draw_table(canvas, screen, layout, columns, screen.jobs,
                        [&](const Place& place, const JobRow& job, std::size_t column) {
                          draw_job_cell(place, job, column, now_ns);
                        });
    }
    case Pane::kNodes: {
      std::vector<Column> columns(std::begin(kNodeColumns), std::end(kNodeColumns));
      if (!gpus) {
        for (const std::size_t column : {kType, kGpuBar, kGpuFree}) columns[column].importance = 0;
      }
      return draw_table(canvas, screen, layout, columns, screen.nodes,
                        [](const Place& place, const NodeRow& node, std::size_t column) {
                          draw_node_cell(place, node, column);
                        });
    }
    case Pane::kTenants:
      break;
  }
  double all_gpus = 0;
  if (known) {
    for (const Use& use : screen.summary->gpus) all_gpus += use.all;
  }
  const bool as_tree =
      screen.sort().name == "tree" && !screen.list().reversed && screen.list().filter.empty();
  draw_table(canvas, screen, layout, kTenantColumns, screen.tenants,
             [&](const Place& place, const TenantRow& tenant, std::size_t column) {
               draw_tenant_cell(place, tenant, column, all_gpus, as_tree);
             });
}

}  // namespace gw::top
