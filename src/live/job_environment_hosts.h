// Lists of nodes as Slurm writes them into a job's environment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gw::live {

/// `n1 n2 n3 m7` as `n[1-3],m7`: runs of numbers at the ends of names that stand side by side, with the zeros
/// that they are written with. The order stays.
std::string compressed_hosts(const std::vector<std::string>& names);

/// `2(x4)`: the same number of tasks on each of four nodes; `2` on one.
std::string tasks_per_node_text(std::uint32_t tasks, std::size_t nodes);

}  // namespace gw::live
