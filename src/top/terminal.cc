// The terminal, by ncurses.
#include "top/terminal.h"

#define NCURSES_NOMACROS 1
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/utf8.h"
#include "top/glyphs.h"

namespace gw::top {
namespace {

/// What is written to standard error while the screen is shown would be lost in it: it is kept, and written
/// when the screen is gone.
class HeldErrors {
 public:
  HeldErrors() {
    std::fflush(stderr);
    kept_ = memfd_create("standard error", MFD_CLOEXEC);
    error_ = dup(STDERR_FILENO);
    if (kept_ >= 0 && error_ >= 0) dup2(kept_, STDERR_FILENO);
  }
  ~HeldErrors() {
    std::fflush(stderr);
    release();
    if (kept_ >= 0) close(kept_);
    if (error_ >= 0) close(error_);
  }
  HeldErrors(const HeldErrors&) = delete;
  HeldErrors& operator=(const HeldErrors&) = delete;

  /// Only system calls: also for signal handlers.
  void release() const {
    if (kept_ < 0 || error_ < 0) return;
    dup2(error_, STDERR_FILENO);
    std::array<char, 4096> part{};
    lseek(kept_, 0, SEEK_SET);
    for (ssize_t size = 0; (size = read(kept_, part.data(), part.size())) > 0;) {
      if (write(STDERR_FILENO, part.data(), static_cast<std::size_t>(size)) < 0) return;
    }
  }

 private:
  int kept_ = -1;
  int error_ = -1;
};

const HeldErrors* open_errors = nullptr;

/// A failed check has said where, into the held errors: the terminal must be itself again before it is read.
void on_abort(int) {
  endwin();
  if (open_errors != nullptr) open_errors->release();
  _exit(70);
}

std::optional<KeyCode> special_key(wint_t code) {
  switch (code) {
    case KEY_UP:
      return KeyCode::kUp;
    case KEY_DOWN:
      return KeyCode::kDown;
    case KEY_LEFT:
      return KeyCode::kLeft;
    case KEY_RIGHT:
      return KeyCode::kRight;
    case KEY_PPAGE:
      return KeyCode::kPageUp;
    case KEY_NPAGE:
      return KeyCode::kPageDown;
    case KEY_HOME:
      return KeyCode::kHome;
    case KEY_END:
      return KeyCode::kEnd;
    case KEY_ENTER:
      return KeyCode::kEnter;
    case KEY_BACKSPACE:
      return KeyCode::kBackspace;
    case KEY_BTAB:
      return KeyCode::kBackTab;
    default:
      return std::nullopt;
  }
}

std::optional<KeyCode> control_key(wint_t code) {
  switch (code) {
    case '\r':
    case '\n':
      return KeyCode::kEnter;
    case '\t':
      return KeyCode::kTab;
    case 0x1b:
      return KeyCode::kEscape;
    case 0x7f:
    case 0x08:
      return KeyCode::kBackspace;
    case 0x15:  // ^U
      return KeyCode::kClear;
    case 0x06:  // ^F
      return KeyCode::kPageDown;
    case 0x02:  // ^B
      return KeyCode::kPageUp;
    case 0x0e:  // ^N
      return KeyCode::kDown;
    case 0x10:  // ^P
      return KeyCode::kUp;
    default:
      return std::nullopt;
  }
}

std::string utf8_of(char32_t code) {
  std::string text;
  const auto tail = [&](unsigned shift) { text += static_cast<char>(0x80U | ((code >> shift) & 0x3fU)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xc0U | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xe0U | (code >> 12));
    tail(6), tail(0);
  } else {
    text += static_cast<char>(0xf0U | (code >> 18));
    tail(12), tail(6), tail(0);
  }
  return text;
}

class CursesTerminal final : public Terminal {
 public:
  CursesTerminal(SCREEN* screen, const TerminalOptions& options) : screen_(screen) {
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    leaveok(stdscr, TRUE);
    set_escdelay(25);
    curs_set(0);
    colour_ = options.colour && has_colors() == TRUE;
    if (colour_) {
      start_color();
      use_default_colors();
      constexpr short kColours[] = {COLOR_GREEN, COLOR_YELLOW, COLOR_RED, COLOR_BLUE, COLOR_CYAN};
      for (std::size_t pair = 0; pair < std::size(kColours); ++pair)
        init_pair(static_cast<short>(pair + 1), kColours[pair], -1);
    }
    open_errors = &errors_;
    struct sigaction action{};
    action.sa_handler = on_abort;
    sigaction(SIGABRT, &action, &abort_before_);
    CursesTerminal::resize();
  }
  ~CursesTerminal() override {
    erase();
    refresh();
    endwin();
    delscreen(screen_);
    sigaction(SIGABRT, &abort_before_, nullptr);
    open_errors = nullptr;
  }
  CursesTerminal(const CursesTerminal&) = delete;
  CursesTerminal& operator=(const CursesTerminal&) = delete;

  [[nodiscard]] std::size_t columns() const override {
    return static_cast<std::size_t>(std::max(1, getmaxx(stdscr)));
  }
  [[nodiscard]] std::size_t rows() const override {
    return static_cast<std::size_t>(std::max(1, getmaxy(stdscr)));
  }

  void resize() override {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return;
    if (size.ws_col == getmaxx(stdscr) && size.ws_row == getmaxy(stdscr)) return;
    resizeterm(size.ws_row, size.ws_col);
    redraw();
  }

  void show(const Canvas& canvas) override {
    for (std::size_t row = 0; row < canvas.rows(); ++row) {
      for (std::size_t column = 0; column < canvas.columns(); ++column) {
        const Cell& cell = canvas.at(row, column);
        if (!cell.text.empty()) put(row, column, cell);
      }
    }
    refresh();
  }

  std::optional<Key> key() override {
    for (;;) {
      wint_t code = 0;
      const int kind = get_wch(&code);
      if (kind == ERR) return std::nullopt;
      if (kind == KEY_CODE_YES) {
        if (code == KEY_RESIZE) continue;
        return Key{special_key(code).value_or(KeyCode::kOther), ""};
      }
      if (code == 0x0c) {  // ^L
        redraw();
        return Key{};
      }
      if (const std::optional<KeyCode> control = control_key(code)) return Key{*control, ""};
      if (code < 0x20) return Key{};
      return Key{KeyCode::kText, utf8_of(code)};
    }
  }

  void suspend() override {
    def_prog_mode();
    endwin();
    raise(SIGSTOP);
    reset_prog_mode();
    curs_set(0);
    resize();
    redraw();
  }

  void redraw() override { clearok(curscr, TRUE); }

 private:
  void put(std::size_t row, std::size_t column, const Cell& cell) {
    std::array<wchar_t, CCHARW_MAX + 1> characters{};
    std::size_t count = 0;
    for (std::string_view text = cell.text; !text.empty() && count < CCHARW_MAX;) {
      const CodePoint code = first_code_point(text);
      if (code.length == 0) break;
      characters[count++] = static_cast<wchar_t>(code.value);
      text.remove_prefix(code.length);
    }
    attr_t attributes = A_NORMAL;
    if (cell.look.bold) attributes |= A_BOLD;
    if (cell.look.dim) attributes |= A_DIM;
    if (cell.look.reverse) attributes |= A_REVERSE;
    cchar_t glyph{};
    setcchar(&glyph, characters.data(), attributes, colour_ ? static_cast<short>(cell.look.hue) : short{0},
             nullptr);
    mvadd_wch(static_cast<int>(row), static_cast<int>(column), &glyph);
  }

  HeldErrors errors_;  // Destroyed last: what it held is written to a terminal that is itself again.
  SCREEN* screen_;
  bool colour_ = false;
  struct sigaction abort_before_{};
};

}  // namespace

Result<std::unique_ptr<Terminal>> Terminal::open(const TerminalOptions& options) {
  const char* name = std::getenv("TERM");
  if (name == nullptr || *name == '\0')
    return fail("TERM is not set: set it to what your terminal is, such as xterm-256color");
  // ncurses draws what this locale can; where the user's says nothing, terminals show UTF-8.
  if (std::setlocale(LC_CTYPE, "") == nullptr || (options.unicode && MB_CUR_MAX == 1)) {
    if (options.unicode) std::setlocale(LC_CTYPE, "C.UTF-8");
  }
  use_env(FALSE);
  use_tioctl(TRUE);
  SCREEN* screen = newterm(nullptr, stdout, stdin);
  if (screen == nullptr)
    return fail(fmt::format(
        "the terminal '{}' (TERM) is not known, or cannot show a screen; try TERM=xterm-256color, or "
        "`gw top --once`",
        name));
  set_term(screen);
  return std::unique_ptr<Terminal>(std::make_unique<CursesTerminal>(screen, options));
}

}  // namespace gw::top
