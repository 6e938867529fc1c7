// Pages of open jobs and of nodes, sorted and searched: what a screen shows of a long list.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "api/api.h"
#include "live/time_text.h"
#include "sched/pending.h"

namespace gw::api {
namespace {

/// Looked at in one go: so many jobs are read in well under a millisecond, so no reader keeps the factory
/// waiting.
constexpr std::size_t kJobsALook = 2048;
constexpr std::size_t kNodesALook = 8192;
constexpr std::size_t kNodesShown = 256;  ///< Written down as JSON, which takes longer.

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

/// Whether `text` contains `part`, which is in lower case already.
bool contains(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char a, char b) { return lower(a) == b; }) != text.end();
}

enum class JobSort : std::uint8_t { kQueue, kTime, kGpus, kCpus, kLimit, kNumber, kTenant, kUser, kName };
constexpr std::pair<std::string_view, JobSort> kJobSorts[] = {
    {"queue", JobSort::kQueue},   {"time", JobSort::kTime},   {"gpus", JobSort::kGpus},
    {"cpus", JobSort::kCpus},     {"limit", JobSort::kLimit}, {"number", JobSort::kNumber},
    {"tenant", JobSort::kTenant}, {"user", JobSort::kUser},   {"name", JobSort::kName}};

enum class NodeSort : std::uint8_t { kFleet, kState, kGpusFree, kCpusFree, kMemoryFree, kName };
constexpr std::pair<std::string_view, NodeSort> kNodeSorts[] = {{"fleet", NodeSort::kFleet},
                                                                {"state", NodeSort::kState},
                                                                {"gpus_free", NodeSort::kGpusFree},
                                                                {"cpus_free", NodeSort::kCpusFree},
                                                                {"memory_free", NodeSort::kMemoryFree},
                                                                {"name", NodeSort::kName}};

/// A place in the order, and whose it is: ties are in the order of `id`, whichever way the rest is sorted.
struct Place {
  std::int64_t first = 0, second = 0;
  std::string text;
  std::uint64_t id = 0;
};

/// The `count` places from `offset` on, in order.
void keep_page(std::vector<Place>& places, bool descending, std::size_t offset, std::size_t count) {
  const auto before = [descending](const Place& a, const Place& b) {
    const auto key = [](const Place& place) { return std::tie(place.first, place.second, place.text); };
    const auto order = key(a) <=> key(b);
    return order == 0 ? a.id < b.id : descending ? order > 0 : order < 0;
  };
  offset = std::min(offset, places.size());
  const std::size_t end = std::min(offset + count, places.size());
  const auto at = [&](std::size_t index) { return places.begin() + static_cast<std::ptrdiff_t>(index); };
  if (offset > 0 && offset < places.size())
    std::nth_element(places.begin(), at(offset), places.end(), before);
  std::partial_sort(at(offset), at(end), places.end(), before);
  places.erase(at(end), places.end());
  places.erase(places.begin(), at(offset));
}

template <class Sort>
struct Wish {
  Sort by{};
  bool descending = false;
  std::string text;  ///< In lower case.
};

/// Refuses (and gives none) where `sort` names none of `sorts`.
template <class Sort, std::size_t size>
std::optional<Wish<Sort>> read_wish(const Call& call,
                                    const std::pair<std::string_view, Sort> (&sorts)[size]) {
  Wish<Sort> wish;
  wish.text = call.text("text");
  std::transform(wish.text.begin(), wish.text.end(), wish.text.begin(), lower);
  std::string name = call.text("sort");
  wish.descending = name.starts_with('-');
  if (wish.descending) name.erase(0, 1);
  if (name.empty()) return wish;
  const auto found =
      std::find_if(std::begin(sorts), std::end(sorts), [&](const auto& each) { return each.first == name; });
  if (found != std::end(sorts)) {
    wish.by = found->second;
    return wish;
  }
  std::string names;
  for (const auto& each : sorts) names += (names.empty() ? "" : ", ") + std::string(each.first);
  call.refuse({400, "bad_parameter",
               fmt::format("\"sort\" may be {}; with `-` before it: the largest first", names)});
  return std::nullopt;
}

Place place_of(const live::Book& book, const live::LiveJob& job, JobSort by) {
  const live::JobRecord& record = job.record;
  Place place;
  place.id = record.number;
  switch (by) {
    case JobSort::kQueue:
      // As they are served: what runs, what waits as the policy's own key has it, what cannot start yet.
      place.first = record.state == live::JobState::kRunning   ? 0
                    : record.state == live::JobState::kWaiting ? 1
                    : record.state == live::JobState::kBlocked ? 2
                                                               : 3;
      place.second = record.state == live::JobState::kRunning
                         ? record.started.count()
                         : sched::order_key(book.core->state().policy, job.request);
      break;
    case JobSort::kTime:
      place.first = book.now.count() -
                    (record.state == live::JobState::kRunning ? record.started : record.submitted).count();
      break;
    case JobSort::kGpus:
      place.first = record.gpu_milli;
      break;
    case JobSort::kCpus:
      place.first = record.cpu_milli;
      break;
    case JobSort::kLimit:
      place.first = record.limit.count();
      break;
    case JobSort::kNumber:
      place.first = static_cast<std::int64_t>(record.number);
      break;
    case JobSort::kTenant:
      place.text = book.path(record.tenant);
      break;
    case JobSort::kUser:
      place.text = record.user;
      break;
    case JobSort::kName:
      place.text = record.name;
      break;
  }
  return place;
}

bool matches(const live::Book& book, const live::LiveJob& job, const std::string& text) {
  const live::JobRecord& record = job.record;
  if (text.empty() || contains(record.name, text) || contains(record.user, text) ||
      contains(book.path(record.tenant), text) || contains(job_id(record), text) ||
      contains(live::status_of(record.state, record.outcome), text))
    return true;
  if (record.state == live::JobState::kRunning) return contains(record.place, text);
  if (record.state == live::JobState::kBlocked) return contains(live::name_of(job.blocked), text);
  return record.state == live::JobState::kWaiting && contains(sched::reason_name(job.reason), text);
}

/// As node_json has it, of one node, without JSON.
struct NodeFacts {
  std::int64_t state = 3;  ///< down, draining, drained, up: what needs a look comes first.
  std::int64_t gpus_free = 0, cpus_free = 0, memory_free = 0;
};
constexpr std::string_view kStates[] = {"down", "draining", "drained", "up"};

NodeFacts facts_of(const NodeType& type, const sched::Pool& pool, std::uint32_t node) {
  const sched::Pool::Side side = pool.side_free(node);
  const bool down = pool.is_down(node);
  NodeFacts facts;
  facts.gpus_free = down ? 0 : pool.free_count(node);
  facts.cpus_free = type.cpu_milli == 0 ? 0 : side.cpu_milli;
  facts.memory_free = type.memory_mib == 0 ? 0 : side.memory_mib;
  const bool busy = pool.free_count(node) < type.gpus ||
                    (type.cpu_milli > 0 && facts.cpus_free < type.cpu_milli) ||
                    (type.memory_mib > 0 && facts.memory_free < type.memory_mib);
  facts.state = down ? 0 : !pool.is_closed(node, sched::Closure::kDrained) ? 3 : busy ? 1 : 2;
  return facts;
}

}  // namespace

/// Like list_jobs, of jobs in memory: any order, any text, any page.
void Api::search_jobs(Call call, live::JobFilter filter, std::uint64_t offset) {
  std::optional<Wish<JobSort>> wish = read_wish(call, kJobSorts);
  if (!wish) return;
  if (call.text("sort").empty()) wish->by = JobSort::kNumber, wish->descending = true;
  const std::shared_ptr<http::Responder> responder = call.responder;
  const bool posted = readers_->post(
      [this, call = std::move(call), filter = std::move(filter), wish = *wish, offset](live::Archive&) {
        std::vector<Place> places;
        std::uint64_t next = 0;
        for (bool more = true; more;) {
          options_.factory->read([&](const live::Book& book) {
            std::vector<bool> tenants(book.tenants.size(), filter.tenants.empty());
            for (const TenantId tenant : filter.tenants) tenants[tenant.value()] = true;
            auto at = book.jobs.lower_bound(next);
            for (std::size_t seen = 0; seen < kJobsALook && at != book.jobs.end(); ++seen, ++at) {
              const live::JobRecord& job = at->second.record;
              if (!tenants[job.tenant.value()] ||
                  std::find(filter.states.begin(), filter.states.end(), job.state) == filter.states.end() ||
                  (!filter.user.empty() && job.user != filter.user) ||
                  (!filter.name.empty() && job.name != filter.name) ||
                  (filter.array_job != 0 && job.array_job != filter.array_job) ||
                  !matches(book, at->second, wish.text))
                continue;
              places.push_back(place_of(book, at->second, wish.by));
            }
            more = at != book.jobs.end();
            if (more) next = at->first;
          });
        }
        const std::size_t found = places.size();
        keep_page(places, wish.descending, offset, filter.limit);
        Json json;
        json["jobs"] = Json::array();
        options_.factory->read([&](const live::Book& book) {
          json["now"] = live::time_text(book.unix_ns(options_.factory->now()));
          for (const Place& place : places) {
            const live::LiveJob* job = book.job(place.id);
            if (job == nullptr) continue;  // It has ended meanwhile.
            Json each = job_json(book, job->record);
            add_live_facts(*job, each);
            json["jobs"].push_back(std::move(each));
          }
        });
        const std::uint64_t end = offset + places.size();
        json["next"] = end < found ? Json(fmt::format("{}", end)) : Json(nullptr);
        json["found"] = found;
        call.answer(json);
      });
  if (!posted) Call({}, {}, responder).refuse({503, "busy", "too many requests wait; try again in a moment"});
}

/// Like page_nodes, in any order; `after` counts places in it.
void Api::search_nodes(const Call& call, const std::vector<NodeId>& nodes_listed, std::uint64_t after,
                       std::uint64_t limit) {
  const std::optional<Wish<NodeSort>> wish = read_wish(call, kNodeSorts);
  if (!wish) return;
  const std::string state = call.text("state");
  std::vector<Place> places;
  std::vector<bool> among(options_.factory->read([](const live::Book& book) { return book.fleet.nodes(); }));
  for (const NodeId node : nodes_listed) {
    if (node.value() < among.size()) among[node.value()] = true;
  }
  const auto look_at = [&](const live::Book& book, const sched::Pool& pool, std::uint32_t local) {
    const NodeId node = pool.fleet_node(local);
    if (node.value() >= among.size() || !among[node.value()]) return;
    const NodeType& type = book.fleet.type_of(node);
    const NodeFacts facts = facts_of(type, pool, local);
    const std::string_view state_name = kStates[facts.state];
    if (!state.empty() && state_name != state) return;
    const std::string& name = book.node_name(node);
    if (!wish->text.empty() && !contains(name, wish->text) && !contains(state_name, wish->text) &&
        !contains(type.name, wish->text) &&
        !(type.gpu_type != NodeType::kNoGpu &&
          contains(book.fleet.gpu_types[type.gpu_type].name, wish->text))) {
      const auto mark = book.marks.find(name);
      if (mark == book.marks.end() || !contains(mark->second.reason, wish->text)) return;
    }
    Place place;
    place.id = node.value();
    if (wish->by == NodeSort::kFleet) place.first = node.value();
    if (wish->by == NodeSort::kState) place.first = facts.state;
    if (wish->by == NodeSort::kGpusFree) place.first = facts.gpus_free;
    if (wish->by == NodeSort::kCpusFree) place.first = facts.cpus_free;
    if (wish->by == NodeSort::kMemoryFree) place.first = facts.memory_free;
    if (wish->by == NodeSort::kName) place.text = name;
    places.push_back(std::move(place));
  };
  // The fleet may be read anew between two looks: then the list has some of both.
  std::size_t pool = 0;
  std::uint32_t local = 0;
  for (bool more = true; more;) {
    options_.factory->read([&](const live::Book& book) {
      const auto& pools = book.core->state().pools;
      std::size_t seen = 0;
      while (pool < pools.size() && seen < kNodesALook) {
        for (; local < pools[pool]->nodes() && seen < kNodesALook; ++local, ++seen)
          look_at(book, *pools[pool], local);
        if (local < pools[pool]->nodes()) break;
        ++pool;
        local = 0;
      }
      more = pool < pools.size();
    });
  }
  const std::size_t found = places.size();
  keep_page(places, wish->descending, after, limit);
  Json json;
  Json nodes = Json::array();
  for (std::size_t at = 0; at < places.size(); at += kNodesShown) {
    options_.factory->read([&](const live::Book& book) {
      for (std::size_t index = at; index < std::min(at + kNodesShown, places.size()); ++index) {
        if (places[index].id < book.fleet.nodes())
          nodes.push_back(node_json(book, NodeId{static_cast<std::uint32_t>(places[index].id)}));
      }
    });
  }
  const std::uint64_t end = after + places.size();
  json["nodes"] = std::move(nodes);
  json["next"] = end < found ? Json(fmt::format("{}", end)) : Json(nullptr);
  json["total"] = options_.factory->read([](const live::Book& book) { return book.fleet.nodes(); });
  json["found"] = found;
  call.answer(json);
}

}  // namespace gw::api
