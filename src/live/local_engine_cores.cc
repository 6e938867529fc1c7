// Choice of cores.
#include "live/local_engine_cores.h"

#include <sched.h>

#include <algorithm>
#include <numeric>

namespace gw::live {
namespace {

constexpr std::int64_t kMilliPerCore = 1000;

std::int64_t share(std::int64_t cpu_milli, std::size_t cores) {
  return cores == 0 ? 0 : cpu_milli / static_cast<std::int64_t>(cores);
}

}  // namespace

std::vector<std::uint32_t> CoreBook::take(std::int64_t cpu_milli) {
  if (cpu_milli <= 0) return {};
  const auto wanted = static_cast<std::size_t>((cpu_milli + kMilliPerCore - 1) / kMilliPerCore);
  if (wanted >= cores_.size()) return {};
  std::vector<std::size_t> order(cores_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return load_[a] < load_[b]; });
  order.resize(wanted);
  std::sort(order.begin(), order.end());
  std::vector<std::uint32_t> cores;
  for (const std::size_t index : order) cores.push_back(cores_[index]);
  add(cores, cpu_milli);
  return cores;
}

void CoreBook::add(const std::vector<std::uint32_t>& cores, std::int64_t cpu_milli) {
  change(cores, share(cpu_milli, cores.size()));
}

void CoreBook::give_back(const std::vector<std::uint32_t>& cores, std::int64_t cpu_milli) {
  change(cores, -share(cpu_milli, cores.size()));
}

void CoreBook::change(const std::vector<std::uint32_t>& cores, std::int64_t milli_each) {
  for (const std::uint32_t core : cores) {
    const auto place = std::find(cores_.begin(), cores_.end(), core);
    if (place != cores_.end()) load_[static_cast<std::size_t>(place - cores_.begin())] += milli_each;
  }
}

std::vector<std::uint32_t> usable_cores() {
  std::vector<std::uint32_t> cores;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (std::uint32_t core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

}  // namespace gw::live
