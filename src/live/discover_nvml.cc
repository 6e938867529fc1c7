// Our own declarations of NVML's functions (NVML API Reference Guide, vR535): Debian ships no header.
#include "live/discover_nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <bit>
#include <memory>

namespace gw::live {
namespace {

using Device = struct nvmlDevice_st*;
using Status = int;
constexpr Status kSuccess = 0;

struct Memory {
  unsigned long long total = 0;
  unsigned long long free = 0;
  unsigned long long used = 0;
};

struct Close {
  void operator()(void* library) const { ::dlclose(library); }
};

template <class Function>
Function* symbol(void* library, const char* name) {
  return std::bit_cast<Function*>(::dlsym(library, name));
}

}  // namespace

Result<std::vector<FoundGpu>> nvml_gpus(const std::string& name) {
  const std::unique_ptr<void, Close> library(::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!library) return fail(fmt::format("{} is not there: no NVIDIA driver is installed", name));
  auto* const init = symbol<Status()>(library.get(), "nvmlInit_v2");
  auto* const shut_down = symbol<Status()>(library.get(), "nvmlShutdown");
  auto* const text_of = symbol<const char*(Status)>(library.get(), "nvmlErrorString");
  auto* const count = symbol<Status(unsigned*)>(library.get(), "nvmlDeviceGetCount_v2");
  auto* const by_index = symbol<Status(unsigned, Device*)>(library.get(), "nvmlDeviceGetHandleByIndex_v2");
  auto* const name_of = symbol<Status(Device, char*, unsigned)>(library.get(), "nvmlDeviceGetName");
  auto* const uuid_of = symbol<Status(Device, char*, unsigned)>(library.get(), "nvmlDeviceGetUUID");
  auto* const memory_of = symbol<Status(Device, Memory*)>(library.get(), "nvmlDeviceGetMemoryInfo");
  auto* const minor_of = symbol<Status(Device, unsigned*)>(library.get(), "nvmlDeviceGetMinorNumber");
  auto* const limit_of = symbol<Status(Device, unsigned*)>(library.get(), "nvmlDeviceGetEnforcedPowerLimit");
  if (init == nullptr || shut_down == nullptr || count == nullptr || by_index == nullptr ||
      name_of == nullptr || uuid_of == nullptr || memory_of == nullptr)
    return fail(fmt::format("{} is no NVIDIA management library, or one older than 2012", name));
  const auto problem = [&](const char* what, Status status) {
    const char* text = text_of != nullptr ? text_of(status) : nullptr;
    return fail(
        fmt::format("{}: {}: {}", name, what, text != nullptr ? text : fmt::format("error {}", status)));
  };
  if (const Status status = init(); status != kSuccess) return problem("the driver does not answer", status);
  const std::unique_ptr<void, void (*)(void*)> session(
      std::bit_cast<void*>(shut_down), [](void* function) { std::bit_cast<Status (*)()>(function)(); });

  unsigned number = 0;
  if (const Status status = count(&number); status != kSuccess) return problem("no count of GPUs", status);
  std::vector<FoundGpu> gpus;
  for (unsigned index = 0; index < number; ++index) {
    Device device = nullptr;
    // A GPU that has fallen off the bus, or is not ours to use, is left out.
    if (by_index(index, &device) != kSuccess) continue;
    std::array<char, 128> text{};
    FoundGpu gpu;
    gpu.index = index;
    if (name_of(device, text.data(), text.size() - 1) != kSuccess) continue;
    gpu.name = text.data();
    text.fill('\0');
    if (uuid_of(device, text.data(), text.size() - 1) == kSuccess) gpu.uuid = text.data();
    Memory memory;
    if (memory_of(device, &memory) == kSuccess) gpu.memory = Bytes{static_cast<std::int64_t>(memory.total)};
    unsigned value = 0;
    gpu.device = minor_of != nullptr && minor_of(device, &value) == kSuccess ? value : index;
    if (limit_of != nullptr && limit_of(device, &value) == kSuccess) gpu.power_limit = Milliwatts{value};
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

}  // namespace gw::live
