// The loop of a thread: what comes from sockets, from other threads and from the clock.
#include "http/io_thread.h"

#include <fmt/format.h>
#include <pthread.h>

#include <csignal>
#include <exception>
#include <type_traits>
#include <utility>

#include "http/response_text.h"
#include "http/stream.h"

namespace gw::http {
namespace {

/// How exact deadlines are.
constexpr std::chrono::milliseconds kTick{100};
/// Refused connections that are told so at a time; more are closed without a word.
constexpr std::uint64_t kMostRefusedOpen = 64;
constexpr std::size_t kKeptMessages = 4096;
constexpr std::size_t kKeptScratch = std::size_t{256} << 10;

}  // namespace

IoThread::IoThread(ServerState& shared)
    : shared_(shared),
      work_(asio::make_work_guard(context_)),
      timer_(context_),
      mailbox_(std::make_shared<Mailbox>([this] { asio::post(context_, [this] { take_messages(); }); })) {}

IoThread::~IoThread() {
  stop();
  mailbox_->close();
}

void IoThread::stop() {
  if (!thread_.joinable()) return;
  mailbox_->post(TaskMessage([this] { close_all(); }));
  thread_.join();
}

void IoThread::start(unsigned number) {
  // Signals are the business of the program's own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), fmt::format("gw-http-{}", number).c_str());
}

void IoThread::run() {
  while (true) {
    try {
      context_.run();
      return;
    } catch (const std::exception& error) {
      shared_.log(fmt::format("the HTTP server goes on after: {}", error.what()));
    }
  }
}

void IoThread::close_all() {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (const std::shared_ptr<Connection> connection = slots_[slot].connection)
      connection->close(Connection::Ending::kClean);
  }
  mailbox_->close();
  dirty_.clear();
  timer_.cancel();
  work_.reset();
}

void IoThread::take_messages() {
  mailbox_->take(messages_);
  for (Message& message : messages_) deliver(message);
  messages_.clear();
  if (messages_.capacity() > kKeptMessages) messages_.shrink_to_fit();
  // Pieces for one stream go out together.
  for (const std::shared_ptr<Connection>& connection : dirty_) {
    connection->dirty = false;
    connection->write_out();
  }
  dirty_.clear();
  if (scratch.capacity() > kKeptScratch) scratch.shrink_to_fit();
}

void IoThread::deliver(Message& message) {
  const auto mark = [this](Connection* connection) {
    if (!std::exchange(connection->dirty, true)) dirty_.push_back(connection->shared_from_this());
  };
  if (auto* answer = std::get_if<AnswerMessage>(&message)) {
    if (const std::shared_ptr<Connection> connection = find(answer->to)) {
      connection->answer(answer->to.request, std::move(answer->response));
      connection->write_out();
    }
  } else if (auto* begun = std::get_if<StreamMessage>(&message)) {
    if (const std::shared_ptr<Connection> connection = find(begun->to)) {
      connection->start_stream(begun->to.request, std::move(begun->response), begun->stream);
      connection->write_out();
    } else {
      begun->stream->ended = true;
      begun->stream->open.store(false, std::memory_order_relaxed);
    }
  } else if (auto* piece = std::get_if<PieceMessage>(&message)) {
    if (Connection* connection = piece->stream->connection) {
      connection->add_piece(std::move(piece->bytes));
      mark(connection);
    }
  } else if (auto* end = std::get_if<StreamEndMessage>(&message)) {
    if (end->stream->connection != nullptr) {
      const std::shared_ptr<Connection> connection = end->stream->connection->shared_from_this();
      connection->end_stream(end->cut);
      connection->write_out();
    }
  } else if (auto* hook = std::get_if<StreamHookMessage>(&message)) {
    StreamState& stream = *hook->stream;
    if (hook->closed) {
      if (stream.ended) {
        call(hook->closed);
      } else {
        stream.closed = std::move(hook->closed);
      }
    } else if (!stream.ended) {
      stream.drained = std::move(hook->drained);
      if (stream.waiting.load(std::memory_order_relaxed) == 0) call(stream.drained);
    }
  } else {
    std::get<TaskMessage>(message)();
  }
}

void IoThread::call(const std::function<void()>& function) {
  if (!function) return;
  try {
    function();
  } catch (const std::exception& error) {
    shared_.log(fmt::format("a callback of a stream threw: {}", error.what()));
  } catch (...) {
    shared_.log("a callback of a stream threw something that is no std::exception");
  }
}

std::shared_ptr<Connection> IoThread::find(const RequestKey& key) const {
  if (key.slot >= slots_.size() || slots_[key.slot].generation != key.generation) return nullptr;
  return slots_[key.slot].connection;
}

void IoThread::adopt(Accepted accepted, Admission admission) {
  const bool refused = admission == Admission::kRefused;
  if (refused) {
    if (shared_.counters.refused_open.load(std::memory_order_relaxed) >= kMostRefusedOpen) return;
    shared_.counters.refused_open.fetch_add(1, std::memory_order_relaxed);
  }
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  const RequestKey key{slot, next_generation_++, 0};
  auto connection = std::make_shared<Connection>(*this, std::move(accepted), key, refused);
  slots_[slot] = {connection, key.generation};
  ++connections_;
  schedule_tick();
  connection->start();
}

void IoThread::remove(std::uint32_t slot) {
  slots_[slot] = {};
  free_slots_.push_back(slot);
  --connections_;
}

void IoThread::drain() {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (const std::shared_ptr<Connection> connection = slots_[slot].connection) connection->drain();
  }
}

void IoThread::schedule_tick() {
  if (ticking_) return;
  ticking_ = true;
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    ticking_ = false;
    if (!error) tick();
  });
}

void IoThread::tick() {
  const Clock::time_point present = now();
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (const std::shared_ptr<Connection> connection = slots_[slot].connection)
      connection->check_time(present);
  }
  if (connections_ > 0) schedule_tick();
}

const std::string& IoThread::date() {
  const std::time_t second = std::time(nullptr);
  if (second != date_second_) {
    date_second_ = second;
    date_ = http_date(second);
  }
  return date_;
}

}  // namespace gw::http
