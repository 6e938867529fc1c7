// Two threads: one asks, one hears of changes.
#include "top/asker.h"

#include <algorithm>
#include <charconv>
#include <csignal>

namespace gw::top {
namespace {

constexpr auto kChangeGap = std::chrono::milliseconds(250);  ///< At least, between rounds that changes bring.
constexpr auto kOutputGap = std::chrono::milliseconds(100);
constexpr auto kWatchAgain = std::chrono::seconds(2);
constexpr int kCourtesy = 2;  ///< A round that took 1 s is followed by a pause of 1 s.

std::thread start_without_signals(std::function<void()> work) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(work));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

bool contains(const std::vector<Ask>& asks, const Ask& ask) {
  return std::find(asks.begin(), asks.end(), ask) != asks.end();
}

bool is_unreachable(const std::optional<client::Failure>& failure) {
  return failure && failure->kind == client::Failure::Kind::kUnreachable;
}

}  // namespace

Answer ask_server(client::Connection& connection, const Ask& ask) {
  Answer answer{.ask = ask, .json = Json(), .output = {}, .failure = {}};
  if (ask.kind != Ask::Kind::kOutput) {
    std::expected<Json, client::Failure> json = connection.get(ask.target);
    if (json) {
      answer.json = std::move(*json);
    } else {
      answer.failure = std::move(json.error());
    }
    return answer;
  }
  std::expected<http::Answer, client::Failure> part = connection.bytes(ask.target);
  if (!part) {
    answer.failure = std::move(part.error());
    return answer;
  }
  answer.output.bytes = std::move(part->body);
  for (const auto& [name, value] : part->headers) {
    std::uint64_t number = 0;
    if (std::from_chars(value.data(), value.data() + value.size(), number).ec != std::errc()) continue;
    if (name == "gigawerk-attempt") answer.output.attempt = number;
    if (name == "gigawerk-offset") answer.output.offset = number;
    if (name == "gigawerk-next-offset") answer.output.next = number;
    if (name == "gigawerk-first-offset") answer.output.first = number;
    if (name == "gigawerk-end-offset") answer.output.end = number;
    if (name == "gigawerk-ended") answer.output.ended = number != 0;
  }
  return answer;
}

Asker::Asker(AskerOptions options) : options_(std::move(options)) {
  asking_thread_ = start_without_signals([this] { run(); });
  watching_thread_ = start_without_signals([this] { watch(); });
}

Asker::~Asker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (connection_) connection_->interrupt();
    if (watching_) watching_->interrupt();
  }
  wakeup_.notify_all();
  asking_thread_.join();
  watching_thread_.join();
}

void Asker::want(std::vector<Ask> wish) {
  {
    const std::lock_guard lock(mutex_);
    if (wish == wish_) return;
    wish_ = std::move(wish);
  }
  wakeup_.notify_all();
}

void Asker::tell(std::vector<Order> orders) {
  if (orders.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    for (Order& order : orders) orders_.push_back(std::move(order));
  }
  wakeup_.notify_all();
}

Asker::Arrived Asker::take() {
  const std::lock_guard lock(mutex_);
  Arrived arrived = std::move(arrived_);
  arrived_ = {};
  return arrived;
}

client::Connection* Asker::connect(std::unique_ptr<client::Connection>& connection,
                                   client::Failure& failure) {
  if (connection) return connection.get();
  // Looked for anew each time: a server that starts again may be somewhere else.
  std::expected<std::unique_ptr<client::Connection>, client::Failure> opened =
      client::Connection::open(options_.settings);
  if (!opened) {
    failure = opened.error();
    return nullptr;
  }
  const std::lock_guard lock(mutex_);
  connection = std::move(*opened);
  if (stopping_) connection->interrupt();
  return connection.get();
}

void Asker::drop(std::unique_ptr<client::Connection>& connection) {
  const std::lock_guard lock(mutex_);
  connection.reset();
}

bool Asker::round_is_due(Clock::time_point now) const {
  return now >= next_round_ || (changed_ && now >= round_ + pause_);
}

std::vector<Ask> Asker::due(Clock::time_point now) const {
  if (round_is_due(now)) return wish_;
  std::vector<Ask> asks;
  for (const Ask& ask : wish_) {
    const bool soon = ask.kind == Ask::Kind::kOutput && now < output_ + kOutputGap;
    if (!soon && !contains(asked_, ask)) asks.push_back(ask);
  }
  return asks;
}

Answer Asker::ask(const Ask& ask) {
  Answer answer{.ask = ask, .json = Json(), .output = {}, .failure = client::Failure{}};
  client::Connection* connection = connect(connection_, *answer.failure);
  if (connection == nullptr) return answer;
  answer = ask_server(*connection, ask);
  if (is_unreachable(answer.failure)) drop(connection_);
  return answer;
}

OrderResult Asker::tell(const Order& order) {
  OrderResult result{order, client::Failure{}};
  client::Connection* connection = connect(connection_, *result.failure);
  if (connection == nullptr) return result;
  const std::expected<Json, client::Failure> answer = order.method == "PATCH"
                                                          ? connection->patch(order.target, order.body)
                                                          : connection->post(order.target, order.body);
  result.failure.reset();
  if (!answer) result.failure = answer.error();
  if (is_unreachable(result.failure)) drop(connection_);
  return result;
}

void Asker::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!orders_.empty()) {
      const Order order = std::move(orders_.front());
      orders_.erase(orders_.begin());
      lock.unlock();
      OrderResult result = tell(order);
      lock.lock();
      arrived_.results.push_back(std::move(result));
      next_round_ = {};
      options_.arrived();
      continue;
    }
    const Clock::time_point now = Clock::now();
    const bool is_round = round_is_due(now);
    const std::vector<Ask> asks = due(now);
    if (asks.empty()) {
      Clock::time_point until = next_round_;
      if (changed_) until = std::min(until, round_ + pause_);
      for (const Ask& each : wish_) {
        if (each.kind == Ask::Kind::kOutput && !contains(asked_, each))
          until = std::min(until, output_ + kOutputGap);
      }
      if (wish_.empty()) until = now + options_.interval;
      wakeup_.wait_until(lock, std::max(until, now + std::chrono::milliseconds(5)));
      continue;
    }
    if (is_round) {
      round_ = now;
      changed_ = false;
      asked_.clear();
    }
    bool reached = true;
    for (const Ask& each : asks) {
      if (stopping_ || !reached) break;
      if (!contains(wish_, each)) continue;  // The user has gone on meanwhile.
      asked_.push_back(each);
      if (each.kind == Ask::Kind::kOutput) output_ = Clock::now();
      lock.unlock();
      Answer answer = ask(each);
      lock.lock();
      reached = !is_unreachable(answer.failure);
      arrived_.answers.push_back(std::move(answer));
    }
    if (!reached) asked_ = wish_;  // Until the next round.
    if (is_round) {
      pause_ = std::max<Clock::duration>(kChangeGap, (Clock::now() - now) * kCourtesy);
      next_round_ = round_ + std::max<Clock::duration>(options_.interval, pause_);
    }
    options_.arrived();
  }
}

void Asker::watch() {
  for (;;) {
    client::Failure failure;
    if (client::Connection* connection = connect(watching_, failure); connection != nullptr) {
      connection->events("/v1/watch", [this](const http::ServerEvent&) {
        {
          const std::lock_guard lock(mutex_);
          changed_ = true;
          if (stopping_) return false;
        }
        wakeup_.notify_all();
        return true;
      });
    }
    drop(watching_);
    std::unique_lock lock(mutex_);
    wakeup_.wait_for(lock, kWatchAgain, [&] { return stopping_; });
    if (stopping_) return;
  }
}

}  // namespace gw::top
