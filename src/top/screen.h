// Screen: everything that gw top shows, as plain data: what the user looks at and what the server has
// answered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "top/answers.h"
#include "top/canvas.h"
#include "top/output_text.h"

namespace gw::top {

enum class Pane : std::uint8_t { kQueue, kNodes, kTenants };
inline constexpr std::size_t kPanes = 3;
std::string_view pane_name(Pane pane);  ///< `queue`
std::optional<Pane> pane_by_name(std::string_view name);

/// A way to sort a pane.
struct Sort {
  std::string_view name;    ///< For the option --sort: `time`.
  std::string_view title;   ///< For people.
  std::string_view key;     ///< For the server; a leading `-`: largest first. Empty: the server's own order.
  bool descending = false;  ///< What a column's arrow shows.
};
std::span<const Sort> sorts_of(Pane pane);

/// A list that is looked at through a window.
struct ListView {
  std::size_t sort = 0;  ///< Into sorts_of.
  bool reversed = false;
  std::string filter;
  std::size_t top = 0;     ///< The first row that is shown.
  std::size_t cursor = 0;  ///< The row that keys act on.
  std::string id;          ///< What stood there; it is followed when the list changes.
};

/// The part of a list that is here.
template <class Row>
struct Rows {
  bool known = false;
  std::size_t begin = 0;  ///< Where `rows` begin in the whole list.
  std::vector<Row> rows;
  std::size_t found = 0;  ///< Rows of the whole list.
  std::string refusal;    ///< Why there are none.

  [[nodiscard]] const Row* at(std::size_t index) const {
    return index >= begin && index - begin < rows.size() ? &rows[index - begin] : nullptr;
  }
};

/// A line of a page of text: a label and what belongs to it, which may be long.
struct TextLine {
  std::string label;
  std::string text;
  Look look;
};

/// What covers the lists.
struct Overlay {
  enum class Kind : std::uint8_t { kJob, kNode, kOutput, kHelp };
  Kind kind = Kind::kHelp;
  std::string id;
  std::string name;  ///< Of the job, for people.
  std::int64_t array_job = 0;
  std::size_t scroll = 0;  ///< The first line that is shown.
  bool follow = true;      ///< Output: keeps to its end.
};

/// Something that the server is told to do.
struct Order {
  std::string method;  ///< POST or PATCH.
  std::string target;
  Json body;
  std::string done;  ///< What to say when it is.
};

/// A question in the last line.
struct Prompt {
  enum class Kind : std::uint8_t { kFilter, kConfirm, kReason };
  Kind kind = Kind::kFilter;
  std::string question;
  std::string text;                  ///< What has been typed.
  std::string before;                ///< The filter to go back to.
  Order order;                       ///< Given on `y`, or when the reason has been typed.
  std::optional<Order> array_order;  ///< Given on `a`.
  bool asks_reason = false;          ///< After `y`.
};

struct Notice {
  std::string text;
  bool bad = false;
  std::int64_t until_ns = 0;
};

/// The output of the job of the overlay.
struct OutputView {
  OutputText text;
  bool placed = false;         ///< It is known where the output ends.
  std::uint64_t next = 0;      ///< The byte to go on from.
  std::uint64_t left_out = 0;  ///< Bytes before the first that was taken.
  std::uint64_t attempt = 0;
  bool ended = false;
  std::string refusal;
};

struct Screen {
  std::size_t columns = 80;
  std::size_t rows = 24;
  bool unicode = true;
  bool still = false;  ///< One frame for a pipe: no keys, no cursor.

  std::string server;                        ///< Its URL.
  std::int64_t local_ns = 0;                 ///< This machine's time.
  std::int64_t answered_ns = 0;              ///< When the server last answered, by this machine's time.
  std::int64_t patience_ns = 3'000'000'000;  ///< Without an answer for longer it is said that there is none.
  std::string failure;                       ///< Why the last question was not answered; empty: it was.

  Pane pane = Pane::kQueue;
  ListView lists[kPanes];
  std::string tenant;  ///< The queue of this tenant only; empty: of all.

  std::optional<Summary> summary;
  std::deque<double> busy;  ///< The share of GPUs (CPUs where there are none) that was used lately.
  Rows<JobRow> jobs;
  Rows<NodeRow> nodes;
  Rows<TenantRow> tenants;  ///< All that the filter lets through, sorted.
  std::size_t all_tenants = 0;

  std::vector<Overlay> overlays;  ///< The last one is seen.
  std::vector<TextLine> text;     ///< Of a job or node.
  OutputView output;

  std::optional<Prompt> prompt;
  Notice notice;

  [[nodiscard]] ListView& list() { return lists[static_cast<std::size_t>(pane)]; }
  [[nodiscard]] const ListView& list() const { return lists[static_cast<std::size_t>(pane)]; }
  [[nodiscard]] const Sort& sort() const { return sorts_of(pane)[list().sort]; }
  /// Rows of the pane's whole list, as far as is known.
  [[nodiscard]] std::size_t found() const;
  /// Whether the pane's list has been answered.
  [[nodiscard]] bool known() const;
  /// Does it still hold what is shown?
  [[nodiscard]] bool is_answered() const { return local_ns - answered_ns <= patience_ns; }
  /// What gauges of use there are: GPUs by type, else CPUs.
  [[nodiscard]] std::vector<Use> gauges() const;
};

/// Where things stand.
struct Layout {
  std::size_t gauge_row = 0, gauge_rows = 0;
  std::size_t gauges_a_row = 1;
  std::optional<std::size_t> jobs_row;
  std::size_t tabs_row = 0;
  std::size_t titles_row = 0;
  std::size_t list_row = 0, list_rows = 0;
  std::size_t body_row = 0, body_rows = 0;  ///< Of overlays, below their title.
  std::size_t last_row = 0;
};
Layout layout_of(const Screen& screen);

/// The whole frame.
Canvas draw(const Screen& screen);

/// Lines of the overlay as they are shown, broken to the screen's width.
std::size_t overlay_lines(const Screen& screen);

/// The lines of the help page.
std::span<const TextLine> help_text();

}  // namespace gw::top
