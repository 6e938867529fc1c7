// LeastOf: a collection of equal-ranking values of which only the smallest is ever asked for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <vector>

#include "base/check.h"

namespace gw::sched {

/// Two heaps on flat memory: what came in, and what has left it but lies too deep to be taken out yet. An
/// insert or erase costs O(log n) and touches a few cache lines, where a tree would visit a node of memory
/// each step.
template <class T>
class LeastOf {
 public:
  void insert(T value) { push(here_, value); }

  /// The value must be there.
  void erase(T value) {
    GW_CHECK(size() > 0);
    if (value != here_.front()) {
      push(gone_, value);
      constexpr std::size_t kFew = 64;
      if (gone_.size() > kFew && gone_.size() * 2 > here_.size()) compact();
      return;
    }
    pop(here_);
    while (!gone_.empty() && gone_.front() == here_.front()) {
      pop(here_);
      pop(gone_);
    }
  }

  [[nodiscard]] std::size_t size() const { return here_.size() - gone_.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// Of a collection that is not empty.
  [[nodiscard]] T least() const { return here_.front(); }

 private:
  static void push(std::vector<T>& heap, T value) {
    heap.push_back(value);
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  }
  static void pop(std::vector<T>& heap) {
    GW_CHECK(!heap.empty());
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.pop_back();
  }
  /// Takes out what has left; half of all did, so this is constant per erase but for the logarithm.
  void compact() {
    std::sort(here_.begin(), here_.end());
    std::sort(gone_.begin(), gone_.end());
    std::vector<T> left;
    left.reserve(here_.size() - gone_.size());
    std::set_difference(here_.begin(), here_.end(), gone_.begin(), gone_.end(), std::back_inserter(left));
    here_ = std::move(left);  // Sorted: a heap.
    gone_.clear();
  }

  std::vector<T> here_;
  std::vector<T> gone_;  ///< A part of here_; its smallest is larger than that of here_.
};

}  // namespace gw::sched
