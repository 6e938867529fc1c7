// The queue, the fork and the answer as JSON.
#include "serve/what_if_desk.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <unordered_map>

#include "api/tenant_names.h"
#include "live/feed_view.h"
#include "live/node_names.h"
#include "live/quota_check.h"
#include "live/time_text.h"
#include "spec/job_text.h"
#include "spec/power_text.h"
#include "twin/grow_fleet.h"

namespace gw::serve {
namespace {

using api::Json;

constexpr std::size_t kMostWaiting = 4;
/// About 8 seconds of a core that has nothing else to do.
constexpr std::uint64_t kMostEvents = 4'000'000;
constexpr int kNice = 10;
constexpr std::chrono::seconds kBeat{2};

live::Refusal bad(std::string message) { return {422, "bad_what_if", std::move(message)}; }
live::Refusal unknown(std::string_view what, std::string message) {
  return {404, fmt::format("unknown_{}", what), std::move(message)};
}

/// `5 MW (cap 3)`, of the lowest that holds for the feed at that time; nothing where it is what it was built
/// for.
std::string set_cap_text(const live::Book& book, sched::FeedId feed, Instant when) {
  const live::CapRecord* lowest = nullptr;
  for (const auto& [id, each] : book.caps) {
    if (!each.feed || each.feed->level != feed.level || each.feed->vertex != feed.vertex ||
        when < each.record.from || when >= each.record.until)
      continue;
    if (lowest == nullptr || each.record.cap < lowest->cap) lowest = &each.record;
  }
  return lowest == nullptr ? std::string()
                           : fmt::format("{} (cap {})", spec::power_text(lowest->cap), lowest->id);
}

/// Which caps that are set the imagined one stands in place of, and which others bind all the same.
void note_other_caps(const live::Book& book, sched::FeedId feed, const live::CapRecord& cap,
                     std::vector<std::string>& notes) {
  const Instant when = std::max(cap.from, book.now);
  if (const std::string own = set_cap_text(book, feed, when); !own.empty())
    notes.push_back(fmt::format("the cap of {} stands in place of the one that is set: {}", cap.feed, own));
  const sched::PowerTree& power = book.core->state().power;
  for (sched::FeedId above = feed; above.level + 1 < power.levels();) {
    above = {above.level + 1, power.parent(above)};
    const Milliwatts most = live::cap_at(book, above, when);
    if (most.count() == 0 || most >= cap.cap) continue;
    const std::string set = set_cap_text(book, above, when);
    notes.push_back(fmt::format("{} above it carries no more than {}",
                                book.fleet.feed_name(above.level, above.vertex),
                                set.empty() ? spec::power_text(most) : set));
  }
  if (feed.level == 0) return;
  Milliwatts below;
  std::string set;
  for (std::uint32_t vertex = 0; vertex < power.vertices(feed.level - 1); ++vertex) {
    const sched::FeedId part{feed.level - 1, vertex};
    if (power.parent(part) != feed.vertex) continue;
    const Milliwatts most = live::cap_at(book, part, when);
    if (most.count() == 0) return;  // Not limited.
    below = below + most;
    if (const std::string text = set_cap_text(book, part, when); !text.empty())
      set += fmt::format("{}{} {}", set.empty() ? "" : ", ", book.fleet.feed_name(part.level, part.vertex),
                         text);
  }
  if (!set.empty() && below < cap.cap)
    notes.push_back(fmt::format("what is below it carries no more than {} in all, with {}",
                                spec::power_text(below), set));
}

Json comparison_json(const twin::Comparison& value) {
  return {{"base", value.base},
          {"changed", value.changed},
          {"difference", value.difference},
          {"low", value.low},
          {"high", value.high}};
}

/// Jobs by their numbers, as they are called now.
class Names {
 public:
  Names(live::Factory& factory, const twin::WhatIf& found) {
    factory.read([&](const live::Book& book) {
      const auto add = [&](JobId job) {
        const auto at = book.by_core.find(job.value());
        const live::LiveJob* live = at == book.by_core.end() ? nullptr : book.job(at->second);
        if (live != nullptr)
          known_.emplace(job.value(),
                         One{api::job_id(live->record), live->record.name, book.path(live->record.tenant)});
      };
      for (const twin::JobShift& shift : found.sooner) add(shift.job);
      for (const twin::JobShift& shift : found.later) add(shift.job);
      for (const JobId job : found.interrupted) add(job);
      for (const JobId job : found.rejected) add(job);
    });
  }
  struct One {
    std::string id, name, tenant;
  };
  /// Of one that has ended since the fork there is no more than that.
  [[nodiscard]] One of(JobId job) const {
    const auto at = known_.find(job.value());
    return at == known_.end() ? One{"ended", "", ""} : at->second;
  }

 private:
  std::unordered_map<std::uint32_t, One> known_;
};

Json shifts_json(const Names& names, const std::vector<twin::JobShift>& shifts) {
  Json json = Json::array();
  for (const twin::JobShift& shift : shifts) {
    const Names::One job = names.of(shift.job);
    json.push_back({{"job", job.id},
                    {"name", job.name},
                    {"tenant", job.tenant},
                    {"base_s", to_seconds(shift.base)},
                    {"changed_s", to_seconds(shift.changed)},
                    {"base_unstarted", shift.base_unstarted},
                    {"changed_unstarted", shift.changed_unstarted}});
  }
  return json;
}

Json ids_json(const Names& names, const std::vector<JobId>& jobs) {
  Json json = Json::array();
  for (const JobId job : jobs) json.push_back(names.of(job).id);
  return json;
}

/// What will arrive for certain, and how many jobs the worlds leave out.
struct Planned {
  std::vector<twin::Arrival> arrivals;
  std::size_t held = 0;
  std::size_t kept_back = 0;
};
Planned planned_of(live::Factory& factory, Instant from) {
  Planned planned;
  factory.read([&](const live::Book& book) {
    for (const auto& [number, job] : book.jobs) {
      if (job.record.state == live::JobState::kHeld) planned.held += job.record.stands_for;
      if (job.record.state != live::JobState::kBlocked) continue;
      if (job.blocked != live::BlockReason::kBegin || job.begin == Instant::max()) {
        if (!book.in_line(job)) planned.kept_back += job.record.stands_for;
        continue;
      }
      planned.arrivals.push_back({std::max(job.begin, from), job.request});
    }
  });
  std::stable_sort(planned.arrivals.begin(), planned.arrivals.end(),
                   [](const twin::Arrival& a, const twin::Arrival& b) { return a.when < b.when; });
  return planned;
}

}  // namespace

std::expected<WhatIfOrder, live::Refusal> what_if_order(const live::Book& book, api::WhatIfBody body) {
  WhatIfOrder order;
  for (const std::string& name : body.drain) {
    const std::expected<live::NamedNodes, live::Refusal> named = live::nodes_named(book, name);
    if (!named) return std::unexpected(named.error());
    const std::vector<NodeId>& nodes = named->nodes;
    order.drain.insert(order.drain.end(), nodes.begin(), nodes.end());
    order.changes.push_back(nodes.size() == 1
                                ? fmt::format("{} drained", named->name)
                                : fmt::format("{} drained ({} nodes)", named->name, nodes.size()));
  }
  std::sort(order.drain.begin(), order.drain.end());
  order.drain.erase(std::unique(order.drain.begin(), order.drain.end()), order.drain.end());
  for (const api::WhatIfNodesBody& more : body.add_nodes) {
    const bool is_known = std::any_of(book.fleet.node_types.begin(), book.fleet.node_types.end(),
                                      [&](const NodeType& type) { return type.name == more.type; });
    if (!is_known) {
      std::vector<std::string> names;
      for (const NodeType& type : book.fleet.node_types) names.push_back(type.name);
      return std::unexpected(unknown("node_type", fmt::format("there is no node type {}; there are: {}",
                                                              more.type, fmt::join(names, ", "))));
    }
    order.changes.push_back(fmt::format("{} more {} nodes{}{}", more.count, more.type,
                                        more.site.empty() ? "" : " at ", more.site));
  }
  if (!body.policy.empty()) {
    if (!policy_by_name(body.policy)) {
      std::vector<std::string_view> names;
      for (const PolicyName& policy : policy_names()) names.push_back(policy.name);
      return std::unexpected(unknown("policy", fmt::format("there is no policy {}; there are: {}",
                                                           body.policy, fmt::join(names, ", "))));
    }
    order.changes.push_back(fmt::format("policy {}", body.policy));
  }
  for (const api::WhatIfWeightBody& weight : body.weights) {
    const TenantId tenant = book.tenant(weight.tenant);
    if (!tenant.valid() || tenant == TenantTree::root())
      return std::unexpected(api::unknown_tenant(book, weight.tenant, TenantTree::root()));
    order.weights.emplace_back(tenant, weight.weight);
    order.changes.push_back(fmt::format("weight {} of {}", weight.weight, weight.tenant));
  }
  for (const api::WhatIfQuotaBody& quota : body.quotas) {
    const TenantId tenant = book.tenant(quota.tenant);
    if (!tenant.valid() || tenant == TenantTree::root())
      return std::unexpected(api::unknown_tenant(book, quota.tenant, TenantTree::root()));
    QuotaTerms terms = book.core->state().quota.terms(tenant, kAllGpus);
    terms.guaranteed_milli = std::llround(quota.gpus * 1000);
    if (std::optional<live::Refusal> problem = live::quota_problem(book, tenant, {"", terms}, order.quotas))
      return std::unexpected(std::move(*problem));
    order.quotas.emplace_back(tenant, terms);
    order.changes.push_back(fmt::format("{:g} GPUs guaranteed to {}", quota.gpus, quota.tenant));
  }
  for (const api::WhatIfCapBody& wish : body.caps) {
    const auto refuse = [](std::string message) { return std::unexpected(bad(std::move(message))); };
    const std::optional<Fleet::FeedAt> feed =
        book.core->state().power.tracked() ? book.fleet.find_feed(wish.feed) : std::nullopt;
    if (!feed)
      return std::unexpected(unknown("feed", fmt::format("there is no feed {}; see gw cap list", wish.feed)));
    const sched::FeedId id{feed->level, feed->vertex};
    const std::expected<Milliwatts, live::Refusal> cap = live::cap_asked(book, id, wish.cap, wish.percent);
    if (!cap) return std::unexpected(bad(cap.error().message));
    live::LiveCap more;
    more.feed = feed;
    more.record.feed = book.fleet.feed_name(feed->level, feed->vertex);
    more.record.cap = *cap;
    more.record.from = book.now;
    for (const auto& [text, when] :
         {std::pair{&wish.from, &more.record.from}, std::pair{&wish.until, &more.record.until}}) {
      if (text->empty()) continue;
      const std::optional<std::int64_t> unix_ns = live::parse_time(*text);
      if (!unix_ns) return refuse(fmt::format("{} is no time; write 2026-11-28T08:00:00Z", *text));
      *when = Instant{*unix_ns - book.origin_unix_ns};
    }
    const sched::PowerTree& power = book.core->state().power;
    if (const Milliwatts built = power.built_cap(id); built.count() > 0 && *cap > built)
      return refuse(fmt::format("{} is built for {} of IT power; it cannot carry {}", more.record.feed,
                                spec::power_text(built), spec::power_text(*cap)));
    if (more.record.until <= std::max(more.record.from, book.now))
      return refuse(fmt::format("the cap of {} would be over before it begins", wish.feed));
    if (more.record.from - book.now >= body.horizon)
      return refuse(fmt::format(
          "the cap of {} begins after {}, where the look ahead ends: ask for more (--horizon {}h)", wish.feed,
          spec::span_text(body.horizon), (more.record.from - book.now) / hours(1) + 2));
    const auto when_text = [&](Instant when) { return live::time_text(book.unix_ns(when)); };
    order.changes.push_back(fmt::format("{} carries {} of IT power{}{}", more.record.feed,
                                        spec::power_text(*cap),
                                        wish.from.empty() ? "" : " from " + when_text(more.record.from),
                                        wish.until.empty() ? "" : " until " + when_text(more.record.until)));
    note_other_caps(book, id, more.record, order.notes);
    if (std::find(order.feeds.begin(), order.feeds.end(), more.record.feed) == order.feeds.end())
      order.feeds.push_back(more.record.feed);
    order.caps.push_back(std::move(more));
  }
  order.body = std::move(body);
  return order;
}

Result<twin::WorldChanges> world_changes(const Fleet& fleet, const WhatIfOrder& order) {
  twin::WorldChanges changes;
  for (const api::WhatIfNodesBody& more : order.body.add_nodes) {
    Result<Fleet> grown =
        twin::grow_fleet(changes.fleet ? *changes.fleet : fleet, {more.type, more.count, more.site});
    if (!grown) return std::unexpected(grown.error());
    changes.fleet = std::move(*grown);
  }
  if (!order.body.policy.empty()) changes.policy = policy_by_name(order.body.policy);
  std::unordered_map<std::string, std::uint32_t> by_name;
  if (changes.fleet && !order.drain.empty()) {
    for (std::uint32_t node = 0; node < changes.fleet->nodes(); ++node)
      by_name.emplace(changes.fleet->node_name(NodeId{node}), node);
  }
  for (const NodeId node : order.drain)
    changes.events.push_back(
        sched::Event::node_closed(changes.fleet ? NodeId{by_name.at(fleet.node_name(node))} : node));
  for (const auto& [tenant, weight] : order.weights)
    changes.events.push_back(sched::Event::tenant_weight(tenant, weight));
  for (const auto& [tenant, terms] : order.quotas)
    changes.events.push_back(sched::Event::tenant_quota(tenant, kAllGpus, terms));
  return changes;
}

void add_caps(const live::Book& book, Instant now, bool clocks, const WhatIfOrder& order,
              twin::WorldChanges& changes) {
  if (order.caps.empty()) return;
  changes.feeds = order.feeds;
  std::vector<twin::TimedFact> facts = known_facts(book, now, clocks, order.caps);
  for (const live::LiveCap& cap : order.caps) {
    const sched::FeedId feed{cap.feed->level, cap.feed->vertex};
    const Milliwatts now_cap = live::cap_at(book, feed, now, order.caps);
    if (now_cap != book.core->state().power.cap(feed))
      changes.events.push_back(sched::Event::feed_cap(feed.level, feed.vertex, now_cap, clocks));
  }
  if (changes.fleet) {  // Feeds of the grown fleet have other numbers.
    const auto translate = [&](sched::Event& event) {
      if (event.kind != sched::EventKind::kFeedCap) return;
      const std::optional<Fleet::FeedAt> at =
          changes.fleet->find_feed(book.fleet.feed_name(event.feed_level, event.feed_vertex));
      if (!at) return;
      event.feed_level = at->level;
      event.feed_vertex = at->vertex;
    };
    for (sched::Event& event : changes.events) translate(event);
    for (twin::TimedFact& fact : facts) translate(fact.event);
  }
  changes.facts = std::move(facts);
}

WhatIfDesk::WhatIfDesk(live::Factory& factory, const Forecaster& forecaster,
                       std::unique_ptr<live::Archive> archive)
    : factory_(factory), forecaster_(forecaster), archive_(std::move(archive)), thread_([this] { run(); }) {}

WhatIfDesk::~WhatIfDesk() {
  end();
  thread_.join();
}

void WhatIfDesk::end() {
  std::deque<Open> dropped;
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  std::swap(dropped, queue_);
  wakeup_.notify_all();
}

void WhatIfDesk::ask(api::WhatIfBody body, api::Call call) {
  std::expected<WhatIfOrder, live::Refusal> order =
      factory_.read([&](const live::Book& book) { return what_if_order(book, std::move(body)); });
  if (!order) return call.refuse(order.error());
  if (!order->body.add_nodes.empty()) {
    const std::shared_ptr<const Fleet> fleet =
        factory_.read([](const live::Book& book) { return book.shared_fleet(); });
    if (const Result<twin::WorldChanges> possible = world_changes(*fleet, *order); !possible)
      return call.refuse(bad(possible.error().message));
  }
  const std::lock_guard lock(mutex_);
  if (stopping_ || queue_.size() >= kMostWaiting)
    return call.refuse({503, "busy", "others ask what if already; try again in a moment"});
  http::Response head;
  head.headers.emplace_back("Cache-Control", "no-store");
  queue_.push_back({std::move(*order), call.responder->stream(std::move(head))});
  wakeup_.notify_all();
}

void WhatIfDesk::run() {
  // Of this thread alone, on Linux. Where it is not allowed, all work alike.
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
  for (;;) {
    Open open;
    {
      std::unique_lock lock(mutex_);
      wakeup_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      open = std::move(queue_.front());
      queue_.pop_front();
    }
    if (!open.stream->open()) continue;
    const std::expected<Json, live::Refusal> json = answer(open);
    open.stream->write(std::make_shared<const std::string>(
        api::text_of(json ? *json : api::error_json(json.error())) + '\n'));
    open.stream->close();
  }
}

std::expected<Json, live::Refusal> WhatIfDesk::answer(const Open& open) {
  const auto failed = [](const Error& error) {
    return std::unexpected(live::Refusal{500, "what_if", error.message});
  };
  const WhatIfOrder& order = open.order;
  const Fork fork = fork_of(factory_, forecaster_);
  const Planned planned = planned_of(factory_, fork.as_of);
  Result<twin::WorldChanges> changes = world_changes(*fork.fleet, order);
  if (!changes) return failed(changes.error());
  factory_.read([&](const live::Book& book) {
    add_caps(book, fork.as_of, factory_.options().clocks, order, *changes);
  });
  ArrivalHistory history;
  if (order.body.arrivals == "history") {
    Result<ArrivalHistory> found = arrival_history(*archive_, *fork.fleet, fork.as_of);
    if (!found) return failed(found.error());
    history = std::move(*found);
  }
  twin::WhatIfOptions options;
  options.seed = order.body.seed;
  options.most_members = order.body.members;
  options.horizon = order.body.horizon;
  options.most_events = kMostEvents;
  // White space before the answer: it shows the client that all is well, and us whether there is one.
  auto last_beat = std::chrono::steady_clock::now();
  bool gone = false;
  options.cancelled = [&] {
    const auto now = std::chrono::steady_clock::now();
    if (gone || now - last_beat < kBeat) return gone;
    last_beat = now;
    gone = !open.stream->write(std::make_shared<const std::string>("\n"));
    const std::lock_guard lock(mutex_);
    gone = gone || stopping_;
    return gone;
  };
  const Result<twin::WhatIf> found =
      twin::what_if({*fork.fleet, fork.policy, fork.snapshot, fork.as_of, fork.run_times, history.model,
                     planned.arrivals, fork.facts},
                    *changes, options);
  if (!found) return failed(found.error());

  Json json;
  json["as_of"] = live::time_text(fork.unix_ns(found->now));
  json["horizon_s"] = to_seconds(found->horizon);
  json["shortened"] = found->shortened;
  json["members"] = found->members;
  json["changes"] = order.changes;
  json["notes"] = order.notes;
  if (order.body.arrivals == "history")
    json["notes"].push_back(fmt::format("jobs arrive as in the last {:.1f} h: {} submissions",
                                        to_seconds(history.span) / 3600, history.submissions));
  if (planned.held > 0) json["notes"].push_back(fmt::format("{} held job(s) are left out", planned.held));
  if (planned.kept_back > 0)
    json["notes"].push_back(
        fmt::format("{} job(s) that limits or dependencies keep back are left out", planned.kept_back));
  json["waiting_jobs"] = found->waiting_jobs;
  json["new_jobs"] = found->new_jobs;
  json["figures"] = Json::object();
  for (const twin::WhatIfFigure& figure : found->figures) {
    Json each = comparison_json(figure.value);
    each["at_least"] = {{"base", figure.base_cut}, {"changed", figure.changed_cut}};
    json["figures"][std::string(figure.name)] = std::move(each);
  }
  json["feeds"] = Json::array();
  for (const twin::FeedComparison& feed : found->feeds) {
    const auto watts = [](double cap) { return cap > 0 ? Json(cap) : Json(nullptr); };
    json["feeds"].push_back(
        {{"feed", feed.name},
         {"mean_w", comparison_json(feed.mean)},
         {"peak_w", comparison_json(feed.peak)},
         {"above_s", comparison_json(feed.above_s)},
         {"cap_w", {{"base", watts(feed.cap_base)}, {"changed", watts(feed.cap_changed)}}}});
  }
  json["gpus_up"] = {{"base", found->gpus_up_base}, {"changed", found->gpus_up_changed}};
  json["series"] = {{"step_s", to_seconds(found->bin)},
                    {"gpus_base", found->gpus_base},
                    {"gpus_changed", found->gpus_changed},
                    {"watts_base", found->watts_base},
                    {"watts_changed", found->watts_changed}};
  const Names names(factory_, *found);
  json["sooner"] = shifts_json(names, found->sooner);
  json["later"] = shifts_json(names, found->later);
  json["interrupted"] = ids_json(names, found->interrupted);
  json["rejected"] = ids_json(names, found->rejected);
  return json;
}

}  // namespace gw::serve
