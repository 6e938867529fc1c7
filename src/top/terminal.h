// Terminal: the user's terminal as a screen: shows canvases, reads keys, and is as it was when it is closed,
// even by a crash. The only file that knows ncurses.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "base/result.h"
#include "top/canvas.h"
#include "top/key.h"

namespace gw::top {

struct TerminalOptions {
  bool colour = true;
  bool unicode = true;
};

class Terminal {
 public:
  /// Standard input and output must be a terminal. One at a time.
  static Result<std::unique_ptr<Terminal>> open(const TerminalOptions& options);
  virtual ~Terminal() = default;

  [[nodiscard]] virtual std::size_t columns() const = 0;
  [[nodiscard]] virtual std::size_t rows() const = 0;
  /// To be called on SIGWINCH.
  virtual void resize() = 0;
  virtual void show(const Canvas& canvas) = 0;
  /// The next key, if there is one.
  virtual std::optional<Key> key() = 0;
  /// Gives the terminal back, stops the process, and takes it again when it goes on.
  virtual void suspend() = 0;
  /// Something else has written to the terminal.
  virtual void redraw() = 0;
};

}  // namespace gw::top
