// Events to watchers: each is written once and shared by all who want it.
#include "api/hub.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/json.h"
#include "http/sse.h"

namespace gw::api {

bool Hub::wants(const WatchFilter& filter, const Event& event) {
  if (filter.job != 0 && event.job != filter.job && event.array_job != filter.job) return false;
  return std::find(event.above.begin(), event.above.end(), filter.top) != event.above.end();
}

void Hub::publish(const live::Changes& changes, const live::Book& book) {
  if (changes.new_jobs.empty() && changes.changed_jobs.empty()) return;
  const std::lock_guard lock(mutex_);
  if (watchers_.empty()) {  // Nobody listens: those who come back are told to look anew.
    next_id_ += changes.new_jobs.size() + changes.changed_jobs.size();
    events_.clear();
    return;
  }
  std::vector<Event> fresh;
  const auto add = [&](const live::JobRecord& job) {
    Event event;
    event.id = next_id_++;
    event.job = job.number;
    event.array_job = job.array_job;
    event.tenant = job.tenant;
    for (TenantId at = job.tenant; at.valid(); at = book.tenants[at.value()].record.parent)
      event.above.push_back(at);
    Json json = job_json(book, job);
    if (const live::LiveJob* now = book.job(job.number)) add_live_facts(*now, json);
    event.text = std::make_shared<const std::string>(
        http::format_event(text_of(json), "job", fmt::format("{}", event.id)));
    fresh.push_back(std::move(event));
  };
  for (const live::JobRecord& job : changes.new_jobs) add(job);
  for (const live::JobRecord& job : changes.changed_jobs) add(job);
  std::vector<std::uint64_t> gone;
  for (auto& [id, watcher] : watchers_) {
    // One write a turn where a watcher hears everything, so that a thousand of them cost little.
    bool open = true;
    for (const Event& event : fresh) {
      if (open && wants(watcher.filter, event)) open = watcher.stream->write(event.text);
    }
    if (!open) gone.push_back(id);
  }
  for (const std::uint64_t id : gone) watchers_.erase(id);
  for (Event& event : fresh) events_.push_back(std::move(event));
  while (events_.size() > kept_) events_.pop_front();
}

bool Hub::join(std::shared_ptr<http::Stream> stream, WatchFilter filter, std::uint64_t after) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (watchers_.size() >= most_watchers_) return false;
    if (after != 0 && after + 1 != next_id_) {
      const bool known = after < next_id_ && !events_.empty() && events_.front().id <= after + 1;
      if (!known) {
        stream->write(std::make_shared<const std::string>(
            http::format_event("{}", "reset", fmt::format("{}", next_id_ - 1))));
      }
      for (const Event& event : events_) {
        if (known && event.id > after && wants(filter, event)) stream->write(event.text);
      }
    }
    id = next_watcher_++;
    watchers_.emplace(id, Watcher{stream, std::move(filter)});
  }
  stream->on_close([this, id] {
    const std::lock_guard lock(mutex_);
    watchers_.erase(id);
  });
  return true;
}

void Hub::beat(const std::function<bool(const live::Actor&)>& may_go_on) {
  static const auto comment = std::make_shared<const std::string>(http::format_comment("alive"));
  const std::lock_guard lock(mutex_);
  std::erase_if(watchers_, [&](const auto& entry) {
    const Watcher& watcher = entry.second;
    if (may_go_on(watcher.filter.actor)) return !watcher.stream->write(comment);
    watcher.stream->close();
    return true;
  });
}

std::size_t Hub::watchers() const {
  const std::lock_guard lock(mutex_);
  return watchers_.size();
}

void Hub::close() {
  const std::lock_guard lock(mutex_);
  for (auto& [id, watcher] : watchers_) watcher.stream->close();
  watchers_.clear();
}

}  // namespace gw::api
