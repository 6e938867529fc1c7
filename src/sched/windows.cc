// The arithmetic of windows that repeat, and who is admitted.
#include "sched/windows.h"

#include <algorithm>
#include <numeric>

namespace gw::sched {
namespace {

/// How often a window takes place; INT64_MAX where it has no end.
std::int64_t times_of(const WindowTerms& terms) {
  if (terms.every == Nanoseconds{0}) return 1;
  if (terms.until == Instant::max()) return INT64_MAX;
  return (terms.until - terms.from + terms.every - Nanoseconds{1}) / terms.every;
}

}  // namespace

std::optional<Windows::Time> Windows::time_at(const WindowTerms& terms, Instant when) {
  Instant from = terms.from;
  if (from + terms.length <= when) {
    if (terms.every == Nanoseconds{0}) return std::nullopt;
    const std::int64_t index = (when - terms.from - terms.length) / terms.every + 1;
    if (index >= times_of(terms) || (kLongestSpan - (from - Instant{})) / terms.every < index)
      return std::nullopt;
    from = from + terms.every * index;
  }
  return Time{from, from + terms.length};
}

Instant Windows::last_end(const WindowTerms& terms) {
  const std::int64_t times = times_of(terms);
  if (times == INT64_MAX) return Instant::max();
  return terms.from + terms.every * (times - 1) + terms.length;
}

bool Windows::overlap(const WindowTerms& a, const WindowTerms& b) {
  const std::int64_t times_a = times_of(a);
  const std::int64_t times_b = times_of(b);
  if (times_a == INT64_MAX && times_b == INT64_MAX) {
    // Sooner or later b begins after a by every number that is congruent to (b - a) by their common divisor.
    const std::int64_t step = std::gcd(a.every.count(), b.every.count());
    std::int64_t after = (b.from - a.from).count() % step;
    if (after < 0) after += step;
    return after < a.length.count() || step - after < b.length.count();
  }
  const WindowTerms& fewer = times_a <= times_b ? a : b;
  const WindowTerms& more = times_a <= times_b ? b : a;
  const std::int64_t times = std::min(times_a, times_b);
  for (std::int64_t index = 0; index < times; ++index) {
    const Instant from = fewer.from + fewer.every * index;
    const std::optional<Time> other = time_at(more, from);
    if (!other) return false;  // Nor later.
    if (other->from < from + fewer.length) return true;
  }
  return false;
}

bool Windows::owns(WindowId id, const WindowTerms& terms, const User& user) const {
  if (user.names.valid() && user.names != id) return false;
  if (terms.job.valid()) return terms.job == user.job;
  return terms.tenant.valid() && user.tenant.valid() && is_within(user.tenant, terms.tenant);
}

bool Windows::admits(const Group& group, const User& user, Instant when) const {
  const Instant end = when + user.limit;
  bool inside = false;
  for (const WindowId id : group.windows) {
    const WindowTerms& terms = terms_.at(id);
    const std::optional<Time> time = time_at(terms, when);
    if (!time || time->from >= end) continue;
    if (time->to < end || !owns(id, terms, user)) return false;
    // A tenant finds its nodes empty when its time comes; the one job for which they are may come earlier.
    if (time->from > when && !terms.job.valid()) return false;
    inside = true;
  }
  return inside || !user.names.valid();
}

bool Windows::is_own(const Group& group, const User& user, Instant when) const {
  return std::any_of(group.windows.begin(), group.windows.end(), [&](WindowId id) {
    const WindowTerms& terms = terms_.at(id);
    if (!owns(id, terms, user)) return false;
    const std::optional<Time> time = time_at(terms, when);
    return time && time->from < when + user.limit;
  });
}

std::vector<Instant> Windows::openings(std::uint32_t pool, const User& user, Instant now,
                                       Instant settled) const {
  std::vector<WindowId> windows;
  for (const Group& group : groups_) {
    if (group.pool == pool) windows.insert(windows.end(), group.windows.begin(), group.windows.end());
  }
  std::sort(windows.begin(), windows.end());
  windows.erase(std::unique(windows.begin(), windows.end()), windows.end());
  // Once all jobs have ended and all single windows are over, two of the longest periods show all that
  // repeats, if each period divides the longest; windows that stop repeating change it once more.
  Instant last = std::max(now, settled);
  Nanoseconds longest{0};
  std::vector<Instant> times;
  for (const WindowId id : windows) {
    const WindowTerms& terms = terms_.at(id);
    longest = std::max(longest, terms.every);
    if (terms.every == Nanoseconds{0}) last = std::max(last, terms.from + terms.length);
  }
  const Nanoseconds room = kLongestSpan - (last - Instant{});
  last = last + std::min(room / 2, longest) * 2;
  for (const WindowId id : windows) {
    const WindowTerms& terms = terms_.at(id);
    const bool own = owns(id, terms, user);
    Instant at = now;
    for (std::size_t left = kMostTimes; left > 0; --left) {
      const std::optional<Time> time = time_at(terms, at);
      if (!time || time->from > last) break;
      if (own && time->from > now) times.push_back(time->from);
      times.push_back(time->to);
      at = time->to;
    }
    const Instant over = last_end(terms);
    if (over != Instant::max() && over > now) times.push_back(over);
  }
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  if (times.size() > kMostTimes) times.resize(kMostTimes);
  return times;
}

bool Windows::keeps_back(const Group& group, Instant now, Nanoseconds horizon) const {
  return std::any_of(group.windows.begin(), group.windows.end(), [&](WindowId id) {
    const std::optional<Time> time = time_at(terms_.at(id), now);
    return time && (time->from <= now || time->from - now < horizon);
  });
}

}  // namespace gw::sched
