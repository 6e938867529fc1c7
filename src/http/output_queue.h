// OutputQueue: what a connection could not yet hand to the system, as pieces that may be shared with others.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gw::http {

class OutputQueue {
 public:
  [[nodiscard]] bool empty() const { return head_ == pieces_.size(); }

  /// Text of the connection's own, at the end or, for the rest of an attempt to write, at the front.
  void push_back(std::string text);
  void push_front(std::string text);
  /// Bytes that others may hold too; `before` and `after` frame them. `after` must be a literal.
  void push_shared(std::string before, std::shared_ptr<const std::string> bytes, std::string_view after);

  /// The first bytes, at most as many buffers as `out` has; how many were filled.
  std::size_t gather(std::span<iovec> out) const;
  struct Progress {
    std::size_t pieces = 0;        ///< That are through.
    std::size_t shared_bytes = 0;  ///< Of shared bytes in them.
  };
  /// Takes `bytes` from the front.
  Progress consume(std::size_t bytes);
  /// What is left of shared bytes.
  std::size_t clear();

 private:
  struct Piece {
    std::string before;
    std::shared_ptr<const std::string> shared;
    std::string_view after;
    std::size_t done = 0;
    [[nodiscard]] std::size_t size() const {
      return before.size() + (shared ? shared->size() : 0) + after.size();
    }
  };
  void drop_done();

  std::vector<Piece> pieces_;
  std::size_t head_ = 0;  ///< Those before it are through.
};

}  // namespace gw::http
