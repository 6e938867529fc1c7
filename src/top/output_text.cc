// Bytes of a terminal's kind to plain lines.
#include "top/output_text.h"

#include <algorithm>

#include "top/glyphs.h"

namespace gw::top {
namespace {
constexpr std::size_t kMostLines = 5000;
constexpr std::size_t kLongestLine = 16 << 10;
constexpr std::size_t kTab = 8;

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}
}  // namespace

void OutputText::end_line() {
  if (!in_line_) lines_.emplace_back();
  in_line_ = returned_ = false;
  if (lines_.size() > kMostLines) {
    dropped_.push_back(std::move(lines_.front()));
    lines_.pop_front();
  }
}

void OutputText::add(char byte) {
  if (!in_line_) {
    lines_.emplace_back();
    in_line_ = true;
  }
  if (returned_) lines_.back().clear();
  returned_ = false;
  std::string& line = lines_.back();
  if (byte == '\t') {
    line.append(kTab - line.size() % kTab, ' ');
  } else {
    line += byte;
  }
  if (line.size() >= kLongestLine) end_line();
}

void OutputText::feed(std::string_view bytes) {
  for (const char byte : bytes) {
    switch (state_) {
      case State::kText:
        if (byte == '\n') {
          end_line();
        } else if (byte == '\r') {
          returned_ = in_line_;
        } else if (byte == '\033') {
          state_ = State::kEscape;
        } else {
          add(byte);
        }
        break;
      case State::kEscape:  // ECMA-48, 5.3 and 5.4.
        state_ = byte == '['                                                               ? State::kSequence
                 : byte == ']' || byte == 'P' || byte == '_' || byte == '^' || byte == 'X' ? State::kString
                 : byte >= ' ' && byte <= '/'                                              ? State::kEscape
                                                                                           : State::kText;
        if (byte == '\n') end_line();
        break;
      case State::kSequence:
        if (byte >= '@' && byte <= '~') state_ = State::kText;
        if (byte == '\n') {  // None has a line feed: it was no sequence.
          state_ = State::kText;
          end_line();
        }
        break;
      case State::kString:
        if (byte == '\a') state_ = State::kText;
        if (byte == '\033') state_ = State::kStringEscape;
        if (byte == '\n') {
          state_ = State::kText;
          end_line();
        }
        break;
      case State::kStringEscape:
        state_ = byte == '\\' ? State::kText : State::kString;
        break;
    }
  }
}

std::vector<std::string> broken(std::string_view text, std::size_t width, bool unicode) {
  std::vector<std::string> pieces;
  if (width == 0) return pieces;
  if (text.empty()) return {""};
  if (is_plain(text)) {
    while (text.size() > width) {
      const std::size_t blank = text.rfind(' ', width);
      const bool near = blank != std::string_view::npos && blank > width - width / 3;
      const std::size_t end = near ? blank : width;
      pieces.emplace_back(text.substr(0, end));
      text.remove_prefix(near ? end + 1 : end);
    }
    pieces.emplace_back(text);
    return pieces;
  }
  std::string piece;
  std::size_t cells = 0;
  for_each_glyph(text, unicode, [&](const Glyph& glyph) {
    if (cells + glyph.cells > width) {
      pieces.push_back(std::move(piece));
      piece.clear();
      cells = 0;
    }
    piece += glyph.text;
    cells += glyph.cells;
    return true;
  });
  pieces.push_back(std::move(piece));
  return pieces;
}

}  // namespace gw::top
