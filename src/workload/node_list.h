// read_node_list: the machines that come with recorded workloads, as a Fleet.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/fleet.h"
#include "workload/byte_source.h"

namespace gw::workload {

/// Reads one of
///   - `sn,cpu_milli,memory_mib,gpu,model` (Alibaba gpu-v2023 node list),
///   - `machine,gpu_type,cap_cpu,cap_mem,cap_gpu`, with or without this header (Alibaba gpu-v2020
///   pai_machine_spec),
///   - `vc,node num` (Philly's virtual clusters): nodes of 8 GPUs each, a hall for every virtual cluster,
///   - `machineId,number of GPUs,single GPU mem` (Philly's cluster_machine_list).
/// Equal machines share a node type; GPU types keep the names of the list; node ids are in the order of the
/// list. The fabric is flat (but for Philly's halls), as these lists say nothing of it. Any senseless row is
/// an Error with its file:line, as a fleet with holes would answer wrongly.
Result<Fleet> read_node_list(const std::string& path);
Result<Fleet> read_node_list(std::unique_ptr<ByteSource> source);

/// True where the first line of `beginning` is a header of such a list.
bool is_node_list(std::string_view beginning);

}  // namespace gw::workload
