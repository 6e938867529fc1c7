// Looking at /proc, /sys and the GPUs' driver.
#include "live/discover.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <system_error>

#include "live/discover_nvml.h"
#include "live/local_engine_cores.h"
#include "live/local_engine_groups.h"
#include "supervise/system.h"

namespace gw::live {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

std::string text_of(const fs::path& file) {
  return supervise::read_file_at(AT_FDCWD, file.c_str()).value_or("");
}

/// Calls `look` with the group of this process and each above it.
template <class Look>
void for_each_group(const DiscoverPlaces& places, Look look) {
  fs::path folder = own_control_group(places.system / "proc/self");
  if (folder.empty()) return;
  folder = places.system / folder.relative_path();
  const fs::path top = (places.system / "sys/fs/cgroup").lexically_normal();
  while (folder.lexically_normal().string().starts_with(top.string())) {
    look(folder);
    folder = folder.parent_path();
  }
}

/// `QUOTA PERIOD` of cpu.max in thousandths of a core.
std::int64_t group_cpu_milli(const DiscoverPlaces& places) {
  std::int64_t least = kNoLimit;
  for_each_group(places, [&](const fs::path& folder) {
    const std::string text = text_of(folder / "cpu.max");
    char* end = nullptr;
    const long long quota = std::strtoll(text.c_str(), &end, 10);
    const long long period = std::strtoll(end, nullptr, 10);
    if (quota > 0 && period > 0) least = std::min<std::int64_t>(least, quota * 1000 / period);
  });
  return least;
}

std::int64_t group_memory_mib(const DiscoverPlaces& places) {
  std::int64_t least = kNoLimit;
  for_each_group(places, [&](const fs::path& folder) {
    const long long bytes = std::strtoll(text_of(folder / "memory.max").c_str(), nullptr, 10);  // Or "max".
    if (bytes > 0) least = std::min<std::int64_t>(least, bytes >> 20);
  });
  return least;
}

std::int64_t total_memory_mib(const DiscoverPlaces& places) {
  const std::string text = text_of(places.system / "proc/meminfo");
  constexpr std::string_view kKey = "MemTotal:";
  const std::size_t at = text.find(kKey);
  if (at == std::string::npos) return 0;
  return std::strtoll(text.c_str() + at + kKey.size(), nullptr, 10) >> 10;
}

std::uint32_t numa_nodes(const DiscoverPlaces& places) {
  std::uint32_t nodes = 0;
  std::error_code error;
  for (fs::directory_iterator entry(places.system / "sys/devices/system/node", error), end;
       !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with("node") && name.find_first_not_of("0123456789", 4) == std::string::npos) ++nodes;
  }
  return std::max(nodes, 1U);
}

/// Its words in lower case: "NVIDIA A100-SXM4-40GB" is nvidia, a100, sxm4 and 40gb.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char character : text) {
    const bool upper = character >= 'A' && character <= 'Z';
    const bool part =
        upper || (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9');
    if (part) {
      words.back() += upper ? static_cast<char>(character - 'A' + 'a') : character;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

/// A key for what the catalog does not know: "NVIDIA H100 NVL" becomes h100-nvl.
std::string own_key(const FoundGpu& gpu) {
  std::vector<std::string> words = words_of(gpu.name);
  std::erase_if(words, [](const std::string& word) { return word == "nvidia" || word == "tesla"; });
  return words.empty() ? "gpu" : fmt::format("{}", fmt::join(words, "-"));
}

GpuType own_type(const FoundGpu& gpu) {
  GpuType type;
  type.name = own_key(gpu);
  type.title = gpu.name;
  type.vendor = "NVIDIA";
  type.memory = gpu.memory;
  type.power_max = gpu.power_limit;
  type.source = "found on this machine (NVML)";
  return type;
}

}  // namespace

FoundMachine discover_machine(const DiscoverPlaces& places) {
  FoundMachine machine;
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) machine.host = host.data();
  if (machine.host.empty()) machine.host = "localhost";
  const auto cores = static_cast<std::int64_t>(std::max<std::size_t>(usable_cores().size(), 1));
  machine.cpu_milli = std::max<std::int64_t>(std::min(cores * 1000, group_cpu_milli(places)), 1);
  machine.memory_mib = std::min(total_memory_mib(places), group_memory_mib(places));
  machine.numa_nodes = numa_nodes(places);
  Result<std::vector<FoundGpu>> gpus = nvml_gpus(places.nvml);
  if (!gpus) {
    machine.no_gpus = gpus.error().message;
  } else if (gpus->empty()) {
    machine.no_gpus = "the NVIDIA driver tells of no GPU";
  } else {
    machine.gpus = std::move(*gpus);
  }
  return machine;
}

const spec::GpuEntry* find_gpu(const FoundGpu& gpu, const spec::Catalog& catalog) {
  constexpr std::int64_t kPart = 8;
  const std::vector<std::string> words = words_of(gpu.name);
  const std::set<std::string> in_name(words.begin(), words.end());
  const spec::GpuEntry* best = nullptr;
  std::size_t best_words = 0;
  for (const spec::GpuEntry& entry : catalog.gpus) {
    const std::vector<std::string> key = words_of(entry.type.name);
    const bool named =
        std::all_of(key.begin(), key.end(), [&](const std::string& word) { return in_name.contains(word); });
    const std::int64_t off = std::abs(gpu.memory.count() - entry.type.memory.count());
    if (!named || key.size() <= best_words || off > entry.type.memory.count() / kPart) continue;
    best = &entry;
    best_words = key.size();
  }
  return best;
}

MachineFleet machine_fleet(const FoundMachine& machine, const spec::Catalog& catalog) {
  constexpr std::size_t kMostGpus = 64;
  MachineFleet result;
  Fleet& fleet = result.fleet;
  fleet.name = machine.host;
  NodeType node;
  node.name = machine.host;
  node.cpu_milli = machine.cpu_milli;
  node.memory_mib = machine.memory_mib;
  node.source = "found on this machine";

  const auto key_of = [&](const FoundGpu& gpu) {
    const spec::GpuEntry* entry = find_gpu(gpu, catalog);
    return entry != nullptr ? entry->type.name : own_key(gpu);
  };
  std::map<std::string, std::size_t> counts;
  for (const FoundGpu& gpu : machine.gpus) ++counts[key_of(gpu)];
  std::string most;
  for (const FoundGpu& gpu : machine.gpus) {  // The first of equally frequent ones.
    if (const std::string key = key_of(gpu); most.empty() || counts[key] > counts[most]) most = key;
  }
  Milliwatts power;
  std::size_t left_out = 0;
  for (const FoundGpu& gpu : machine.gpus) {
    if (key_of(gpu) != most || result.gpus.size() == kMostGpus) {
      ++left_out;
      continue;
    }
    if (fleet.gpu_types.empty()) {
      const spec::GpuEntry* entry = find_gpu(gpu, catalog);
      fleet.gpu_types.push_back(entry != nullptr ? entry->type : own_type(gpu));
      node.gpu_type = 0;
    }
    power += gpu.power_limit.count() > 0 ? gpu.power_limit : fleet.gpu_types.front().power_max;
    result.gpus.push_back({gpu.uuid.empty() ? fmt::format("{}", gpu.index) : gpu.uuid, gpu.device});
  }
  node.gpus = static_cast<std::uint32_t>(result.gpus.size());
  node.power_max = power;
  if (left_out > 0)
    result.note = fmt::format("{} of {} GPUs are left out: a node has at most 64 of one type, here {}",
                              left_out, machine.gpus.size(), most);
  fleet.node_types.push_back(std::move(node));
  fleet.node_type_of.push_back(0);
  fleet.fabric.push_back(Partition{"fleet", {0, 1}});
  return result;
}

}  // namespace gw::live
