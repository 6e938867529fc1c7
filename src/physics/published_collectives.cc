// Rows of published collectives: which operation on which fabric, and how long it took.
#include <fmt/format.h>

#include <algorithm>

#include "physics/published.h"
#include "physics/published_fields.h"

namespace gw::physics {

namespace {

constexpr double kGiga = 1e9;
/// A step over PCIe in steps over NVLink: 1.0 and 0.6 us at low latency in NCCL's src/graph/tuning.cc.
constexpr double kBridgeHops = 1.0 / 0.6;

/// Fills what the row's text says of the links beyond what the GPU type has.
void read_fabric(std::string_view text, const Accelerator& gpu, const FabricConstants& constants,
                 PublishedCollective& row) {
  row.fabric = fabric_of(gpu, constants);
  if (contains(text, "pairwise NVLink + PCIe")) {
    // Two GPUs on a bridge; beyond, PCIe gen 5 x16 is the network.
    row.fabric.domain = 2;
    row.fabric.scaleup_bytes_s = 300 * kGiga;
    row.fabric.network_bytes_s = 25 * kGiga;
    row.fabric.network.base_s = row.fabric.scaleup.base_s;
    row.fabric.network.hop_s = kBridgeHops * row.fabric.scaleup.hop_s;
    row.fabric.network.bulk_s = row.fabric.scaleup.bulk_s;
    row.fabric.network.bulk_hops = row.fabric.scaleup.bulk_hops;
  } else if (contains(text, "+ inter-node")) {
    // A cloud's network that is not stated: what its largest transfers reach, point to point or, of A100, in
    // both directions at once.
    const double duplex = row.collective == Collective::kSendReceive ? 7.8 : 6;
    row.fabric.network_bytes_s = (gpu.generation == Generation::kHopper ? 36 : duplex) * kGiga;
    row.fabric.network.efficiency = 1;
    row.fabric.rails = 4;
  } else if (contains(text, "4x100G")) {
    row.fabric.network_bytes_s = 12.5 * kGiga;
  }
  if (!contains(text, "NVL72") && gpu.scaleup_domain > 8 && row.members.gpus <= 8) row.fabric.domain = 8;
}

/// `min 6 max 45 us`: the shortest and the longest run, where a row tells them.
void read_runs(std::string_view notes, PublishedCollective& row) {
  const std::size_t least = notes.find("min ");
  const std::size_t most = notes.find(" max ");
  if (least == std::string_view::npos || most == std::string_view::npos || most < least) return;
  const double shortest = leading_number(notes.substr(least + 4)) * 1e-6;
  const double longest = leading_number(notes.substr(most + 5)) * 1e-6;
  if (shortest <= 0 || shortest > row.measured_s || longest < row.measured_s) return;
  row.least_s = shortest;
  row.most_s = longest;
}

}  // namespace

Result<std::vector<PublishedCollective>> read_published_collectives(const PublishedTable& table,
                                                                    const KnownTypes& known,
                                                                    const FabricConstants& constants) {
  if (const Result<void> named = require_columns(table, "collectives.csv",
                                                 {"id", "group", "kind", "collective", "gpus", "nodes",
                                                  "gpus_per_node", "gpu_type", "fabric", "bytes"});
      !named)
    return std::unexpected(named.error());
  std::vector<PublishedCollective> rows;
  rows.reserve(table.rows.size());
  for (std::size_t at = 0; at < table.rows.size(); ++at) {
    PublishedCollective row;
    row.id = table.field(at, "id");
    row.group = table.field(at, "group");
    row.gpu_type = table.field(at, "gpu_type");
    row.fabric_name = table.field(at, "fabric");
    const auto give = [&](std::string reason) {
      row.reason = std::move(reason);
      rows.push_back(std::move(row));
    };
    const std::string_view kind = table.field(at, "kind");
    if (kind != "measurement" && kind != "latency") {
      give("not a measurement of one operation");
      continue;
    }
    const std::string_view name = table.field(at, "collective");
    if (name == "all_reduce") {
      row.collective = Collective::kAllReduce;
    } else if (name == "all_gather") {
      row.collective = Collective::kAllGather;
    } else if (name == "reduce_scatter") {
      row.collective = Collective::kReduceScatter;
    } else if (name == "broadcast") {
      row.collective = Collective::kBroadcast;
    } else if (name == "send_recv") {
      row.collective = Collective::kSendReceive;
    } else if (name == "moe_dispatch" || name == "moe_combine" || name == "all_to_all" ||
               name == "alltoall") {
      row.collective = Collective::kAllToAll;
    } else {
      give("operation not modelled");
      continue;
    }
    row.bytes = leading_number(table.field(at, "bytes"));
    const double gpus = leading_number(table.field(at, "gpus"));
    const double nodes = std::max(1.0, leading_number(table.field(at, "nodes")));
    constexpr double kMostBytes = 1e18;
    constexpr double kMostGpus = 1e9;
    if (row.bytes <= 0 || row.bytes > kMostBytes || gpus < 2 || gpus > kMostGpus || nodes > gpus) {
      give("no size or no number of GPUs");
      continue;
    }
    const Accelerator* gpu = find_accelerator(known, row.gpu_type);
    if (gpu == nullptr) {
      give("GPU type not in the catalog");
      continue;
    }
    const bool rack_scale = contains(row.fabric_name, "NVL72");
    row.members.gpus = gpus;
    read_fabric(row.fabric_name, *gpu, constants, row);
    if (contains(table.field(at, "algo"), "ring")) row.fabric.scaleup.switch_efficiency = 0;
    row.members.per_domain = nodes <= 1 && row.fabric.domain >= gpus ? gpus : gpus / nodes;
    if (rack_scale && gpus > 0) row.members = group_of(row.fabric, gpus);
    if (contains(row.fabric_name, "pairwise")) row.members.per_domain = std::min(2.0, gpus);
    row.measured_s = leading_number(table.field(at, "time_us")) * 1e-6;
    const double rate = leading_number(table.field(at, "busbw_GBs"));
    if (row.measured_s <= 0 && rate > 0)
      row.measured_s = bus_bandwidth(row.collective, row.bytes, row.members, 1.0) / (rate * kGiga);
    if (row.measured_s <= 0) {
      give("no time and no bus bandwidth");
      continue;
    }
    read_runs(table.field(at, "notes"), row);
    give("");
  }
  return rows;
}

}  // namespace gw::physics
