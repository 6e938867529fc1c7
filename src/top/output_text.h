// OutputText: the end of what a job prints, as lines for a screen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw::top {

/// Takes bytes in pieces of any size. A carriage return begins the line anew, as progress bars use it;
/// escape sequences (colours, cursor movements, titles) are left out; tabs become blanks. Other control
/// characters stay in the lines, for whoever shows them to disarm.
class OutputText {
 public:
  void feed(std::string_view bytes);
  /// Whole lines and the one that has begun.
  [[nodiscard]] const std::deque<std::string>& lines() const { return lines_; }
  [[nodiscard]] bool empty() const { return lines_.empty(); }
  /// Lines that were dropped at the beginning since the last call, because there were too many.
  std::vector<std::string> take_dropped() { return std::exchange(dropped_, {}); }

 private:
  enum class State : std::uint8_t { kText, kEscape, kSequence, kString, kStringEscape };
  void add(char byte);
  void end_line();

  std::deque<std::string> lines_;
  bool in_line_ = false;   ///< The last of lines_ has not ended.
  bool returned_ = false;  ///< A carriage return was the last byte.
  State state_ = State::kText;
  std::vector<std::string> dropped_;
};

/// `text` in pieces of at most `width` cells, broken at blanks where there are some near the end; one empty
/// piece for an empty text.
std::vector<std::string> broken(std::string_view text, std::size_t width, bool unicode);

}  // namespace gw::top
