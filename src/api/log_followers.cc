// One thread that sends what jobs print to those who follow them.
#include "api/log_followers.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "api/json.h"
#include "base/utf8.h"
#include "http/sse.h"

namespace gw::api {
namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;
constexpr std::size_t kMostWaiting = std::size_t{256} << 10;  // Of a stream whose reader is slow.

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t block = 0;
    for (std::size_t index = 0; index < 3; ++index)
      block = (block << 8) | (at + index < bytes.size() ? static_cast<unsigned char>(bytes[at + index]) : 0U);
    for (std::size_t index = 0; index < 4; ++index)
      text += at + index > bytes.size() ? '=' : kAlphabet[(block >> (18 - 6 * index)) & 63U];
  }
  return text;
}

std::shared_ptr<const std::string> event(const Json& json, std::string_view name) {
  return std::make_shared<const std::string>(http::format_event(text_of(json), name));
}

/// How many bytes of `text` end a character: a piece must not cut one in two.
std::size_t whole_characters(std::string_view text) {
  std::size_t back = 0;
  while (back < 4 && back < text.size()) {
    const auto byte = static_cast<unsigned char>(text[text.size() - 1 - back]);
    ++back;
    if ((byte & 0xC0U) == 0x80U) continue;
    const std::size_t length = byte < 0x80U ? 1 : (byte >> 5U) == 6U ? 2 : (byte >> 4U) == 14U ? 3 : 4;
    return length > back ? text.size() - back : text.size();
  }
  return text.size();
}

}  // namespace

Result<std::unique_ptr<LogFollowers>> LogFollowers::start(std::filesystem::path jobs,
                                                          live::Factory& factory) {
  Result<live::OutputWatch> watch = live::OutputWatch::open();
  if (!watch) return std::unexpected(watch.error());
  std::unique_ptr<LogFollowers> followers(new LogFollowers(std::move(jobs), factory, std::move(*watch)));
  followers->wakeup_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (followers->wakeup_ < 0) return fail(fmt::format("cannot make an eventfd: {}", std::strerror(errno)));
  followers->thread_ = std::thread([raw = followers.get()] { raw->run(); });
  return followers;
}

LogFollowers::~LogFollowers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  if (wakeup_ >= 0) eventfd_write(wakeup_, 1);
  if (thread_.joinable()) thread_.join();
  if (wakeup_ >= 0) ::close(wakeup_);
}

std::size_t LogFollowers::followers() const {
  const std::lock_guard lock(mutex_);
  return followers_.size();
}

void LogFollowers::close() {
  const std::lock_guard lock(mutex_);
  for (auto& [id, follower] : followers_) follower.stream->close();
}

void LogFollowers::watch(const Follower& follower) {
  if (follower.attempt == 0) return;
  const live::AttemptId id{follower.job, follower.attempt};
  if (watched_[id]++ > 0) return;
  // Where its folder is not there yet, or the system watches as much as it may: the beat looks after it.
  static_cast<void>(watch_.watch(jobs_, id).has_value());
}

void LogFollowers::unwatch(live::AttemptId id) {
  const auto at = watched_.find(id);
  if (at == watched_.end() || --at->second > 0) return;
  watched_.erase(at);
  watch_.unwatch(id);
}

bool LogFollowers::follow(std::shared_ptr<http::Stream> stream, const live::JobRecord& job,
                          std::uint64_t offset, live::Actor actor) {
  Follower follower;
  follower.stream = std::move(stream);
  follower.actor = std::move(actor);
  follower.job = job.number;
  follower.attempt = job.attempt;
  follower.offset = offset;
  // The lock keeps out the turns that come until the follower is known, so that it misses none of them.
  const std::lock_guard lock(mutex_);
  factory_.read([&](const live::Book& book) {
    const live::LiveJob* now = book.job(job.number);
    if (now == nullptr && job.state != live::JobState::kEnded) return;  // It has just ended: see below.
    learn(follower, now != nullptr ? now->record : job, book);
  });
  const std::uint64_t id = next_++;
  watch(follower);
  const bool known = !follower.status.empty();
  followers_.emplace(id, std::move(follower));
  news_.insert(id);
  eventfd_write(wakeup_, 1);
  return known;
}

/// Takes in the job's present state.
void LogFollowers::learn(Follower& follower, const live::JobRecord& job, const live::Book& book) {
  Json json = job_json(book, job);
  if (const live::LiveJob* now = book.job(job.number)) add_live_facts(*now, json);
  if (job.state == live::JobState::kEnded) {
    follower.over = true;
    follower.last_words = text_of(json);
  }
  const std::string status = fmt::format("{}/{}", json["status"].get<std::string>(), job.attempt);
  if (status == follower.status) return;
  follower.status = status;
  if (!follower.over) follower.stream->write(event(json, "status"));
  if (job.attempt == 0 || job.attempt == follower.attempt) return;
  if (follower.attempt != 0) {
    unwatch({follower.job, follower.attempt});
    follower.offset = 0;
  }
  follower.attempt = job.attempt;
  follower.error_offset = 0;
}

void LogFollowers::tell(const std::vector<live::JobRecord>& jobs) {
  const std::lock_guard lock(mutex_);
  if (followers_.empty()) return;
  bool some = false;
  for (auto& [id, follower] : followers_) {
    for (const live::JobRecord& job : jobs) {
      if (job.number != follower.job) continue;
      const std::uint32_t before = follower.attempt;
      factory_.read([&](const live::Book& book) { learn(follower, job, book); });
      if (follower.attempt != before) watch(follower);
      news_.insert(id);
      some = true;
    }
  }
  if (some) eventfd_write(wakeup_, 1);
}

void LogFollowers::beat(const std::function<bool(const live::Book&, const live::Actor&)>& may_go_on) {
  static const auto comment = std::make_shared<const std::string>(http::format_comment("alive"));
  const std::lock_guard lock(mutex_);
  factory_.read([&](const live::Book& book) {
    for (auto& [id, follower] : followers_) {
      if (!may_go_on(book, follower.actor)) follower.stream->close();
    }
  });
  for (auto& [id, follower] : followers_) {
    follower.stream->write(comment);
    if (follower.attempt != 0)
      static_cast<void>(watch_.watch(jobs_, {follower.job, follower.attempt}).has_value());
    news_.insert(id);
  }
  eventfd_write(wakeup_, 1);
}

bool LogFollowers::pump_stream(Follower& follower, live::OutputStream stream, std::uint64_t& offset,
                               bool& ended) {
  const std::filesystem::path folder = live::attempt_folder(jobs_, {follower.job, follower.attempt});
  while (follower.stream->open() && follower.stream->waiting_bytes() < kMostWaiting) {
    const Result<live::OutputPart> part = live::read_output(folder, stream, offset, kPiece);
    if (!part) {
      follower.stream->write(event({{"message", part.error().message}}, "problem"));
      ended = true;
      return true;
    }
    if (part->offset > offset)
      follower.stream->write(event({{"dropped_bytes", part->offset - offset}}, "gap"));
    ended = part->ended;
    std::string_view bytes = part->bytes;
    if (!(part->ended && part->next >= part->end)) bytes = bytes.substr(0, whole_characters(bytes));
    if (bytes.empty()) {
      offset = std::max(offset, part->offset);
      return part->ended && part->next >= part->end;
    }
    Json json;
    json["offset"] = part->offset;
    if (is_utf8(bytes)) {
      json["text"] = bytes;
    } else {
      json["base64"] = base64(bytes);
    }
    follower.stream->write(event(json, stream == live::OutputStream::kOutput ? "out" : "err"));
    offset = part->offset + bytes.size();
    if (part->ended && offset >= part->end) return true;
  }
  return false;
}

bool LogFollowers::pump(Follower& follower) {
  if (!follower.stream->open()) return true;
  bool all = true;
  if (follower.attempt != 0) {
    bool ended = false;
    all = pump_stream(follower, live::OutputStream::kOutput, follower.offset, ended);
    all = pump_stream(follower, live::OutputStream::kError, follower.error_offset, ended) && all;
  }
  if (!follower.over || !all) return false;
  follower.stream->write(std::make_shared<const std::string>(http::format_event(follower.last_words, "end")));
  follower.stream->close();
  return true;
}

void LogFollowers::run() {
  for (;;) {
    std::array<pollfd, 2> sources{pollfd{wakeup_, POLLIN, 0}, pollfd{watch_.descriptor(), POLLIN, 0}};
    if (poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) return;
    eventfd_t ignored = 0;
    if ((sources[0].revents & POLLIN) != 0) eventfd_read(wakeup_, &ignored);
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    for (const live::AttemptId attempt : watch_.take(0)) {
      for (const auto& [id, follower] : followers_) {
        if (follower.job == attempt.job && follower.attempt == attempt.attempt) news_.insert(id);
      }
    }
    for (const std::uint64_t id : std::exchange(news_, {})) {
      const auto at = followers_.find(id);
      if (at == followers_.end() || !pump(at->second)) continue;
      unwatch({at->second.job, at->second.attempt});
      followers_.erase(at);
    }
  }
}

}  // namespace gw::api
