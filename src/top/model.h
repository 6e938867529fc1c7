// Model: what gw top does when a key is pressed, an answer comes or time passes. It knows no terminal, no
// network and no clock, so tests press its keys and answer its questions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "top/key.h"
#include "top/screen.h"
#include "top/wish.h"

namespace gw::top {

struct ModelOptions {
  std::string server;
  bool unicode = true;
  bool still = false;  ///< See Screen.
  Pane pane = Pane::kQueue;
  std::size_t sort = 0;  ///< Of that pane.
  bool reversed = false;
  std::string filter;
  std::int64_t interval_ns = 1'000'000'000;
};

class Model {
 public:
  explicit Model(const ModelOptions& options);

  [[nodiscard]] const Screen& screen() const { return screen_; }
  [[nodiscard]] bool done() const { return done_; }

  void resize(std::size_t columns, std::size_t rows);
  /// This machine's time; never goes back.
  void tick(std::int64_t local_ns);
  void press(const Key& key);
  /// What is not wanted any more is left aside.
  void take(const Answer& answer);
  void take(const OrderResult& result);
  /// What the server is to be told since the last call.
  std::vector<Order> take_orders();

 private:
  // model_keys.cc
  void press_in_prompt(const Key& key);
  void press_in_overlay(const Key& key);
  void press_in_list(const Key& key);
  bool press_for_job(const Key& key);
  void press_for_node(const Key& key);
  void show(Pane pane);
  void move_cursor(std::int64_t rows);
  void open_row();
  void leave_overlay();
  void scroll_overlay(const Key& key);
  void sort_by_next();
  void set_filter(const std::string& filter);
  void open_overlay(Overlay overlay);

  void note(std::string text, bool bad);
  void note_use();
  void arrange_tenants();
  void take_output(const Answer::Output& output);
  void take_pages(const Answer& answer);
  /// After the list has changed: the cursor follows its row and stays within the list.
  template <class Row>
  void settle(const Rows<Row>& rows, std::string Row::* id);
  void keep_in_sight();
  void remember_row();
  [[nodiscard]] std::string row_id() const;

  Screen screen_;
  std::vector<TenantRow> tenants_;  ///< All, as answered.
  Json job_, explanation_;          ///< Of the overlay.
  std::vector<Order> orders_;
  std::int64_t interval_ns_;
  std::int64_t busy_ns_ = 0;  ///< When Screen::busy was last added to.
  bool done_ = false;
};

}  // namespace gw::top
