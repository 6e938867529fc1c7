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
constexpr std::size_t kMostWaiting = std::size_t{256} << 10;  // Of a stream; the rest when it has drained.
constexpr int kPiecesALook = 4;                               // Then it is the turn of others.

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

LogFollowers::Inbox::~Inbox() {
  if (descriptor >= 0) ::close(descriptor);
}

void LogFollowers::Inbox::wake() const { eventfd_write(descriptor, 1); }

Result<std::unique_ptr<LogFollowers>> LogFollowers::start(std::filesystem::path jobs,
                                                          live::Factory& factory) {
  Result<live::OutputWatch> watch = live::OutputWatch::open();
  if (!watch) return std::unexpected(watch.error());
  std::unique_ptr<LogFollowers> followers(new LogFollowers(std::move(jobs), factory, std::move(*watch)));
  followers->inbox_->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (followers->inbox_->descriptor < 0)
    return fail(fmt::format("cannot make an eventfd: {}", std::strerror(errno)));
  followers->thread_ = std::thread([raw = followers.get()] { raw->run(); });
  return followers;
}

LogFollowers::~LogFollowers() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->stopping = true;
  }
  inbox_->wake();
  thread_.join();
}

std::size_t LogFollowers::followers() const {
  const std::lock_guard lock(mutex_);
  return followers_.size();
}

void LogFollowers::close() {
  const std::lock_guard lock(mutex_);
  for (auto& [id, follower] : followers_) follower.stream->close();
}

/// Watches the attempt whose output is being sent, where there is one.
void LogFollowers::watch(Follower& follower) {
  if (follower.attempt == 0) return;
  const live::AttemptId id{follower.job, follower.attempt};
  if (follower.watched != follower.attempt) {
    unwatch(follower);
    follower.watched = follower.attempt;
    ++watched_[id].followers;
  }
  Watched& watched = watched_[id];
  // It may fail: its folder is not there yet, or the system watches as much as it may. The next look tries
  // again.
  if (!watched.there) watched.there = watch_.watch(jobs_, id).has_value();
}

void LogFollowers::unwatch(Follower& follower) {
  const live::AttemptId id{follower.job, std::exchange(follower.watched, 0U)};
  if (id.attempt == 0) return;
  const auto at = watched_.find(id);
  if (at == watched_.end() || --at->second.followers > 0) return;
  watched_.erase(at);
  watch_.unwatch(id);
}

bool LogFollowers::follow(std::shared_ptr<http::Stream> stream, const live::JobRecord& job,
                          std::uint32_t attempt, std::uint64_t offset, live::Actor actor) {
  Follower follower;
  follower.stream = stream;
  follower.actor = std::move(actor);
  follower.job = job.number;
  follower.attempt = attempt == 0 ? job.attempt : attempt;
  follower.latest = job.attempt;
  follower.offset = offset;
  std::uint64_t id = 0;
  bool known = false;
  {
    // The lock keeps our thread from what is told until the follower is known, so that it misses nothing.
    const std::lock_guard lock(mutex_);
    {
      const std::lock_guard inbox_lock(inbox_->mutex);
      ++inbox_->followed[job.number];
    }
    factory_.read([&](const live::Book& book) {
      const live::LiveJob* now = book.entry(job.number);
      if (now == nullptr && job.state != live::JobState::kEnded) return;  // It has just ended: see below.
      learn(follower, now != nullptr ? now->record : job, book);
    });
    known = !follower.status.empty();
    id = next_++;
    followers_.emplace(id, std::move(follower));
    news_.insert(id);
  }
  inbox_->wake();
  stream->on_close([inbox = inbox_, id] {
    const std::lock_guard lock(inbox->mutex);
    inbox->ready.insert(id);
    inbox->wake();
  });
  stream->on_drained([inbox = inbox_, id] {
    const std::lock_guard lock(inbox->mutex);
    if (inbox->stalled.erase(id) == 0) return;
    inbox->ready.insert(id);
    inbox->wake();
  });
  return known;
}

/// Takes in the job's present state.
void LogFollowers::learn(Follower& follower, const live::JobRecord& job, const live::Book& book) {
  Json json = job_json(book, job);
  if (const live::LiveJob* now = book.entry(job.number)) add_live_facts(*now, json);
  if (job.state == live::JobState::kEnded) {
    follower.over = true;
    follower.last_words = text_of(json);
  }
  follower.latest = std::max(follower.latest, job.attempt);
  const std::string status = fmt::format("{}/{}", json["status"].get<std::string>(), job.attempt);
  if (status == follower.status) return;
  follower.status = status;
  if (!follower.over) follower.unsent[job.attempt] = text_of(json);
}

/// What is known of the attempt whose output is being sent, and of those before it.
void LogFollowers::tell_status(Follower& follower) {
  while (!follower.unsent.empty() && follower.unsent.begin()->first <= follower.attempt) {
    follower.stream->write(
        std::make_shared<const std::string>(http::format_event(follower.unsent.begin()->second, "status")));
    follower.unsent.erase(follower.unsent.begin());
  }
}

void LogFollowers::tell(const std::vector<live::JobRecord>& jobs) {
  const std::lock_guard lock(inbox_->mutex);
  if (inbox_->followed.empty()) return;
  bool some = false;
  for (const live::JobRecord& job : jobs) {
    if (!inbox_->followed.contains(job.number)) continue;
    std::optional<live::JobRecord>& ended = inbox_->changed[job.number];
    if (job.state == live::JobState::kEnded) ended = job;
    some = true;
  }
  if (some) inbox_->wake();
}

void LogFollowers::beat(const std::function<bool(const live::Book&, const live::Actor&)>& may_go_on) {
  static const auto comment = std::make_shared<const std::string>(http::format_comment("alive"));
  {
    const std::lock_guard lock(mutex_);
    factory_.read([&](const live::Book& book) {
      for (auto& [id, follower] : followers_) {
        if (!may_go_on(book, follower.actor)) follower.stream->close();
      }
    });
    for (auto& [id, follower] : followers_) {
      follower.stream->write(comment);
      news_.insert(id);
    }
  }
  inbox_->wake();
}

/// True: the stream holds as much as it should, and its follower is looked at again when it has drained.
bool LogFollowers::stall(std::uint64_t id, const Follower& follower) {
  if (follower.stream->waiting_bytes() < kMostWaiting) return false;
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->stalled.insert(id);
  }
  // It may have drained before it was noted; then nobody would come back to it.
  return follower.stream->waiting_bytes() >= kMostWaiting;
}

LogFollowers::Progress LogFollowers::pump_stream(std::uint64_t id, Follower& follower,
                                                 live::OutputStream stream, std::uint64_t& offset) {
  const std::filesystem::path folder = live::attempt_folder(jobs_, {follower.job, follower.attempt});
  const std::uint64_t identity = factory_.read(
      [&](const live::Book& book) { return book.identity_of_running({follower.job, follower.attempt}); });
  // Of an attempt that others have followed, or of a job that has ended, nothing more can come, also where
  // its supervisor could not say so.
  const bool over = follower.over || follower.attempt < follower.latest;
  for (int piece = 0; piece < kPiecesALook; ++piece) {
    if (stall(id, follower)) return Progress::kStalled;
    const Result<live::OutputPart> part = live::read_output(folder, stream, offset, kPiece, identity);
    if (!part) {
      follower.stream->write(event({{"message", part.error().message}}, "problem"));
      return Progress::kAll;
    }
    const bool last = (over || part->ended) && part->next >= part->end;
    Json json;
    json["attempt"] = follower.attempt;
    if (part->offset > offset) {
      json["dropped_bytes"] = part->offset - offset;
      follower.stream->write(event(json, "gap"));
      json.erase("dropped_bytes");
    }
    std::string_view bytes = part->bytes;
    if (!last) bytes = bytes.substr(0, whole_characters(bytes));
    offset = std::max(offset, part->offset) + bytes.size();
    if (!bytes.empty()) {
      json["offset"] = part->offset;
      if (is_utf8(bytes)) {
        json["text"] = bytes;
      } else {
        json["base64"] = base64(bytes);
      }
      follower.stream->write(event(json, stream == live::OutputStream::kOutput ? "out" : "err"));
    }
    if (last) return Progress::kAll;
    if (bytes.empty()) return Progress::kSoFar;
  }
  return Progress::kMore;
}

bool LogFollowers::pump(std::uint64_t id, Follower& follower, bool& more) {
  while (follower.stream->open()) {
    tell_status(follower);
    bool all = true;
    watch(follower);
    if (follower.attempt != 0) {
      const Progress out = pump_stream(id, follower, live::OutputStream::kOutput, follower.offset);
      const Progress err = pump_stream(id, follower, live::OutputStream::kError, follower.error_offset);
      more = out == Progress::kMore || err == Progress::kMore;
      all = out == Progress::kAll && err == Progress::kAll;
    }
    if (!all) return false;
    if (follower.attempt < follower.latest) {
      if (follower.attempt != 0) follower.offset = 0;
      follower.error_offset = 0;
      ++follower.attempt;
      continue;
    }
    if (!follower.over) return false;
    follower.stream->write(
        std::make_shared<const std::string>(http::format_event(follower.last_words, "end")));
    follower.stream->close();
  }
  return true;
}

/// Looks at the jobs that have changed, and at whose turn it is.
void LogFollowers::take_news() {
  std::map<std::uint64_t, std::optional<live::JobRecord>> changed;
  {
    const std::lock_guard lock(inbox_->mutex);
    news_.merge(inbox_->ready);
    inbox_->ready.clear();
    changed.swap(inbox_->changed);
  }
  if (!changed.empty()) {
    factory_.read([&](const live::Book& book) {
      for (auto& [id, follower] : followers_) {
        const auto at = changed.find(follower.job);
        if (at == changed.end()) continue;
        const live::LiveJob* now = book.job(follower.job);
        // In neither: it has ended, and that will be told when it has been kept.
        if (now != nullptr || at->second) learn(follower, now != nullptr ? now->record : *at->second, book);
        news_.insert(id);
      }
    });
  }
  for (const live::AttemptId attempt : watch_.take(0)) {
    for (const auto& [id, follower] : followers_) {
      if (follower.job == attempt.job && follower.attempt == attempt.attempt) news_.insert(id);
    }
  }
}

void LogFollowers::run() {
  bool more = false;
  for (;;) {
    std::array<pollfd, 2> sources{pollfd{inbox_->descriptor, POLLIN, 0},
                                  pollfd{watch_.descriptor(), POLLIN, 0}};
    if (poll(sources.data(), sources.size(), more ? 0 : -1) < 0 && errno != EINTR) return;
    eventfd_t ignored = 0;
    if ((sources[0].revents & POLLIN) != 0) eventfd_read(inbox_->descriptor, &ignored);
    {
      const std::lock_guard lock(inbox_->mutex);
      if (inbox_->stopping) return;
    }
    std::set<std::uint64_t> turns;
    {
      const std::lock_guard lock(mutex_);
      take_news();
      turns.swap(news_);
    }
    more = false;
    for (const std::uint64_t id : turns) {
      const std::lock_guard lock(mutex_);  // For one at a time: others may want to join.
      const auto at = followers_.find(id);
      if (at == followers_.end()) continue;
      Follower& follower = at->second;
      bool has_more = false;
      if (!pump(id, follower, has_more)) {
        if (has_more) news_.insert(id);
        more = more || has_more;
        continue;
      }
      unwatch(follower);
      {
        const std::lock_guard inbox_lock(inbox_->mutex);
        const auto job = inbox_->followed.find(follower.job);
        if (--job->second == 0) inbox_->followed.erase(job);
        inbox_->stalled.erase(id);
      }
      followers_.erase(at);
    }
  }
}

}  // namespace gw::api
