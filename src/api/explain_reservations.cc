// The windows between a job and its start, with no more of others than the asker may know.
#include "api/explain_reservations.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "live/time_text.h"

namespace gw::api {
namespace {

constexpr std::size_t kMostNamed = 3;  ///< In a sentence.

std::string time_of(const live::Book& book, Instant when) { return live::time_text(book.unix_ns(when)); }

std::string name_of(const live::Book& book, WindowId id) {
  for (const auto& [name, record] : book.reservations) {
    if (record.id == id) return name;
  }
  return "";
}

/// The windows of nodes that could hold the job, which are kept from it now.
std::set<WindowId> windows_in_the_way(const sched::State& state, const sched::Job& job, Instant now) {
  const sched::Windows::User user = sched::State::window_user(job);
  const Instant end = now + job.request.limit;
  const std::vector<std::uint32_t>& pools = state.classes[job.shape_class].pools;
  std::set<WindowId> found;
  for (const sched::Windows::Group& group : state.windows.groups()) {
    if (std::find(pools.begin(), pools.end(), group.pool) == pools.end()) continue;
    if (state.windows.admits(group, user, now)) continue;
    for (const WindowId id : group.windows) {
      const WindowTerms& terms = *state.windows.find(id);
      const std::optional<sched::Windows::Time> time = sched::Windows::time_at(terms, now);
      if (!time || time->from >= end) continue;
      const bool early = time->from > now && !terms.job.valid();
      if (early || time->to < end || !state.windows.owns(id, terms, user)) found.insert(id);
    }
  }
  return found;
}

}  // namespace

bool may_see(const live::Book& book, const WindowTerms& terms, TenantId asking) {
  const live::LiveJob* job = nullptr;
  if (const auto at = book.by_core.find(terms.job.value()); terms.job.valid() && at != book.by_core.end())
    job = book.job(at->second);
  const TenantId owner = job != nullptr ? job->record.tenant : terms.tenant;
  const bool may_use = job == nullptr && owner.valid() && book.is_within(asking, owner);
  return !owner.valid() || may_use || book.is_within(owner, asking);
}

std::optional<ReservationsFound> own_reservation(const live::Book& book, const sched::Job& job) {
  const WindowTerms* terms = book.core->state().windows.find(job.request.window);
  if (terms == nullptr) return std::nullopt;  // It is over: the next turn holds the job.
  const std::optional<sched::Windows::Time> time = sched::Windows::time_at(*terms, book.now);
  if (!time) return std::nullopt;
  const std::string name = name_of(book, job.request.window);
  const bool active = time->from <= book.now;
  ReservationsFound found;
  found.fact = {{"name", name},
                {"from", time_of(book, time->from)},
                {"to", time_of(book, time->to)},
                {"active", active}};
  if (!active) {
    found.text = fmt::format("it waits for its own reservation {}, which begins at {}", name,
                             time_of(book, time->from));
  } else if (book.now + job.request.limit > time->to) {
    found.text = fmt::format("its own reservation {} ends at {}, before the job's limit would be over{}",
                             name, time_of(book, time->to),
                             terms->every > Nanoseconds{0} && time->from + terms->every < terms->until
                                 ? "; it begins again at " + time_of(book, time->from + terms->every)
                                 : "");
  } else {
    found.text = fmt::format("too little is free on the nodes of its own reservation {}", name);
  }
  return found;
}

std::optional<ReservationsFound> reservations_in_the_way(const live::Book& book, const sched::Job& job,
                                                         TenantId asking) {
  const sched::State& state = book.core->state();
  ReservationsFound found;
  found.fact = Json::array();
  bool hidden = false;
  for (const WindowId id : windows_in_the_way(state, job, book.now)) {
    const WindowTerms& terms = *state.windows.find(id);
    if (!may_see(book, terms, asking)) {
      hidden = true;
      continue;
    }
    const std::optional<sched::Windows::Time> time = sched::Windows::time_at(terms, book.now);
    if (!time) continue;  // It is over.
    const std::string name = name_of(book, id), from = time_of(book, time->from),
                      to = time_of(book, time->to);
    const std::string whose = terms.tenant.valid() ? "tenant " + book.path(terms.tenant)
                              : terms.job.valid()  ? "a job"
                                                   : "maintenance";
    if (found.fact.size() < kMostNamed)
      found.text +=
          fmt::format("{}{} (for {}, {} to {})", found.text.empty() ? "" : ", ", name, whose, from, to);
    found.fact.push_back({{"name", name}, {"for", whose}, {"from", from}, {"to", to}});
  }
  if (found.fact.empty() && !hidden) return std::nullopt;
  if (found.fact.size() > kMostNamed)
    found.text += fmt::format(" and {} more", found.fact.size() - kMostNamed);
  const std::string named = found.text;
  found.text = "it would run into a time for which the nodes are reserved";
  if (!named.empty()) found.text += fmt::format(": {}{}", named, hidden ? ", and for another tenant" : "");
  if (named.empty()) found.text += " for another tenant";
  return found;
}

}  // namespace gw::api
