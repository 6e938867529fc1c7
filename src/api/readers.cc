// A small pool of threads.
#include "api/readers.h"

#include <utility>

namespace gw::api {
namespace {
constexpr std::size_t kMostWaiting = 1024;
constexpr std::size_t kMostLongWaiting = 32;  // They may hold large bodies.
}  // namespace

Result<std::unique_ptr<Readers>> Readers::start(const Open& open, unsigned threads) {
  std::unique_ptr<Readers> readers(new Readers());
  for (unsigned index = 0; index < threads; ++index) {
    Result<std::unique_ptr<sql::Database>> database = open();
    if (!database) return std::unexpected(database.error());
    auto archive = std::make_unique<live::Archive>(std::move(*database));
    readers->threads_.emplace_back(
        [pool = readers.get(), archive = std::move(archive)]() mutable { pool->run(std::move(archive)); });
  }
  return readers;
}

Readers::~Readers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
    long_queue_.clear();
  }
  wakeup_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Readers::post(Work work, Size size) {
  {
    const std::lock_guard lock(mutex_);
    std::deque<Work>& queue = size == Size::kLong ? long_queue_ : queue_;
    if (stopping_ || queue.size() >= (size == Size::kLong ? kMostLongWaiting : kMostWaiting)) return false;
    queue.push_back(std::move(work));
  }
  wakeup_.notify_one();
  return true;
}

std::size_t Readers::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() + long_queue_.size();
}

void Readers::run(std::unique_ptr<live::Archive> archive) {
  for (;;) {
    Work work;
    bool is_long = false;
    {
      std::unique_lock lock(mutex_);
      const auto may_take_long = [this] { return !long_queue_.empty() && !long_runs_; };
      wakeup_.wait(lock, [&] { return stopping_ || !queue_.empty() || may_take_long(); });
      if (stopping_) return;
      // By turns where both wait: the one that follows a long one is short.
      is_long = may_take_long();
      std::deque<Work>& queue = is_long ? long_queue_ : queue_;
      long_runs_ = long_runs_ || is_long;
      work = std::move(queue.front());
      queue.pop_front();
    }
    work(*archive);
    work = nullptr;
    if (!is_long) continue;
    {
      const std::lock_guard lock(mutex_);
      long_runs_ = false;
    }
    wakeup_.notify_one();
  }
}

}  // namespace gw::api
