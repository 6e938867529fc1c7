// Accelerator: what step times and collectives need to know of a GPU type and of its links.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "model/fleet.h"

namespace gw::physics {

/// Which constants hold for a GPU type. kOther: none of its vendor were fitted; measured rates of the catalog
/// stand in.
enum class Generation : std::uint8_t { kVolta, kAmpere, kHopper, kBlackwell, kBlackwellUltra, kOther };
inline constexpr int kGenerations = 6;

/// In what numbers the matrix products are computed. Attention and the output layer stay in 16 bits.
enum class Precision : std::uint8_t { kFp16, kBf16, kFp8, kMxfp8, kNvfp4 };

[[nodiscard]] std::string_view generation_name(Generation generation);
[[nodiscard]] std::string_view precision_name(Precision precision);

struct Accelerator {
  std::string name;
  Generation generation = Generation::kOther;
  bool own_generation = true;    ///< Else `generation` is the vendor's nearest: its constants stand in.
  double dense_16bit_flops = 0;  ///< Peak, dense, FLOP/s; 0 = the type has none.
  double dense_8bit_flops = 0;
  double dense_4bit_flops = 0;
  double measured_16bit_flops = 0;  ///< Largest measured matrix rate; 0 = not known.
  double measured_8bit_flops = 0;
  double memory_bytes = 0;
  double memory_bytes_s = 0;
  double scaleup_bytes_s = 0;  ///< NVLink or like, per GPU in one direction.
  std::uint32_t scaleup_domain = 1;
  double network_bytes_s = 0;  ///< Scale-out network per GPU in one direction.
  double power_max_w = 0;
  double power_idle_w = 0;
  bool scaleup_known = true;   ///< Else GPUs are joined by links whose rate the catalog does not tell.
  bool network_known = true;   ///< Else `network_bytes_s` is what is usual, not the type's own.
  bool liquid_cooled = false;  ///< As the catalog has it: liquid takes most of the heat of its nodes.

  /// Whether it multiplies bfloat16: GPUs before Ampere have units for fp16 alone.
  [[nodiscard]] bool has_bf16() const { return generation != Generation::kVolta; }
  /// The dense peak for that precision, or 0.
  [[nodiscard]] double peak_flops(Precision precision) const;
};

/// From the catalog's figures. `network_gbit_s`, `measured_*`: as GpuEntry has them, 0 = not known.
[[nodiscard]] Accelerator accelerator_of(const GpuType& type, double network_gbit_s,
                                         double measured_bf16_tflops = 0, double measured_fp8_tflops = 0);

/// Whether the catalog knows all that times on `gpus` of them need, in whatever precision: attention and the
/// output layer are computed in 16 bits. The Error names what is missing.
[[nodiscard]] Result<void> check_known(const Accelerator& gpu, double gpus);

/// The same of the links between them alone.
[[nodiscard]] Result<void> check_links(const Accelerator& gpu, double gpus);

/// Whether the type has units for matrix products in these numbers. bf16 came with Ampere; scales of blocks
/// (mxfp8) with those for 4-bit numbers: Blackwell and MI350, not Hopper. The Error says what is there.
[[nodiscard]] Result<void> check_precision(const Accelerator& gpu, Precision precision);

}  // namespace gw::physics
