// Draws of outages.
#include "physics/failure_events.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/math.h"
#include "model/faults.h"

namespace gw::physics {

namespace {

// What nodes share: our own round figures. The Llama 3 run had 35 interruptions by switches and cables in 54
// days on about a thousand rack switches: 0.2 a year for each, of which most are cables and take one node.
constexpr double kRackPerYear = 0.05;
constexpr double kLeafPerYear = 0.05;
constexpr double kFeedPerYear = 0.1;
constexpr double kYearSeconds = 365.25 * kDaySeconds;

/// How long an outage lasts: log-normal.
struct Repair {
  double median_s;
  double sigma;
};

Repair repair_of(OutageKind kind, FailureCause cause) {
  constexpr double kHour = kHourSeconds;
  if (kind != OutageKind::kNode) return {2 * kHour, 0.7};  // Our own, as all here but the first of the rest.
  const FaultSpec published = published_faults();
  if (takes_node(cause)) return {published.repair_median_s, published.repair_sigma};
  if (cause == FailureCause::kNetwork) return {kHour, 1};
  return {kHour / 6, 0.5};  // Checks before the node may work again.
}

Instant later(Instant from, double seconds) {
  return from + Nanoseconds{static_cast<std::int64_t>(std::clamp(seconds, 1e-9, 1e9) * 1e9)};
}

}  // namespace

std::string_view outage_kind_name(OutageKind kind) {
  constexpr std::array<std::string_view, 4> kNames = {"node", "rack", "leaf", "feed"};
  return kNames[static_cast<std::size_t>(kind)];
}

OutageStream::OutageStream(const Fleet& fleet, const Rng& rng) : rng_(rng), pools_(fleet.node_types.size()) {
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node) pools_[fleet.node_type_of[node]].push_back(node);
  for (std::uint32_t pool = 0; pool < pools_.size(); ++pool) {
    if (pools_[pool].empty()) continue;
    const NodeType& type = fleet.node_types[pool];
    const bool typed = type.gpu_type != NodeType::kNoGpu;
    const Generation generation =
        typed ? accelerator_of(fleet.gpu_types[type.gpu_type], 0).generation : Generation::kOther;
    const ByCause rates = node_failures(generation, std::max(1.0, double{1} * type.gpus));
    for (int i = 0; i < kFailureCauses; ++i) {
      const auto cause = static_cast<FailureCause>(i);
      const bool of_gpus =
          cause == FailureCause::kGpu || cause == FailureCause::kMemory || cause == FailureCause::kScaleup;
      if (type.gpus == 0 && of_gpus) continue;
      const double per_second =
          rates[static_cast<std::size_t>(i)] / kHourSeconds * static_cast<double>(pools_[pool].size());
      sources_.push_back({OutageKind::kNode, cause, pool, per_second});
    }
  }
  for (const FeedLevel& level : fleet.feed) {
    if (level.partition.level == "rack")
      add_shared(OutageKind::kRack, FailureCause::kHost, level.partition, kRackPerYear);
    if (level.partition.level == "row")
      add_shared(OutageKind::kFeed, FailureCause::kHost, level.partition, kFeedPerYear);
  }
  if (const int leaf = fleet.fabric_level("leaf"); leaf >= 0)
    add_shared(OutageKind::kLeaf, FailureCause::kNetwork, fleet.fabric[static_cast<std::size_t>(leaf)],
               kLeafPerYear);
  for (const Source& each : sources_) {
    weights_.push_back(each.per_second);
    per_second_ += each.per_second;
  }
}

void OutageStream::add_shared(OutageKind kind, FailureCause cause, const Partition& partition,
                              double per_year) {
  if (partition.vertices() == 0) return;
  const auto index = static_cast<std::uint32_t>(shared_.size());
  shared_.push_back(partition);
  sources_.push_back({kind, cause, index, per_year / kYearSeconds * partition.vertices()});
}

double OutageStream::rate(OutageKind kind) const {
  double total = 0;
  for (const Source& each : sources_) {
    if (each.kind == kind) total += each.per_second;
  }
  return total;
}

Outage OutageStream::take() {
  GW_CHECK(any());
  now_ = later(now_, rng_.exponential(1 / per_second_));
  const Source& source = sources_[rng_.weighted(weights_)];
  Outage outage;
  outage.down = now_;
  outage.kind = source.kind;
  outage.cause = source.cause;
  if (source.kind == OutageKind::kNode) {
    outage.first = pools_[source.pool][rng_.below(pools_[source.pool].size())];
    outage.end = outage.first + 1;
  } else {
    const Partition& partition = shared_[source.pool];
    const auto vertex = static_cast<std::uint32_t>(rng_.below(partition.vertices()));
    outage.first = partition.begin(vertex);
    outage.end = partition.end(vertex);
  }
  const Repair repair = repair_of(source.kind, source.cause);
  outage.up = later(now_, rng_.lognormal(stable_log(repair.median_s), repair.sigma));
  return outage;
}

std::vector<Outage> outages_before(const Fleet& fleet, Instant horizon, std::uint64_t seed) {
  std::vector<Outage> outages;
  OutageStream stream(fleet, Rng(seed));
  while (stream.any()) {
    const Outage next = stream.take();
    if (next.down >= horizon) break;
    outages.push_back(next);
  }
  return outages;
}

}  // namespace gw::physics
