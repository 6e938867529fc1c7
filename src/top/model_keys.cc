// Keys.
#include <fmt/format.h>

#include <algorithm>

#include "top/model.h"

namespace gw::top {
namespace {

constexpr std::int64_t kAllTheWay = std::int64_t{1} << 40;  ///< More rows than any list has.

bool is(const Key& key, std::string_view text) { return key.code == KeyCode::kText && key.text == text; }

Order job_order(const std::string& id, const char* word, std::string done) {
  return {"POST", fmt::format("/v1/jobs/{}/{}", client::escaped(id), word), Json(), std::move(done)};
}

Order node_order(const std::string& name, bool drained) {
  return {"PATCH", "/v1/nodes/" + client::escaped(name, true), Json{{"drained", drained}},
          drained ? fmt::format("node {} starts nothing new", name)
                  : fmt::format("node {} is back in service", name)};
}

}  // namespace

void Model::press(const Key& key) {
  if (key.code == KeyCode::kOther) return;
  if (screen_.prompt) {
    press_in_prompt(key);
  } else if (!screen_.overlays.empty()) {
    press_in_overlay(key);
  } else {
    press_in_list(key);
  }
}

void Model::press_in_prompt(const Key& key) {
  Prompt& prompt = *screen_.prompt;
  if (prompt.kind == Prompt::Kind::kConfirm) {
    const bool yes = is(key, "y") || is(key, "Y");
    if (yes && prompt.asks_reason) {
      prompt.kind = Prompt::Kind::kReason;
      prompt.question = "Why (for people; may be empty): ";
      return;
    }
    if (yes) orders_.push_back(prompt.order);
    if (is(key, "a") && prompt.array_order) orders_.push_back(*prompt.array_order);
    screen_.prompt.reset();
    return;
  }
  switch (key.code) {
    case KeyCode::kText:
      prompt.text += key.text;
      break;
    case KeyCode::kBackspace:
      while (!prompt.text.empty() && (static_cast<unsigned char>(prompt.text.back()) & 0xc0U) == 0x80)
        prompt.text.pop_back();
      if (!prompt.text.empty()) prompt.text.pop_back();
      break;
    case KeyCode::kClear:
      prompt.text.clear();
      break;
    case KeyCode::kEscape:
      if (prompt.kind == Prompt::Kind::kFilter) set_filter(prompt.before);
      screen_.prompt.reset();
      return;
    case KeyCode::kEnter:
      if (prompt.kind == Prompt::Kind::kReason) {
        if (!prompt.text.empty()) prompt.order.body["reason"] = prompt.text;
        orders_.push_back(prompt.order);
      }
      screen_.prompt.reset();
      return;
    default:
      return;
  }
  if (prompt.kind == Prompt::Kind::kFilter) set_filter(prompt.text);
}

void Model::set_filter(const std::string& filter) {
  ListView& list = screen_.list();
  if (list.filter == filter) return;
  list.filter = filter;
  list.top = list.cursor = 0;
  list.id.clear();
  arrange_tenants();
}

void Model::press_in_overlay(const Key& key) {
  const Overlay::Kind kind = screen_.overlays.back().kind;
  if (is(key, "q") || key.code == KeyCode::kEscape || key.code == KeyCode::kBackspace ||
      (is(key, "?") && kind == Overlay::Kind::kHelp))
    return leave_overlay();
  if (is(key, "?")) return open_overlay({.kind = Overlay::Kind::kHelp, .id = "", .name = ""});
  if ((kind == Overlay::Kind::kJob || kind == Overlay::Kind::kOutput) && press_for_job(key)) return;
  if (kind == Overlay::Kind::kNode && (is(key, "d") || is(key, "r"))) return press_for_node(key);
  scroll_overlay(key);
}

void Model::leave_overlay() {
  screen_.overlays.pop_back();
  screen_.text.clear();
  job_ = explanation_ = Json();
  screen_.output = {};
}

void Model::open_overlay(Overlay overlay) {
  // One page of a kind at a time: going back leads to the list in few steps.
  std::erase_if(screen_.overlays, [&](const Overlay& each) { return each.kind == overlay.kind; });
  screen_.overlays.push_back(std::move(overlay));
  screen_.text.clear();
  job_ = explanation_ = Json();
  screen_.output = {};
}

void Model::scroll_overlay(const Key& key) {
  Overlay& overlay = screen_.overlays.back();
  const std::size_t height = layout_of(screen_).body_rows;
  const std::size_t lines = overlay_lines(screen_);
  const std::size_t last = lines > height ? lines - height : 0;
  const bool output = overlay.kind == Overlay::Kind::kOutput;
  std::size_t at = output && overlay.follow ? last : std::min(overlay.scroll, last);
  const std::size_t page = std::max<std::size_t>(1, height > 2 ? height - 2 : height);
  if (key.code == KeyCode::kUp || is(key, "k")) {
    at -= std::min<std::size_t>(at, 1);
  } else if (key.code == KeyCode::kDown || is(key, "j")) {
    ++at;
  } else if (key.code == KeyCode::kPageUp) {
    at -= std::min(at, page);
  } else if (key.code == KeyCode::kPageDown || is(key, " ")) {
    at += page;
  } else if (key.code == KeyCode::kHome || is(key, "g")) {
    at = 0;
  } else if (key.code == KeyCode::kEnd || is(key, "G")) {
    at = last;
  } else {
    return;
  }
  overlay.scroll = std::min(at, last);
  overlay.follow = overlay.scroll == last;
}

void Model::press_in_list(const Key& key) {
  const std::size_t height = layout_of(screen_).list_rows;
  const auto page = static_cast<std::int64_t>(std::max<std::size_t>(1, height > 1 ? height - 1 : height));
  ListView& list = screen_.list();
  switch (key.code) {
    case KeyCode::kUp:
      return move_cursor(-1);
    case KeyCode::kDown:
      return move_cursor(1);
    case KeyCode::kPageUp:
      return move_cursor(-page);
    case KeyCode::kPageDown:
      return move_cursor(page);
    case KeyCode::kHome:
      return move_cursor(-kAllTheWay);
    case KeyCode::kEnd:
      return move_cursor(kAllTheWay);
    case KeyCode::kTab:
    case KeyCode::kRight:
      return show(static_cast<Pane>((static_cast<std::size_t>(screen_.pane) + 1) % kPanes));
    case KeyCode::kBackTab:
    case KeyCode::kLeft:
      return show(static_cast<Pane>((static_cast<std::size_t>(screen_.pane) + kPanes - 1) % kPanes));
    case KeyCode::kEnter:
      return open_row();
    case KeyCode::kEscape:
      if (!list.filter.empty()) {
        set_filter("");
      } else if (screen_.pane == Pane::kQueue && !screen_.tenant.empty()) {
        screen_.tenant.clear();
        list.top = list.cursor = 0;
        list.id.clear();
      }
      return;
    case KeyCode::kText:
      break;
    default:
      return;
  }
  if (is(key, "q")) {
    done_ = true;
  } else if (is(key, "j")) {
    move_cursor(1);
  } else if (is(key, "k")) {
    move_cursor(-1);
  } else if (is(key, "g")) {
    move_cursor(-kAllTheWay);
  } else if (is(key, "G")) {
    move_cursor(kAllTheWay);
  } else if (is(key, " ")) {
    move_cursor(page);
  } else if (is(key, "1") || is(key, "2") || is(key, "3")) {
    show(static_cast<Pane>(key.text[0] - '1'));
  } else if (is(key, "?")) {
    open_overlay({.kind = Overlay::Kind::kHelp, .id = "", .name = ""});
  } else if (is(key, "s")) {
    sort_by_next();
  } else if (is(key, "S")) {
    list.reversed = !list.reversed;
    list.top = list.cursor = 0;
    list.id.clear();
    arrange_tenants();
  } else if (is(key, "/")) {
    screen_.prompt = Prompt{.kind = Prompt::Kind::kFilter,
                            .question = "/",
                            .text = list.filter,
                            .before = list.filter,
                            .order = {},
                            .array_order = {}};
  } else if (screen_.pane == Pane::kQueue) {
    press_for_job(key);
  } else if (screen_.pane == Pane::kNodes) {
    press_for_node(key);
  }
}

void Model::show(Pane pane) {
  screen_.pane = pane;
  keep_in_sight();
  arrange_tenants();
}

void Model::move_cursor(std::int64_t rows) {
  ListView& list = screen_.list();
  // Whoever types ahead of the answer gets as far as there will be rows.
  const std::int64_t last = screen_.known()
                                ? std::max<std::int64_t>(1, static_cast<std::int64_t>(screen_.found())) - 1
                                : kAllTheWay;
  const std::int64_t at = static_cast<std::int64_t>(list.cursor) + rows;
  list.cursor = static_cast<std::size_t>(std::clamp<std::int64_t>(at, 0, last));
  keep_in_sight();
  remember_row();
}

void Model::sort_by_next() {
  ListView& list = screen_.list();
  const std::span<const Sort> sorts = sorts_of(screen_.pane);
  const bool gpus = screen_.summary && !screen_.summary->gpus.empty();
  do {
    list.sort = (list.sort + 1) % sorts.size();
    // Where there are no GPUs nothing can be sorted by them.
  } while (!gpus && screen_.summary && sorts[list.sort].name == "gpus");
  list.reversed = false;
  list.top = list.cursor = 0;
  list.id.clear();
  arrange_tenants();
}

void Model::open_row() {
  const std::string id = row_id();
  if (id.empty()) return;
  if (screen_.pane == Pane::kTenants) {
    screen_.tenant = id;
    ListView& queue = screen_.lists[static_cast<std::size_t>(Pane::kQueue)];
    queue.top = queue.cursor = 0;
    queue.filter.clear();
    queue.id.clear();
    screen_.jobs = {};
    return show(Pane::kQueue);
  }
  const JobRow* job = screen_.pane == Pane::kQueue ? screen_.jobs.at(screen_.list().cursor) : nullptr;
  open_overlay({.kind = screen_.pane == Pane::kQueue ? Overlay::Kind::kJob : Overlay::Kind::kNode,
                .id = id,
                .name = job != nullptr ? job->name : "",
                .array_job = job != nullptr ? job->array_job : 0});
}

bool Model::press_for_job(const Key& key) {
  std::string id, name;
  std::int64_t array = 0;
  if (!screen_.overlays.empty()) {
    id = screen_.overlays.back().id;
    name = screen_.overlays.back().name;
    array = screen_.overlays.back().array_job;
  } else if (const JobRow* row = screen_.jobs.at(screen_.list().cursor)) {
    id = row->id;
    name = row->name;
    array = row->array_job;
  }
  if (id.empty()) return false;
  if (is(key, "o")) {
    if (!screen_.overlays.empty() && screen_.overlays.back().kind == Overlay::Kind::kOutput) return false;
    open_overlay({.kind = Overlay::Kind::kOutput, .id = id, .name = name, .array_job = array});
  } else if (is(key, "c")) {
    Prompt prompt{.kind = Prompt::Kind::kConfirm,
                  .question = fmt::format("Cancel job {} ({})? y / N", id, name),
                  .text = "",
                  .before = "",
                  .order = job_order(id, "cancel", fmt::format("job {} is cancelled", id)),
                  .array_order = {}};
    if (array != 0) {
      const std::string whole = fmt::format("{}", array);
      prompt.question = fmt::format("Cancel task {} ({})? y / a: the whole array {} / N", id, name, whole);
      prompt.array_order =
          job_order(whole, "cancel", fmt::format("all tasks of array {} are cancelled", whole));
    }
    screen_.prompt = std::move(prompt);
  } else if (is(key, "h")) {
    orders_.push_back(job_order(id, "hold", fmt::format("job {} is held; r lets it go on", id)));
  } else if (is(key, "r")) {
    orders_.push_back(job_order(id, "release", fmt::format("job {} is released", id)));
  } else {
    return false;
  }
  return true;
}

void Model::press_for_node(const Key& key) {
  const std::string name = screen_.overlays.empty() ? row_id() : screen_.overlays.back().id;
  if (name.empty()) return;
  if (is(key, "d")) {
    screen_.prompt = Prompt{.kind = Prompt::Kind::kConfirm,
                            .question = fmt::format("Drain node {}? What runs there goes on. y / N", name),
                            .text = "",
                            .before = "",
                            .order = node_order(name, true),
                            .array_order = {},
                            .asks_reason = true};
  } else if (is(key, "r")) {
    orders_.push_back(node_order(name, false));
  }
}

}  // namespace gw::top
