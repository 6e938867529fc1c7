// GPU types of the catalog as physics sees them.
#include "physics/accelerator.h"

#include <fmt/format.h>

#include <array>

namespace gw::physics {

namespace {

struct NamePrefix {
  std::string_view prefix;
  Generation generation;
  bool own = true;  ///< Else the nearest: nothing of that type's own generation was fitted.
};
// The first that fits holds.
constexpr std::array kPrefixes = {
    NamePrefix{"v100", Generation::kVolta},
    NamePrefix{"a100", Generation::kAmpere},
    NamePrefix{"h100", Generation::kHopper},
    NamePrefix{"h200", Generation::kHopper},
    NamePrefix{"h800", Generation::kHopper},
    NamePrefix{"gh200", Generation::kHopper},
    NamePrefix{"h20", Generation::kHopper},
    NamePrefix{"b200", Generation::kBlackwell},
    NamePrefix{"gb200", Generation::kBlackwell},
    NamePrefix{"b300", Generation::kBlackwellUltra},
    NamePrefix{"gb300", Generation::kBlackwellUltra},
    NamePrefix{"a10", Generation::kAmpere, false},
    NamePrefix{"a30", Generation::kAmpere, false},
    NamePrefix{"a40", Generation::kAmpere, false},
    NamePrefix{"vera-rubin", Generation::kBlackwellUltra, false},
    NamePrefix{"rubin", Generation::kBlackwellUltra, false},
};

NamePrefix generation_of(std::string_view name) {
  for (const NamePrefix& each : kPrefixes) {
    if (name.starts_with(each.prefix)) return each;
  }
  return {.prefix = {}, .generation = Generation::kOther};
}

constexpr double kTera = 1e12;
constexpr double kGiga = 1e9;
// V100 has no bf16, which is what the catalog's 16-bit rate is: fp16 tensor cores, NVIDIA V100 datasheet.
constexpr double kVolta16BitTflops = 125;
// Where the catalog names no network: one 100 Gbit/s port for a node of eight is usual for such types.
constexpr double kUnknownNetworkGbit = 12.5;

}  // namespace

std::string_view generation_name(Generation generation) {
  constexpr std::array<std::string_view, kGenerations> kNames = {"volta",     "ampere",          "hopper",
                                                                 "blackwell", "blackwell-ultra", "other"};
  return kNames[static_cast<std::size_t>(generation)];
}

std::string_view precision_name(Precision precision) {
  constexpr std::array<std::string_view, 5> kNames = {"fp16", "bf16", "fp8", "mxfp8", "nvfp4"};
  return kNames[static_cast<std::size_t>(precision)];
}

double Accelerator::peak_flops(Precision precision) const {
  switch (precision) {
    case Precision::kFp16:
    case Precision::kBf16:
      return dense_16bit_flops;
    case Precision::kFp8:
    case Precision::kMxfp8:
      return dense_8bit_flops;
    case Precision::kNvfp4:
      return dense_4bit_flops;
  }
  return 0;
}

Accelerator accelerator_of(const GpuType& type, double network_gbit_s, double measured_bf16_tflops,
                           double measured_fp8_tflops) {
  Accelerator gpu;
  gpu.name = type.name;
  const NamePrefix nearest = generation_of(type.name);
  gpu.generation = nearest.generation;
  gpu.own_generation = nearest.own;
  gpu.dense_16bit_flops = type.dense_bf16_tflops * kTera;
  if (gpu.dense_16bit_flops == 0 && gpu.generation == Generation::kVolta)
    gpu.dense_16bit_flops = kVolta16BitTflops * kTera;
  gpu.dense_8bit_flops = type.dense_fp8_tflops * kTera;
  gpu.dense_4bit_flops = type.dense_fp4_tflops * kTera;
  gpu.measured_16bit_flops = measured_bf16_tflops * kTera;
  gpu.measured_8bit_flops = measured_fp8_tflops * kTera;
  gpu.memory_bytes = static_cast<double>(type.memory.count());
  gpu.memory_bytes_s = type.memory_tb_s * kTera;
  gpu.scaleup_bytes_s = type.scaleup_gbyte_s * kGiga;
  gpu.scaleup_domain = type.scaleup_gbyte_s > 0 ? type.scaleup_domain_gpus : 1;
  gpu.network_bytes_s = (network_gbit_s > 0 ? network_gbit_s : kUnknownNetworkGbit) * kGiga / 8;
  gpu.scaleup_known = type.scaleup_gbyte_s > 0 || type.scaleup_domain_gpus <= 1;
  gpu.network_known = network_gbit_s > 0;
  gpu.power_max_w = static_cast<double>(type.power_max.count()) / 1000;
  gpu.power_idle_w = static_cast<double>(type.power_idle.count()) / 1000;
  return gpu;
}

namespace {

std::unexpected<Error> unknown_error(const Accelerator& gpu, std::string_view what) {
  return fail(fmt::format("the catalog does not know {} of {}; add it to the entry, or take another --gpu",
                          what, gpu.name));
}

}  // namespace

Result<void> check_links(const Accelerator& gpu, double gpus) {
  if (gpus > 1 && !gpu.scaleup_known)
    return unknown_error(gpu, "the rate of the links between GPUs (scaleup_bandwidth)");
  return {};
}

Result<void> check_known(const Accelerator& gpu, double gpus) {
  if (gpu.dense_16bit_flops <= 0)
    return unknown_error(
        gpu, "the 16-bit matrix rate (dense_bf16; attention and the output layer need it at any precision)");
  if (gpu.memory_bytes_s <= 0) return unknown_error(gpu, "the memory bandwidth (memory_bandwidth)");
  if (gpu.memory_bytes <= 0) return unknown_error(gpu, "the memory (memory)");
  return check_links(gpu, gpus);
}

Result<void> check_precision(const Accelerator& gpu, Precision precision) {
  if (precision == Precision::kBf16 && !gpu.has_bf16())
    return fail(fmt::format("{} has no units for bf16; take --precision fp16", gpu.name));
  if (gpu.peak_flops(precision) <= 0)
    return fail(fmt::format("{} has no peak rate for {} in the catalog; take another --precision", gpu.name,
                            precision_name(precision)));
  if (precision == Precision::kMxfp8 && gpu.dense_4bit_flops <= 0)
    return fail(fmt::format(
        "{} has no units for mxfp8: products with a scale for each block came with those for 4-bit numbers; "
        "take another --precision, such as fp8",
        gpu.name));
  return {};
}

}  // namespace gw::physics
