// Events to watchers: each is written once and shared by all who want it.
#include "api/hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "http/sse.h"
#include "live/time_text.h"

namespace gw::api {
namespace {

/// Written down in one go: no reader keeps the factory waiting for longer than that takes.
constexpr std::size_t kEventsALook = 256;
/// Of a stream whose reader is slow: the rest follows when it has drained.
constexpr std::size_t kMostWaiting = std::size_t{256} << 10;

/// A job as its event tells of it.
Json job_event_json(const live::Book& book, const JobMoment& job, Instant at) {
  Json json = job_json(book, job);
  json["at"] = live::time_text(book.unix_ns(at));
  return json;
}

std::shared_ptr<const std::string> reset_event(std::uint64_t id) {
  return std::make_shared<const std::string>(http::format_event("{}", "reset", fmt::format("{}", id)));
}

}  // namespace

Hub::Hub(Read read, const HubLimits& limits, std::uint64_t first_id)
    : read_(std::move(read)),
      limits_(limits),
      inbox_(std::make_shared<Inbox>()),
      pending_end_(first_id),
      end_(first_id) {
  inbox_->next_id = first_id;
  thread_ = std::thread([this] { run(); });
}

Hub::~Hub() {
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->stopping = true;
  }
  inbox_->wakeup.notify_one();
  thread_.join();
  // Streams hold the inbox: it must not hold them.
  std::vector<std::pair<std::uint64_t, Watcher>> dropped;
  const std::lock_guard lock(inbox_->mutex);
  dropped.swap(inbox_->joined);
}

bool Hub::wants(const WatchFilter& filter, const Event& event) {
  if (!event.of_job && filter.job != 0) return false;
  const bool meant =
      filter.job == event.array_job || (event.job <= filter.job && filter.job < event.job + event.tasks);
  if (filter.job != 0 && !meant) return false;
  return std::find(event.above.begin(), event.above.end(), filter.top) != event.above.end();
}

bool Hub::pass_over(const live::Changes& changes) {
  const std::lock_guard lock(inbox_->mutex);
  if (inbox_->watchers > 0 || count_notices(changes) > 0) return false;
  inbox_->next_id += changes.new_jobs.size() + changes.changed_jobs.size();
  inbox_->news.clear();
  return true;
}

void Hub::begin_with(const live::Book& book) {
  const std::lock_guard lock(inbox_->mutex);
  for (Notice& notice : notices_of_unmet(book))
    inbox_->notices.push_back({inbox_->next_id++, {}, std::move(notice), book.now});
  inbox_->wakeup.notify_one();
}

void Hub::publish(const live::Changes& changes, const live::Book& book) {
  std::vector<Notice> notices = notices_of(changes, book);
  const std::size_t jobs = changes.new_jobs.size() + changes.changed_jobs.size();
  const std::size_t count = jobs + notices.size();
  if (count == 0) return;
  // More at once than are remembered: the first of them would be forgotten again.
  const std::size_t skipped = count - std::min(count, limits_.events);
  std::vector<News> fresh;
  fresh.reserve(count - skipped);
  for (std::size_t index = skipped; index < count; ++index) {
    if (index >= jobs) {
      fresh.push_back({index, {}, std::move(notices[index - jobs]), book.now});
      continue;
    }
    const live::JobRecord& job = index < changes.new_jobs.size()
                                     ? changes.new_jobs[index]
                                     : changes.changed_jobs[index - changes.new_jobs.size()];
    fresh.push_back({index, moment_of(job, book.job(job.number)), {}, book.now});
  }
  {
    const std::lock_guard lock(inbox_->mutex);
    for (News& news : fresh) {
      news.id += inbox_->next_id;
      if (news.notice) inbox_->notices.push_back(news);
    }
    inbox_->next_id += count;
    std::deque<News>& all = inbox_->news;
    if (skipped > 0 || inbox_->watchers == 0) all.clear();
    if (inbox_->watchers == 0) fresh.clear();
    std::move(fresh.begin(), fresh.end(), std::back_inserter(all));
    while (all.size() > limits_.events) all.pop_front();
  }
  inbox_->wakeup.notify_one();
}

std::optional<std::uint64_t> Hub::join(std::shared_ptr<http::Stream> stream, WatchFilter filter,
                                       std::optional<std::uint64_t> after, bool held) {
  Watcher watcher;
  watcher.stream = stream;
  watcher.filter = std::move(filter);
  watcher.held = held;
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(inbox_->mutex);
    if (inbox_->watchers >= limits_.watchers) return std::nullopt;
    watcher.joined = inbox_->next_id - 1;
    watcher.unknown = after && *after > watcher.joined;
    watcher.next = (watcher.unknown ? watcher.joined : after.value_or(watcher.joined)) + 1;
    id = inbox_->next_watcher++;
    if (!after && !held)
      stream->write(std::make_shared<const std::string>(http::format_id(fmt::format("{}", watcher.joined))));
    ++inbox_->watchers;
    inbox_->joined.emplace_back(id, std::move(watcher));
    inbox_->ready.push_back(id);
  }
  inbox_->wakeup.notify_one();
  stream->on_close([inbox = inbox_, id] {
    const std::lock_guard lock(inbox->mutex);
    inbox->gone.push_back(id);
    inbox->wakeup.notify_one();
  });
  stream->on_drained([inbox = inbox_, id] {
    const std::lock_guard lock(inbox->mutex);
    if (inbox->stalled.erase(id) == 0) return;
    inbox->ready.push_back(id);
    inbox->wakeup.notify_one();
  });
  return id;
}

void Hub::begin(std::uint64_t watcher, const std::optional<std::vector<JobMoment>>& present) {
  Begun begun;
  begun.watcher = watcher;
  std::vector<std::string> texts;
  for (std::size_t at = 0; present && at < present->size(); at += kEventsALook) {
    read_([&](const live::Book& book) {
      const std::size_t end = std::min(at + kEventsALook, present->size());
      for (std::size_t index = at; index < end; ++index)
        texts.push_back(text_of(job_event_json(book, (*present)[index], book.now)));
    });
  }
  std::uint64_t joined = 0;
  {
    const std::lock_guard lock(mutex_);
    adopt();
    const auto at = watchers_.find(watcher);
    if (at == watchers_.end()) return;
    joined = at->second.joined;
  }
  for (std::size_t index = 0; index < texts.size(); ++index) {
    // Only the last has an id: who is cut off before it gets all of them again.
    const std::string id = index + 1 == texts.size() ? fmt::format("{}", joined) : std::string();
    begun.present.push_back(std::make_shared<const std::string>(http::format_event(texts[index], "job", id)));
    begun.bytes += begun.present.back()->size();
  }
  {
    const std::lock_guard lock(inbox_->mutex);
    if (!present || inbox_->present_bytes + begun.bytes > limits_.present_bytes) {
      begun.present.assign(1, reset_event(joined));
      begun.bytes = begun.present.back()->size();
    }
    inbox_->present_bytes += begun.bytes;
    inbox_->begun.push_back(std::move(begun));
  }
  inbox_->wakeup.notify_one();
}

void Hub::run() {
  Delivery delivery;
  std::deque<Event> fresh;
  while (take(delivery)) {
    write_down(fresh);
    deliver(delivery, fresh);
  }
}

bool Hub::take(Delivery& delivery) {
  std::unique_lock lock(inbox_->mutex);
  Inbox& inbox = *inbox_;
  inbox.wakeup.wait(lock, [&] {
    return inbox.stopping || !pending_.empty() || !inbox.news.empty() || !inbox.notices.empty() ||
           !inbox.joined.empty() || !inbox.begun.empty() || !inbox.ready.empty() || !inbox.gone.empty();
  });
  if (inbox.stopping) return false;
  delivery.begun = std::exchange(inbox.begun, {});
  delivery.ready = std::exchange(inbox.ready, {});
  delivery.gone = std::exchange(inbox.gone, {});
  // Where events are missing in between, those before are of no use: who has not had them gets `reset`.
  if (!inbox.news.empty() && !pending_.empty() && pending_.back().id + 1 != inbox.news.front().id)
    pending_.clear();
  std::move(inbox.news.begin(), inbox.news.end(), std::back_inserter(pending_));
  inbox.news.clear();
  std::move(inbox.notices.begin(), inbox.notices.end(), std::back_inserter(pending_notices_));
  inbox.notices.clear();
  while (pending_.size() > limits_.events) pending_.pop_front();
  pending_end_ = inbox.next_id;
  return true;
}

Hub::Event Hub::written(const live::Book& book, const News& news) {
  Event event;
  TenantId at = news.job.record.tenant;
  std::string text;
  if (news.notice) {
    event.of_job = false;
    at = news.notice->tenant;
    text = http::format_event(text_of(news.notice->json), news.notice->event, fmt::format("{}", news.id));
  } else {
    const live::JobRecord& job = news.job.record;
    event.job = job.number;
    event.array_job = job.array_job;
    event.tasks = job.stands_for;
    text = http::format_event(text_of(job_event_json(book, news.job, news.at)), "job",
                              fmt::format("{}", news.id));
  }
  for (; at.valid(); at = book.tenants[at.value()].record.parent) event.above.push_back(at);
  event.text = std::make_shared<const std::string>(std::move(text));
  return event;
}

/// Of what is pending, the first few, and all notices.
void Hub::write_down(std::deque<Event>& fresh) {
  if (pending_.empty() && pending_notices_.empty()) return;
  std::vector<std::pair<std::uint64_t, Event>> notices;
  read_([&](const live::Book& book) {
    const std::size_t count = std::min(pending_.size(), kEventsALook);
    for (std::size_t index = 0; index < count; ++index) fresh.push_back(written(book, pending_[index]));
    for (const News& news : pending_notices_) notices.emplace_back(news.id, written(book, news));
  });
  pending_notices_.clear();
  const std::lock_guard lock(mutex_);
  std::move(notices.begin(), notices.end(), std::back_inserter(notices_));
  while (notices_.size() > limits_.notices) notices_.pop_front();
}

void Hub::deliver(Delivery& delivery, std::deque<Event>& fresh) {
  const std::uint64_t first = pending_.empty() ? pending_end_ : pending_.front().id;
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(fresh.size()));
  const std::lock_guard lock(mutex_);
  adopt();
  for (Begun& begun : delivery.begun) {
    const auto at = watchers_.find(begun.watcher);
    if (at == watchers_.end()) {
      const std::lock_guard inbox_lock(inbox_->mutex);
      inbox_->present_bytes -= begun.bytes;
      continue;
    }
    at->second.present = std::move(begun.present);
    at->second.held = false;
    delivery.ready.push_back(begun.watcher);
  }
  for (const std::uint64_t id : delivery.gone) forget(id);
  if (end_ != first) {
    events_.clear();
    end_ = first;
  }
  const bool some = !fresh.empty();
  end_ += fresh.size();
  std::move(fresh.begin(), fresh.end(), std::back_inserter(events_));
  fresh.clear();
  while (events_.size() > limits_.events) events_.pop_front();
  std::vector<std::uint64_t> gone;
  if (some) {
    for (auto& [id, watcher] : watchers_) {
      if (!pump(id, watcher)) gone.push_back(id);
    }
  } else {
    for (const std::uint64_t id : delivery.ready) {
      const auto at = watchers_.find(id);
      if (at != watchers_.end() && !pump(id, at->second)) gone.push_back(id);
    }
  }
  for (const std::uint64_t id : gone) forget(id);
}

/// Takes in those who have joined.
void Hub::adopt() {
  const std::lock_guard lock(inbox_->mutex);
  for (auto& [id, watcher] : inbox_->joined) watchers_.emplace(id, std::move(watcher));
  inbox_->joined.clear();
}

void Hub::forget(std::uint64_t id) {
  const auto at = watchers_.find(id);
  if (at == watchers_.end()) return;
  std::size_t bytes = 0;
  for (const Text& text : at->second.present) bytes += text->size();
  watchers_.erase(at);
  const std::lock_guard lock(inbox_->mutex);
  --inbox_->watchers;
  inbox_->present_bytes -= bytes;
  inbox_->stalled.erase(id);
}

bool Hub::pump(std::uint64_t id, Watcher& watcher) {
  std::size_t sent_bytes = 0;
  bool open = watcher.stream->open();
  while (open && !watcher.held) {
    if (watcher.stream->waiting_bytes() >= kMostWaiting) {
      {
        const std::lock_guard lock(inbox_->mutex);
        inbox_->stalled.insert(id);
      }
      // It may have drained before it was noted; then nobody would come back to it.
      if (watcher.stream->waiting_bytes() >= kMostWaiting) break;
    }
    if (!watcher.present.empty()) {
      sent_bytes += watcher.present.front()->size();
      open = watcher.stream->write(watcher.present.front());
      watcher.present.pop_front();
      continue;
    }
    watcher.missed = watcher.missed || watcher.unknown || watcher.next < oldest();
    if (watcher.missed) {
      const auto notice = std::find_if(notices_.begin(), notices_.end(), [&](const auto& entry) {
        return entry.first >= watcher.next && wants(watcher.filter, entry.second);
      });
      if (!watcher.unknown && notice != notices_.end() && notice->first < pending_end_) {
        watcher.next = notice->first + 1;
        open = watcher.stream->write(notice->second.text);
        continue;
      }
      watcher.unknown = watcher.missed = false;
      watcher.next = std::max(watcher.next, pending_end_);  // A client that looks now sees all of that.
      open = watcher.stream->write(reset_event(watcher.next - 1));
      continue;
    }
    if (watcher.next >= end_) break;
    const Event& event = events_[watcher.next - oldest()];
    ++watcher.next;
    if (wants(watcher.filter, event)) open = watcher.stream->write(event.text);
  }
  if (sent_bytes > 0) {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->present_bytes -= sent_bytes;
  }
  return open;
}

void Hub::beat(const std::function<bool(const live::Book&, const live::Actor&)>& may_go_on) {
  static const auto comment = std::make_shared<const std::string>(http::format_comment("alive"));
  const std::lock_guard lock(mutex_);
  adopt();
  std::vector<std::uint64_t> gone;
  read_([&](const live::Book& book) {
    for (const auto& [id, watcher] : watchers_) {
      if (may_go_on(book, watcher.filter.actor)) continue;
      watcher.stream->close();
      gone.push_back(id);
    }
  });
  for (const std::uint64_t id : std::exchange(gone, {})) forget(id);
  for (const auto& [id, watcher] : watchers_) {
    if (!watcher.stream->write(comment)) gone.push_back(id);
  }
  for (const std::uint64_t id : gone) forget(id);
}

std::size_t Hub::watchers() const {
  const std::lock_guard lock(inbox_->mutex);
  return inbox_->watchers;
}

void Hub::close() {
  const std::lock_guard lock(mutex_);
  adopt();
  std::vector<std::uint64_t> all;
  for (const auto& [id, watcher] : watchers_) {
    watcher.stream->close();
    all.push_back(id);
  }
  for (const std::uint64_t id : all) forget(id);
}

}  // namespace gw::api
