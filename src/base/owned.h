// Owned: an object on the heap that is copied with its owner.
#pragma once

#include <memory>
#include <utility>

namespace gw {

/// A unique_ptr whose copy has an object of its own, so that what holds it can be copied by default.
/// Assigning to one that has an object assigns to that: the memory below it is used again.
template <class T>
class Owned {
 public:
  Owned() = default;
  explicit Owned(std::unique_ptr<T> object) : object_(std::move(object)) {}
  Owned(const Owned& other) : object_(other.object_ ? std::make_unique<T>(*other.object_) : nullptr) {}
  Owned(Owned&&) noexcept = default;
  Owned& operator=(const Owned& other) {
    if (object_ && other.object_) {
      if (this != &other) *object_ = *other.object_;
    } else {
      *this = Owned(other);
    }
    return *this;
  }
  Owned& operator=(Owned&&) noexcept = default;
  ~Owned() = default;

  [[nodiscard]] T& operator*() const { return *object_; }
  [[nodiscard]] T* operator->() const { return object_.get(); }

 private:
  std::unique_ptr<T> object_;
};

template <class T, class... Arguments>
[[nodiscard]] Owned<T> make_owned(Arguments&&... arguments) {
  return Owned<T>(std::make_unique<T>(std::forward<Arguments>(arguments)...));
}

}  // namespace gw
