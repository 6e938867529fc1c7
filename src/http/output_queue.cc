// Bookkeeping of pieces.
#include "http/output_queue.h"

#include <algorithm>
#include <array>
#include <utility>

namespace gw::http {
namespace {

/// A queue that was long gives its memory back.
constexpr std::size_t kKeptPieces = 16;

}  // namespace

void OutputQueue::push_back(std::string text) {
  if (!text.empty()) pieces_.push_back({std::move(text), nullptr, {}, 0});
}

void OutputQueue::push_front(std::string text) {
  if (!text.empty())
    pieces_.insert(pieces_.begin() + static_cast<std::ptrdiff_t>(head_),
                   Piece{std::move(text), nullptr, {}, 0});
}

void OutputQueue::push_shared(std::string before, std::shared_ptr<const std::string> bytes,
                              std::string_view after) {
  pieces_.push_back({std::move(before), std::move(bytes), after, 0});
}

std::size_t OutputQueue::gather(std::span<iovec> out) const {
  std::size_t count = 0;
  for (std::size_t index = head_; index < pieces_.size(); ++index) {
    const Piece& piece = pieces_[index];
    std::size_t skip = piece.done;
    const std::array<std::string_view, 3> parts = {
        piece.before, piece.shared ? std::string_view(*piece.shared) : std::string_view{}, piece.after};
    for (std::string_view part : parts) {
      const std::size_t skipped = std::min(skip, part.size());
      skip -= skipped;
      part.remove_prefix(skipped);
      if (part.empty()) continue;
      if (count == out.size()) return count;
      out[count++] = {const_cast<char*>(part.data()), part.size()};
    }
  }
  return count;
}

OutputQueue::Progress OutputQueue::consume(std::size_t bytes) {
  Progress progress;
  while (bytes > 0 && head_ < pieces_.size()) {
    Piece& piece = pieces_[head_];
    const std::size_t take = std::min(bytes, piece.size() - piece.done);
    piece.done += take;
    bytes -= take;
    if (piece.done < piece.size()) break;
    ++progress.pieces;
    if (piece.shared) progress.shared_bytes += piece.shared->size();
    piece = {};  // Its memory, now.
    ++head_;
  }
  drop_done();
  return progress;
}

void OutputQueue::drop_done() {
  if (head_ == pieces_.size()) {
    pieces_.clear();
    head_ = 0;
    if (pieces_.capacity() > kKeptPieces) pieces_.shrink_to_fit();
  } else if (head_ > kKeptPieces && head_ > pieces_.size() / 2) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

std::size_t OutputQueue::clear() {
  std::size_t shared = 0;
  for (std::size_t index = head_; index < pieces_.size(); ++index) {
    if (pieces_[index].shared) shared += pieces_[index].shared->size();
  }
  pieces_.clear();
  head_ = 0;
  return shared;
}

}  // namespace gw::http
