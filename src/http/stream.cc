// Handles: from any thread to the connection's mailbox.
#include "http/stream.h"

#include <utility>

#include "base/check.h"
#include "http/connection.h"
#include "http/response_text.h"

namespace gw::http {

thread_local const Handling* Handling::current = nullptr;

bool StreamHandle::write(std::shared_ptr<const std::string> bytes) {
  if (!open()) return false;
  if (bytes == nullptr || bytes->empty()) return true;  // A chunk of no bytes would be the last.
  const std::size_t size = bytes->size();
  if (state_->waiting.fetch_add(size, std::memory_order_relaxed) + size > state_->limit) {
    end(true);
    return false;
  }
  if (state_->mailbox->post(PieceMessage{state_, std::move(bytes)})) return true;
  state_->open.store(false, std::memory_order_relaxed);
  return false;
}

void StreamHandle::end(bool cut) {
  if (state_->open.exchange(false, std::memory_order_relaxed))
    state_->mailbox->post(StreamEndMessage{state_, cut});
}

void StreamHandle::on_close(std::function<void()> closed) {
  Message message = StreamHookMessage{state_, std::move(closed), nullptr};
  if (!state_->mailbox->post(std::move(message))) std::get<StreamHookMessage>(message).closed();
}

void StreamHandle::on_drained(std::function<void()> drained) {
  state_->mailbox->post(StreamHookMessage{state_, nullptr, std::move(drained)});
}

ResponderHandle::~ResponderHandle() {
  if (state_.load(std::memory_order_acquire) == State::kOpen)
    deliver(problem(500, "the server gave no answer to this request"));
}

/// False if the server has answered in the handler's place.
bool ResponderHandle::claim() {
  State before = State::kOpen;
  if (state_.compare_exchange_strong(before, State::kAnswered)) return true;
  GW_CHECK(before == State::kGivenUp);  // A second answer to one request.
  return false;
}

void ResponderHandle::deliver(Response response) {
  const Handling* now = Handling::current;
  if (now != nullptr && now->mailbox == mailbox_.get() && now->key == key_) {
    now->connection->answer(key_.request, std::move(response));
  } else {
    mailbox_->post(AnswerMessage{key_, std::move(response)});
  }
}

void ResponderHandle::send(Response response) {
  if (claim()) deliver(std::move(response));
}

void ResponderHandle::give_up(Response response) {
  State before = State::kOpen;
  if (state_.compare_exchange_strong(before, State::kGivenUp)) deliver(std::move(response));
}

std::shared_ptr<Stream> ResponderHandle::stream(Response response) {
  auto state = std::make_shared<StreamState>(mailbox_, stream_buffer_bytes_);
  auto handle = std::make_shared<StreamHandle>(state);
  const Handling* now = Handling::current;
  if (!claim()) {
    state->ended = true;
    state->open = false;
  } else if (now != nullptr && now->mailbox == mailbox_.get() && now->key == key_) {
    now->connection->start_stream(key_.request, std::move(response), std::move(state));
  } else if (!mailbox_->post(StreamMessage{key_, std::move(response), state})) {
    state->ended = true;
    state->open = false;
  }
  return handle;
}

}  // namespace gw::http
