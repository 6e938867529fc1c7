// Encoder and decoder of the journal header.
#include "runtime/journal_codec.h"

namespace gw::runtime {
namespace {

void encode_power(ByteWriter& out, const Fleet& fleet) {
  for (const GpuType& type : fleet.gpu_types) {
    out.u64(type.power_floor_permille);
    out.u64(type.floor_speed_permille);
  }
  for (const NodeType& type : fleet.node_types) {
    out.i64(type.power_max.count());
    out.i64(type.power_idle.count());
  }
  out.u64(fleet.feed.size());
  for (const FeedLevel& level : fleet.feed) {
    const Partition& partition = level.partition;
    out.text(partition.level);
    out.u64(partition.vertices());
    for (std::uint32_t vertex = 0; vertex < partition.vertices(); ++vertex) {
      out.u64(partition.end(vertex) - partition.begin(vertex));
      out.i64(level.capacity[vertex].count());
    }
  }
}

void decode_power(ByteReader& in, Fleet& fleet) {
  for (GpuType& type : fleet.gpu_types) {
    type.power_floor_permille = in.u32();
    type.floor_speed_permille = in.u32();
    if (type.power_floor_permille == 0 || type.power_floor_permille > 1000 ||
        type.floor_speed_permille == 0 || type.floor_speed_permille > 1000)
      in.refuse();
  }
  for (NodeType& type : fleet.node_types) {
    type.power_max = Milliwatts{in.i64()};
    type.power_idle = Milliwatts{in.i64()};
    // What a million of them draw must still be countable.
    constexpr std::int64_t kMostOfNode = std::int64_t{1} << 36;
    if (type.power_max.count() < 0 || type.power_max.count() > kMostOfNode || type.power_idle.count() < 0 ||
        type.power_idle.count() > kMostOfNode)
      in.refuse();
  }
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    FeedLevel& level = fleet.feed.emplace_back();
    level.partition.level = in.text();
    level.partition.first.push_back(0);
    for (std::size_t vertices = in.count(); vertices > 0 && in.ok(); --vertices) {
      const std::uint64_t size = in.u64();
      const Milliwatts cap{in.i64()};
      if (size == 0 || size > fleet.nodes() - level.partition.first.back() || cap.count() < 0 ||
          cap > sched::kMostPower) {
        in.refuse();
        return;
      }
      level.partition.first.push_back(level.partition.first.back() + static_cast<std::uint32_t>(size));
      level.capacity.push_back(cap);
    }
  }
}

}  // namespace

namespace {

/// `reclaim_to` is in one number with the kinds of preemption, of which there are so many.
constexpr std::uint8_t kTargets = 4;

void encode(ByteWriter& out, const std::vector<std::string>& words) {
  out.u64(words.size());
  for (const std::string& word : words) out.text(word);
}

std::vector<std::string> decode_words(ByteReader& in) {
  std::vector<std::string> words;
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) words.emplace_back(in.text());
  return words;
}

/// The zones and, where there are any, which nodes are in each.
void encode_zones(ByteWriter& out, const Fleet& fleet) {
  out.u64(fleet.zones.size());
  if (fleet.zones.empty()) return;
  for (const Zone& zone : fleet.zones) {
    out.text(zone.name);
    out.text(zone.country);
    encode(out, zone.jurisdictions);
    encode(out, zone.operator_countries);
    encode(out, zone.certifications);
    out.u64(zone.by_chip ? 1 : 0);
    encode(out, zone.gpu_types);
    out.i64(zone.performance);
    encode(out, zone.covered_by);
  }
  for (std::uint32_t node = 0; node < fleet.nodes();) {  // Runs of nodes of one zone.
    std::uint32_t end = node;
    while (end < fleet.nodes() && fleet.zone_of(NodeId{end}) == fleet.zone_of(NodeId{node})) ++end;
    out.u64(end - node);
    out.u64(fleet.zone_of(NodeId{node}));
    node = end;
  }
}

void decode_zones(ByteReader& in, Fleet& fleet) {
  const std::size_t zones = in.count();
  if (zones > kMostZones) in.refuse();
  if (zones == 0) return;
  for (std::size_t left = zones; left > 0 && in.ok(); --left) {
    Zone& zone = fleet.zones.emplace_back();
    zone.name = in.text();
    zone.country = in.text();
    zone.jurisdictions = decode_words(in);
    zone.operator_countries = decode_words(in);
    zone.certifications = decode_words(in);
    zone.by_chip = in.u64() != 0;
    zone.gpu_types = decode_words(in);
    zone.performance = in.i64();
    zone.covered_by = decode_words(in);
  }
  while (in.ok() && fleet.zone_of_node.size() < fleet.nodes()) {
    const std::uint64_t count = in.u64();
    const std::uint64_t zone = in.u64();
    if (count == 0 || count > fleet.nodes() - fleet.zone_of_node.size() || zone >= zones) {
      in.refuse();
      return;
    }
    fleet.zone_of_node.insert(fleet.zone_of_node.end(), count, static_cast<std::uint8_t>(zone));
  }
}

}  // namespace

void encode(ByteWriter& out, const JournalHeader& header) {
  out.text(header.run_name);
  const Fleet& fleet = header.fleet;
  out.text(fleet.name);
  out.u64(fleet.gpu_types.size());
  for (const GpuType& type : fleet.gpu_types) {
    out.text(type.name);
    out.i64(type.equivalent_milli);
  }
  out.u64(fleet.node_types.size());
  for (const NodeType& type : fleet.node_types) {
    out.text(type.name);
    out.u64(type.gpu_type);
    out.u64(type.gpus);
    out.i64(type.cpu_milli);
    out.i64(type.memory_mib);
  }
  out.u64(fleet.nodes());
  for (std::size_t node = 0; node < fleet.node_type_of.size();) {  // Runs of equal nodes.
    std::size_t end = node;
    while (end < fleet.node_type_of.size() && fleet.node_type_of[end] == fleet.node_type_of[node]) ++end;
    out.u64(end - node);
    out.u64(fleet.node_type_of[node]);
    node = end;
  }
  out.u64(fleet.fabric.size());
  for (const Partition& partition : fleet.fabric) {
    out.text(partition.level);
    out.u64(partition.vertices());
    for (std::uint32_t vertex = 0; vertex < partition.vertices(); ++vertex)
      out.u64(partition.end(vertex) - partition.begin(vertex));
  }
  encode_zones(out, fleet);
  const PolicyConfig& policy = header.policy;
  out.text(policy.name);
  out.u64(static_cast<std::uint64_t>(policy.order));
  out.u64(static_cast<std::uint64_t>(policy.backfill));
  out.u64(static_cast<std::uint64_t>(policy.placement));
  out.i64(policy.half_life.count());
  out.i64(policy.commitment.count());
  out.i64(policy.charge_interval.count());
  out.i64(policy.age_per_priority.count());
  out.i64(policy.patience.count());
  out.u64(static_cast<std::uint64_t>(policy.preemption) +
          kTargets * static_cast<std::uint64_t>(policy.reclaim_to));
  out.i64(policy.protected_run_time.count());
  out.i64(policy.grace.count());
  out.i64(policy.restart_estimate.count());
  out.u64(policy.shrink_for_waiting ? 1 : 0);
  out.i64(policy.resize_interval.count());
  encode_power(out, fleet);
}

JournalHeader decode_header(ByteReader& in) {
  JournalHeader header;
  header.run_name = in.text();
  Fleet& fleet = header.fleet;
  fleet.name = in.text();
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    GpuType& type = fleet.gpu_types.emplace_back();
    type.name = in.text();
    type.equivalent_milli = in.i64();
    if (type.equivalent_milli <= 0 || type.equivalent_milli > kMostEquivalentMilli) in.refuse();
  }
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    NodeType& type = fleet.node_types.emplace_back();
    type.name = in.text();
    type.gpu_type = in.u32();
    type.gpus = in.u32();
    type.cpu_milli = in.i64();
    type.memory_mib = in.i64();
    if (type.cpu_milli < 0 || type.cpu_milli > sched::kMostSideUnits || type.memory_mib < 0 ||
        type.memory_mib > sched::kMostSideUnits)
      in.refuse();
  }
  if (fleet.node_types.size() > 0xffff) in.refuse();
  constexpr std::uint64_t kMostNodes = 20'000'000;
  const std::uint64_t nodes = in.u64();
  if (nodes > kMostNodes) in.refuse();
  while (in.ok() && fleet.node_type_of.size() < nodes) {
    const std::uint64_t count = in.u64();
    const std::uint64_t type = in.u64();
    if (count == 0 || count > nodes - fleet.node_type_of.size() || type >= fleet.node_types.size()) {
      in.refuse();
      break;
    }
    fleet.node_type_of.insert(fleet.node_type_of.end(), count, static_cast<std::uint16_t>(type));
  }
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    Partition& partition = fleet.fabric.emplace_back();
    partition.level = in.text();
    const std::size_t vertices = in.count();
    partition.first.push_back(0);
    for (std::size_t vertex = 0; vertex < vertices && in.ok(); ++vertex) {
      const std::uint64_t size = in.u64();
      if (size == 0 || size > nodes - partition.first.back()) {
        in.refuse();
        break;
      }
      partition.first.push_back(partition.first.back() + static_cast<std::uint32_t>(size));
    }
  }
  decode_zones(in, fleet);
  PolicyConfig& policy = header.policy;
  policy.name = in.text();
  const std::uint8_t order = in.u8();
  const std::uint8_t backfill = in.u8();
  const std::uint8_t placement = in.u8();
  if (order > static_cast<std::uint8_t>(OrderKind::kFairShare) ||
      backfill > static_cast<std::uint8_t>(BackfillKind::kConservative) ||
      placement > static_cast<std::uint8_t>(PlacementKind::kSmallestSpan))
    in.refuse();
  policy.order = static_cast<OrderKind>(order);
  policy.backfill = static_cast<BackfillKind>(backfill);
  policy.placement = static_cast<PlacementKind>(placement);
  policy.half_life = Nanoseconds{in.i64()};
  policy.commitment = Nanoseconds{in.i64()};
  policy.charge_interval = Nanoseconds{in.i64()};
  policy.age_per_priority = Nanoseconds{in.i64()};
  policy.patience = Nanoseconds{in.i64()};
  const std::uint8_t preemption = in.u8();
  if (preemption / kTargets > static_cast<std::uint8_t>(ReclaimTarget::kFairShare)) in.refuse();
  policy.preemption = static_cast<PreemptionKind>(preemption % kTargets);
  policy.reclaim_to = static_cast<ReclaimTarget>(preemption / kTargets);
  for (Nanoseconds* span : {&policy.protected_run_time, &policy.grace, &policy.restart_estimate}) {
    *span = Nanoseconds{in.i64()};
    if (*span < Nanoseconds{0} || *span > days(366)) in.refuse();
  }
  policy.shrink_for_waiting = in.u64() != 0;
  policy.resize_interval = Nanoseconds{in.i64()};
  if (policy.resize_interval < Nanoseconds{0} || policy.resize_interval > days(366)) in.refuse();
  if (policy.half_life <= Nanoseconds{0} || policy.charge_interval <= Nanoseconds{0} ||
      policy.commitment < Nanoseconds{0} || policy.patience < Nanoseconds{0} ||
      policy.age_per_priority < Nanoseconds{0})
    in.refuse();
  decode_power(in, fleet);
  return header;
}

}  // namespace gw::runtime
