// Answers and time.
#include "top/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "top/pages.h"

namespace gw::top {
namespace {

constexpr std::int64_t kNoticeNs = 5'000'000'000;
constexpr std::size_t kHistory = 120;
constexpr std::uint64_t kShownBytes = std::uint64_t{128} << 10;  ///< Of the output that was there before.

bool contains(std::string_view text, std::string_view part) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [&](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

/// The order of a tree: what is below a tenant follows it at once.
bool before_in_tree(const TenantRow& a, const TenantRow& b) {
  return std::lexicographical_compare(
      a.path.begin(), a.path.end(), b.path.begin(), b.path.end(), [](char left, char right) {
        const auto rank = [](char c) {
          return c == '/' ? -1 : static_cast<int>(static_cast<unsigned char>(c));
        };
        return rank(left) < rank(right);
      });
}

}  // namespace

Model::Model(const ModelOptions& options) : interval_ns_(options.interval_ns) {
  screen_.server = options.server;
  screen_.unicode = options.unicode;
  screen_.still = options.still;
  screen_.pane = options.pane;
  screen_.list().sort = options.sort;
  screen_.list().reversed = options.reversed;
  screen_.list().filter = options.filter;
  screen_.patience_ns = std::max<std::int64_t>(3'000'000'000, 3 * options.interval_ns);
}

void Model::resize(std::size_t columns, std::size_t rows) {
  screen_.columns = columns;
  screen_.rows = rows;
  keep_in_sight();
}

void Model::tick(std::int64_t local_ns) {
  screen_.local_ns = std::max(screen_.local_ns, local_ns);
  if (screen_.answered_ns == 0) screen_.answered_ns = screen_.local_ns;
  if (screen_.local_ns >= screen_.notice.until_ns) screen_.notice.text.clear();
}

std::vector<Order> Model::take_orders() {
  std::vector<Order> orders = std::move(orders_);
  orders_.clear();
  return orders;
}

void Model::note(std::string text, bool bad) {
  screen_.notice = {std::move(text), bad, screen_.local_ns + kNoticeNs};
}

void Model::take(const OrderResult& result) {
  if (result.failure) {
    note(result.failure->message, true);
  } else {
    note(result.order.done, false);
  }
}

void Model::take(const Answer& answer) {
  const bool unreachable = answer.failure && answer.failure->kind == client::Failure::Kind::kUnreachable;
  if (unreachable) {
    screen_.failure = answer.failure->message;
    return;
  }
  screen_.failure.clear();
  screen_.answered_ns = screen_.local_ns;
  const std::vector<Ask> wish = wish_of(screen_);
  if (std::find(wish.begin(), wish.end(), answer.ask) == wish.end()) return;
  const std::string refusal = answer.failure ? answer.failure->message : "";
  switch (answer.ask.kind) {
    case Ask::Kind::kSummary:
      if (answer.failure) {
        screen_.failure = refusal;
        break;
      }
      screen_.summary = read_summary(answer.json);
      note_use();
      arrange_tenants();
      keep_in_sight();
      break;
    case Ask::Kind::kJobs: {
      const std::size_t asked = window_of(screen_.list().top, layout_of(screen_).list_rows).first;
      screen_.jobs = {.known = true, .begin = asked, .rows = {}, .found = 0, .refusal = refusal};
      for (const Json& job : list_at(answer.json, "jobs")) screen_.jobs.rows.push_back(read_job(job));
      screen_.jobs.found =
          static_cast<std::size_t>(std::max<std::int64_t>(0, whole_at(answer.json, "found")));
      settle(screen_.jobs, &JobRow::id);
      break;
    }
    case Ask::Kind::kNodes: {
      const std::size_t asked = window_of(screen_.list().top, layout_of(screen_).list_rows).first;
      screen_.nodes = {.known = true, .begin = asked, .rows = {}, .found = 0, .refusal = refusal};
      for (const Json& node : list_at(answer.json, "nodes")) screen_.nodes.rows.push_back(read_node(node));
      screen_.nodes.found =
          static_cast<std::size_t>(std::max<std::int64_t>(0, whole_at(answer.json, "found")));
      settle(screen_.nodes, &NodeRow::name);
      break;
    }
    case Ask::Kind::kTenants:
      tenants_.clear();
      screen_.tenants = {.known = true, .begin = 0, .rows = {}, .found = 0, .refusal = refusal};
      for (const Json& tenant : list_at(answer.json, "tenants")) tenants_.push_back(read_tenant(tenant));
      screen_.all_tenants = tenants_.size();
      arrange_tenants();
      break;
    case Ask::Kind::kOutput:
      screen_.output.refusal = refusal;
      if (!answer.failure) take_output(answer.output);
      break;
    case Ask::Kind::kJob:
    case Ask::Kind::kExplain:
    case Ask::Kind::kNode:
      take_pages(answer);
      break;
  }
}

/// One mark an interval, whether or not changes have brought more answers.
void Model::note_use() {
  if (busy_ns_ != 0 && screen_.local_ns - busy_ns_ < interval_ns_ * 9 / 10) return;
  busy_ns_ = screen_.local_ns;
  double all = 0, used = 0;
  for (const Use& use : screen_.gauges()) {
    all += use.all;
    used += use.used;
  }
  screen_.busy.push_back(all > 0 ? used / all : 0);
  if (screen_.busy.size() > kHistory) screen_.busy.pop_front();
}

void Model::take_pages(const Answer& answer) {
  const std::int64_t now = screen_.summary ? screen_.summary->now_ns : kNoTime;
  if (answer.failure) {
    // That there is no explanation is no reason to hide the job.
    if (answer.ask.kind != Ask::Kind::kExplain)
      screen_.text = {{"", answer.failure->message, {Hue::kRed, false, false, false}}};
    return;
  }
  if (answer.ask.kind == Ask::Kind::kNode) {
    screen_.text = node_page(answer.json, now);
    return;
  }
  (answer.ask.kind == Ask::Kind::kJob ? job_ : explanation_) = answer.json;
  if (job_.is_null()) return;
  Overlay& overlay = screen_.overlays.back();
  overlay.name = text_at(job_, "name");
  overlay.array_job = whole_at(object_at(job_, "array"), "job");
  screen_.text = job_page(job_, explanation_, now);
}

void Model::take_output(const Answer::Output& output) {
  OutputView& view = screen_.output;
  if (view.placed && output.attempt != view.attempt) view = {};  // It runs anew: so does its output.
  view.attempt = output.attempt;
  view.ended = output.ended;
  if (!view.placed) {
    view.placed = true;
    const std::uint64_t first = output.end > kShownBytes ? output.end - kShownBytes : 0;
    view.next = view.left_out = std::max(first, output.first);
    return;
  }
  // What was asked for may not be kept any more.
  if (output.offset > view.next) view.text.feed("\n[...]\n");
  view.text.feed(output.bytes);
  view.next = output.next;
  // Whoever reads further up goes on reading the same lines.
  for (const std::string& line : view.text.take_dropped()) {
    const std::size_t gone = broken(line, screen_.columns, screen_.unicode).size();
    std::size_t& scroll = screen_.overlays.back().scroll;
    scroll -= std::min(scroll, gone);
  }
}

/// Sorts and filters; works out what each is due.
void Model::arrange_tenants() {
  if (screen_.pane != Pane::kTenants) return;
  const ListView& list = screen_.list();
  const std::size_t sort = list.sort;
  std::vector<TenantRow> rows = tenants_;
  if (screen_.summary && screen_.summary->states) set_due(rows);  // Others do not see all their siblings.
  std::erase_if(rows, [&](const TenantRow& row) { return !contains(row.path, list.filter); });
  double all = 0;
  if (screen_.summary) {
    for (const Use& use : screen_.summary->gpus) all += use.all;
  }
  const auto over = [&](const TenantRow& row) { return (all > 0 ? row.gpus_running / all : 0) - row.due; };
  std::stable_sort(rows.begin(), rows.end(), before_in_tree);
  const auto by = [&](auto value) {
    std::stable_sort(rows.begin(), rows.end(),
                     [&](const TenantRow& a, const TenantRow& b) { return value(a) > value(b); });
  };
  if (sort == 1) by([](const TenantRow& row) { return row.gpus_running; });
  if (sort == 2) by([](const TenantRow& row) { return row.gpus_asked - row.gpus_running; });
  if (sort == 3) by(over);
  if (sort == 4) by([](const TenantRow& row) { return static_cast<double>(row.jobs); });
  if (list.reversed) std::reverse(rows.begin(), rows.end());
  screen_.tenants.rows = std::move(rows);
  screen_.tenants.found = screen_.tenants.rows.size();
  settle(screen_.tenants, &TenantRow::path);
}

template <class Row>
void Model::settle(const Rows<Row>& rows, std::string Row::* id) {
  ListView& list = screen_.list();
  // At the very top one looks at what is first, whatever that is.
  if (!list.id.empty() && list.cursor > 0) {
    for (std::size_t index = 0; index < rows.rows.size(); ++index) {
      if (rows.rows[index].*id != list.id) continue;
      const std::size_t place = rows.begin + index;
      // Its line on the screen stays, too.
      list.top = place >= list.cursor - list.top ? place - (list.cursor - list.top) : 0;
      list.cursor = place;
      break;
    }
  }
  keep_in_sight();
  remember_row();
}

std::string Model::row_id() const {
  const std::size_t cursor = screen_.list().cursor;
  switch (screen_.pane) {
    case Pane::kQueue:
      if (const JobRow* row = screen_.jobs.at(cursor)) return row->id;
      break;
    case Pane::kNodes:
      if (const NodeRow* row = screen_.nodes.at(cursor)) return row->name;
      break;
    case Pane::kTenants:
      if (const TenantRow* row = screen_.tenants.at(cursor)) return row->path;
      break;
  }
  return "";
}

void Model::remember_row() { screen_.list().id = row_id(); }

void Model::keep_in_sight() {
  if (!screen_.known()) return;
  ListView& list = screen_.list();
  const std::size_t found = screen_.found();
  const std::size_t height = layout_of(screen_).list_rows;
  list.cursor = found == 0 ? 0 : std::min(list.cursor, found - 1);
  list.top = std::min(list.top, found > height ? found - height : 0);
  list.top = std::min(list.top, list.cursor);
  if (height > 0 && list.cursor >= list.top + height) list.top = list.cursor - height + 1;
}

}  // namespace gw::top
