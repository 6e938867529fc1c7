// A small pool of threads.
#include "api/readers.h"

#include <utility>

namespace gw::api {
namespace {
constexpr std::size_t kMostWaiting = 1024;
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
  }
  wakeup_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Readers::post(Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= kMostWaiting) return false;
    queue_.push_back(std::move(work));
  }
  wakeup_.notify_one();
  return true;
}

std::size_t Readers::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void Readers::run(std::unique_ptr<live::Archive> archive) {
  for (;;) {
    Work work;
    {
      std::unique_lock lock(mutex_);
      wakeup_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work(*archive);
  }
}

}  // namespace gw::api
